"""Generated folders of BP4D and BP4D+, with the oddities of the releases."""

import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from facskit.action_units import BP4D, RENDERED
from facskit.datasets.corpora.example_trees.tree_cast import Cast, Take, TreePlan, round_robin
from facskit.datasets.corpora.example_trees.tree_files import (
    with_folder,
    write_code_list,
    write_code_table,
    write_fit_file,
)
from facskit.datasets.corpora.reading.label_files import MISSING_CODE
from facskit.datasets.folds import published_parts

__all__ = ["write_bp4d", "write_bp4d_plus"]

_MANY_COLUMNS = tuple(str(number) for number in range(100))
_NAMED = [
    *("1", "2", "4", "5", "6", "7", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "22", "23"),
    *("24", "27", "28", "30", "31", "32", "33", "34", "35", "36", "37", "38", "39"),
]
_INTENSITIES = (6, 10, 12, 14, 17)
_RAW_TASKS = ("01", "03", "07", "08", "09", "10", "11", "13")
_BP4D_PLUS_TASKS = (1, 6, 7, 8)
_ENOUGH = 4  # subjects, so that a published fold keeps image folders beside the subject that is a video


def write_bp4d(root: Path, cast: Cast, plan: TreePlan) -> None:
    """Write a small BP4D; each recording has an uncoded picture before and after the coded ones."""
    names = round_robin(published_parts("bp4d"), plan.subjects)
    for index, name in enumerate(names):
        for task in range(1, 9):
            take = cast.take(index, (task - 1) * plan.frames, plan.frames + 2)
            frames = range(2, plan.frames + 2)
            coded = Take(faces=take.faces, rows=take.rows[1:-1])
            style = _Style(
                header=("0", *_NAMED) if plan.quirks and index == 1 else _MANY_COLUMNS,
                windows=plan.quirks and index == 0,
                lost=range(1, len(coded), 4) if plan.quirks and index == 2 else (),
            )
            _write_codes(root, f"{name}_T{task}", frames, coded, style)
            if plan.quirks and index == _last_of(plan, names):
                take.write_video(root / "Sequences(2D+3D)" / f"2{name[0]}{name[2:]}_{_RAW_TASKS[task - 1]}.avi")
            else:
                digits = (4, 3, 1)[index % 3] if plan.quirks else 4
                for frame in range(len(take)):
                    take.write_image(
                        frame, root / "Sequences(2D+3D)" / name / f"T{task}" / f"{frame + 1:0{digits}d}.jpg"
                    )
            tracked = _tracked(take, lose=plan.quirks and index == 0 and task == 1)
            old = plan.quirks and index == 1 and task == 2
            write_fit_file(root / "2DFeatures" / f"{name}_T{task}.mat", tracked, old=old)


def write_bp4d_plus(root: Path, cast: Cast, plan: TreePlan) -> None:
    """Write a small BP4D+; label f belongs to image f - 1, and images count from 0."""
    names = round_robin(published_parts("bp4d-plus"), plan.subjects, first=("F001", "F042"))
    for index, name in enumerate(names):
        tasks = [*_BP4D_PLUS_TASKS, *((11,) if plan.quirks and name == "F042" else ())]
        for turn, task in enumerate(tasks):
            take = cast.take(index, turn * plan.frames, plan.frames)
            if task in _BP4D_PLUS_TASKS:
                lost = range(1, len(take), 4) if plan.quirks and index == 2 else ()
                style = _Style(header=("1", *_NAMED), lost=lost)
                _write_codes(root, f"{name}_T{task}", range(1, plan.frames + 1), take, style)
                write_fit_file(root / "2DFeatures" / f"{name}_T{task}.mat", _tracked(take))
            if plan.quirks and index == _last_of(plan, names):
                take.write_video(root / "2D+3D" / f"{name}_T{task}.mp4")
            else:
                folder = root / "2D+3D" / name / f"T{task}"
                digits = 3 + index % 2 if plan.quirks else 3
                for frame in range(len(take)):
                    take.write_image(frame, folder / f"{frame:0{digits}d}.jpg")
        if plan.quirks and name == "F042":
            _pack(root / "2D+3D" / name)
    if plan.quirks:
        with_folder(root / "Physiology" / names[0] / "T1" / "BP_mmHg.txt").write_text("80.0\n80.1\n", encoding="utf-8")


def _last_of(plan: TreePlan, names: Sequence[str]) -> int:
    """Return who is filmed instead of photographed: the last subject, if there are enough."""
    return len(names) - 1 if plan.subjects >= _ENOUGH else -1


@dataclass(frozen=True, kw_only=True)
class _Style:
    """What a subject's tables look like."""

    header: tuple[str, ...]
    windows: bool = False
    lost: Sequence[int] = ()


def _write_codes(root: Path, name: str, frames: Sequence[int], take: Take, style: _Style) -> None:
    """Write the occurrence table and the intensity lists of a recording; AU 23 can't be coded in the lost frames."""
    codes = {unit.number: _or_missing(take.codes(unit)) for unit in RENDERED}
    for row in style.lost:
        codes[23][row] = MISSING_CODE
    write_code_table(root / "AUCoding" / "AU_OCC" / f"{name}.csv", style.header, frames, codes, windows=style.windows)
    for unit in BP4D:
        if unit.number in _INTENSITIES:
            file = root / "AUCoding" / "AU_INT" / unit.code / f"{name}_{unit.code}.csv"
            write_code_list(file, list(frames), _or_missing(take.levels(unit)))


def _or_missing(codes: Sequence[int | None]) -> list[int]:
    return [MISSING_CODE if code is None else code for code in codes]


def _tracked(take: Take, *, lose: bool = False) -> list[Float[np.ndarray, "68 2"] | None]:
    """Return each frame's landmarks; to lose them, the third frame's are NaN and the fourth's are missing."""
    points: list[Float[np.ndarray, "68 2"] | None] = [take.landmarks(frame) for frame in range(len(take))]
    if lose and len(points) > 4:
        points[2] = np.full((68, 2), np.nan)
        points[3] = None
    return points


def _pack(folder: Path) -> None:
    """Replace a subject's folder by a zip archive of it."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for file in files:
            archive.write(file, file.relative_to(folder.parent).as_posix())
    shutil.rmtree(folder)
