"""Runs that learn from more than labels: a teacher of another kind, and faces without labels."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from facskit.action_units import ActionUnitSet
from facskit.datasets.folds import SubjectFolds
from facskit.datasets.loaders import LoaderConfig
from facskit.datasets.samples import Batch
from facskit.datasets.unlabelled.beside import UnlabelledConfig
from facskit.errors import CheckpointError, DatasetError, RecipeError
from facskit.experiments.recipe import DataConfig, Recipe
from facskit.experiments.recipe_files import format_recipe, read_recipe
from facskit.experiments.train import train
from facskit.faces.alignment import WholeImage
from facskit.models.build import build_model
from facskit.models.checkpoints import CheckpointInfo, load_checkpoint, save_checkpoint
from facskit.models.compact_network import CompactConfig
from facskit.models.vision_transformer import ViTConfig
from facskit.objectives.consistency import Consistency, ConsistencyConfig
from facskit.objectives.distillation import Distillation, DistillationConfig
from facskit.training.loop import TrainingConfig
from facskit.training.optimization import OptimizerConfig
from facskit.training.runtime import RuntimeConfig
from tests.experiments.drawn_faces import write_drawn_faces

TEACHER = ViTConfig(image_size=24, patch_size=8, dim=16, depth=1, heads=2, drop_path=0.0)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    manifest = write_drawn_faces(tmp_path_factory.mktemp("faces") / "faces.parquet", images=8)
    return Recipe(
        name="drawn",
        data=DataConfig(
            manifest=str(manifest),
            action_units="AU01,AU12",
            crop=WholeImage(size=32),
            loader=LoaderConfig(batch_size=8),
            folds=SubjectFolds(k=3, validation_fraction=0.0),
        ),
        model=CompactConfig(image_size=32, widths=(8, 16), depths=(1, 1), places=4, place_dim=4),
        optimizer=OptimizerConfig(base_lr=0.05, warmup_epochs=0.0),
        training=TrainingConfig(epochs=2, log_steps=1, checkpoint_steps=1),
        runtime=RuntimeConfig(device="cpu", threads=1),
    )


def _write_teacher(folder: Path, subjects: list[str], seed: int = 0) -> str:
    torch.manual_seed(seed)
    units = ActionUnitSet.parse("12 25")
    info = CheckpointInfo(
        model=TEACHER,
        action_units=units,
        crop=WholeImage(size=24),
        normalization="imagenet",
        thresholds=(0.5, 0.5),
        licence="MIT",
        provenance={"recipe": "larger", "training_subjects": subjects, "corpus": "elsewhere"},
    )
    save_checkpoint(folder / "weights.safetensors", build_model(TEACHER, 2), info)
    return str(folder)


def _broken(usual: Callable[..., Any], after: int) -> Callable[..., Any]:
    """Return a method that cuts the power after some calls."""
    calls = []

    def broken(self: object, batch: Batch) -> Any:  # noqa: ANN401 - whatever the method returns
        calls.append(len(batch))
        if len(calls) > after:
            raise InterruptedError
        return usual(self, batch)

    return broken


def test_a_teacher_of_another_kind_teaches(recipe: Recipe, tmp_path: Path) -> None:
    teacher = _write_teacher(tmp_path / "teacher", ["X1"])
    weights, _ = train(replace(recipe, objective=DistillationConfig(teacher=teacher)), tmp_path / "run")
    _, info = load_checkpoint(weights)
    assert info.action_units.codes == ("AU01", "AU12")
    assert info.provenance["teachers"]["teacher"]["recipe"] == "larger"
    assert info.provenance["initial_people"] == [{"corpus": "elsewhere", "subjects": ["X1"]}]
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert all(record["distillation"] > 0 for record in records if record["kind"] == "step")


def test_a_teacher_that_knows_people_to_test_on_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    manifest = tmp_path / "faces.parquet"
    faces = pl.read_parquet(recipe.data.manifest)
    faces.with_columns(subject="R1-0000" + pl.col("subject").str.tail(1)).write_parquet(manifest)
    rendered = replace(recipe, data=replace(recipe.data, manifest=str(manifest)))
    teacher = _write_teacher(tmp_path / "teacher", [f"R1-0000{number}" for number in range(6)])
    with pytest.raises(DatasetError, match=r"people to test on were trained on.*R1-"):
        train(replace(rendered, objective=DistillationConfig(teacher=teacher)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_teacher_that_is_not_there_is_named(recipe: Recipe, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere.safetensors")
    with pytest.raises(CheckpointError, match=r"nowhere.safetensors"):
        train(replace(recipe, objective=DistillationConfig(teacher=nowhere)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_teacher_is_noticed_when_a_run_goes_on(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = _write_teacher(tmp_path / "teacher", ["X1"])
    changed = replace(recipe, objective=DistillationConfig(teacher=teacher))
    with monkeypatch.context() as patch:
        patch.setattr(Distillation, "ask", _broken(Distillation.ask, after=2))
        with pytest.raises(InterruptedError):
            train(changed, tmp_path / "run")
    _write_teacher(tmp_path / "teacher", ["X1"], seed=1)
    with pytest.raises(CheckpointError, match=r"teacher.*another teacher"):
        train(changed, tmp_path / "run")


def test_unlabelled_faces_teach_and_a_run_goes_on_exactly(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = UnlabelledConfig(manifest=recipe.data.manifest, batch_size=6)
    config = ConsistencyConfig(present_from=0.51, absent_to=0.49, warm_up=0.0)
    changed = replace(recipe, data=replace(recipe.data, unlabelled=beside), objective=config)
    (tmp_path / "recipe.yaml").write_text(format_recipe(changed))
    assert read_recipe(tmp_path / "recipe.yaml") == changed
    whole, _ = train(changed, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(Consistency, "forward", _broken(Consistency.forward, after=6))
        with pytest.raises(InterruptedError):
            train(changed, tmp_path / "broken")
    resumed, _ = train(changed, tmp_path / "broken")
    (first, info), (second, _) = load_checkpoint(whole), load_checkpoint(resumed)
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
    assert info.provenance["unlabelled"] == {"manifest": recipe.data.manifest, "images": 32}
    records = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert all({"consistency", "sure_answers", "occurrence"} <= record.keys() for record in records)


def test_other_unlabelled_faces_are_noticed(recipe: Recipe, tmp_path: Path) -> None:
    others = write_drawn_faces(tmp_path / "others.parquet", images=4)
    beside = UnlabelledConfig(manifest=str(others), batch_size=6)
    changed = replace(recipe, data=replace(recipe.data, unlabelled=beside), objective=ConsistencyConfig())
    train(changed, tmp_path / "run")
    write_drawn_faces(others, images=5)
    with pytest.raises(DatasetError, match="the unlabelled faces are others"):
        train(changed, tmp_path / "run")


def test_recipes_without_their_faces_are_refused(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"consistency needs data.unlabelled.manifest"):
        replace(recipe, objective=ConsistencyConfig())
    with pytest.raises(ValueError, match=r"data.unlabelled.manifest must be empty with objective.kind occurrence"):
        replace(recipe, data=replace(recipe.data, unlabelled=UnlabelledConfig(manifest="packaged")))
    few = UnlabelledConfig(manifest=recipe.data.manifest, batch_size=60)
    changed = replace(recipe, data=replace(recipe.data, unlabelled=few), objective=ConsistencyConfig())
    with pytest.raises(DatasetError, match=r"data.unlabelled: .*faces.parquet: found 32.*60"):
        train(changed, tmp_path / "run")
    nowhere = UnlabelledConfig(manifest=str(tmp_path / "nowhere.parquet"))
    with pytest.raises(DatasetError, match=r"nowhere.parquet"):
        train(replace(changed, data=replace(recipe.data, unlabelled=nowhere)), tmp_path / "run")
    (tmp_path / "recipe.yaml").write_text("name: a\nobjective:\n  kind: distillation\n  temperature: 0\n")
    with pytest.raises(RecipeError, match=r"recipe.yaml.*objective.*temperature must be above 0"):
        read_recipe(tmp_path / "recipe.yaml")
