"""A recipe's objective without its data, weights or memory."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import torch

from facskit.datasets.fold import Fold
from facskit.datasets.manifest import Manifest
from facskit.datasets.samples import Batch
from facskit.experiments.assemble import assemble_model, assemble_objective
from facskit.experiments.recipe import Recipe
from facskit.objectives.objective import Objective


def objective_on_meta(recipe: Recipe) -> Objective[Batch]:
    """Assemble model and loss for two invented subjects, on the device without memory."""
    labels: dict[str, Sequence[int | str]] = {code: [0, 1] for code in recipe.data.unit_set.codes}
    if recipe.data.expression_set is not None:
        labels["expression"] = recipe.data.expression_set.names[:2]
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
    with torch.device("meta"):
        return assemble_objective(recipe, assemble_model(replace(recipe, initial_weights="")), manifest, fold)
