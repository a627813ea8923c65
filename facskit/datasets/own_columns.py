"""Tables of one's own, whose columns have other names than a manifest's: `image=path,subject=id,AU12=smile`."""

from pathlib import PurePath

import polars as pl

from facskit.action_units import parse_action_unit
from facskit.columns import EXPRESSION, FRAME, IMAGE, RECORDING, SPLIT, SUBJECT
from facskit.errors import DatasetError
from facskit.faces.media_files import IMAGE_SUFFIXES

__all__ = ["parse_columns", "suggest_columns"]

_NAMES = (IMAGE, SUBJECT, RECORDING, FRAME, SPLIT, EXPRESSION)
_PEOPLE = ("subject", "subject_id", "id", "person", "participant", "participant_id", "pid", "who", "name", "sub")
"""What a column that says who somebody is may be called."""
_LABELS = {"0", "1", "0.0", "1.0"}
_LOOKED_AT = 200
"""Rows that a column is judged by."""


def parse_columns(text: str) -> dict[str, str]:
    """Read what somebody's columns are called.

    Args:
        text: `NAME=OWN` with commas between; NAME is image, subject, recording, frame, split, expression or an action
            unit. Empty for none.

    Returns:
        A table's own names by those of a manifest, action units in their usual spelling.

    Raises:
        DatasetError: A part says something else, or a name or a column comes twice.
    """
    columns: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, sign, own = (word.strip() for word in part.partition("="))
        if not sign or not own:
            raise DatasetError(f"--columns: found {part!r}, expected NAME=OWN, such as image=path or AU12=smile")
        if name not in _NAMES:
            if not _is_unit(name):
                expected = f"{', '.join(_NAMES)} or an action unit such as AU12"
                raise DatasetError(f"--columns: found {name!r} in {part!r}, expected {expected}")
            name = parse_action_unit(name).code
        if name in columns:
            raise DatasetError(f"--columns: found {name} twice, {columns[name]} and {own}; expected it once")
        if own in columns.values():
            raise DatasetError(f"--columns: found {own} for two names; a column can be one thing alone")
        columns[name] = own
    return columns


def suggest_columns(cells: pl.DataFrame) -> str | None:
    """Guess what to write after `--columns` for a table that is no manifest; None if no column names pictures.

    Args:
        cells: The table's cells as text.

    Returns:
        For example `image=path,subject=id,AU12=smile`: the action unit of each column of ones and zeros is for a
        person to say, so that it stands there as `AU??`.
    """
    found: dict[str, set[str]] = {}
    for name in cells.columns:
        found[name] = {str(cell) for cell in cells[name].head(_LOOKED_AT).drop_nulls()}
    image = next((name for name, values in found.items() if values and all(map(_is_picture, values))), None)
    if image is None:
        return None
    subject = next((name for name in found if name.casefold() in _PEOPLE and name != image), "WHO")
    parts = [f"{name}={own}" for name, own in ((IMAGE, image), (SUBJECT, subject)) if name != own]
    for name, values in found.items():
        if values and values <= _LABELS and not _is_unit(name):
            parts.append(f"AU??={name}")
    return ",".join(parts)


def _is_unit(name: str) -> bool:
    try:
        parse_action_unit(name)
    except ValueError:
        return False
    return True


def _is_picture(cell: str) -> bool:
    return PurePath(cell.replace("\\", "/")).suffix.lower() in IMAGE_SUFFIXES
