"""Runs that go on, or are used again, after somebody edited their manifest."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from facskit.datasets.folds import SubjectFolds
from facskit.datasets.loaders import EpochLoader
from facskit.datasets.samples import Batch
from facskit.errors import DatasetError, MediaError
from facskit.experiments.opened_data import OpenedData
from facskit.experiments.recipe import Recipe
from facskit.experiments.sweep.sweep import plan_sweep, run_sweep
from facskit.experiments.train import cross_validate, train
from facskit.models.checkpoints import load_checkpoint, read_weight_info, save_checkpoint
from facskit.objectives.attention_regression import AttentionRegressionConfig
from facskit.objectives.causal_intervention import CausalInterventionConfig
from facskit.training.loop import TrainingConfig
from tests.experiments.drawn_faces import write_drawn_faces
from tests.experiments.sweeping import tiny_recipe

CHANGED = r"the run was trained with other data than the recipe's now: .*{}.*; name another folder to train anew"


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return write_drawn_faces(tmp_path / "faces.parquet", subjects=9, images=4)


@pytest.fixture
def recipe(faces: Path) -> Recipe:
    return replace(tiny_recipe(faces), training=TrainingConfig(epochs=2))


def _edit(faces: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    change(pl.read_parquet(faces)).write_parquet(faces)


def _without(subject: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda table: table.filter(pl.col("subject") != subject)


def _relabel(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(AU12=1 - pl.col("AU12"))


def _without_whom_others_move(recipe: Recipe, faces: Path) -> str:
    """Return somebody without whom a training person becomes a test person, and leave the manifest without them."""
    whole = pl.read_parquet(faces)
    trained = set(OpenedData.read(recipe.data).folds[0].train_subjects)
    for subject in sorted(trained):
        _without(subject)(whole).write_parquet(faces)
        if trained & set(OpenedData.read(recipe.data).folds[0].test_subjects):
            return subject
    raise AssertionError("nobody moves")


def _stop_in_epoch(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Let a picture be damaged in an epoch, from 0."""
    usual = EpochLoader.batches

    def batches(self: EpochLoader[Batch], number: int, start_step: int = 0) -> Iterator[Batch]:
        if number == epoch:
            raise MediaError("a picture is damaged")
        return usual(self, number, start_step)

    monkeypatch.setattr(EpochLoader, "batches", batches)


def _break_off(recipe: Recipe, out: Path, epoch: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _stop_in_epoch(patch, epoch)
        with pytest.raises(MediaError):
            train(recipe, out)


def test_a_run_that_broke_off_refuses_a_manifest_that_moves_people(recipe: Recipe, faces: Path, tmp_path: Path) -> None:
    whole = faces.read_bytes()
    _break_off(recipe, tmp_path / "run", epoch=1)
    gone = _without_whom_others_move(recipe, faces)
    moved = r"4 rows less; S\d was trained on and would now be tested on.*; " + f"{gone} is gone"
    with pytest.raises(DatasetError, match=CHANGED.format(moved)):
        train(recipe, tmp_path / "run")
    faces.write_bytes(whole)
    weights, _ = train(recipe, tmp_path / "run")
    undisturbed, _ = train(recipe, tmp_path / "undisturbed")
    assert weights.read_bytes() == undisturbed.read_bytes()


def test_a_run_that_has_learned_nothing_takes_the_manifest_as_it_is(
    recipe: Recipe, faces: Path, tmp_path: Path
) -> None:
    _break_off(recipe, tmp_path / "run", epoch=0)
    _without_whom_others_move(recipe, faces)
    weights, _ = train(recipe, tmp_path / "run")
    now = OpenedData.read(recipe.data).folds[0]
    assert read_weight_info(weights).provenance["training_subjects"] == list(now.train_subjects)
    train(recipe, tmp_path / "run")  # the record is that of what it was trained with


def test_a_finished_run_refuses_other_labels(recipe: Recipe, faces: Path, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    _edit(faces, _relabel)
    with pytest.raises(DatasetError, match=CHANGED.format("in AU12")):
        train(recipe, tmp_path / "run")


def test_another_order_of_rows_is_other_data(recipe: Recipe, faces: Path, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    _edit(faces, pl.DataFrame.reverse)
    with pytest.raises(DatasetError, match=CHANGED.format("in image, subject")):
        train(recipe, tmp_path / "run")


def test_a_cross_validation_refuses_before_it_trains_the_next_fold(recipe: Recipe, faces: Path, tmp_path: Path) -> None:
    folds = replace(recipe, data=replace(recipe.data, folds=SubjectFolds(k=3)))
    train(replace(folds, data=replace(folds.data, fold=2)), tmp_path / "all" / "fold-2-seed-0")
    _edit(faces, _without("S0"))
    with pytest.raises(DatasetError, match="fold-2-seed-0: " + CHANGED.format("4 rows less")):
        cross_validate(folds, tmp_path / "all")
    assert not (tmp_path / "all" / "fold-1-seed-0").exists()


def test_a_sweep_refuses_to_set_runs_of_other_data_side_by_side(recipe: Recipe, faces: Path, tmp_path: Path) -> None:
    sweep = plan_sweep(recipe, {"objective.strength": (0.1, 0.2)}, tmp_path / "sweep")
    (run,) = sweep.runs(sweep.points[1])
    train(run.recipe, run.folder)
    _edit(faces, _relabel)
    with pytest.raises(DatasetError, match=CHANGED.format("in AU12")):
        run_sweep(sweep, jobs=1)
    assert not (tmp_path / "sweep" / "recipe.yaml").exists()


def test_stages_of_other_labels_teach_nobody(recipe: Recipe, faces: Path, tmp_path: Path) -> None:
    causal = CausalInterventionConfig(attention=AttentionRegressionConfig())
    taught = replace(recipe, objective=causal, training=TrainingConfig(epochs=1))
    train(taught, tmp_path / "run")
    _edit(faces, _relabel)
    reusing = replace(taught, objective=replace(causal, gamma=2.0, stages=str(tmp_path / "run" / "stages")))
    with pytest.raises(DatasetError, match="imbalanced: " + CHANGED.format("in AU12")):
        train(reusing, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_runs_without_a_record_are_judged_by_their_weights_or_not_at_all(
    recipe: Recipe, faces: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    _break_off(recipe, out, epoch=1)
    (out / "data.json").unlink()
    with pytest.raises(DatasetError, match=r"found no data\.json, because an earlier version"):
        train(recipe, out)
    weights, _ = train(recipe, tmp_path / "old")
    (tmp_path / "old" / "data.json").unlink()
    train(recipe, tmp_path / "old")
    model, info = load_checkpoint(weights)
    save_checkpoint(weights, model, replace(info, provenance={**info.provenance, "training_subjects": ["S0", "S9"]}))
    with pytest.raises(DatasetError, match=CHANGED.format("S9 is gone")):
        train(recipe, tmp_path / "old")
