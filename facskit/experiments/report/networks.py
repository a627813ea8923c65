"""Networks that a report is about: what they said, the runs they are of, and their faces where these can be found."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from facskit.datasets.data_record import DataRecord
from facskit.datasets.manifest import Manifest
from facskit.datasets.packed import open_manifest
from facskit.errors import CheckpointError, FacskitError
from facskit.evaluation.cross_validation import CrossValidationResult
from facskit.evaluation.predictions import Predictions
from facskit.experiments.analysis.trained_networks import TrainedNetwork, find_networks
from facskit.experiments.opened_data import assemble_manifest
from facskit.experiments.run_tree import runs_in
from facskit.models.checkpoints import CheckpointInfo, EncoderInfo, read_weight_info
from facskit.training.metrics_file import read_metrics
from facskit.training.run_directory import RunDirectory

__all__ = ["LocatedFaces", "ReportedNetwork", "ReportedRun", "find_reported"]


@dataclass(frozen=True, kw_only=True)
class ReportedRun:
    """One training run of a network."""

    name: str
    """What its folder is called."""
    path: Path
    """Its folder."""

    @property
    def records(self) -> list[dict[str, Any]]:
        """The log of its epochs; empty if there is none."""
        return [record for record in read_metrics(self.path / "metrics.jsonl") if record.get("kind") == "epoch"]

    @property
    def people(self) -> DataRecord | None:
        """Who was trained on, chose and tested; None if the run kept no record."""
        file = self.path / "data.json"
        return DataRecord.from_json(file.read_text(encoding="utf-8"), str(file)) if file.is_file() else None

    @property
    def weights(self) -> Path | None:
        """Its weight file, if it is there."""
        path = RunDirectory(self.path).weights
        return path if path.is_file() else None

    @property
    def info(self) -> CheckpointInfo | None:
        """What its weight file says about itself; None without one that can be read."""
        if self.weights is None:
            return None
        try:
            info = read_weight_info(self.weights)
        except CheckpointError:
            return None
        return None if isinstance(info, EncoderInfo) else info


@dataclass(frozen=True, kw_only=True, eq=False)
class LocatedFaces:
    """The manifest behind predictions."""

    manifest: Manifest
    """The faces."""
    rows: Int64[np.ndarray, "samples"]
    """Row of each prediction."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportedNetwork:
    """One network of a report."""

    network: TrainedNetwork
    """Its name, predictions and recipe."""
    runs: tuple[ReportedRun, ...]
    """Its runs; none where only predictions are there."""
    result: CrossValidationResult
    """Its scores."""
    faces: LocatedFaces | None
    """Its test faces; None where they can't be found."""
    faces_missing: str
    """Why not, as a sentence; empty if they are there."""

    @property
    def name(self) -> str:
        """What to call it."""
        return self.network.name

    @property
    def folder(self) -> Path:
        """The folder that its predictions are in."""
        return self.network.path.parent if self.network.path.is_file() else self.network.path

    @property
    def predictions(self) -> Predictions:
        """What it said."""
        return self.network.predictions


def find_reported(words: Sequence[str], manifest: str = "") -> list[ReportedNetwork]:
    """Open the networks that a person names.

    Args:
        words: Folders of runs or cross-validations and predictions files, each as PATH or NAME=PATH.
        manifest: Where the test faces are; by default where the recipe of a run says.

    Raises:
        DatasetError: There is nothing at a path, or a run isn't finished.
    """
    found = []
    for network in find_networks(words, stages=False):
        folder = network.path.parent if network.path.is_file() else network.path
        runs = runs_in(folder) or ([folder] if (folder / "recipe.yaml").is_file() else [])
        faces, missing = _locate(network, manifest)
        found.append(
            ReportedNetwork(
                network=network,
                runs=tuple(ReportedRun(name=run.name, path=run) for run in runs),
                result=CrossValidationResult(network.predictions),
                faces=faces,
                faces_missing=missing,
            )
        )
    return found


def _locate(network: TrainedNetwork, manifest: str) -> tuple[LocatedFaces | None, str]:
    """Find the rows of a manifest that predictions are of, or say why they can't be found."""
    try:
        if manifest:
            faces = open_manifest(manifest)
        elif network.recipe is not None:
            faces = assemble_manifest(network.recipe.data)
        else:
            return None, "No recipe says where the test faces are; --manifest does."
    except FacskitError as error:
        return None, f"The test faces can't be opened: {error}."
    places = {faces.image_name(row): row for row in range(len(faces))}
    rows = [places.get(name, -1) for name in network.predictions.names.tolist()]
    if missing := rows.count(-1):
        return None, f"{missing:,} of {len(rows):,} test faces aren't in {faces.name}."
    return LocatedFaces(manifest=faces, rows=np.array(rows, np.int64)), ""
