"""Opened data of a recipe: its faces with the labels that are wanted, divided into folds, and the record of both."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from facskit.action_units import NO_ACTION_UNITS
from facskit.columns import SPLIT
from facskit.datasets.data_record import DataRecord, digest, manifest_digests, parts_of
from facskit.datasets.fold import Fold
from facskit.datasets.folds import (
    FoldsConfig,
    GivenSplit,
    HoldOut,
    LeaveOneSubjectOut,
    PublishedFolds,
    SubjectFolds,
    make_folds,
)
from facskit.datasets.manifest import Manifest, read_manifest
from facskit.datasets.packed import open_manifest, packaged_faces
from facskit.errors import DatasetError, RecipeError
from facskit.experiments.recipe import DataConfig

__all__ = ["OpenedData", "assemble_folds", "assemble_manifest", "describe_folds"]


@dataclass(frozen=True, kw_only=True)
class OpenedData:
    """The faces of a recipe and their folds."""

    manifest: Manifest
    """The labelled faces."""
    folds: list[Fold]
    """All folds of the recipe."""
    config: DataConfig
    """What the recipe says of its data."""
    unlabelled: Manifest | None = None
    """The faces without labels to learn from beside, if there are some."""

    @classmethod
    def read(cls, data: DataConfig) -> "OpenedData":
        """Open and divide the faces that a recipe names."""
        manifest = assemble_manifest(data)
        named = data.unlabelled.manifest
        unlabelled = open_manifest(named, NO_ACTION_UNITS) if named else None
        return cls(manifest=manifest, folds=assemble_folds(data, manifest), config=data, unlabelled=unlabelled)

    def record(self, fold: int) -> DataRecord:
        """Return what a run keeps of its data, to know them again."""
        people = parts_of(self.folds[fold - 1])
        return DataRecord(
            images=len(self.manifest), digests=self._digests, people=people, unlabelled=self._unlabelled_digest
        )

    @cached_property
    def _digests(self) -> dict[str, str]:
        return manifest_digests(self.manifest, expressions=self.config.expression_set is not None)

    @cached_property
    def _unlabelled_digest(self) -> str:
        if self.unlabelled is None:
            return ""
        return digest(json.dumps(manifest_digests(self.unlabelled, expressions=False), sort_keys=True).encode())


def assemble_manifest(data: DataConfig) -> Manifest:
    """Open a recipe's faces with the action units or expressions it wants.

    Raises:
        DatasetError: The manifest is missing or wrong, or lacks an action unit or expressions.
    """
    if data.manifest != "packaged":
        manifest = read_manifest(Path(data.manifest), data.unit_set)
    else:
        packaged = packaged_faces()
        missing = [unit.code for unit in data.unit_set if unit not in packaged.action_units]
        if missing:
            shown = packaged.action_units
            raise DatasetError(f"The packaged faces don't show {', '.join(missing)}; they show {shown}.")
        manifest = replace(packaged, action_units=data.unit_set, name="the packaged faces")
    expressions = data.expression_set
    if expressions is not None and not (manifest.expression_indices(expressions) >= 0).any():
        raise DatasetError(f"{manifest.name}: no row has an expression of data.expressions ({expressions})")
    return manifest


def assemble_folds(data: DataConfig, manifest: Manifest) -> list[Fold]:
    """Divide the manifest's subjects as the recipe says.

    Returns:
        All folds, in order; each one's rows are known to belong to its subjects.

    Raises:
        DatasetError: The subjects can't be divided like that.
        RecipeError: The recipe's fold doesn't exist.
    """
    splits = manifest.table[SPLIT].cast(pl.String).to_list() if SPLIT in manifest.table.columns else None
    labels, expressions = manifest.labels, data.expression_set
    if expressions is not None:  # folds should have even shares of them too: one column each
        shown = manifest.expression_indices(expressions)[:, np.newaxis]
        labels = (shown == np.arange(len(expressions))).astype(np.int8)
    try:
        folds = make_folds(data.folds, manifest.subjects, labels, splits)
    except DatasetError as error:
        raise DatasetError(f"{manifest.name}: {error}") from error
    if data.fold > len(folds):
        raise RecipeError(f"data.fold: found {data.fold}, expected one of the {len(folds)} folds of data.folds.")
    for fold in folds:
        fold.check(manifest.subjects)
    return folds


def describe_folds(config: FoldsConfig, count: int) -> str:
    """Say in words how test subjects were held out, for the stamp on every score."""
    match config:
        case SubjectFolds():
            return f"{count} subject-exclusive folds, seed {config.seed}"
        case PublishedFolds():
            return f"the {count} published subject-exclusive folds of {config.dataset}"
        case LeaveOneSubjectOut():
            return f"leave one of {count} subjects out"
        case HoldOut():
            return f"one held-out set of {config.test_fraction:.0%} of the subjects, seed {config.seed}"
        case GivenSplit():
            return f"the corpus's own {config.test_part} part"
