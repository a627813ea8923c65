"""What polars doesn't find out about a CSV file by itself: its separator, doubled columns, lines that are too short."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from facskit.errors import DatasetError

__all__ = ["DECIMAL_COMMA", "NO_VALUE", "check_csv_header", "check_csv_lines", "has_uneven_lines", "separator_of"]

NO_VALUE = ("NA", "N/A", "#N/A", "null", "NULL", "#NULL!")
"""What statistics programs and spreadsheets write into a cell where nothing is known, beside nothing at all."""
DECIMAL_COMMA = r"^([+-]?\d+),(\d+(?:[eE][+-]?\d+)?)$"
"""A number as it is written where cells are separated by something else than commas."""

_NOWHERE = "\x1f"
"""A separator that no text file holds, so that a line is read as one cell."""


def separator_of(header: str) -> str:
    """Return what separates the cells of a table: a comma, semicolon or tab, the one that its header has most of."""
    return max(",;\t", key=header.count)


def check_csv_header(path: Path) -> str:
    """Refuse a header that polars would repair silently; return what separates the cells.

    Raises:
        DatasetError: A column stands there twice.
    """
    names = next((cells for _, cells in _rows(path)), [])
    for name, times in Counter(names).items():
        if times > 1:
            raise DatasetError(f"{path}: the column {name} stands there {times} times; expected it once")
    return _separator(path)


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
    quoted = line.str.contains('"', literal=True)  # a separator in it separates nothing
    uneven = line.str.count_matches(_separator(path), literal=True) != width - 1
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
        reader = csv.reader(file, delimiter=_separator(path))
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
        except csv.Error:  # polars says better what is wrong with such a file
            return


def _separator(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return separator_of(file.readline())
