"""From a recipe to the objects that carry it out: manifest, folds, loaders, model, objective.

This is the one place that knows all kinds of everything; each union is taken apart by one `match`.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import torch
from jaxtyping import Int8
from lightning_fabric import Fabric

from facskit.columns import SPLIT
from facskit.datasets.augmentation import AugmentationConfig
from facskit.datasets.face_dataset import FaceDataset, Preparation
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
from facskit.datasets.loaders import EpochLoader, eval_loader, train_loader
from facskit.datasets.manifest import Manifest, read_manifest
from facskit.datasets.packed import packaged_faces
from facskit.datasets.samples import Batch
from facskit.errors import DatasetError, RecipeError
from facskit.experiments.initial_weights import load_body
from facskit.experiments.recipe import DataConfig, Recipe, taught_attention
from facskit.faces.alignment import CropRecipe
from facskit.models.attention_network import AttentionConfig
from facskit.models.build import build_model
from facskit.models.compact_network import CompactConfig
from facskit.models.layers import FaceNetwork
from facskit.models.vision_transformer import ViTConfig
from facskit.objectives.causal_intervention import CausalIntervention, CausalInterventionConfig, Teachers
from facskit.objectives.expression import ExpressionClassification, ExpressionConfig
from facskit.objectives.identity_adversarial import IdentityAdversarial, IdentityAdversarialConfig
from facskit.objectives.objective import Objective
from facskit.objectives.occurrence import Occurrence, OccurrenceConfig

__all__ = [
    "assemble_folds",
    "assemble_loader",
    "assemble_manifest",
    "assemble_model",
    "assemble_objective",
    "describe_folds",
    "head_subjects",
    "remaining_crop",
]

Part = Literal["train", "validation", "test"]
"""A part of a fold."""


def assemble_manifest(data: DataConfig) -> Manifest:
    """Open a recipe's faces with the action units or expressions it wants.

    Returns:
        The manifest.

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
    try:
        folds = make_folds(data.folds, manifest.subjects, _labels_to_spread(data, manifest), splits)
    except DatasetError as error:
        raise DatasetError(f"{manifest.name}: {error}") from error
    if data.fold > len(folds):
        raise RecipeError(f"data.fold: found {data.fold}, expected one of the {len(folds)} folds of data.folds.")
    for fold in folds:
        fold.check(manifest.subjects)
    return folds


def _labels_to_spread(data: DataConfig, manifest: Manifest) -> Int8[np.ndarray, "samples labels"]:
    """Return what folds should have even shares of: action units, or expressions as one column each."""
    expressions = data.expression_set
    if expressions is None:
        return manifest.labels
    shown = manifest.expression_indices(expressions)[:, np.newaxis]
    return (shown == np.arange(len(expressions))).astype(np.int8)


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


def head_subjects(data: DataConfig, manifest: Manifest, fold: Fold) -> tuple[str, ...]:
    """Return whose identities an identity objective knows, in the order of its outputs."""
    match data.subjects_in_head:
        case "training":
            return fold.train_subjects
        case "all":
            return manifest.subject_names


def remaining_crop(manifest: Manifest, wanted: CropRecipe) -> CropRecipe:
    """Return what is left to crop of a manifest's images, which may have been prepared already.

    Args:
        wanted: The crop that the network is to see.

    Raises:
        DatasetError: The images were cropped in another way.
    """
    return wanted if manifest.origin is None else manifest.origin.remaining_crop(wanted, manifest.name)


def assemble_loader(
    recipe: Recipe, manifest: Manifest, fold: Fold, part: Part, fabric: Fabric, *, plain: bool = False
) -> EpochLoader[Batch]:
    """Return the batches of one part of a fold: varied and shuffled for training, plain and in order otherwise.

    Args:
        fabric: The runtime; training batches are divided among its processes.
        plain: Whether even training images come as they are, in order and undivided, to look at them once.

    Raises:
        DatasetError: The part is empty or smaller than a batch, or landmarks are missing.
    """
    data, training = recipe.data, part == "train" and not plain
    preparation = Preparation(
        recipe=remaining_crop(manifest, data.crop),
        normalization=data.normalization,
        augmentation=data.augmentation if training else AugmentationConfig(),
        seed=recipe.runtime.seed,
    )
    dataset = FaceDataset(
        manifest,
        preparation,
        rows=getattr(fold, part),
        train_subjects=head_subjects(data, manifest, fold),
        expressions=data.expression_set,
        cache_gib=0.0 if plain or part == "test" else data.loader.cache_gib,  # test images are read once
    )
    if not training:
        return eval_loader(dataset, data.loader)
    try:
        return train_loader(dataset, data.loader, rank=fabric.global_rank, world_size=fabric.world_size)
    except DatasetError as error:
        raise DatasetError(f"{data.manifest}: data.loader.batch_size: {error}") from error


def assemble_model(recipe: Recipe) -> FaceNetwork:
    """Build the recipe's network, with its initial weights if it names some.

    Raises:
        CheckpointError: The initial weights are missing or belong to another network.
    """
    model = build_model(recipe.model, recipe.data.num_outputs)
    if recipe.initial_weights:
        load_body(model, recipe.initial_weights, recipe.data.unit_set)
    match recipe.model:
        case CompactConfig():
            model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        case ViTConfig() | AttentionConfig():
            pass
    return model


def assemble_objective(
    recipe: Recipe, model: FaceNetwork, manifest: Manifest, fold: Fold, teachers: Teachers | None = None
) -> Objective[Batch]:
    """Join model and loss; class weights and subjects come from the training part alone.

    Args:
        teachers: The networks that causal intervention learns from.

    Raises:
        DatasetError: No training face has a known expression, for an objective that learns them, or there are no
            landmarks to teach attention with.
    """
    labels, units = torch.from_numpy(manifest.labels[fold.train]), recipe.data.unit_set
    _check_landmarks(recipe, manifest)
    match recipe.objective:
        case OccurrenceConfig() as config:
            return Occurrence(model, config, labels, units)
        case IdentityAdversarialConfig() as config:
            return IdentityAdversarial(model, config, _subject_counts(recipe, manifest, fold), labels, units)
        case CausalInterventionConfig() as config:
            assert teachers is not None  # the stages come first
            counts = _subject_counts(recipe, manifest, fold)
            return CausalIntervention(model, config, teachers, units, labels, counts)
        case ExpressionConfig() as config:
            assert recipe.data.expression_set is not None  # the recipe was checked
            shown = manifest.expression_indices(recipe.data.expression_set)[fold.train]
            try:
                return ExpressionClassification(model, config, torch.from_numpy(shown))
            except ValueError as error:
                raise DatasetError(f"{manifest.name}: fold {fold.index}: {error}") from error


def _subject_counts(recipe: Recipe, manifest: Manifest, fold: Fold) -> list[int]:
    """Count the training images of each person whom an identity objective knows."""
    images = Counter(manifest.subjects[fold.train].tolist())
    return [images[name] for name in head_subjects(recipe.data, manifest, fold)]


def _check_landmarks(recipe: Recipe, manifest: Manifest) -> None:
    taught = taught_attention(recipe.objective)
    if taught is not None and taught.weight and manifest.all_landmarks is None:
        raise DatasetError(
            f"{manifest.name}: found no landmark columns x_0..x_67 and y_0..y_67, which attention is taught with; add "
            "them, or set the attention's weight to 0"
        )
