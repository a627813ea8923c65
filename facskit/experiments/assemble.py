"""Assembly of what trains: from a recipe and its opened data to loaders, model and objective.

Networks and objectives build themselves from their configs; of folds this is the place that knows all kinds.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import torch
from lightning_fabric import Fabric

from facskit.datasets.face_dataset import FaceDataset, Preparation
from facskit.datasets.fold import Fold
from facskit.datasets.loaders import EpochLoader, eval_loader, train_loader
from facskit.datasets.manifest import Manifest
from facskit.datasets.samples import Batch
from facskit.datasets.unlabelled.beside import UnlabelledBeside, unlabelled_rows
from facskit.errors import DatasetError
from facskit.experiments.initial_weights import load_body
from facskit.experiments.recipe import DataConfig, Recipe
from facskit.experiments.untaught import refuse_unknown_places
from facskit.faces.alignment import CropRecipe
from facskit.models.build import build_model
from facskit.models.layers import FaceNetwork
from facskit.objectives.config import TrainingPart
from facskit.objectives.objective import Objective
from facskit.training.loop import BatchSource

__all__ = [
    "assemble_loader",
    "assemble_model",
    "assemble_objective",
    "assemble_training",
    "head_subjects",
    "remaining_crop",
]

Part = Literal["train", "validation", "test"]
"""A part of a fold."""


def head_subjects(data: DataConfig, manifest: Manifest, fold: Fold) -> tuple[str, ...]:
    """Return whose identities an identity objective knows, in the order of its outputs."""
    match data.subjects_in_head:
        case "training":
            return fold.train_subjects
        case "all":
            return manifest.subject_names


def remaining_crop(manifest: Manifest, wanted: CropRecipe) -> CropRecipe:
    """Return what is left to crop of a manifest's images, which may have been prepared already."""
    return wanted if manifest.origin is None else manifest.origin.remaining_crop(wanted, manifest.name)


def assemble_loader(
    recipe: Recipe, manifest: Manifest, fold: Fold, part: Part, fabric: Fabric, *, plain: bool = False
) -> EpochLoader[Batch]:
    """Return the batches of one part of a fold: varied and shuffled for training, plain and in order otherwise.

    Args:
        plain: Whether even training images come as they are, in order and undivided, to look at them once.

    Raises:
        DatasetError: The part is empty or smaller than a batch, or landmarks are missing.
    """
    data, training = recipe.data, part == "train" and not plain
    dataset = FaceDataset(
        manifest,
        _training_preparation(recipe, manifest, labelled=True) if training else _preparation(recipe, manifest),
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


def assemble_training(
    recipe: Recipe, manifest: Manifest, unlabelled: Manifest | None, fold: Fold, fabric: Fabric
) -> BatchSource[Batch]:
    """Return what a network learns from: the training part, and beside it the unlabelled faces, if there are any.

    Raises:
        DatasetError: As for `assemble_loader`, of the unlabelled faces too.
    """
    labelled = assemble_loader(recipe, manifest, fold, "train", fabric)
    if unlabelled is None:
        return labelled
    data = recipe.data
    config = replace(data.loader, batch_size=data.unlabelled.batch_size)
    try:
        dataset = FaceDataset(
            unlabelled,
            _training_preparation(recipe, unlabelled, labelled=False),
            rows=unlabelled_rows(unlabelled, manifest, fold),
            cache_gib=data.loader.cache_gib,
        )
        faces = train_loader(dataset, config, rank=fabric.global_rank, world_size=fabric.world_size)
    except DatasetError as error:
        raise DatasetError(f"data.unlabelled: {unlabelled.name}: {error}") from error
    return UnlabelledBeside(labelled, faces)


def _training_preparation(recipe: Recipe, manifest: Manifest, *, labelled: bool) -> Preparation:
    """Return how training faces are prepared, in all the ways that the objective needs."""
    data = recipe.data
    wanted = Preparation(
        recipe=data.crop, normalization=data.normalization, augmentation=data.augmentation, seed=recipe.runtime.seed
    )
    views = recipe.objective.views(wanted, labelled=labelled)
    try:
        left = {name: replace(view, recipe=remaining_crop(manifest, view.recipe)) for name, view in views.items()}
    except DatasetError as error:
        raise DatasetError(
            f"objective.kind {recipe.objective.kind} needs another look at each face: {error}"
        ) from error
    return replace(wanted, recipe=remaining_crop(manifest, data.crop), views=left)


def _preparation(recipe: Recipe, manifest: Manifest) -> Preparation:
    """Return how faces are prepared to be looked at as they are."""
    data = recipe.data
    crop = remaining_crop(manifest, data.crop)
    return Preparation(recipe=crop, normalization=data.normalization, seed=recipe.runtime.seed)


def assemble_model(recipe: Recipe) -> FaceNetwork:
    """Build the recipe's network, with its initial weights if it names some.

    Raises:
        CheckpointError: The initial weights are missing or belong to another network.
    """
    model = build_model(recipe.model, recipe.data.num_outputs, recipe.objective.answers)
    if recipe.initial_weights:
        load_body(model, recipe.initial_weights, recipe.data.unit_set)
    return model


def assemble_objective(
    recipe: Recipe, model: FaceNetwork, manifest: Manifest, fold: Fold, stages: Mapping[str, FaceNetwork] | None = None
) -> Objective[Batch]:
    """Join model and loss; class weights and subjects come from the training part alone.

    Args:
        stages: The finished networks that a staged objective learns from, by name.

    Raises:
        DatasetError: The training part lacks something that the objective learns from, such as known expressions or
            landmarks to teach attention with.
    """
    refuse_unknown_places(recipe, manifest, fold)
    expressions = recipe.data.expression_set
    shown = None if expressions is None else torch.from_numpy(manifest.expression_indices(expressions)[fold.train])
    names, people = manifest.subjects[fold.train].tolist(), head_subjects(recipe.data, manifest, fold)
    images, places = Counter(names), {name: place for place, name in enumerate(people)}
    part = TrainingPart(
        units=recipe.data.unit_set,
        labels=torch.from_numpy(manifest.labels[fold.train]),
        expressions=shown,
        subjects=torch.tensor([places.get(name, -1) for name in names], dtype=torch.int64),
        subject_counts=[images[name] for name in people],
        stages=stages or {},
    )
    try:
        return recipe.objective.build(model, part)
    except ValueError as error:
        raise DatasetError(f"{manifest.name}: fold {fold.index}: {error}") from error
