"""Result tables cell by cell as text, whatever separates the cells and however the characters are encoded.

The same tool's table comes with commas, semicolons or tabs, in UTF-8 or UTF-16, with decimal points or commas,
depending on the computer that wrote it or the spreadsheet it went through.
"""

import codecs
import csv
import io
import json
from collections import Counter
from pathlib import Path

import polars as pl
import polars.selectors as cs

from facskit.datasets.csv_checks import DECIMAL_COMMA, separator_of
from facskit.datasets.table_files import collect_table, scan_table
from facskit.errors import DatasetError

__all__ = ["ENDINGS", "PLACE", "STEM", "header_names", "read_cells"]

ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".jsonl")
"""The file name endings that result tables have."""
PLACE = "place of the row"
"""Column that says for messages where a row stands: the file, and the line or row."""
STEM = "stem of the file"
"""Column with the name of a row's file without its ending."""
_TYPED = (".parquet", ".jsonl")
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def header_names(path: Path) -> list[str]:
    """Return the names of a table's columns.

    Raises:
        DatasetError: The file can't be read.
    """
    try:
        match path.suffix.lower():
            case ".parquet":
                return list(pl.read_parquet_schema(path))
            case ".jsonl":
                with path.open(encoding="utf-8") as file:
                    return list(json.loads(file.readline()))
            case _:
                with path.open(encoding=_encoding(path), newline="") as file:
                    return _split_header(file.readline())[1]
    except (OSError, ValueError, TypeError, pl.exceptions.PolarsError) as error:
        raise DatasetError(f"{path}: can't be read as a table ({error})") from error


def read_cells(path: Path) -> pl.DataFrame:
    """Read all cells of a table as text.

    Returns:
        The table's columns without blanks around names and cells, null for empty cells, and `PLACE` and `STEM`.

    Raises:
        DatasetError: The file can't be read, names a column twice, has no rows, or a line with too few or too many
            cells.
    """
    if path.suffix.lower() in _TYPED:
        table = collect_table(scan_table(path), path).select((~cs.nested() & ~cs.binary()).cast(pl.String))
        place, first = "row", 1
    else:
        table = _read_text(path)
        place, first = "line", 2
    if not table.height:
        raise DatasetError(f"{path}: there are no rows; expected one per face or frame")
    text = pl.all().str.strip_chars()
    return table.select(pl.when(text != "").then(text)).with_columns(
        pl.format("{}: {} {}", pl.lit(str(path)), pl.lit(place), pl.int_range(first, pl.len() + first)).alias(PLACE),
        pl.lit(path.stem).alias(STEM),
    )


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        begin = file.read(3)
    return next((encoding for mark, encoding in _MARKS.items() if begin.startswith(mark)), "utf-8")


def _split_header(line: str) -> tuple[str, list[str]]:
    """Return the separator and the columns' names."""
    separator = separator_of(line)
    return separator, [name.strip().strip('"') for name in line.strip("\r\n").split(separator)]


def _read_text(path: Path) -> pl.DataFrame:
    try:
        text = path.read_text(encoding=_encoding(path))
    except OSError as error:
        raise DatasetError(f"{path}: can't open it ({(error.strerror or 'unreadable').lower()})") from error
    except UnicodeError as error:
        raise DatasetError(f"{path}: found bytes that are no text ({error}); save it as UTF-8") from error
    header = text.partition("\n")[0]
    separator, names = _split_header(header)
    for name, times in Counter(filter(None, names)).items():
        if times > 1:
            raise DatasetError(f"{path}: the column {name} stands there {times} times; expected it once")
    try:
        table = pl.read_csv(text.encode(), separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        _check_lines(path, text, separator)
        reason = str(error).strip().splitlines()[0]
        raise DatasetError(f"{path}: can't be read as a table with a header ({reason})") from error
    # Polars fills a line that is too short with empty cells, so the last one is empty at least.
    if table.to_series(-1).has_nulls():
        _check_lines(path, text, separator)
    table.columns = [name or f"column {position}" for position, name in enumerate(names, start=1)]
    if separator != ",":  # spreadsheets that separate cells otherwise do so because numbers have decimal commas
        table = table.with_columns(pl.all().str.strip_chars().str.replace(DECIMAL_COMMA, "${1}.${2}"))
    return table


def _check_lines(path: Path, text: str, separator: str) -> None:
    """Refuse lines with another number of cells than the header: their labels would be those of other columns."""
    rows = csv.reader(io.StringIO(text), delimiter=separator)
    width = len(next(rows, []))
    for cells in rows:
        if cells and len(cells) != width:
            line = rows.line_num
            hint = "" if any(rows) else "; the file was cut off there: make it again, or delete that line"
            raise DatasetError(f"{path}: line {line}: found {len(cells)} cells, expected {width} as the header{hint}")
