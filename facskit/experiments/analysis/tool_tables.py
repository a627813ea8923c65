"""Result tables of tools, side by side: the same face of the same frame in each, found by name, frame and place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np
import polars as pl
from jaxtyping import Float, Int8

from facskit.action_units import ActionUnit, ActionUnitSet
from facskit.columns import FRAME
from facskit.datasets.corpora.lists.foreign_tables import INPUT, SUCCESS, guess_table, read_foreign_table
from facskit.errors import DatasetError
from facskit.faces.media_files import IMAGE_SUFFIXES, VIDEO_SUFFIXES

__all__ = ["WHERE", "PairedFaces", "ToolTable", "located", "pair_faces", "read_tool_table", "same_inputs"]

WHERE = "where"
"""Column with the name of a face's input as all tools know it."""
_BOX = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")
_PERSON = "face_id"
_LEAST_OVERLAP = 0.3
"""Intersection over union from which two boxes are about the same face."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ToolTable:
    """What one tool said about faces."""

    name: str
    """What to call it."""
    tool: str
    """Whose table it is."""
    table: pl.DataFrame
    """A row per face that was found: `input`, `frame`, `face_id`, a box if the tool gives one, an Int8 decision per
    action unit (`AU01`) and a score (`AU01_score`)."""
    action_units: ActionUnitSet
    """What it decides on."""

    def decisions(self, unit: ActionUnit) -> Int8[np.ndarray, "faces"]:
        """Return a unit's decisions as `LabelState` values."""
        return self.table[unit.code].fill_null(-1).to_numpy().astype(np.int8)

    def scores(self, unit: ActionUnit) -> Float[np.ndarray, "faces"]:
        """Return a unit's probabilities or intensities, NaN where missing."""
        return self.table[f"{unit.code}_score"].fill_null(np.nan).to_numpy().astype(np.float64)

    def at(self, rows: Sequence[int] | pl.Series) -> "ToolTable":
        """Return the table of some faces, in that order."""
        return replace(self, table=self.table[rows])


@dataclass(frozen=True, kw_only=True, eq=False)
class PairedFaces:
    """The faces that two tools both found, row by row."""

    first: ToolTable
    """What the first tool said about them."""
    second: ToolTable
    """What the second one said about the same ones."""
    alone: tuple[int, int]
    """Faces that only the first, only the second tool found."""
    unclear: int
    """Frames left out: both tools found several faces there, and one of them doesn't say where."""


def read_tool_table(path: Path, name: str) -> ToolTable:
    """Read a result table of OpenFace, py-feat, LibreFace or facskit, with the tool's own decisions.

    Raises:
        DatasetError: It's no such table, a cell is wrong, or no face was found.
    """
    kind = guess_table(path)
    if kind is None:
        raise DatasetError(f"{path}: this isn't a result table of OpenFace, py-feat, LibreFace or facskit")
    source = read_foreign_table(path, kind, own_decisions=True)
    there = source.table.columns
    chosen = [pl.col(INPUT), pl.col(FRAME)]
    chosen.append(pl.col(_PERSON) if _PERSON in there else pl.lit(0).alias(_PERSON))
    chosen += [pl.col(column).cast(pl.Float64) for column in _BOX if column in there]
    for unit in source.action_units:
        columns = (f"{unit.code}_probability", f"{unit.code}_r", f"au_{unit.number}_intensity", unit.code)
        score = next(column for column in columns if column in there)
        chosen += [pl.col(unit.code), pl.col(score).cast(pl.Float64).alias(f"{unit.code}_score")]
    table = source.table.filter(pl.col(SUCCESS) == 1).select(chosen)
    if not table.height:
        raise DatasetError(f"{path}: no face was found in any of its {source.table.height:,} rows")
    return ToolTable(name=name, tool=kind, table=table, action_units=source.action_units)


def pair_faces(first: ToolTable, second: ToolTable) -> PairedFaces:
    """Find the faces that two tools both found: the same input and frame, and where there are several, the same place.

    Inputs are compared by the name of the file without folders and ending, since some tools know no more; where each
    table is about one input, they are taken for the same one.

    Raises:
        DatasetError: The tables share no frame.
    """
    here, there = same_inputs(located(first.table), located(second.table))
    frame = [WHERE, FRAME]
    met = here.join(there, on=frame, suffix="_second")
    if not met.height:
        raise DatasetError(
            f"{first.name} and {second.name} share no frame: found {here[WHERE][0]!r} and {there[WHERE][0]!r}; "
            "expected tables of the same videos or pictures"
        )
    single = met.group_by(frame).len().filter(pl.col("len") == 1)
    several = met.join(single, on=frame, how="anti")
    pairs, lost = [met.join(single, on=frame, how="semi").select("row", "row_second")], several
    if {*_BOX} <= set(here.columns) & set(there.columns):
        pairs.append(_pair_by_place(several))
        lost = several.clear()
    found = pl.concat(pairs).sort("row")
    return PairedFaces(
        first=first.at(found["row"]),
        second=second.at(found["row_second"]),
        alone=(
            here.height - found.height - lost["row"].n_unique(),
            there.height - found.height - lost["row_second"].n_unique(),
        ),
        unclear=lost.select(frame).unique().height,
    )


def same_inputs(here: pl.DataFrame, there: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return two located tables; where each is about one input, the second's has the first one's name."""
    if here[WHERE].n_unique() == there[WHERE].n_unique() == 1:
        there = there.with_columns(pl.lit(here[WHERE][0]).alias(WHERE))
    return here, there


def located(table: pl.DataFrame) -> pl.DataFrame:
    """Return a table with the columns `row` and `where`.

    `where` is the input's name without what some tools don't know: folders, and the ending of a picture or video.
    """
    return table.with_columns(pl.Series(WHERE, list(map(_stem, table[INPUT].to_list())))).with_row_index("row")


def _stem(name: str) -> str:
    path = PurePath(name.replace("\\", "/"))
    known = path.suffix.lower() in {*IMAGE_SUFFIXES, *VIDEO_SUFFIXES}
    return path.stem if known else path.name


def _pair_by_place(several: pl.DataFrame) -> pl.DataFrame:
    """Pair the faces of frames with several by how much their boxes overlap, the best first, each once."""
    left, top, width, height = (pl.col(column) for column in _BOX)
    left2, top2, width2, height2 = (pl.col(f"{column}_second") for column in _BOX)
    across = pl.min_horizontal(left + width, left2 + width2) - pl.max_horizontal(left, left2)
    down = pl.min_horizontal(top + height, top2 + height2) - pl.max_horizontal(top, top2)
    inside = across.clip(lower_bound=0) * down.clip(lower_bound=0)
    overlap = inside / (width * height + width2 * height2 - inside)
    ranked = several.with_columns(overlap.alias("overlap")).filter(pl.col("overlap") >= _LEAST_OVERLAP)
    kept: list[tuple[int, int]] = []
    used: tuple[set[int], set[int]] = (set(), set())
    for row, other in ranked.sort("overlap", descending=True).select("row", "row_second").rows():
        if row not in used[0] and other not in used[1]:
            kept.append((row, other))
            used[0].add(row)
            used[1].add(other)
    return pl.DataFrame(kept, schema={"row": pl.UInt32, "row_second": pl.UInt32}, orient="row")
