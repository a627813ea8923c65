"""Recognition tables that are complete: read them again, and make of them what needs all of their rows."""

import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facskit.action_units import ActionUnitSet
from facskit.datasets.corpora.lists.table_cells import PLACE, header_names, read_cells
from facskit.datasets.table_files import write_table
from facskit.errors import DatasetError
from facskit.files import atomic_path, shortened
from facskit.inference.own_rest import AUTO, take_rest_off
from facskit.inference.people import keep_person, summarise_bins, summarise_people
from facskit.inference.smoothing import smooth
from facskit.inference.tables import KEYS
from facskit.models.recognition_info import RecognitionInfo

__all__ = ["Finishing", "finish_table", "read_recognition_table", "write_summaries"]

_PROBABILITY = re.compile(r"AU\d\d")
_NUMBER = re.compile(r"AU\d\d(_r|(_smooth|_above_rest)?(_c)?)|smooth_seconds|gaze_\w+|[xy]_\d+|expression_\w+")
_NOTHING = ("na", "nan", "n/a", "#n/a", "null", "none")
"""What R and spreadsheets write where there is no number."""


@dataclass(frozen=True, kw_only=True)
class Finishing:
    """What to make of a complete table."""

    person: str = "all"
    """Whom to leave in it: `all`, or see `keep_person`."""
    neutral: str | None = None
    """Where each person's own rest is taken off, in columns of their own: `auto` or the number of a frame in which
    everybody is at rest; None for nowhere."""
    smooth: float = 0.0
    """Width in seconds of the window over which probabilities are smoothed, in columns of their own; 0 for none."""
    summary: Path | None = None
    """CSV for what each person does; the episodes' has `_episodes` before the ending."""
    bin: float | None = None
    """Seconds of a bin of the summary over time, whose CSV has `_bins` before the ending; None for none."""
    timeline: Path | None = None
    """Picture (.png, .svg or .pdf) of the action units over time, or a folder for those of several files."""

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to do."""
        return self != Finishing()


def finish_table(path: Path, info: RecognitionInfo, wanted: Finishing) -> None:
    """Do what can only be done when a table is complete.

    Args:
        path: What `facskit recognize` wrote, in its own columns.
        info: The weights that it was made with.
    """
    table, _ = read_recognition_table(path)
    units = info.action_units
    if wanted.person != "all":
        table = keep_person(table, wanted.person)
    if wanted.neutral is not None:
        frame = None if wanted.neutral == AUTO else int(wanted.neutral)
        table = take_rest_off(table, units, info.thresholds, frame)
    if wanted.smooth:
        table = smooth(table, units, info.thresholds, wanted.smooth)
    if wanted.person != "all" or wanted.neutral is not None or wanted.smooth:
        write_table(table, path)
    if wanted.summary is not None:
        write_summaries(table, units, wanted.summary, wanted.bin)
    if wanted.timeline is not None:
        from facskit.inference.timeline import write_timelines  # noqa: PLC0415 (matplotlib takes a while to import)

        write_timelines(table, units, wanted.timeline)


def write_summaries(table: pl.DataFrame, action_units: ActionUnitSet, path: Path, seconds: float | None) -> list[Path]:
    """Write what each person does, their episodes, and, for a bin of some seconds, how it goes over time.

    Args:
        path: The people's table; those of episodes and bins have `_episodes` and `_bins` before the ending.

    Returns:
        The files.
    """
    found = summarise_people(table, action_units)
    views = {"": found.people, "_episodes": found.episodes}
    if seconds is not None:
        views["_bins"] = summarise_bins(table, action_units, seconds)
    files = []
    for name, view in views.items():
        files.append(path.with_name(f"{shortened(path.stem, 240)}{name}.csv"))
        with atomic_path(files[-1]) as part:
            view.write_csv(part, float_precision=4)
    return files


def read_recognition_table(path: Path) -> tuple[pl.DataFrame, ActionUnitSet]:
    """Read a table of `facskit recognize`, also one that went through R or a spreadsheet: semicolons, `NA`.

    Returns:
        The rows, and the action units of its columns.

    Raises:
        DatasetError: It can't be read, isn't such a table, or a cell holds text where a number belongs.
    """
    # Polars forgets the order of more than 32 columns of JSON lines.
    raw = read_cells(path).select(*header_names(path), PLACE)
    codes = [name for name in raw.columns if _PROBABILITY.fullmatch(name) and f"{name}_c" in raw.columns]
    missing = [name for name in ("input", "frame", "face_id", "timestamp", "success") if name not in raw.columns]
    if missing or not codes:
        lacking = missing[0] if missing else "AU01 with AU01_c"
        raise DatasetError(f"{path}: there is no column {lacking}; expected a table that facskit recognize wrote")
    types = {name: KEYS.get(name, pl.Float64) for name in raw.columns if name in KEYS or _NUMBER.fullmatch(name)}
    types |= {name: pl.Int64 for name in types if name.endswith("_c")}
    numbers = {name: kind for name, kind in types.items() if kind != pl.String}
    for name, kind in numbers.items():
        cells = raw[name]
        number = cells.cast(pl.Float64, strict=False).fill_nan(None)
        wrong = number.is_null() & cells.is_not_null() & ~cells.str.to_lowercase().is_in(_NOTHING)
        if wrong.any():
            row = int(wrong.arg_max() or 0)
            raise DatasetError(f"{raw[PLACE][row]}, column {name}: found {cells[row]!r}, expected a number")
        raw = raw.with_columns(number.cast(kind))
    return raw.drop(PLACE), ActionUnitSet.parse(codes)
