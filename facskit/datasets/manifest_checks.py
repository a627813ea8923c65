"""Rules of manifests: columns found by name, cells turned into small types, and each mistake in one sentence.

Everything is vectorised: a wrong cell becomes a marker while the table is read, and only when a marker is found is the
file opened again to quote the cell.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facskit.action_units import ActionUnit, parse_action_unit
from facskit.columns import EXPRESSION, IMAGE, IMAGE_BYTES, LANDMARKS_X, LANDMARKS_Y, RECORDING, SPLIT, SUBJECT
from facskit.datasets.table_files import cell_place, raw_cell
from facskit.errors import DatasetError
from facskit.expressions import EXPRESSION_NAMES, EXPRESSION_SPELLINGS
from facskit.faces.landmarks import POINTS_49

__all__ = [
    "ManifestLayout",
    "check_images_exist",
    "check_table",
    "find_layout",
    "first_wrong",
    "infer_extra_types",
    "missing_images",
    "unit_columns",
]

_NOT_A_LABEL = 2
_NOT_AN_EXPRESSION = "?"
_LOOKS_LIKE_AN_AU = re.compile(r"(?i:au)[\s_-]*\d+|AU[\s_-]*\w{1,2}")
_NOT_TEXT = (pl.Binary, pl.List, pl.Struct, pl.Array, pl.Object)


@dataclass(frozen=True, kw_only=True)
class ManifestLayout:
    """Which of a file's columns mean what."""

    labels: dict[ActionUnit, str]
    """The column of each coded AU, as the file spells it."""
    has_expressions: bool
    """Whether there is a column of expressions."""
    landmarks: tuple[str, ...]
    """All 136 landmark columns, or none."""
    header: pl.DataFrame
    """The file's columns and types, without its rows."""

    def typed(self, source: pl.LazyFrame) -> pl.LazyFrame:
        """Give labels, landmarks and names their types, AU columns their usual spelling, and keep all other columns.

        Cells that are wrong hold a marker that `check_table` finds.
        """
        spelled = {column: unit for unit, column in self.labels.items()}
        columns = []
        for name in self.header.columns:
            if name in spelled:
                columns.append(_label(name, self.header).alias(spelled[name].code))
            elif name in self.landmarks:
                columns.append(_landmark(name, self.header))
            elif name == EXPRESSION:
                columns.append(_expression())
            elif name in {IMAGE, SUBJECT}:
                text = pl.col(name).cast(pl.String).str.strip_chars()
                text = pl.when(text == "").then(None).otherwise(text)
                columns.append(text.cast(pl.Categorical if name == SUBJECT else pl.String).alias(name))
            else:
                columns.append(pl.col(name))
        return source.select(columns)


def find_layout(path: Path, header: pl.DataFrame) -> ManifestLayout:
    """Find the columns of a manifest by their names in its header, which has their types and no rows.

    Raises:
        DatasetError: A needed column is missing, or one is named like an AU or landmark but can't be one.
    """
    names, schema = header.columns, header.schema
    for name in (IMAGE, SUBJECT, EXPRESSION):
        if name not in names and name != EXPRESSION:
            raise DatasetError(f"{path}: the column {name} is missing; found {', '.join(names[:12])}")
        if name in names and schema[name] in _NOT_TEXT:
            raise DatasetError(f"{path}: the column {name} holds {schema[name]}; expected text")
    if IMAGE_BYTES in names and schema[IMAGE_BYTES] != pl.Binary:
        raise DatasetError(f"{path}: the column {IMAGE_BYTES} holds {schema[IMAGE_BYTES]}; expected encoded images")
    labels = unit_columns(path, header)
    landmarks = (*LANDMARKS_X, *LANDMARKS_Y)
    absent = [name for name in landmarks if name not in names]
    if absent and len(absent) < len(landmarks):
        raise DatasetError(f"{path}: the landmark column {absent[0]} is missing; expected all of x_0..x_67, y_0..y_67")
    return ManifestLayout(
        labels=labels, has_expressions=EXPRESSION in names, landmarks=() if absent else landmarks, header=header
    )


def unit_columns(path: Path, header: pl.DataFrame) -> dict[ActionUnit, str]:
    """Find the columns of a table that are about action units, by their names.

    Args:
        header: The table, with or without rows.

    Returns:
        The name of each unit's column, as the file spells it.

    Raises:
        DatasetError: A column is named like an action unit that there isn't, two are about the same one, or one holds
            what can't be a label.
    """
    labels: dict[ActionUnit, str] = {}
    for name in filter(_LOOKS_LIKE_AN_AU.fullmatch, header.columns):
        try:
            unit = parse_action_unit(name)
        except ValueError as error:
            raise DatasetError(f"{path}: the column {name} is named like an action unit, but {error}") from None
        if unit in labels:
            raise DatasetError(f"{path}: the columns {labels[unit]} and {name} both hold {unit.code}; expected one")
        if header.schema[name] in _NOT_TEXT:
            raise DatasetError(f"{path}: the column {name} holds {header.schema[name]}; expected 1, 0 or empty cells")
        labels[unit] = name
    return labels


def check_table(path: Path, source: pl.LazyFrame, table: pl.DataFrame, layout: ManifestLayout) -> None:
    """Check every cell that facskit reads.

    Args:
        source: The file as it is, to quote a wrong cell.
        table: The file as `ManifestLayout.typed` reads it.

    Raises:
        DatasetError: The first wrong cell, by row and column.
    """
    if table.height == 0:
        raise DatasetError(f"{path}: there are no rows; expected at least one image")
    _check_names(path, table)
    for unit, column in layout.labels.items():
        row = first_wrong(table[unit.code] == _NOT_A_LABEL)
        if row is not None:
            raise DatasetError(
                f"{cell_place(path, row, column)}: found {raw_cell(source, row, column)!r}; expected 1 (present), "
                "0 (absent) or an empty cell (unknown; codes such as 9 or 999 aren't accepted)"
            )
    row = first_wrong(table[EXPRESSION] == _NOT_AN_EXPRESSION) if layout.has_expressions else None
    if row is not None:
        raise DatasetError(
            f"{cell_place(path, row, EXPRESSION)}: found {raw_cell(source, row, EXPRESSION)!r}; expected "
            f"{', '.join(EXPRESSION_NAMES)} or an empty cell (unknown; corpora number expressions differently, so "
            "numbers aren't accepted)"
        )
    if layout.landmarks:
        _check_landmarks(path, source, table)


def check_images_exist(path: Path, images: pl.Series) -> None:
    """Check that every image file of a manifest exists.

    Raises:
        DatasetError: The first missing file, by row.
    """
    row = first_wrong(missing_images(path.parent, images))
    if row is not None:
        raise DatasetError(f"{cell_place(path, row, IMAGE)}: there is no image file {path.parent / images[row]}")


def missing_images(root: Path, images: pl.Series) -> pl.Series:
    """Tell which image files aren't there, with one listing per folder instead of one question per file.

    Args:
        root: The folder that relative paths start in.
    """
    folders = images.str.extract(r"^(.*/)", 1).fill_null("")
    listed: list[str] = []
    readable: list[str] = []
    for folder in folders.unique().to_list():
        try:
            with os.scandir(root / folder) as entries:
                listed.extend(folder + entry.name for entry in entries)
        except OSError:
            continue
        readable.append(folder)
    missing = ~images.is_in(pl.Series(listed, dtype=pl.String).implode())
    # A file system that ignores case, or a path with backslashes, has files that the listing spells differently; in a
    # folder that isn't there, there is nothing to ask for.
    doubtful = missing & folders.is_in(pl.Series(readable, dtype=pl.String).implode())
    found = [row for row in doubtful.arg_true().to_list() if (root / images[row]).is_file()]
    return missing.scatter(found, values=False)


def infer_extra_types(table: pl.DataFrame) -> pl.DataFrame:
    """Turn text columns that hold only whole or decimal numbers into numbers: CSV files don't say what they hold.

    Names (image, subject, recording, expression, split) and numbers with leading zeros stay text.
    """
    for name in table.columns:
        column = table[name]
        if column.dtype != pl.String or name in {IMAGE, SUBJECT, RECORDING, EXPRESSION, SPLIT}:
            continue
        whole = column.cast(pl.Int64, strict=False)
        if whole.cast(pl.String).eq_missing(column).all():
            table = table.with_columns(whole)
            continue
        decimal = column.cast(pl.Float64, strict=False)
        if (decimal.is_null() == column.is_null()).all() and not column.str.contains(r"^-?0\d").any():
            table = table.with_columns(decimal)
    return table


def _check_names(path: Path, table: pl.DataFrame) -> None:
    for column in (IMAGE, SUBJECT, IMAGE_BYTES):
        row = first_wrong(table[column].is_null()) if column in table.columns else None
        if row is not None:
            raise DatasetError(f"{cell_place(path, row, column)}: the cell is empty; every row needs one")
    images = table[IMAGE]
    if images.n_unique() < len(images):
        row = int((~images.is_first_distinct()).arg_max() or 0)
        first = int((images == images[row]).arg_max() or 0)
        raise DatasetError(
            f"{cell_place(path, row, IMAGE)}: found {images[row]!r} again, first in row {first + 1}; "
            "expected each image once"
        )


def _check_landmarks(path: Path, source: pl.LazyFrame, table: pl.DataFrame) -> None:
    """Refuse what is no position, half a point, and a row with only some of the points that every corpus has."""
    empty = table[LANDMARKS_X[POINTS_49[0]]].is_null()
    for point, names in enumerate(zip(LANDMARKS_X, LANDMARKS_Y, strict=True)):
        for column in names:
            row = first_wrong(~table[column].is_finite())
            if row is not None:
                found = raw_cell(source, row, column)
                raise DatasetError(f"{cell_place(path, row, column)}: found {found!r}; expected a position in pixels")
        across, down = (table[column].is_null() for column in names)
        row = first_wrong(across != down)
        if row is not None:
            where = cell_place(path, row, names[0])
            raise DatasetError(f"{where}: a landmark needs both {' and '.join(names)} or neither of them filled")
        row = first_wrong((across != empty) if point in POINTS_49 else (empty & ~across))
        if row is not None:
            raise DatasetError(
                f"{cell_place(path, row, names[0])}: a row needs all landmarks or none of them filled; only the jaw "
                "(0 to 16) and the points 60 and 64 may be missing by themselves"
            )


def first_wrong(wrong: pl.Series) -> int | None:
    """Return the first row that a check marks, counted from zero, or None."""
    return int(wrong.arg_max() or 0) if wrong.any() else None


def _label(name: str, header: pl.DataFrame) -> pl.Expr:
    cell, dtype = pl.col(name), header.schema[name]
    if dtype == pl.Boolean:
        return cell.cast(pl.Int8)
    empty = cell.is_null()
    if dtype in {pl.String, pl.Categorical}:
        text = cell.cast(pl.String).str.strip_chars()
        number = text.cast(pl.Float64, strict=False)
        present, absent = text.is_in(["true", "True", "TRUE"]), text.is_in(["false", "False", "FALSE"])
        empty |= text == ""
    else:
        number = cell.cast(pl.Float64, strict=False)
        present, absent = pl.lit(value=False), pl.lit(value=False)
        empty |= number.is_nan() if dtype.is_float() else pl.lit(value=False)
    return (
        pl.when(empty)
        .then(pl.lit(None, dtype=pl.Int8))
        .when((number == 1) | present)
        .then(pl.lit(1, dtype=pl.Int8))
        .when((number == 0) | absent)
        .then(pl.lit(0, dtype=pl.Int8))
        .otherwise(pl.lit(_NOT_A_LABEL, dtype=pl.Int8))
    )


def _expression() -> pl.Expr:
    text = pl.col(EXPRESSION).cast(pl.String).str.strip_chars().str.to_lowercase()
    text = pl.when(text == "").then(None).otherwise(text)
    spelled = text.replace_strict(EXPRESSION_SPELLINGS, default=_NOT_AN_EXPRESSION, return_dtype=pl.String)
    return pl.when(text.is_null()).then(None).otherwise(spelled).alias(EXPRESSION)


def _landmark(name: str, header: pl.DataFrame) -> pl.Expr:
    cell = pl.col(name)
    empty = cell.is_null()
    if header.schema[name] == pl.String:
        cell = cell.str.strip_chars()
        empty |= cell == ""
    number = cell.cast(pl.Float32, strict=False).fill_null(float("nan"))
    return pl.when(empty).then(pl.lit(None, dtype=pl.Float32)).otherwise(number).alias(name)
