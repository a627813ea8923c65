"""Other people's label lists: what their readers have in common.

Papers' code keeps labels in text files beside lists of image paths, and takes the person from the path. Here each such
list becomes a `LabelList`: a table with a manifest's columns, the people under the corpora's own names, and what was
lost or decided on the way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from jaxtyping import Float, Int8

from facskit.action_units import ACTION_UNIT_SETS, BP4D, DISFA_8, ActionUnitSet
from facskit.columns import FRAME, IMAGE, RECORDING, SUBJECT
from facskit.datasets.findings import Finding
from facskit.datasets.folds import published_parts
from facskit.datasets.manifest import Manifest
from facskit.datasets.origin import DataOrigin
from facskit.errors import DatasetError
from facskit.version import __version__

__all__ = [
    "AUTHORS_PARTS",
    "LabelList",
    "ListCorpus",
    "class_weights",
    "columns_for",
    "guess_list_corpus",
    "labelled_table",
    "merged",
    "people_of",
    "rows_by_part",
    "weights_line",
    "who_is_in",
]

ListCorpus = Literal["bp4d", "bp4d-plus", "disfa", "unknown"]

AUTHORS_PARTS: Mapping[str, tuple[str, ...]] = {
    "bp4d": (
        "F001 M007 F018 F008 F002 M004 F010 F009 M012 M001 F016 M014 F023 M008",
        "M011 F003 M010 M002 F005 F022 M018 M017 F013 M016 F020 F011 M013 M005",
        "F007 F015 F006 F019 M006 M009 F012 M003 F004 F021 F017 M015 F014",
    ),
    "disfa": (
        "SN002 SN010 SN001 SN026 SN027 SN032 SN030 SN009 SN016",
        "SN013 SN018 SN011 SN028 SN012 SN006 SN031 SN021 SN024",
        "SN003 SN029 SN023 SN025 SN008 SN005 SN007 SN017 SN004",
    ),
}
"""The published parts with their subjects in the order of JAA-Net's and ME-GraphAU's lists."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelList:
    """What somebody else's list says."""

    table: pl.DataFrame
    """A manifest's columns: `image`, `subject`, `recording`, `frame`, an Int8 column per AU, and others."""
    action_units: ActionUnitSet
    """The AU columns, in the list's order."""
    corpus: ListCorpus
    """Whose people the paths name."""
    findings: tuple[Finding, ...] = ()
    """What was lost, decided or looks wrong."""
    decisions: Mapping[str, str] = field(default_factory=dict)
    """Choices that changed labels, by name."""

    def manifest(self, root: Path, name: str) -> Manifest:
        """Return the list as a manifest.

        Args:
            root: The folder that the list's image paths begin in.
        """
        table = self.table.with_columns(pl.col(SUBJECT).cast(pl.Categorical))
        origin = DataOrigin(corpus=self.corpus, decisions=dict(self.decisions), facskit=__version__)
        return Manifest(table=table, root=root, action_units=self.action_units, name=name, origin=origin)


def labelled_table(
    images: Sequence[str], labels: Int8[np.ndarray, "rows aus"], units: ActionUnitSet, place: str
) -> tuple[pl.DataFrame, list[Finding]]:
    """Put image paths, the people in them and their labels into one table.

    Args:
        labels: `LabelState` values.

    Returns:
        Columns `image`, `subject`, `recording`, `frame` and one per AU, and what `who_is_in` found.
    """
    paths = pl.Series(IMAGE, images, pl.String)
    people, findings = who_is_in(paths, place)
    columns = [pl.Series(code, labels[:, column], pl.Int8).replace(-1, None) for column, code in enumerate(units.codes)]
    return paths.to_frame().hstack(people).hstack(columns), findings


def merged(lists: Sequence[LabelList], place: Path) -> LabelList:
    """Put lists of one corpus into one.

    Raises:
        DatasetError: An image stands in two of them.
    """
    table = pl.concat([one.table for one in lists])
    twice = table.filter(pl.col(IMAGE).is_duplicated())
    if twice.height:
        raise DatasetError(f"{place}: {twice[IMAGE][0]} stands in two of the lists; expected each image in one")
    findings: dict[Finding, None] = {}
    for one in lists:
        findings |= dict.fromkeys(one.findings)
    corpus = guess_list_corpus(table[IMAGE], table[SUBJECT])
    return replace(lists[0], table=table, findings=tuple(findings), corpus=corpus)


def who_is_in(images: pl.Series, place: str) -> tuple[pl.DataFrame, list[Finding]]:
    """Find person, recording and frame in image paths, as the authors' code does.

    Understood are `F001/T1/2440.jpg` with anything before it (BP4D and BP4D+), `2F15_T8/frame_1.jpg` (BP4D's videos,
    which shorten F015 to F15), `F001_T1/frame_1.jpg`, `SN001/0.png` and `RightVideoSN001/frame_1.jpg` (DISFA). In other
    paths the first folder is taken for the person.

    Returns:
        Columns `subject`, `recording` and `frame`, and a warning if some paths aren't in one of these forms.

    Raises:
        DatasetError: A path names nobody, because it has no folder.
    """
    path = images.str.replace_all("\\", "/", literal=True).alias("path")
    found = path.to_frame().select(
        pl.col("path").str.extract(r"(?:^|/)([FM]\d{3})[/_]T\d+", 1).alias("whole"),
        pl.col("path").str.extract(r"(?:^|/)2([FM])\d\d_", 1).alias("letter"),
        pl.col("path").str.extract(r"(?:^|/)2[FM](\d\d)_", 1).alias("digits"),
        pl.col("path").str.extract(r"(SN\d{3})", 1).alias("disfa"),
        pl.col("path").str.extract(r"^/?([^/]+)/", 1).alias("folder"),
        pl.col("path").str.extract(r"[/_]T?(\d+)/[^/]*$", 1).alias("task"),
        pl.col("path").str.extract(r"(Left|Right)VideoSN", 1).str.to_lowercase().alias("camera"),
        pl.col("path").str.extract(r"(\d{1,9})(?:_aligned)?\.[^./]*$", 1).cast(pl.Int64).alias(FRAME),
    )
    short = pl.col("letter") + "0" + pl.col("digits")
    known = pl.coalesce("whole", short, "disfa")
    task = pl.when(pl.coalesce("whole", short).is_not_null()).then("T" + pl.col("task"))
    table = found.select(
        pl.coalesce(known, "folder").alias(SUBJECT),
        pl.coalesce(task, "camera", known, "folder").alias(RECORDING),
        FRAME,
        known.is_null().alias("guessed"),
    )
    nobody = table[SUBJECT].is_null().arg_max() if table[SUBJECT].has_nulls() else None
    if nobody is not None:
        raise DatasetError(
            f"{place}: line {nobody + 1}: found the path {images[nobody]!r}, expected one with the person's folder, "
            "such as F001/T1/2440.jpg or SN001/0.png"
        )
    findings = []
    if guessed := int(table["guessed"].sum()):
        example = images[int(table["guessed"].arg_max() or 0)]
        sentence = (
            f"{guessed:,} paths name no subject of BP4D, BP4D+ or DISFA, for example {example}; "
            "the first folder is taken for the person"
        )
        findings.append(Finding(severity="warning", place=place, sentence=sentence))
    return table.drop("guessed"), findings


def guess_list_corpus(images: pl.Series, subjects: pl.Series) -> ListCorpus:
    """Say whose people a list names: BP4D and BP4D+ share names such as F001, so their numbers and paths decide."""
    names = set(subjects.unique().to_list())
    if names <= people_of("disfa"):
        return "disfa"
    if names <= people_of("bp4d"):
        return "bp4d-plus" if images.str.contains(r"(?:^|/)[FM]\d{3}_T\d").any() else "bp4d"
    return "bp4d-plus" if names <= people_of("bp4d-plus") else "unknown"


def people_of(corpus: str) -> set[str]:
    """Return everybody in a corpus's published folds."""
    return {name for part in published_parts(corpus) for name in part}


def columns_for(count: int, place: str, action_units: ActionUnitSet | None) -> ActionUnitSet:
    """Say which AUs a list's columns are: the lists don't say so themselves.

    Raises:
        DatasetError: The number fits neither the user's set nor, without one, BP4D's 12 or DISFA's 8.
    """
    if action_units is None:
        action_units = {len(BP4D): BP4D, len(DISFA_8): DISFA_8}.get(count)
    if action_units is None or len(action_units) != count:
        expected = "12 (BP4D) or 8 (DISFA)" if action_units is None else f"{len(action_units)} ({action_units})"
        named = ", ".join(ACTION_UNIT_SETS)
        raise DatasetError(
            f"{place}: found {count} label columns, expected {expected}; say what they are: a list, or one of {named}"
        )
    return action_units


def class_weights(labels: Int8[np.ndarray, "rows aus"]) -> Float[np.ndarray, "aus"]:
    """Return the AUs' loss weights as JAA-Net's and ME-GraphAU's tools compute them.

    Paper:
        Shao et al. 2018: w_i = (1 / r_i) n / sum_j (1 / r_j), where r_i is the AU's rate of occurrence and n the number
        of AUs. The published tools count each code above 0 as an occurrence, unknown ones (9) too, over all frames.

    Args:
        labels: `LabelState` values of the training frames.

    Returns:
        The weights; their mean is 1. If an AU never occurs, its weight is nan and the others' are 0, as published.
    """
    occurrences = (labels != 0).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = len(labels) / occurrences
        return inverse / inverse.sum() * len(inverse)


def weights_line(weights: Float[np.ndarray, "aus"]) -> str:
    """Write weights as the published files have them: six decimals, tabs."""
    return "\t".join(f"{weight:f}" for weight in weights) + "\n"


def rows_by_part(manifest: Manifest, corpus: str) -> list[list[int]]:
    """Return the rows of each published part of BP4D or DISFA in the order of the authors' lists.

    Within a part they are by subject in the authors' order, then recording, then frame.

    Raises:
        DatasetError: Somebody is in none of the parts, or a part is empty.
    """
    names = manifest.subjects
    rows_of: dict[str, list[int]] = {}
    for row in _in_order(manifest):
        rows_of.setdefault(names[row], []).append(row)
    parts: list[list[int]] = [[] for _ in AUTHORS_PARTS[corpus]]
    for part, text in zip(parts, AUTHORS_PARTS[corpus], strict=True):
        for name in text.split():
            part.extend(rows_of.pop(name, []))
    if rows_of:
        raise DatasetError(f"{manifest.name}: subject {min(rows_of)} is in none of the published parts of {corpus}")
    empty = [number for number, part in enumerate(parts, start=1) if not part]
    if empty:
        raise DatasetError(f"{manifest.name}: nobody of part {empty[0]} of {corpus} is there, expected all parts")
    return parts


def _in_order(manifest: Manifest) -> list[int]:
    """Return the rows by recording and frame, as far as the manifest has them; empty cells come first."""
    keys = [name for name in (RECORDING, FRAME) if name in manifest.table.columns]
    rows = manifest.table.select(pl.int_range(pl.len()).alias("row"), *keys)
    return rows.sort(*keys, "row", nulls_last=False)["row"].to_list() if keys else rows["row"].to_list()
