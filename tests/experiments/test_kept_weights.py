"""Weights kept on the way: complete files of the epochs asked for, the last one equal to the result."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facskit.datasets.folds import HoldOut
from facskit.datasets.loaders import LoaderConfig
from facskit.experiments.recipe import DataConfig, Recipe
from facskit.experiments.train import train
from facskit.faces.alignment import WholeImage
from facskit.models.checkpoints import load_checkpoint
from facskit.models.compact_network import CompactConfig
from facskit.training.optimization import OptimizerConfig
from facskit.training.plan import TrainingConfig
from facskit.training.runtime import RuntimeConfig
from tests.experiments.drawn_faces import write_drawn_faces


def draw_recipe(folder: Path) -> Recipe:
    """Return a training of seconds on drawn faces, which tests on nobody."""
    folder.mkdir()
    return Recipe(
        name="drawn",
        data=DataConfig(
            manifest=str(write_drawn_faces(folder / "faces.parquet", subjects=3, images=8)),
            action_units="AU01,AU12",
            crop=WholeImage(size=32),
            loader=LoaderConfig(batch_size=8),
            folds=HoldOut(test_fraction=0.0, validation_fraction=0.0),
        ),
        model=CompactConfig(image_size=32, widths=(8,), depths=(1,), places=2, place_dim=4),
        optimizer=OptimizerConfig(warmup_epochs=0.0),
        training=TrainingConfig(epochs=1),
        runtime=RuntimeConfig(device="cpu", threads=1),
    )


def test_a_run_keeps_the_weights_of_the_epochs_asked_for(tmp_path: Path) -> None:
    recipe = draw_recipe(tmp_path / "faces")
    recipe = replace(recipe, training=replace(recipe.training, epochs=5, keep_every=2))
    weights, _ = train(recipe, tmp_path / "run")
    kept = sorted((tmp_path / "run" / "epochs").iterdir())
    assert [path.name for path in kept] == [f"epoch-{epoch:03d}.safetensors" for epoch in (1, 2, 4, 5)]
    networks = [load_checkpoint(path) for path in kept]
    assert [info.provenance["epoch"] for _, info in networks] == [1, 2, 4, 5]
    last, final = networks[-1][0].state_dict(), load_checkpoint(weights)[0].state_dict()
    assert all(torch.equal(last[name], final[name]) for name in final)
    first = networks[0][0].state_dict()
    assert any(not torch.equal(first[name], final[name]) for name in final)


def test_keeping_is_off_by_default_and_refuses_negative_numbers(tmp_path: Path) -> None:
    train(draw_recipe(tmp_path / "faces"), tmp_path / "run")
    assert not (tmp_path / "run" / "epochs").exists()
    with pytest.raises(ValueError, match="keep_every must be at least 0, got -1"):
        TrainingConfig(keep_every=-1)
