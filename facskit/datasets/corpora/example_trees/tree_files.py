"""Files as the corpora's releases have them, written: code tables, code lists and MATLAB landmarks.

The files aren't written one by one in a safe way: a generated corpus appears in its place as a whole.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import scipy.io
from jaxtyping import Float

from facskit.datasets.corpora.reading.label_files import MISSING_CODE
from facskit.faces.landmarks import POINTS_66, to_49

__all__ = ["with_folder", "write_code_list", "write_code_table", "write_fit_file", "write_point_file"]


def write_code_table(
    path: Path,
    header: Sequence[str],
    frames: Sequence[int],
    codes: Mapping[int, Sequence[int]],
    *,
    windows: bool = False,
) -> None:
    """Write an occurrence table.

    Args:
        header: Name of each column, that of the frame first; the others are numbers of AUs.
        codes: Codes by AU number; 9 in columns of other AUs.
        windows: Whether the file begins with a byte order mark, its lines end in CRLF, and it ends in empty lines.
    """
    columns = [frames, *(codes.get(int(name), [MISSING_CODE] * len(frames)) for name in header[1:])]
    lines = [",".join(header), *(",".join(map(str, row)) for row in zip(*columns, strict=True))]
    text = "\n".join([*lines, ""])
    if windows:
        text = "\ufeff" + text.replace("\n", "\r\n") + "\r\n\r\n"
    with_folder(path).write_bytes(text.encode())


def write_code_list(path: Path, frames: Sequence[int | str], codes: Sequence[int], separator: str = ",") -> None:
    """Write one frame and code per line."""
    lines = [f"{frame}{separator}{code}" for frame, code in zip(frames, codes, strict=True)]
    with_folder(path).write_bytes("\n".join([*lines, ""]).encode())


def write_fit_file(path: Path, points: Sequence[Float[np.ndarray, "68 2"] | None], *, old: bool = False) -> None:
    """Write 49 landmarks per frame as the structure `fit` with the field `pred`, counted from 1 in pixels.

    Args:
        points: 68 landmarks of each frame, counted from 0; None for a frame that wasn't tracked, which becomes an
            empty matrix.
        old: Whether to write the older kind of MATLAB file instead of HDF5.
    """
    frames = [np.zeros((0, 0)) if points68 is None else to_49(points68) + 1 for points68 in points]
    with_folder(path)
    if old:
        fit = np.zeros((1, len(frames)), dtype=[("pred", object)])
        for position, frame in enumerate(frames):
            fit["pred"][0, position] = frame
        scipy.io.savemat(path, {"fit": fit})
        return
    with h5py.File(path, "w") as file:
        stored = file.create_group("#refs#")
        empty = stored.create_dataset("empty", data=np.zeros(2, np.uint64))
        empty.attrs["MATLAB_empty"] = np.uint8(1)
        references = file.create_group("fit").create_dataset("pred", (len(frames), 1), dtype=h5py.ref_dtype)
        for position, frame in enumerate(frames):
            matrix = stored.create_dataset(f"{position}", data=frame.T) if frame.size else empty
            references[position, 0] = matrix.ref


def write_point_file(path: Path, points: Float[np.ndarray, "68 2"]) -> None:
    """Write DISFA's 66 of a frame's 68 landmarks as `pts`, counted from 1 in pixels instead of from 0."""
    scipy.io.savemat(with_folder(path), {"pts": points[list(POINTS_66)] + 1})


def with_folder(path: Path) -> Path:
    """Make a file's folder; return the file's path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
