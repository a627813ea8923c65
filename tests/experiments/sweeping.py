"""Sweeps without training: run folders that look finished, with made-up predictions and logs."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from facskit.datasets.folds import HoldOut, SubjectFolds
from facskit.datasets.loaders import LoaderConfig
from facskit.evaluation.predictions import Predictions
from facskit.experiments.recipe import DataConfig, Recipe
from facskit.experiments.recipe_files import format_recipe
from facskit.experiments.sweep.parallel_runs import PlannedRun
from facskit.faces.alignment import WholeImage
from facskit.models.compact_network import CompactConfig
from facskit.objectives.identity_adversarial import IdentityAdversarialConfig
from facskit.training.loop import TrainingConfig
from facskit.training.optimization import OptimizerConfig
from facskit.training.runtime import RuntimeConfig
from tests.evaluation.builders import make_predictions


def tiny_recipe(manifest: Path, *, folds: int = 0) -> Recipe:
    """Return a recipe for drawn faces that trains in a second."""
    return Recipe(
        name="tiny",
        data=DataConfig(
            manifest=str(manifest),
            action_units="AU01,AU12",
            crop=WholeImage(size=32),
            loader=LoaderConfig(batch_size=8),
            folds=SubjectFolds(k=folds) if folds else HoldOut(test_fraction=0.34, validation_fraction=0.17),
        ),
        model=CompactConfig(image_size=32, widths=(8, 16), depths=(1, 1), places=4, place_dim=8),
        objective=IdentityAdversarialConfig(strength=0.1),
        optimizer=OptimizerConfig(base_lr=0.1),
        training=TrainingConfig(epochs=2, log_steps=2),
        runtime=RuntimeConfig(device="cpu", threads=1),
    )


def finish(
    run: PlannedRun, skill: float, validation: Sequence[float] = (), identity: float | None = None, subjects: int = 24
) -> None:
    """Make a run look finished, with predictions of a given skill and what each epoch logged."""
    fold, seed = run.recipe.data.fold, run.recipe.runtime.seed
    run.folder.mkdir(parents=True)
    predictions = make_predictions(num_subjects=subjects, folds=1, seed=seed, skill=skill, noise_seed=seed)
    on_fold(predictions, fold).save(run.folder / "predictions.parquet")
    records = [{"kind": "step", "epoch": 1, "step": 1, "loss": 9.0}]
    for epoch, f1 in enumerate(validation or [np.nan], start=1):
        record = {"kind": "epoch", "epoch": epoch, "step": 2 * epoch, "loss": 1.0}
        record |= {"validation_f1": f1} if validation else {}
        if identity is not None:
            record |= {"identity": identity / epoch, "identity_constant": 0.2, "identity_accuracy": 0.5}
        records.append(record)
    (run.folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (run.folder / "recipe.yaml").write_text(format_recipe(run.recipe))
    (run.folder / "results.json").write_text("{}")
    (run.folder / "weights.safetensors").write_bytes(b"weights")


def on_fold(predictions: Predictions, fold: int) -> Predictions:
    """Return predictions as those of another fold, of other people."""
    return replace(
        predictions,
        folds=np.full(len(predictions), fold, np.int64),
        subjects=np.char.add(f"F{fold}", predictions.subjects),
        names=np.char.add(f"F{fold}/", predictions.names),
    )
