"""Web copies of expression corpora: one folder per class inside one folder per part, and nothing else.

Such copies have lost the label files, so a picture's class is the name of its folder: the corpus's own number, or the
name of the expression.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from facskit.columns import EXPRESSION, FRAME, LANDMARKS_X, RECORDING, SPLIT, SUBJECT
from facskit.datasets.corpora.index import MEDIA, MEDIA_FRAME
from facskit.datasets.corpora.reading.import_log import ImportLog
from facskit.datasets.corpora.reading.landmark_files import landmark_columns
from facskit.expressions import EXPRESSION_SPELLINGS
from facskit.faces.media_files import IMAGE_SUFFIXES

__all__ = [
    "DAMAGED",
    "LANDMARKS",
    "NO_PICTURE",
    "find_parts",
    "leading_number",
    "read_class_folders",
    "rows_to_table",
    "usable_name",
]

NO_PICTURE = "no picture"
"""The reason for which a label without a picture is dropped."""
DAMAGED = "damaged label"
"""The reason for which all other pictures are dropped."""
LANDMARKS = "landmarks"
"""Key of a row's 68 positions x, y; as one array they need little memory."""
_PARTS = {
    **dict.fromkeys(("train", "training", "train_set"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "val_set"), "validation"),
    **dict.fromkeys(("test", "testing", "test_set"), "test"),
}
"""What copies call the parts, and what the part is."""
_WRAPPERS = ("", "DATASET", "dataset", "data", "basic", "aligned")
"""Folders that copies put around their parts."""


def find_parts(root: Path) -> dict[str, Path]:
    """Find the folders of a copy's `train`, `validation` and `test` that hold one folder per class, if any."""
    for wrapper in _WRAPPERS:
        base = root / wrapper
        parts: dict[str, Path] = {}
        for folder in sorted(base.iterdir()) if base.is_dir() else []:
            part = _PARTS.get(folder.name.lower())
            if part and folder.is_dir() and any(map(_is_class, folder.iterdir())):
                parts.setdefault(part, folder)
        if parts:
            return parts
    return {}


def read_class_folders(
    root: Path, parts: Mapping[str, Path], classes: Mapping[str, str], notes: ImportLog
) -> list[dict[str, object]]:
    """List the pictures of a copy with class folders.

    Args:
        classes: Expression by the folder's name; names of expressions are understood beside these.
    """
    rows: list[dict[str, object]] = []
    for part, folder in parts.items():
        for inner in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
            named = _expression(inner.name)
            expression = classes.get(inner.name) or (named if named in classes.values() else None)
            if expression is None:
                known = ", ".join(classes)
                sentence = f"found a folder named {inner.name!r}, expected one of the classes {known}, or their names"
                notes.error(inner, sentence)
                continue
            pictures = sorted(entry.name for entry in inner.iterdir() if usable_name(entry.name))
            for number, name in enumerate(pictures):
                stem = Path(name).stem.removesuffix("_aligned")
                rows.append(
                    {
                        MEDIA: (inner / name).relative_to(root).as_posix(),
                        SUBJECT: stem if stem.startswith(f"{folder.name}_") else f"{folder.name}_{stem}",
                        RECORDING: folder.name,
                        FRAME: leading_number(stem, number),
                        EXPRESSION: expression,
                        SPLIT: part,
                    }
                )
    if len({row[SUBJECT] for row in rows}) < len(rows):
        # Pictures of one name in two class folders: nobody is named, so nobody may be merged.
        for row in rows:
            row[SUBJECT] = str(Path(str(row[MEDIA])).with_suffix("")).replace("/", "_")
    return rows


def rows_to_table(
    rows: Sequence[Mapping[str, Any]], *, texts: Sequence[str] = (), numbers: Sequence[str] = ()
) -> pl.DataFrame:
    """Turn rows into the table of a `CorpusIndex`, sorted.

    Args:
        rows: One per usable picture, by column name, and `LANDMARKS` where it has them.
        texts: Columns of text that only this corpus has; rows may lack them.
    """
    schema = {
        MEDIA: pl.String(),
        MEDIA_FRAME: pl.Int64(),
        SUBJECT: pl.String(),
        RECORDING: pl.String(),
        FRAME: pl.Int64(),
        EXPRESSION: pl.String(),
        SPLIT: pl.String(),
        **dict.fromkeys(texts, pl.String()),
        **dict.fromkeys(numbers, pl.Float64()),
    }
    columns = []
    for name, kind in schema.items():
        columns.append(pl.Series(name, [row.get(name) for row in rows], kind))
    table = pl.DataFrame(columns)
    if any(LANDMARKS in row for row in rows):
        points = np.full((len(rows), len(LANDMARKS_X), 2), np.nan, np.float32)
        for place, row in enumerate(rows):
            points[place] = row.get(LANDMARKS, np.nan)
        table = table.hstack(landmark_columns(points))
    return table.sort(SUBJECT, RECORDING, FRAME)


def usable_name(name: str) -> bool:
    """Tell a picture from the files that copying leaves behind (`._x.jpg`, `Thumbs.db`)."""
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def leading_number(stem: str, otherwise: int) -> int:
    """Return the last number in a file name, or another one if it has none or one too large to be a count."""
    numbers = re.findall(r"\d+", stem)
    return int(numbers[-1]) if numbers and len(numbers[-1]) <= 9 else otherwise


def _is_class(folder: Path) -> bool:
    return folder.is_dir() and (folder.name.isdecimal() or _expression(folder.name) is not None)


def _expression(folder: str) -> str | None:
    # Copies write `3`, `happy`, `Happiness`, `3_happy`, `003_happy` ...
    return EXPRESSION_SPELLINGS.get(re.sub(r"^\d+[\s._-]*", "", folder).lower())
