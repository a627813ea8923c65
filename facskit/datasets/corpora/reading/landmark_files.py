"""Landmarks as BP4D, BP4D+ and DISFA release them: MATLAB files, counted from 1 in pixels.

facskit counts pixels from 0, so 1 is subtracted, as JAA-Net's code does. Frames whose landmarks are NaN, all equal, or
absent have none.
"""

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from facskit.columns import LANDMARKS_X, LANDMARKS_Y
from facskit.faces.landmarks import POINTS_49, POINTS_66

__all__ = ["landmark_columns", "point_file_position", "read_fit_file", "read_point_file"]

_POINT_FILE = re.compile(r"(?:.*_0*(?P<from_zero>\d+)|l0*(?P<from_one>\d+))_lm\.mat", re.IGNORECASE)
_WRONG_CONTENT = (KeyError, ValueError, TypeError, IndexError, AttributeError, NotImplementedError)
_FAULTS = (OSError, zlib.error, *_WRONG_CONTENT)


def read_fit_file(path: Path, positions: Sequence[int]) -> Float[np.ndarray, "frames 49 2"]:
    """Read the landmarks of some frames of a `2DFeatures/F001_T1.mat`: the field `pred` of its structure `fit`.

    Both kinds of MATLAB file are read: HDF5 (version 7.3), where each frame is a reference to a 2 x 49 table, and the
    older kind, where each frame is a 49 x 2 matrix.

    Args:
        positions: Frames counted from 0.

    Returns:
        Pixels counted from 0; NaN for frames without landmarks or beyond the end.

    Raises:
        ValueError: The file is damaged or holds something else.
    """
    points = np.full((len(positions), len(POINTS_49), 2), np.nan)
    try:
        with _frames_of(path) as (count, frame):
            for row, position in enumerate(positions):
                if 0 <= position < count:
                    points[row] = _points(frame(position), len(POINTS_49))
    except _FAULTS as error:
        raise ValueError(f"found no landmarks as fit/pred in it ({error})") from error
    return points


@contextmanager
def _frames_of(path: Path) -> Iterator[tuple[int, Callable[[int], Any]]]:
    """Open a file of either kind; give its number of frames and the function that reads one."""
    import h5py  # noqa: PLC0415 (who has no such file needn't have it)

    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            references = file["fit/pred"][()].reshape(-1)
            yield len(references), lambda position: file[references[position]][()].T
        return
    fit = _older_kind(path, "fit")
    frames = fit["pred"].reshape(-1)
    if len(frames) == 1 and frames[0].dtype == object:  # one structure with a cell per frame
        frames = frames[0].reshape(-1)
    yield len(frames), lambda position: frames[position]


def read_point_file(path: Path) -> Float[np.ndarray, "66 2"]:
    """Read one frame's `SN001_0000_lm.mat` of DISFA.

    Returns:
        Pixels counted from 0; NaN if the file has none.

    Raises:
        ValueError: The file is damaged or holds something else.
    """
    try:
        return _points(_older_kind(path, "pts"), len(POINTS_66))
    except _FAULTS as error:
        raise ValueError(f"found no 66 landmarks as pts in it ({error})") from error


def _older_kind(path: Path, name: str) -> Any:  # noqa: ANN401 (whatever MATLAB stored)
    """Return what a MATLAB file from before version 7.3 calls by a name."""
    import scipy.io  # noqa: PLC0415 (who has no such file needn't have it)

    try:
        return scipy.io.loadmat(path)[name]
    except scipy.io.matlab.MatReadError as error:
        raise ValueError(str(error)) from error


def point_file_position(name: str) -> int | None:
    """Tell which frame, counted from 0, a file of DISFA's landmarks belongs to; None for another file.

    Most are called `SN001_0000_lm.mat` and counted from 0; some subjects' are called `l00001_lm.mat`, from 1.
    """
    match = _POINT_FILE.fullmatch(name)
    if match is None:
        return None
    return int(match["from_zero"]) if match["from_zero"] else int(match["from_one"]) - 1


def landmark_columns(points: Float[np.ndarray, "frames points 2"]) -> pl.DataFrame:
    """Make the 136 landmark columns of 49, 66 or 68 points.

    Returns:
        Columns `x_0` to `y_67` of the points' own precision, null where there is no such point.
    """
    places = {len(POINTS_49): POINTS_49, len(POINTS_66): POINTS_66}.get(points.shape[1], range(len(LANDMARKS_X)))
    everywhere = np.full((len(points), len(LANDMARKS_X), 2), np.nan, points.dtype)
    everywhere[:, places] = points
    columns = {name: everywhere[:, point, 0] for point, name in enumerate(LANDMARKS_X)}
    columns |= {name: everywhere[:, point, 1] for point, name in enumerate(LANDMARKS_Y)}
    return pl.DataFrame(columns).fill_nan(None)


def _points(values: Any, count: int) -> Float[np.ndarray, "points 2"]:  # noqa: ANN401
    """Return one frame's points, NaN if there are none; MATLAB stores an empty matrix as something small."""
    found = np.asarray(values, dtype=np.float64)
    if found.size != 2 * count:
        if found.size > 4:
            raise ValueError(f"{found.size} numbers, expected {count} points")
        return np.full((count, 2), np.nan)
    found = found.T if found.shape == (2, count) else found.reshape(count, 2)
    lost = not np.isfinite(found).all() or np.ptp(found) == 0
    return np.full((count, 2), np.nan) if lost else found - 1
