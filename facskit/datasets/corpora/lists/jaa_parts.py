"""JAA-Net's lists of a whole corpus: the three published parts in one folder, read as one."""

import re
from dataclasses import replace
from pathlib import Path

import polars as pl

from facskit.action_units import ActionUnitSet
from facskit.datasets.corpora.lists.jaa import read_jaa_list
from facskit.datasets.corpora.lists.label_lists import LabelList, merged
from facskit.errors import DatasetError

__all__ = ["is_jaa_folder", "read_jaa_parts"]

_PART = re.compile(r"(?P<name>.+)_part(?P<part>\d)_path\.txt")


def is_jaa_folder(folder: Path) -> bool:
    """Tell whether a folder holds lists of parts, such as `BP4D_part1_path.txt`."""
    return folder.is_dir() and any(_PART.fullmatch(entry.name) for entry in folder.iterdir())


def read_jaa_parts(folder: Path, action_units: ActionUnitSet | None = None) -> LabelList:
    """Read all lists of parts in a folder as one with a column `part`.

    Lists of combined parts say nothing more and are left alone.

    Raises:
        DatasetError: There are parts of two corpora, an image stands in two parts, or only some parts have landmarks.
    """
    matches = sorted((match[0], match) for entry in folder.iterdir() if (match := _PART.fullmatch(entry.name)))
    names = sorted({match["name"] for _, match in matches})
    if len(names) != 1:
        found = " and ".join(names) or "no lists"
        raise DatasetError(
            f"{folder}: found {found} of parts, expected lists such as BP4D_part1_path.txt of one corpus"
        )
    parts = [(int(match["part"]), read_jaa_list(folder / file, action_units)) for file, match in matches]
    columns = {tuple(part.table.columns) for _, part in parts}
    if len(columns) != 1:
        raise DatasetError(f"{folder}: only some parts have landmarks (_land.txt), expected all or none")
    numbered = [replace(part, table=part.table.with_columns(pl.lit(number).alias("part"))) for number, part in parts]
    return merged(numbered, folder)
