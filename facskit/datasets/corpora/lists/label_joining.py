"""Labels from elsewhere put beside the pictures they belong to, and tables whose AU columns are bare numbers."""

import re
from pathlib import Path

import polars as pl

from facskit.action_units import ActionUnitSet, parse_action_unit
from facskit.columns import FRAME, IMAGE, RECORDING, SUBJECT
from facskit.datasets.corpora.lists.foreign_tables import INPUT, SUCCESS, LabelSource
from facskit.datasets.findings import Finding
from facskit.datasets.manifest import Manifest
from facskit.datasets.manifest_checks import check_table, find_layout, infer_extra_types
from facskit.datasets.origin import DataOrigin
from facskit.datasets.table_files import collect_table, scan_table
from facskit.errors import DatasetError
from facskit.version import __version__

__all__ = ["join_labels", "manifest_of_aligned", "manifest_of_pictures", "read_bare_numbers"]

_KEY = "key"
_AU_COLUMN = re.compile(r"AU\d\d")


def join_labels(images: Path, source: LabelSource, *, frame_offset: int = 0) -> tuple[Manifest, tuple[Finding, ...]]:
    """Put a tool's labels beside the rows of a table of pictures.

    Rows meet by picture if the tool looked at pictures (by path, or by file name where that is unique; by file name
    without its ending for OpenFace's tables, which know no more), and otherwise by video and frame: the video's name
    without its ending is the row's `recording`. If one frame has several faces, the most confident one is taken. Labels
    that the table has already stay, and the tool's are put beside them as `AU12_openface` and alike.

    Args:
        images: A table with `image` and `subject`, and for videos `recording` and `frame`; it needs no labels.
        frame_offset: What to add to the table's frame numbers to get the video's, which count from 0: -1 if they count
            from 1.

    Raises:
        DatasetError: The table lacks a column, two of its pictures have the name of one label, or not a single row
            meets a label.
    """
    table = collect_table(scan_table(Path(images)), Path(images))
    for needed in (IMAGE, SUBJECT):
        if needed not in table.columns:
            raise DatasetError(f"{images}: the column {needed} is missing; found {', '.join(table.columns[:12])}")
    labels, findings = _one_face_each(source)
    if source.names == "videos":
        left, right = _frame_keys(Path(images), table, labels, frame_offset)
    else:
        left, right = _picture_keys(table[IMAGE], labels[INPUT], source)
        twice = left.filter(left.is_duplicated() & left.is_in(right.implode()))
        if len(twice):
            raise DatasetError(
                f"{images}: several pictures are called {twice[0]!r}, and {source.path} doesn't say which of them its "
                "labels are of; expected each name once"
            )
    labels = labels.drop(INPUT, FRAME).with_columns(right.alias(_KEY))
    taken = {name: f"{name}_{source.kind}" for name in labels.columns if name in table.columns}
    labels = labels.rename(taken)
    joined = table.with_columns(left.alias(_KEY)).join(labels, on=_KEY, how="left", maintain_order="left").drop(_KEY)
    findings += _how_many_met(Path(images), left, right, source)
    if source.names == "videos" and not frame_offset and (table[FRAME].cast(pl.Int64, strict=False) == 1).any():
        findings += _about_counting(Path(images), table)
    both = [unit.code for unit in source.action_units if unit.code in taken]
    if both:
        sentence = f"{', '.join(both)} were there already and stay; {source.kind}'s are {taken[both[0]]} and alike"
        findings.append(Finding(severity="note", place=str(images), sentence=sentence))
    return _manifest(infer_extra_types(joined), Path(images), source), tuple(findings)


def _how_many_met(path: Path, left: pl.Series, right: pl.Series, source: LabelSource) -> list[Finding]:
    met = int(left.is_in(right.implode()).sum())
    if not met:
        raise DatasetError(
            f"{path}: not one row meets a label of {source.path}; "
            f"found {left[0]!r}, expected names such as {right[0]!r}"
        )
    if met == len(left):
        return []
    sentence = f"{len(left) - met:,} of {len(left):,} rows meet no label in {source.path}; their labels are unknown"
    return [Finding(severity="warning", place=str(path), sentence=sentence)]


def _about_counting(path: Path, table: pl.DataFrame) -> list[Finding]:
    if (table[FRAME].cast(pl.Int64, strict=False) == 0).any():
        return []
    sentence = "its frames begin with 1, the labels' with 0: if it counts from 1, give a frame offset of -1"
    return [Finding(severity="warning", place=str(path), sentence=sentence)]


def manifest_of_pictures(source: LabelSource) -> tuple[Manifest, tuple[Finding, ...]] | None:
    """Make a manifest of a table whose inputs are picture files; None if they are videos, or lack their endings.

    Nobody is named in such tables, so that each picture becomes its own subject.
    """
    if source.names != "pictures":
        return None
    labels, findings = _one_face_each(source)
    table = labels.rename({INPUT: IMAGE}).drop(FRAME)
    stems = table[IMAGE].str.extract(r"([^/\\]+)\.[^.]*$", 1)
    table = table.with_columns((stems if stems.n_unique() == len(stems) else table[IMAGE]).alias(SUBJECT))
    sentence = "the table names nobody, so each picture is its own subject; folds can't keep people apart"
    findings.append(Finding(severity="warning", place=str(source.path), sentence=sentence))
    return _manifest(table, source.path, source), tuple(findings)


def manifest_of_aligned(source: LabelSource) -> tuple[Manifest, tuple[Finding, ...]] | None:
    """Make a manifest of the aligned faces that OpenFace wrote beside its tables of videos; None if there are none.

    They lie in `NAME_aligned/frame_det_00_000001.bmp` beside `NAME.csv`, 00 being the face.
    """
    if source.kind != "openface" or source.names != "videos":
        return None
    root = source.path if source.path.is_dir() else source.path.parent
    labels, findings = _one_face_each(source)
    face = pl.col("face_id").fill_null(0).cast(pl.Int64) if "face_id" in labels.columns else pl.lit(0)
    number = (pl.col(FRAME) + 1).cast(pl.String).str.zfill(6)
    name = pl.format("{}_aligned/frame_det_{}_{}.bmp", INPUT, face.cast(pl.String).str.zfill(2), number)
    table = labels.with_columns(name.alias(IMAGE), pl.col(INPUT).alias(SUBJECT), pl.col(INPUT).alias(RECORDING))
    present = [f"{file.parent.name}/{file.name}" for file in root.glob("*_aligned/*.bmp")]
    there = table.filter(pl.col(IMAGE).is_in(present))
    if not there.height:
        return None
    sentence = f"each video is taken for one person; {table.height - there.height:,} frames have no face"
    findings.append(Finding(severity="note", place=str(source.path), sentence=sentence))
    return _manifest(there.drop(INPUT), source.path, source), tuple(findings)


def read_bare_numbers(path: Path) -> Manifest:
    """Read a table whose AU columns are called 1, 2, 4 ... as a manifest.

    Without being asked for, such columns are never taken for AUs: they could be anything.

    Raises:
        DatasetError: No column is called so, or the table is wrong in another way.
    """
    path = Path(path)
    source = scan_table(path)
    names = [name for name in source.collect_schema().names() if name.strip().isdecimal()]
    if not names:
        raise DatasetError(f"{path}: no column is called by a bare number such as 1 or 12")
    try:
        source = source.rename({name: parse_action_unit(name).code for name in names})
    except ValueError as error:
        raise DatasetError(f"{path}: a column called by a bare number is to be an AU, but {error}") from None
    layout = find_layout(path, source.collect_schema().to_frame())
    table = collect_table(layout.typed(source), path)
    check_table(path, source, table, layout)
    units = ActionUnitSet(tuple(sorted(layout.labels, key=lambda unit: unit.number)))
    return Manifest(table=infer_extra_types(table), root=path.parent, action_units=units, name=str(path))


def _one_face_each(source: LabelSource) -> tuple[pl.DataFrame, list[Finding]]:
    table = source.table
    trust = next((name for name in ("confidence", "FaceScore") if name in table.columns), None)
    order = [pl.col(SUCCESS), *([pl.col(trust)] if trust else [])]
    single = table.sort(order, descending=True, nulls_last=True, maintain_order=True)
    single = single.unique([INPUT, FRAME], keep="first", maintain_order=True).sort(INPUT, FRAME)
    more = table.height - single.height
    if not more:
        return table, []
    rule = "the most confident one" if trust else "the first one"
    sentence = f"further faces in the same frame ({more:,}) are left out; of each frame {rule} is taken"
    return single, [Finding(severity="warning", place=str(source.path), sentence=sentence)]


def _picture_keys(images: pl.Series, inputs: pl.Series, source: LabelSource) -> tuple[pl.Series, pl.Series]:
    """Compare whole paths if they are the same anywhere, or file names where these are unique."""
    if source.names == "stems":
        return images.str.extract(r"([^/\\]+?)(?:\.[^./\\]*)?$", 1), inputs
    if images.is_in(inputs.implode()).any():
        return images, inputs
    names = [series.str.extract(r"([^/\\]+)$", 1) for series in (images, inputs)]
    return (names[0], names[1]) if names[1].n_unique() == len(inputs) else (images, inputs)


def _frame_keys(
    path: Path, table: pl.DataFrame, labels: pl.DataFrame, frame_offset: int
) -> tuple[pl.Series, pl.Series]:
    for needed in (RECORDING, FRAME):
        if needed not in table.columns:
            raise DatasetError(f"{path}: the column {needed} is missing, by which frames of videos meet their labels")
    videos = labels[INPUT].str.extract(r"([^/\\]+?)(?:\.[A-Za-z0-9]{2,4})?$", 1)
    frames = table[FRAME].cast(pl.Int64, strict=False) + frame_offset
    left = table[RECORDING].cast(pl.String) + " frame " + frames.cast(pl.String)
    return left, videos + " frame " + labels[FRAME].cast(pl.String)


def _manifest(table: pl.DataFrame, path: Path, source: LabelSource) -> Manifest:
    units = ActionUnitSet.parse([name for name in table.columns if _AU_COLUMN.fullmatch(name)])
    try:
        table = table.with_columns(pl.col(code).cast(pl.Int8) for code in units.codes)
    except pl.exceptions.PolarsError as error:
        raise DatasetError(f"{path}: a label is no number ({str(error).splitlines()[0]})") from error
    table = table.with_columns(pl.col(SUBJECT).cast(pl.String).cast(pl.Categorical))
    origin = DataOrigin(corpus=f"labels by {source.kind}", decisions=dict(source.decisions), facskit=__version__)
    return Manifest(table=table, root=path.parent, action_units=units, name=str(path), origin=origin)
