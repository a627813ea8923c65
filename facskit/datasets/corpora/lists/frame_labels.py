"""Labels that a person coded frame by frame: a table that names the video or picture, the frame, and AUs."""

import re
from pathlib import Path

import polars as pl

from facskit.action_units import ActionUnit, ActionUnitSet, parse_action_unit
from facskit.columns import FRAME, IMAGE
from facskit.datasets.corpora.lists.foreign_tables import INPUT, guess_table
from facskit.datasets.corpora.lists.table_cells import PLACE, read_cells
from facskit.datasets.manifest_checks import first_wrong
from facskit.errors import DatasetError

__all__ = ["read_frame_labels"]

_NAMES = (INPUT, IMAGE, "video", "file")
"""Columns that may name what a row is about, in the order of preference."""
_LOOKS_LIKE_AN_AU = re.compile(r"(?i)au[\s_-]*\d+")
_STATES = {"1": 1, "1.0": 1, "0": 0, "0.0": 0}


def read_frame_labels(path: Path) -> tuple[pl.DataFrame, ActionUnitSet]:
    """Read labels: a column `input` (or `image`, `video`, `file`), for videos `frame` (from 0), and AU columns.

    Returns:
        `input`, `frame` and an Int8 column per action unit with 1, 0 or null, and the action units.

    Raises:
        DatasetError: It's a tool's result table, a column is missing, or a cell isn't 1, 0 or empty.
    """
    if (tool := guess_table(path)) is not None:
        raise DatasetError(f"{path}: this is a result table of {tool}; --labels needs what people coded, as 1 and 0")
    cells = read_cells(path)
    name = next((name for name in _NAMES if name in cells.columns), None)
    if name is None:
        raise DatasetError(
            f"{path}: there is none of the columns {', '.join(_NAMES)}; found {', '.join(_shown(cells))}"
        )
    units: dict[ActionUnit, str] = {}
    for column in filter(_LOOKS_LIKE_AN_AU.fullmatch, cells.columns):
        try:
            units[parse_action_unit(column)] = column
        except ValueError as error:
            raise DatasetError(f"{path}: the column {column} is named like an action unit, but {error}") from None
    if not units:
        raise DatasetError(f"{path}: there is no column such as AU12; found {', '.join(_shown(cells))}")
    frame = pl.lit(0, pl.Int64).alias(FRAME)
    if FRAME in cells.columns:
        numbers = cells[FRAME].cast(pl.Float64, strict=False)
        wrong = first_wrong(numbers.is_null() | (numbers != numbers.floor()))
        if wrong is not None:
            found = cells[FRAME][wrong]
            raise DatasetError(f"{cells[PLACE][wrong]}, column {FRAME}: found {found!r}, expected a whole number")
        frame = pl.Series(FRAME, numbers).cast(pl.Int64)  # type: ignore[assignment]
    for column in units.values():
        wrong = first_wrong(~cells[column].is_in(list(_STATES)) & cells[column].is_not_null())
        if wrong is not None:
            found = cells[column][wrong]
            raise DatasetError(f"{cells[PLACE][wrong]}, column {column}: found {found!r}, expected 1, 0 or nothing")
    labels = [
        pl.col(column).replace_strict(_STATES, default=None, return_dtype=pl.Int8).alias(unit.code)
        for unit, column in units.items()
    ]
    return cells.select(pl.col(name).alias(INPUT), frame, *labels), ActionUnitSet(tuple(units))


def _shown(cells: pl.DataFrame) -> list[str]:
    return cells.columns[:12]
