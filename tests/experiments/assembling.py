"""A recipe's objective without its data, weights or memory."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import torch

from facskit.columns import LANDMARKS_X, LANDMARKS_Y
from facskit.datasets.fold import Fold
from facskit.datasets.manifest import Manifest
from facskit.datasets.samples import Batch
from facskit.experiments.assemble import assemble_model, assemble_objective
from facskit.experiments.recipe import Recipe
from facskit.objectives.distillation import DistillationConfig
from facskit.objectives.objective import Objective


def two_people(recipe: Recipe) -> tuple[Manifest, Fold]:
    """Invent two subjects with an image each, and the fold that trains on both."""
    labels: dict[str, Sequence[int | str | float]] = {code: [0, 1] for code in recipe.data.unit_set.codes}
    if recipe.data.expression_set is not None:
        labels["expression"] = recipe.data.expression_set.names[:2]
    labels |= {name: [0.0, 0.0] for name in (*LANDMARKS_X, *LANDMARKS_Y)}
    table = pl.DataFrame({"image": ["a.jpg", "b.jpg"], "subject": ["F001", "M001"], **labels})
    manifest = Manifest(table=table, root=Path(), action_units=recipe.data.unit_set)
    nobody = np.zeros(0, np.int64)
    fold = Fold(
        index=1,
        train=np.arange(2),
        validation=nobody,
        test=nobody,
        train_subjects=("F001", "M001"),
        validation_subjects=(),
        test_subjects=(),
    )
    return manifest, fold


def objective_on_meta(recipe: Recipe) -> Objective[Batch]:
    """Assemble model and loss for two invented subjects, on the device without memory."""
    manifest, fold = two_people(recipe)
    fresh = replace(recipe, initial_weights="")
    if isinstance(recipe.objective, DistillationConfig):  # the one it names isn't trained yet
        recipe = replace(recipe, objective=replace(recipe.objective, teacher="packaged"))
    with torch.device("meta"):
        stages = {name: assemble_model(fresh) for name in recipe.objective.stage_names}
        return assemble_objective(recipe, assemble_model(fresh), manifest, fold, stages)
