"""Corpora in miniature, written by hand: a few label files, and pictures that nobody opens."""

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from facskit.faces.video import VideoWriter

MANY_COLUMNS = tuple(str(number) for number in range(100))


def write_table(
    path: Path,
    frames: Sequence[int],
    present: Sequence[int] = (),
    *,
    header: Sequence[str] = MANY_COLUMNS,
    lost: Sequence[int] = (),
) -> Path:
    """Write an occurrence table where the same AUs are present (1) or lost (9) in every frame."""
    codes = ["1" if int(name) in present else "9" if int(name) in lost else "0" for name in header[1:]]
    lines = [",".join(header), *(",".join([str(frame), *codes]) for frame in frames)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def write_lines(path: Path, *lines: str) -> Path:
    """Write a text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def touch_images(folder: Path, names: Sequence[str]) -> None:
    """Make files with these names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def write_bp4d(
    root: Path, subject: str = "F001", tasks: Sequence[int] = range(1, 9), frames: Sequence[int] = (5, 6)
) -> Path:
    """Write one subject of BP4D with AU 1 and AU 12 present, and images of four digits."""
    for task in tasks:
        write_table(root / "AUCoding" / "AU_OCC" / f"{subject}_T{task}.csv", frames, (1, 12))
        touch_images(root / "2D+3D" / subject / f"T{task}", [f"{frame:04d}.jpg" for frame in frames])
    return root


def write_disfa(root: Path, subject: str = "SN001", frames: int = 4, first_image: int = 0) -> Path:
    """Write one subject of DISFA whose AU 12 grows from 0 by 1 in every frame, and images as ME-GraphAU names them."""
    for number in (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26):
        codes = [min(frame, 5) if number == 12 else 0 for frame in range(frames)]
        lines = [f"{frame},{code}" for frame, code in enumerate(codes, start=1)]
        write_lines(root / "ActionUnit_Labels" / subject / f"{subject}_au{number}.txt", *lines)
    touch_images(root / subject, [f"{frame + first_image}.png" for frame in range(frames)])
    return root


def write_video(path: Path, frames: int) -> None:
    """Write a real video of grey pictures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_video(frames))


@cache
def _video(frames: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        with VideoWriter(path, 25.0) as writer:
            for frame in range(frames):
                writer.write(np.full((32, 32, 3), 9 * frame, np.uint8), frame / 25)
        return path.read_bytes()
