"""Web copies of expression corpora: one folder per class inside one folder per part, and nothing else.

Such copies have lost the label files, so a picture's class is the name of its folder: the corpus's own number, or the
name of the expression.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facskit.columns import EXPRESSION, FRAME, RECORDING, SPLIT, SUBJECT
from facskit.datasets.corpora.index import DROPPED_SCHEMA, MEDIA, MEDIA_FRAME
from facskit.datasets.findings import Finding
from facskit.expressions import EXPRESSION_SPELLINGS
from facskit.faces.images import IMAGE_SUFFIXES

__all__ = [
    "NO_PICTURE",
    "ExpressionRows",
    "find_parts",
    "leading_number",
    "read_class_folders",
    "rows_to_tables",
    "short_reason",
    "usable_name",
]

NO_PICTURE = "there is no picture"
"""How sentences about a missing picture begin."""

_PARTS = {
    "train": "train",
    "training": "train",
    "train_set": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "val_set": "validation",
    "test": "test",
    "testing": "test",
    "test_set": "test",
}
"""What copies call the parts, and what the part is."""
_WRAPPERS = ("", "DATASET", "dataset", "data", "basic", "aligned")
"""Folders that copies put around their parts."""


@dataclass(frozen=True, kw_only=True)
class ExpressionRows:
    """Pictures with their classes, and those that have none."""

    rows: Sequence[Mapping[str, object]]
    """One per usable picture, by column name."""
    dropped: Sequence[Mapping[str, object]]
    """One per picture left out; see `DROPPED_SCHEMA`."""
    findings: Sequence[Finding]
    """What a person should know."""


def find_parts(root: Path) -> dict[str, Path]:
    """Find the folders `train`, `val`, `test` or alike that hold one folder per class.

    Args:
        root: The copy's folder, or the folder above it.

    Returns:
        Folder by what it is: `train`, `validation`, `test`; empty if this is no such copy.
    """
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


def read_class_folders(root: Path, parts: Mapping[str, Path], classes: Mapping[str, str]) -> ExpressionRows:
    """List the pictures of a copy with class folders.

    Args:
        root: The folder that `media` is to be relative to.
        parts: From `find_parts`.
        classes: Expression by the folder's name; names of expressions are understood beside these.

    Returns:
        The pictures; folders with another name are errors.
    """
    rows: list[Mapping[str, object]] = []
    findings: list[Finding] = []
    for part, folder in parts.items():
        for inner in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
            expression = classes.get(inner.name) or _named(inner.name, classes)
            if expression is None:
                known = ", ".join(classes)
                sentence = f"found a folder named {inner.name!r}, expected one of the classes {known}, or their names"
                findings.append(Finding(severity="error", place=str(inner), sentence=sentence))
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
    return ExpressionRows(rows=_with_own_subjects(rows), dropped=[], findings=findings)


def rows_to_tables(
    found: ExpressionRows, *, texts: Sequence[str] = (), numbers: Sequence[str] = ()
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Turn rows into the tables of a `CorpusIndex`.

    Args:
        texts: Columns of text that only this corpus has; rows may lack them.

    Returns:
        The table of usable pictures, sorted, and the table of dropped ones.
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
    columns = {name: pl.Series(name, [row.get(name) for row in found.rows], kind) for name, kind in schema.items()}
    table = pl.DataFrame(columns).sort(SUBJECT, RECORDING, FRAME)
    return table, pl.DataFrame(found.dropped, schema=dict(DROPPED_SCHEMA), infer_schema_length=None)


def usable_name(name: str) -> bool:
    """Tell a picture from the files that copying leaves behind (`._x.jpg`, `Thumbs.db`)."""
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def leading_number(stem: str, otherwise: int) -> int:
    """Return the last number in a file name, or another one if it has none or one too large to be a count."""
    numbers = re.findall(r"\d+", stem)
    return int(numbers[-1]) if numbers and len(numbers[-1]) <= 9 else otherwise


def short_reason(sentence: str) -> str:
    """Return the phrase under which a fault is counted: the same for all pictures with that fault.

    Args:
        sentence: What is wrong with one of them.
    """
    return "no picture" if sentence.startswith(NO_PICTURE) else "damaged label"


def _is_class(folder: Path) -> bool:
    return folder.is_dir() and (folder.name.isdecimal() or _expression(folder.name) is not None)


def _named(folder: str, classes: Mapping[str, str]) -> str | None:
    expression = _expression(folder)
    return expression if expression in classes.values() else None


def _expression(folder: str) -> str | None:
    # Copies write `3`, `happy`, `Happiness`, `3_happy`, `003_happy` ...
    return EXPRESSION_SPELLINGS.get(re.sub(r"^\d+[\s._-]*", "", folder).lower())


def _with_own_subjects(rows: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    """Give pictures of one name in two class folders two subjects; nobody is named, so nobody may be merged."""
    names = [row[SUBJECT] for row in rows]
    if len(set(names)) == len(names):
        return list(rows)
    return [{**row, SUBJECT: str(Path(str(row[MEDIA])).with_suffix("")).replace("/", "_")} for row in rows]
