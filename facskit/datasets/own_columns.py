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
_LOOKED_AT = 200


def parse_columns(text: str) -> dict[str, str]:
    """Read what somebody's columns are called.

    Args:
        text: `NAME=OWN` with commas between; NAME is image, subject, recording, frame, split, expression or an action
            unit. Empty for none.

    Returns:
        A table's own names by those of a manifest, action units in their usual spelling.

    Raises:
        DatasetError: A part says something else, or a name comes twice.
    """
    columns: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, sign, own = (word.strip() for word in part.partition("="))
        if not sign or not own:
            raise DatasetError(f"--columns: found {part!r}, expected NAME=OWN, such as image=path or AU12=smile")
        if name not in _NAMES:
            try:
                name = parse_action_unit(name).code
            except ValueError:
                expected = f"{', '.join(_NAMES)} or an action unit such as AU12"
                raise DatasetError(f"--columns: found {name!r} in {part!r}, expected {expected}") from None
        if name in columns:
            raise DatasetError(f"--columns: found {name} twice, {columns[name]} and {own}; expected it once")
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
    head = cells.head(_LOOKED_AT)
    names = {name: [str(cell) for cell in head[name].drop_nulls()] for name in head.columns}
    image = next((name for name, found in names.items() if found and all(map(_is_picture, found))), None)
    if image is None:
        return None
    subject = next((name for name in names if name.casefold() in _PEOPLE and name != image), "WHO")
    coded = [name for name, found in names.items() if found and set(found) <= {"0", "1", "0.0", "1.0"}]
    parts = [f"{name}={own}" for name, own in ((IMAGE, image), (SUBJECT, subject)) if name != own]
    for name in coded:
        try:
            parse_action_unit(name)
        except ValueError:
            parts.append(f"AU??={name}")
    return ",".join(parts)


def _is_picture(cell: str) -> bool:
    return PurePath(cell.replace("\\", "/")).suffix.lower() in IMAGE_SUFFIXES
