"""Tables as files: Parquet, CSV and JSON lines; text cells stay text when read, and writing is atomic.

A CSV file may be separated by commas, or by semicolons or tabs, then with decimal commas; `NA` is an empty cell.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from facskit.datasets.csv_checks import (
    DECIMAL_COMMA,
    NO_VALUE,
    check_csv_header,
    check_csv_lines,
    has_uneven_lines,
)
from facskit.errors import DatasetError
from facskit.files import atomic_path

__all__ = ["SUFFIXES", "cell_place", "collect_table", "raw_cell", "rename_columns", "scan_table", "write_table"]

SUFFIXES = (".parquet", ".csv", ".jsonl")
"""The file name endings that tell a table's format."""


def scan_table(path: Path) -> pl.LazyFrame:
    """Open a table without reading it; CSV cells stay text, so that a wrong cell can be quoted as it is written.

    Raises:
        DatasetError: The file is missing, empty, not in the format that its ending promises, or names a column twice.
    """
    if not path.is_file():
        raise DatasetError(f"{path}: there is no such file; expected a table ending in {', '.join(SUFFIXES)}")
    if path.stat().st_size == 0:
        raise DatasetError(f"{path}: the file is empty; expected a table with at least one row")
    try:
        match path.suffix.lower():
            case ".parquet":
                table = pl.scan_parquet(path, glob=False)
            case ".csv":
                table = _scan_csv(path)
            case ".jsonl":
                return _read_json_lines(path).lazy()
            case found:
                raise DatasetError(f"{path}: found the ending {found!r}; expected one of {', '.join(SUFFIXES)}")
        table.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, error) from error
    return table


def _scan_csv(path: Path) -> pl.LazyFrame:
    separator = check_csv_header(path)
    table = pl.scan_csv(path, separator=separator, null_values=list(NO_VALUE), infer_schema=False, glob=False)
    if separator == ",":
        return table
    # Spreadsheets separate cells otherwise where numbers have decimal commas.
    return table.with_columns(pl.all().str.replace(DECIMAL_COMMA, "${1}.${2}"))


def rename_columns(table: pl.LazyFrame, columns: Mapping[str, str], path: Path) -> pl.LazyFrame:
    """Give columns other names.

    Args:
        columns: The file's names by the new ones: `{"AU12": "smile"}`.

    Raises:
        DatasetError: The file lacks a column, or has one of a new name already.
    """
    there = table.collect_schema().names()
    for new, given in columns.items():
        if given not in there:
            raise DatasetError(f"{path}: the column {given} (for {new}) is missing; found {', '.join(there[:12])}")
        if new in there and new not in columns.values():
            raise DatasetError(f"{path}: there is a column {new} already; leave {new}={given} out, or rename it")
    return table.rename({given: new for new, given in columns.items()})


def collect_table(table: pl.LazyFrame, path: Path) -> pl.DataFrame:
    """Read a lazy table in chunks, so that only the result needs memory.

    Args:
        table: What to read, with all columns of the file in their order.

    Raises:
        DatasetError: A line has more or fewer cells than the header, or the file is damaged.
    """
    try:
        found = table.collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, error) from error
    # Polars fills a line that is too short with empty cells, so the last one is empty at least.
    if path.suffix.lower() == ".csv" and found.to_series(-1).has_nulls() and has_uneven_lines(path, found.width):
        check_csv_lines(path)
    return found


def raw_cell(table: pl.LazyFrame, row: int, column: str) -> object:
    """Read one cell as the file has it, by its row from zero."""
    return table.select(column).slice(row, 1).collect().item()


def cell_place(path: Path, row: int, column: str) -> str:
    """Say where the cell of a row from zero is: file, data row counted from 1 (line, in a CSV file) and column.

    Returns:
        For example `faces.csv: row 2 (line 3), column AU06`.
    """
    line = f" (line {row + 2})" if path.suffix.lower() == ".csv" else ""
    return f"{path}: row {row + 1}{line}, column {column}"


def write_table(table: pl.DataFrame, path: Path, metadata: Mapping[str, str] | None = None) -> Path:
    """Write a table in the format that the file name asks for; a reader never sees half a file.

    Args:
        path: A name ending in `.parquet`, `.csv` or `.jsonl`; its folder is created.
        metadata: Texts that a Parquet file keeps beside the rows; the other formats have no place for them.

    Raises:
        DatasetError: The ending is none of these, or the format can't hold embedded images.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DatasetError(f"{path}: found the ending {path.suffix!r}; expected one of {', '.join(SUFFIXES)}")
    binary = [name for name, dtype in table.schema.items() if dtype == pl.Binary]
    if binary and suffix != ".parquet":
        raise DatasetError(f"{path}: column {binary[0]} holds embedded images; expected a name ending in .parquet")
    with atomic_path(path) as part:
        if suffix == ".parquet":
            table.write_parquet(part, compression="zstd", metadata=dict(metadata or {}) or None)
        elif suffix == ".csv":
            table.write_csv(part)
        else:
            table.write_ndjson(part)
    return path


def _read_json_lines(path: Path) -> pl.DataFrame:
    try:
        return pl.read_ndjson(path, infer_schema_length=None)
    except pl.exceptions.PolarsError:
        # Either a line is no JSON object, which the slow reader can name, or one column mixes types, which it can read.
        return pl.from_dicts(_json_objects(path), infer_schema_length=None)


def _json_objects(path: Path) -> Sequence[dict[str, str | None]]:
    objects: list[dict[str, str | None]] = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except ValueError as error:
                raise DatasetError(
                    f"{path}: line {number} is no JSON ({error}); expected one object per line"
                ) from error
            if not isinstance(found, dict):
                raise DatasetError(f"{path}: line {number} holds {line.strip()[:40]!r}; expected one JSON object")
            objects.append({key: None if value is None else str(value) for key, value in found.items()})
    if not objects:
        raise DatasetError(f"{path}: the file is empty; expected a table with at least one row")
    return objects


def _unreadable(path: Path, error: Exception) -> DatasetError:
    if path.suffix.lower() == ".csv" and path.is_file():
        try:
            check_csv_lines(path)
        except DatasetError as uneven:
            return uneven
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    kind = {".parquet": "a Parquet file", ".csv": "a CSV file with a header"}.get(path.suffix.lower(), "JSON lines")
    return DatasetError(f"{path}: can't be read as {kind} ({reason})")
