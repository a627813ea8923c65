"""Labels that a person coded frame by frame: a table that names the video or picture, the frame, and AUs."""

from pathlib import Path

import polars as pl

from facskit.action_units import ActionUnitSet
from facskit.columns import FRAME, IMAGE
from facskit.datasets.corpora.lists.foreign_tables import INPUT, guess_table
from facskit.datasets.corpora.lists.table_cells import PLACE, read_cells
from facskit.datasets.manifest_checks import first_wrong, unit_columns
from facskit.errors import DatasetError

__all__ = ["read_frame_labels"]

_NAMES = (INPUT, IMAGE, "video", "file")
"""Columns that may name what a row is about, in the order of preference."""
_STATES = {"1": 1, "1.0": 1, "0": 0, "0.0": 0}


def read_frame_labels(path: Path) -> tuple[pl.DataFrame, ActionUnitSet]:
    """Read labels: a column `input` (or `image`, `video`, `file`), for videos `frame` (from 0), and AU columns.

    Returns:
        `input`, `frame` and an Int8 column per action unit with 1, 0 or null, and the action units.

    Raises:
        DatasetError: It's a tool's result table, a column is missing, a cell isn't 1, 0 or empty, or a frame is there
            twice.
    """
    if (tool := guess_table(path)) is not None:
        raise DatasetError(f"{path}: this is a result table of {tool}; --labels needs what people coded, as 1 and 0")
    cells = read_cells(path)
    shown = ", ".join(name for name in cells.columns[:12] if name != PLACE)
    name = next((name for name in _NAMES if name in cells.columns), None)
    if name is None:
        raise DatasetError(f"{path}: there is none of the columns {', '.join(_NAMES)}; found {shown}")
    units = unit_columns(path, cells)
    if not units:
        raise DatasetError(f"{path}: there is no column such as AU12; found {shown}")
    labels = [_states(cells, column).alias(unit.code) for unit, column in units.items()]
    table = cells.select(pl.col(name).alias(INPUT), _frames(cells), *labels, pl.col(PLACE))
    again = first_wrong(~table.select(INPUT, FRAME).to_struct().is_first_distinct())
    if again is not None:
        found = f"{table[INPUT][again]}, frame {table[FRAME][again]}"
        raise DatasetError(f"{table[PLACE][again]}: found {found} again; expected each frame once")
    return table.drop(PLACE), ActionUnitSet(tuple(units))


def _frames(cells: pl.DataFrame) -> pl.Series:
    if FRAME not in cells.columns:
        return pl.repeat(0, cells.height, dtype=pl.Int64, eager=True).alias(FRAME)
    numbers = cells[FRAME].cast(pl.Float64, strict=False)
    wrong = first_wrong(numbers.is_null() | (numbers != numbers.floor()))
    if wrong is not None:
        found = cells[FRAME][wrong]
        raise DatasetError(f"{cells[PLACE][wrong]}, column {FRAME}: found {found!r}, expected a whole number")
    return numbers.cast(pl.Int64)


def _states(cells: pl.DataFrame, column: str) -> pl.Series:
    wrong = first_wrong(~cells[column].is_in(list(_STATES)) & cells[column].is_not_null())
    if wrong is not None:
        found = cells[column][wrong]
        raise DatasetError(f"{cells[PLACE][wrong]}, column {column}: found {found!r}, expected 1, 0 or nothing")
    return cells[column].replace_strict(_STATES, default=None, return_dtype=pl.Int8)
