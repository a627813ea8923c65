"""Scores that are logged while a network trains."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from jaxtyping import Float
from lightning_fabric import Fabric
from torch import Tensor, nn

from facskit.datasets.loaders import EpochLoader
from facskit.datasets.samples import Batch
from facskit.experiments.recipe_files import read_recipe
from facskit.experiments.scoring import ActionUnitScoring
from facskit.experiments.session import Session
from facskit.models.layers import FaceNetwork
from tests.experiments.assembling import two_people

RECIPE = read_recipe(Path("recipes/debug/one_minute.yaml"))


class _Loader(EpochLoader[Batch]):
    """Two images; the first action unit is never there, the second always."""

    def __init__(self) -> None: ...

    def batches(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        yield Batch(
            images=torch.zeros(2, 3, 2, 2),
            labels=torch.tensor([[0, 1]] * 2, dtype=torch.int8),
            subjects=torch.zeros(2, dtype=torch.int64),
            indices=torch.arange(2),
            action_units=RECIPE.data.unit_set,
        )


class _Right(FaceNetwork):
    """Says so."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Identity()

    def features(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 2"]:
        return torch.tensor([[-5.0, 5.0]]).expand(len(images), 2)

    def layer_ids(self) -> dict[str, int]:
        return {}


@pytest.mark.parametrize(("undefined", "expected"), [("excluded", 1.0), ("zero", 0.5)])
def test_validation_f1_counts_undefined_f1_as_the_recipe_says(
    undefined: Literal["excluded", "zero"], expected: float, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, evaluation=replace(RECIPE.evaluation, undefined_f1=undefined))
    faces, _ = two_people(recipe)
    session = Session(fabric=Fabric(accelerator="cpu"), manifest=faces, folds=[], config=recipe.data)
    logged = ActionUnitScoring(recipe, session).after_epoch(_Right(), {"validation": _Loader()}, tmp_path, 1)
    assert logged["validation_f1"] == expected
