"""Manifests: the one table every data set becomes, with an image, a person and labels per row.

Columns are named in `facskit.columns`. Labels are action units, expressions or both: an AU cell is 1 (present), 0
(absent) or empty (unknown), an expression is a name or empty. Columns that facskit doesn't know are kept. Everything is
checked on reading, so that a mistake is named by file, row and column before a training run starts, not after it ends.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int, Int8, Int64, UInt8

from facskit.action_units import NO_ACTION_UNITS, ActionUnitSet
from facskit.columns import EXPRESSION, GAZE, IMAGE, IMAGE_BYTES, POSE, SUBJECT
from facskit.columns import level as column_of_level
from facskit.datasets.landmark_columns import read_landmarks
from facskit.datasets.manifest_checks import check_images_exist, check_table, find_layout, infer_extra_types
from facskit.datasets.origin import ORIGIN_KEY, DataOrigin, read_origin
from facskit.datasets.table_files import collect_table, rename_columns, scan_table, write_table
from facskit.errors import DatasetError
from facskit.expressions import EXPRESSION_NAMES, ExpressionSet
from facskit.faces.images import decode_image, read_image
from facskit.faces.landmarks import POINTS_49

__all__ = ["Manifest", "read_manifest", "write_manifest"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Manifest:
    """A checked table of labelled face images; the rows keep their order."""

    table: pl.DataFrame
    """One row per image; AU columns are Int8 with null for unknown, `subject` is Categorical, landmarks are Float32."""
    root: Path
    """The folder that the image paths are relative to."""
    action_units: ActionUnitSet
    """The columns of `labels`; `NO_ACTION_UNITS` for faces with expressions alone."""
    name: str = "the manifest"
    """What messages call it: the path of the file it was read from."""
    origin: DataOrigin | None = None
    """What a prepared manifest was made from; None for a table of unknown history."""

    def __post_init__(self) -> None:
        """Refuse a table without the columns that every manifest has."""
        missing = [name for name in (IMAGE, SUBJECT, *self.action_units.codes) if name not in self.table.columns]
        if missing:
            raise ValueError(
                f"a manifest's table needs the column {missing[0]}; it has {', '.join(self.table.columns)}"
            )

    def __len__(self) -> int:
        return self.table.height

    @cached_property
    def labels(self) -> Int8[np.ndarray, "samples aus"]:
        """`LabelState` values, one column per action unit."""
        labels = np.empty((len(self), len(self.action_units)), np.int8)
        for column, code in enumerate(self.action_units.codes):
            labels[:, column] = self.table[code].cast(pl.Int8).fill_null(-1).to_numpy()
        return labels

    @cached_property
    def levels(self) -> Int8[np.ndarray, "samples aus"] | None:
        """FACS level of each action unit, 0 to 5, -1 where a cell is empty; None if no action unit has levels."""
        names = [column_of_level(unit) for unit in self.action_units]
        if not any(name in self.table.columns for name in names):
            return None
        levels = np.full((len(self), len(names)), -1, np.int8)
        for column, name in enumerate(names):
            if name in self.table.columns:
                levels[:, column] = self.table[name].cast(pl.Int8).fill_null(-1).to_numpy()
        return levels

    @cached_property
    def angles(self) -> Float[np.ndarray, "samples 5"] | None:
        """Head pose (OpenFace's pitch, yaw, roll) and gaze (up, subject's left) in degrees; NaN where a cell is empty.

        None if the manifest lacks one of the columns.
        """
        if not {*POSE, *GAZE} <= set(self.table.columns):
            return None
        pose, gaze = (self.table.select(pl.col(names).cast(pl.Float32)).to_numpy() for names in (POSE, GAZE))
        return np.concatenate([np.degrees(pose), gaze], axis=1)

    @property
    def has_expressions(self) -> bool:
        """Whether the table has a column of expressions, be it empty."""
        return EXPRESSION in self.table.columns

    def expression_indices(self, expressions: ExpressionSet) -> Int64[np.ndarray, "samples"]:
        """Return each row's expression as a position in a set; -1 where it is unknown or the set lacks it.

        Raises:
            DatasetError: The manifest has no column of expressions.
        """
        if not self.has_expressions:
            found = f"it has labels of {self.action_units}"
            raise DatasetError(f"{self.name}: the column {EXPRESSION} is missing; {found}")
        positions = {name: position for position, name in enumerate(expressions)}
        indices = self.table[EXPRESSION].cast(pl.String).replace_strict(positions, default=-1, return_dtype=pl.Int64)
        found_indices: Int64[np.ndarray, "samples"] = indices.fill_null(-1).to_numpy().copy()
        return found_indices

    @cached_property
    def subject_names(self) -> tuple[str, ...]:
        """Everyone in the manifest, sorted by name."""
        return tuple(sorted(self.table[SUBJECT].unique().cast(pl.String).to_list()))

    @cached_property
    def subject_indices(self) -> Int64[np.ndarray, "samples"]:
        """Position in `subject_names` of each row's subject."""
        order = pl.DataFrame({SUBJECT: self.subject_names, "position": np.arange(len(self.subject_names))})
        rows = self.table.select(pl.col(SUBJECT).cast(pl.String))
        positions = rows.join(order, on=SUBJECT, how="left", maintain_order="left")["position"]
        indices: Int64[np.ndarray, "samples"] = positions.to_numpy().astype(np.int64)
        return indices

    @property
    def subjects(self) -> np.ndarray:
        """Name of each row's subject, as an array of `str` objects."""
        names: np.ndarray = np.array(self.subject_names, dtype=object)[self.subject_indices]
        return names

    @property
    def is_packed(self) -> bool:
        """Whether the images are inside the table."""
        return IMAGE_BYTES in self.table.columns

    @cached_property
    def all_landmarks(self) -> Float[np.ndarray, "samples 68 2"] | None:
        """The 68 iBUG points of every row in image pixels, NaN where it lacks them; None if the manifest has none."""
        points = read_landmarks(self.table)
        return None if points is None else points.astype(np.float32)

    def landmarks(self, row: int) -> Float[np.ndarray, "68 2"] | None:
        """Return a row's 68 iBUG points (x, y) in image pixels, or None; jaw and inner mouth corners may be NaN."""
        if self.all_landmarks is None or np.isnan(self.all_landmarks[row, POINTS_49[0], 0]):
            return None
        points: Float[np.ndarray, "68 2"] = self.all_landmarks[row]
        return points

    def image_name(self, row: int) -> str:
        """Return what messages call a row's image: its path, or its name inside a packed manifest."""
        name = str(self.table[IMAGE][row])
        return name if self.is_packed else str(self.root / name)

    def image(self, row: int) -> UInt8[np.ndarray, "height width 3"]:
        """Decode a row's image to RGB pixels.

        Raises:
            MediaError: The image is missing or damaged.
        """
        if self.is_packed:
            return decode_image(self.table[IMAGE_BYTES][row], self.image_name(row))
        return read_image(Path(self.image_name(row)))

    def select(self, rows: Sequence[int] | Int[np.ndarray, "rows"] | Bool[np.ndarray, "samples"]) -> "Manifest":
        """Return a manifest of some rows, in the order wanted or by one truth value per row."""
        chosen = np.asarray(rows)
        if chosen.dtype == np.bool_:
            chosen = np.flatnonzero(chosen)
        return replace(self, table=self.table[chosen.astype(np.int64)])

    def describe(self) -> str:
        """Say in a few lines how many rows and subjects there are, and how often each label occurs and is unknown."""
        lines = [f"{len(self):,} images of {len(self.subject_names):,} subjects"]
        for code, column in zip(self.action_units.codes, self.labels.T, strict=True):
            known = int((column >= 0).sum())
            rate = f"{(column == 1).sum() / known:6.1%} present" if known else "  never coded"
            unknown = f", {1 - known / len(column):.1%} unknown" if known < len(column) else ""
            lines.append(f"{code} {rate}{unknown}")
        if self.has_expressions:
            shown = self.table[EXPRESSION]
            counts = {name: int((shown == name).sum()) for name in EXPRESSION_NAMES}
            lines += [f"{name} {count / len(self):.1%}" for name, count in counts.items() if count]
            if shown.null_count():
                lines.append(f"unknown expression {shown.null_count() / len(self):.1%}")
        return "\n".join(lines)


def read_manifest(
    path: Path,
    action_units: ActionUnitSet | None = None,
    *,
    check_images: bool = True,
    columns: Mapping[str, str] | None = None,
) -> Manifest:
    """Read and check a manifest.

    AU cells may be numbers, truth values or text; empty cells mean unknown, and so does a binary file's NaN, which is
    how some tools write an empty cell. AU columns may be spelled in any way `parse_action_unit` reads, with the
    letters AU in front. Expressions are spelled as `facskit.expressions` does, or as people do (`Happy`).

    Args:
        path: A `.parquet`, `.csv` or `.jsonl` file.
        action_units: The AUs wanted, in that order; by default all that the file has, in ascending order, which may be
            none where it has expressions. With `NO_ACTION_UNITS` a file without any label will do.
        check_images: Whether to check that every image file exists (one listing per folder).
        columns: The names of columns as the file has them, by those that a manifest has: `{"AU12": "smile"}`.

    Raises:
        DatasetError: Anything is wrong with the file; the message names it, the row and the column.
    """
    path = Path(path)
    source = rename_columns(scan_table(path), columns or {}, path)
    layout = find_layout(path, source.collect_schema().to_frame())
    coded = sorted(layout.labels, key=lambda unit: unit.number)
    chosen = action_units
    if chosen is None:
        if not coded and not layout.has_expressions:
            found = ", ".join(layout.header.columns[:12])
            raise DatasetError(
                f"{path}: there is neither an action unit column such as AU01 nor a column {EXPRESSION}; found {found}"
            )
        chosen = ActionUnitSet(tuple(coded)) if coded else NO_ACTION_UNITS
    for unit in chosen:
        if unit not in layout.labels:
            found = ", ".join(unit.code for unit in coded) or "no action unit"
            raise DatasetError(f"{path}: the column {unit.code} is missing; found {found}")
    table = collect_table(layout.typed(source), path)
    check_table(path, source, table, layout)
    manifest = Manifest(table=infer_extra_types(table), root=path.parent, action_units=chosen, name=str(path))
    manifest = replace(manifest, origin=read_origin(path))
    if check_images and not manifest.is_packed:
        check_images_exist(path, table[IMAGE])
    return manifest


def write_manifest(manifest: Manifest, path: Path) -> Path:
    """Write a manifest in the format that the file name asks for; the images stay where they are.

    Args:
        path: A name ending in `.parquet`, `.csv` or `.jsonl`. Image paths are written relative to its folder.

    Raises:
        DatasetError: The ending is none of these, or embedded images are to go into a text file.
    """
    path = Path(path)
    table = manifest.table
    if not manifest.is_packed and path.parent.resolve() != manifest.root.resolve():
        prefix = Path(os.path.relpath(manifest.root.resolve(), path.parent.resolve())).as_posix()
        image = pl.col(IMAGE)
        table = table.with_columns(pl.when(image.str.starts_with("/")).then(image).otherwise(prefix + "/" + image))
    metadata = {} if manifest.origin is None else {ORIGIN_KEY: manifest.origin.to_json()}
    return write_table(table.with_columns(pl.col(SUBJECT).cast(pl.String)), path, metadata)
