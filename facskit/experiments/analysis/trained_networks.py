"""Trained networks, found by what they said about their test faces: in folders of runs, or in predictions files.

A run by causal intervention (CIU) brings three networks: the imbalanced and the balanced one, which its first stage
trained, and the unbiased one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
from jaxtyping import Float

from facskit.datasets.samples import LabelState
from facskit.errors import DatasetError
from facskit.evaluation.confusion_counts import divide
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.predictions import Predictions
from facskit.experiments.opened_data import OpenedData
from facskit.experiments.recipe import Recipe
from facskit.experiments.run_tree import STAGES, find_stages, recipe_of, run_name, runs_in, split_name
from facskit.experiments.scoring import PREDICTIONS
from facskit.objectives.causal_intervention import StageName

__all__ = ["TrainedNetwork", "find_networks", "training_rates"]


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """One network: its name and what it said about the test faces."""

    name: str
    """What to call it."""
    predictions: Predictions
    """Its test predictions, of one run or of a cross-validation."""
    path: Path
    """The folder or file they are from."""
    recipe: Recipe | None = None
    """How it was trained, where the folder says so."""


def find_networks(words: Sequence[str], *, stages: bool = True) -> list[TrainedNetwork]:
    """Open the networks that a person names.

    Args:
        words: Folders of runs or cross-validations and predictions files, each as PATH or NAME=PATH.
        stages: Whether runs by CIU bring all three networks, or the unbiased one alone, called after its folder.

    Returns:
        One network for each word; with `stages` three (imbalanced, balanced, unbiased) for one trained by CIU. First
        stages that several runs share come once.

    Raises:
        DatasetError: There is nothing at a path, a run isn't finished, or two networks would have the same name.
    """
    opened = []
    for word in words:
        label, place = split_name(word)
        if not Path(place).exists():
            raise DatasetError(f"{place}: found nothing there, expected the folder of a run or a predictions file")
        opened.append((label, Path(place)))
    with_stages = [stages and find_stages(path) is not None for _, path in opened]
    found: list[TrainedNetwork] = []
    seen: set[Path] = set()
    for (name, path), has_stages in zip(opened, with_stages, strict=True):
        alone = sum(with_stages) == 1 and not name
        networks = _with_stages(path, "" if alone else name or _name(path)) if has_stages else [_one(path, name)]
        found += [network for network in networks if network.path not in seen]
        seen |= {network.path for network in networks}
    names = [network.name for network in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DatasetError(f"two networks are called {twice!r}; give them names, such as first={found[0].path}")
    return found


def training_rates(recipe: Recipe) -> Float[np.ndarray, "aus"]:
    """Return how often each AU is present among the faces that a run was trained on."""
    data = OpenedData.read(recipe.data)
    labels = data.manifest.labels[data.folds[recipe.data.fold - 1].train]
    return divide((labels == LabelState.PRESENT).sum(axis=0), (labels != LabelState.UNKNOWN).sum(axis=0))


def _name(path: Path) -> str:
    """Call a network after its folder, or after its file unless that has the name that all predictions have."""
    path = path.resolve()
    return path.parent.name if path.name == PREDICTIONS else path.stem if path.is_file() else path.name


def _one(path: Path, name: str) -> TrainedNetwork:
    predictions = Predictions.load(path) if path.is_file() else _of_folder(path)
    folder, file = (path.parent, path) if path.is_file() else (path, path / PREDICTIONS)
    place = (file if file.is_file() else path).resolve()
    return TrainedNetwork(name=name or _name(path), predictions=predictions, path=place, recipe=recipe_of(folder))


def _of_folder(folder: Path) -> Predictions:
    """Read the predictions of a run or of a cross-validation; one that broke off has those of its finished runs."""
    if (folder / PREDICTIONS).is_file():
        return Predictions.load(folder / PREDICTIONS)
    runs = [run for run in runs_in(folder) if (run / PREDICTIONS).is_file()]
    if not runs:
        why = "its last stage isn't finished" if (folder / STAGES).is_dir() else "no run here is finished and tested"
        raise DatasetError(f"{folder}: found no {PREDICTIONS}: {why}")
    return concat([Predictions.load(run / PREDICTIONS) for run in runs])


def _with_stages(path: Path, name: str) -> list[TrainedNetwork]:
    """Open the three networks of CIU; a name, if given, is that of the unbiased one and stands before the others."""
    unbiased = replace(_one(path, name), name=name or "unbiased")
    stages = find_stages(path)
    assert stages is not None
    networks = []
    for stage in get_args(StageName):
        folders = [stages / run_name(fold, seed) / stage for fold, seed in unbiased.predictions.runs]
        if not any(folder.is_dir() for folder in folders):
            continue  # one network can do without the other: TE, TDE, or a teacher that is computed from the other
        networks.append(
            TrainedNetwork(
                name=f"{name} {stage}".strip(),
                predictions=concat([Predictions.load(folder / PREDICTIONS) for folder in folders]),
                path=folders[0].resolve(),
                recipe=unbiased.recipe,
            )
        )
    return [*networks, unbiased]
