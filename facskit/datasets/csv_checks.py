"""Checks of what polars lets pass in a CSV file: doubled columns, other separators, and lines that are too short."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from facskit.errors import DatasetError

__all__ = ["check_csv_header", "check_csv_lines", "has_uneven_lines"]

_NOWHERE = "\x1f"
"""A separator that no text file holds, so that a line is read as one cell."""


def check_csv_header(path: Path) -> None:
    """Refuse a header that polars would repair silently, or that isn't separated by commas.

    Raises:
        DatasetError: A column stands there twice, or semicolons separate the columns.
    """
    names = next((cells for _, cells in _rows(path)), [])
    if len(names) == 1 and ";" in names[0]:
        raise DatasetError(f"{path}: found the header {names[0][:60]!r}; separated by semicolons? expected commas")
    for name, times in Counter(names).items():
        if times > 1:
            raise DatasetError(f"{path}: the column {name} stands there {times} times; expected it once")


def has_uneven_lines(path: Path, width: int) -> bool:
    """Say quickly whether some line may have too few or too many cells; only `check_csv_lines` knows for sure."""
    lines = pl.scan_csv(
        path,
        has_header=False,
        separator=_NOWHERE,
        quote_char=None,
        new_columns=["line"],
        infer_schema=False,
        glob=False,
    )
    line = pl.col("line")
    quoted = line.str.contains('"', literal=True)  # a comma in it separates nothing
    uneven = line.str.count_matches(",", literal=True) != width - 1
    return lines.select((quoted | uneven).any()).collect(engine="streaming").item() is True


def check_csv_lines(path: Path) -> None:
    """Count every line's cells, one by one; empty lines are left to the checks of the cells.

    Raises:
        DatasetError: The first line with too few or too many cells.
    """
    rows = _rows(path)
    _, header = next(rows, (0, []))
    for line, cells in rows:
        if len(cells) != len(header):
            raise DatasetError(
                f"{path}: line {line}: found {len(cells)} cells, expected {len(header)} as in the header"
            )


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of all rows that aren't empty, as far as the file is text."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
        except csv.Error:  # polars says better what is wrong with such a file
            return
