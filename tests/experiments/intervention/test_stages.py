"""Causal intervention's three trainings: resumed, reused, refused, and told apart."""

import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from facskit.datasets.folds import HoldOut, SubjectFolds
from facskit.datasets.loaders import EpochLoader, LoaderConfig
from facskit.datasets.origin import ORIGIN_KEY, DataOrigin
from facskit.datasets.samples import Batch
from facskit.errors import DatasetError, FacskitError, RecipeError
from facskit.evaluation.predictions import Predictions
from facskit.experiments import network_run
from facskit.experiments.analysis.networks_report import score_networks
from facskit.experiments.assemble import assemble_model, assemble_objective
from facskit.experiments.intervention import stages
from facskit.experiments.intervention.stages import share_stages, stage_recipe
from facskit.experiments.opened_data import assemble_folds, assemble_manifest
from facskit.experiments.recipe import About, DataConfig, Recipe
from facskit.experiments.recipe_files import read_recipe
from facskit.experiments.session import Session
from facskit.experiments.train import cross_validate, train
from facskit.experiments.training_parts import assemble_network
from facskit.faces.alignment import WholeImage
from facskit.interfaces.report_printing import print_networks
from facskit.models.attention_network import AttentionConfig
from facskit.models.checkpoints import load_checkpoint, read_weight_info, save_checkpoint
from facskit.models.layers import FaceNetwork
from facskit.models.vision_transformer import ViTConfig
from facskit.objectives.attention_regression import AttentionRegressionConfig
from facskit.objectives.causal_intervention import CausalInterventionConfig
from facskit.objectives.identity_term import IdentityReversalConfig
from facskit.objectives.occurrence import Occurrence, OccurrenceConfig, inverse_rate_weights
from facskit.training.loop import TrainingConfig
from facskit.training.optimization import OptimizerConfig
from facskit.training.runtime import RuntimeConfig
from tests.experiments.drawn_faces import write_drawn_faces

CIU = CausalInterventionConfig(attention=AttentionRegressionConfig(), identity=IdentityReversalConfig(strength=0.1))
NETWORKS = ("stages/fold-1-seed-0/imbalanced", "stages/fold-1-seed-0/balanced", ".")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    manifest = write_drawn_faces(tmp_path_factory.mktemp("faces") / "faces.parquet", images=8)
    table = pl.read_parquet(manifest)
    table.filter(~pl.col("image").str.contains("_[23].jpg")).write_parquet(manifest)  # AU12 becomes the rarer one
    return Recipe(
        name="drawn",
        data=DataConfig(
            manifest=str(manifest),
            action_units="AU01,AU12",
            crop=WholeImage(size=32),
            loader=LoaderConfig(batch_size=4),
            folds=HoldOut(test_fraction=0.34, validation_fraction=0.0),
        ),
        model=ViTConfig(image_size=32, patch_size=16, dim=16, depth=2, heads=2, drop_path=0.5),
        objective=CIU,
        optimizer=OptimizerConfig(kind="sgd", base_lr=0.05, scaling="none", schedule="step"),
        training=TrainingConfig(epochs=2, log_steps=2, checkpoint_steps=3),
        runtime=RuntimeConfig(device="cpu", threads=1),
    )


@pytest.fixture(scope="module")
def whole(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    train(recipe, out)
    return out


def _files(out: Path) -> dict[str, bytes]:
    """Return what must not depend on where a training broke off."""
    names = ("weights.safetensors", "predictions.parquet", "results.md")
    found = {f"{network}/{name}": (out / network / name).read_bytes() for network in NETWORKS for name in names}
    found |= {name: (out / name).read_bytes() for name in ("intervention_weights.json", "networks.md")}
    timing = {"images_per_second", "seconds"}
    for network in NETWORKS:
        lines = [json.loads(line) for line in (out / network / "metrics.jsonl").read_text().splitlines()]
        found[f"{network}/metrics"] = repr(
            [{k: v for k, v in line.items() if k not in timing} for line in lines]
        ).encode()
    return found


def test_three_networks_are_trained_and_tested(recipe: Recipe, whole: Path) -> None:
    for network in NETWORKS:
        assert (whole / network / "weights.safetensors").exists()
        assert "Macro F1" in (whole / network / "results.md").read_text()
        assert not list((whole / network / "checkpoints").iterdir())
    first, second, third = (Predictions.load(whole / network / "predictions.parquet") for network in NETWORKS)
    assert first.names.tolist() == second.names.tolist() == third.names.tolist()
    assert not np.array_equal(first.probabilities, second.probabilities)
    assert not np.array_equal(second.probabilities, third.probabilities)
    metrics = [(whole / network / "metrics.jsonl").read_text() for network in NETWORKS]
    assert ["weight_imbalanced" in text for text in metrics] == [False, False, True]
    assert ["identity_accuracy" in text for text in metrics] == [False, False, True]  # the stages know no reversal


def test_the_stages_recipes_repeat_them(recipe: Recipe, whole: Path, tmp_path: Path) -> None:
    folder = whole / NETWORKS[1]
    stage = read_recipe(folder / "recipe.yaml")
    assert stage == stage_recipe(recipe, "balanced")
    assert stage.objective == OccurrenceConfig(balance="inverse-rate")
    train(stage, tmp_path / "again")
    assert (tmp_path / "again" / "weights.safetensors").read_bytes() == (folder / "weights.safetensors").read_bytes()


def test_the_balanced_network_weighs_by_the_training_folds_alone(recipe: Recipe) -> None:
    stage = stage_recipe(recipe, "balanced")
    manifest = assemble_manifest(stage.data)
    labels = manifest.labels.copy()
    fold = assemble_folds(stage.data, manifest)[0]
    objective = assemble_objective(stage, assemble_model(stage), manifest, fold)
    assert isinstance(objective, Occurrence)
    expected = inverse_rate_weights(torch.from_numpy(labels[fold.train]))
    assert objective.occurrence.weights is not None
    assert torch.equal(objective.occurrence.weights, expected.positive)


def test_the_weight_file_names_the_teachers(whole: Path) -> None:
    provenance = read_weight_info(whole / "weights.safetensors").provenance
    assert provenance["gamma"] == 1.0
    assert provenance["teachers"].keys() == {"imbalanced", "balanced"}
    for name, teacher in provenance["teachers"].items():
        content = (whole / "stages" / "fold-1-seed-0" / name / "weights.safetensors").read_bytes()
        assert teacher["sha256"] == hashlib.sha256(content).hexdigest()
        assert teacher["recipe"] == f"drawn-{name}"
    model, _ = load_checkpoint(whole / "weights.safetensors")
    assert not any("teacher" in name or "subject" in name for name in model.state_dict())


def test_the_weights_of_all_training_images_are_counted(recipe: Recipe, whole: Path, tmp_path: Path) -> None:
    found = json.loads((whole / "intervention_weights.json").read_text())
    fold = assemble_folds(recipe.data, assemble_manifest(recipe.data))[0]
    assert found["images"] == found["number"] == sum(found["counts"]) == len(fold.train)
    assert (len(found["edges"]), len(found["counts"])) == (51, 50)
    assert (found["gamma"], found["granularity"]) == (1.0, "sample")
    assert 0.0 < found["mean"] < 1.0
    config = replace(CIU, granularity="unit", gamma=0.0, stages=str(whole / "stages"))
    train(replace(recipe, objective=config), tmp_path / "unit")
    halves = json.loads((tmp_path / "unit" / "intervention_weights.json").read_text())
    assert halves["mean"] == 0.5
    assert halves["number"] == 2 * len(fold.train)  # every drawn label is known
    assert halves["units"]["AU12"]["counts"][25] == len(fold.train)


def test_the_networks_are_set_side_by_side(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    networks = score_networks(whole)
    assert [network.name for network, _ in networks] == ["imbalanced", "balanced", "unbiased"]
    scores = Predictions.load(whole / "predictions.parquet").scores()
    assert networks[2][1].macro("f1").mean.value == pytest.approx(scores.macro("f1").value)
    assert networks[2][1].mean("f1")[1] == pytest.approx(scores.f1[1], nan_ok=True)
    stored = json.loads((whole / "networks.json").read_text())
    assert [stored[name]["path"] for name in ("imbalanced", "balanced", "unbiased")] == list(NETWORKS)
    print_networks(whole)
    said = capsys.readouterr().out
    assert all(word in said for word in ("imbalanced", "balanced", "unbiased", "F1 %", "networks.md"))
    assert "## F1 %" in (whole / "networks.md").read_text()


class _PowerCutError(Exception):
    """The power is cut."""


def _break_in_epoch(network: int, epoch: int, step: int) -> Callable[[pytest.MonkeyPatch], None]:
    """Cut the power when a step of a network's training is asked for."""

    def arm(patch: pytest.MonkeyPatch) -> None:
        usual, trainings = EpochLoader.batches, []

        def batches(self: EpochLoader[Batch], number: int, start_step: int = 0) -> Iterator[Batch]:
            if self.config.batch_size == 4 and number == 0 and start_step == 0 and self.train:
                trainings.append(number)
            for place, batch in enumerate(usual(self, number, start_step), start=start_step):
                if (len(trainings), number, place) == (network, epoch, step) and self.train:
                    raise _PowerCutError
                yield batch

        patch.setattr(EpochLoader, "batches", batches)

    arm.__doc__ = f"network {network}, epoch {epoch}, step {step}"
    return arm


def _break_at(module: Any, name: str, call: int, *, after: bool) -> Callable[[pytest.MonkeyPatch], None]:  # noqa: ANN401
    """Cut the power at the n-th call of a function, before or after it did its work."""

    def arm(patch: pytest.MonkeyPatch) -> None:
        usual, calls = getattr(module, name), []

        def broken(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            calls.append(name)
            if len(calls) == call and not after:
                raise _PowerCutError
            found = usual(*arguments, **options)
            if len(calls) == call:
                raise _PowerCutError
            return found

        patch.setattr(module, name, broken)

    arm.__doc__ = f"{name} {call} {'after' if after else 'before'}"
    return arm


@pytest.mark.parametrize(
    "arm",
    [
        _break_in_epoch(1, 0, 4),
        _break_at(network_run, "save_checkpoint", 1, after=False),
        _break_at(network_run, "save_checkpoint", 1, after=True),
        _break_at(stages, "train_network", 2, after=False),
        _break_in_epoch(2, 1, 4),
        _break_at(stages, "load_checkpoint", 2, after=True),
        _break_in_epoch(3, 0, 2),
        _break_in_epoch(3, 1, 5),
        _break_at(network_run, "write_text", 1, after=False),
        _break_at(network_run, "save_checkpoint", 3, after=True),
    ],
    ids=lambda arm: arm.__doc__,
)
def test_a_training_that_broke_off_anywhere_ends_the_same(
    arm: Callable[[pytest.MonkeyPatch], None], recipe: Recipe, whole: Path, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        arm(patch)
        with pytest.raises(_PowerCutError):
            train(recipe, tmp_path / "run")
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("weights.safetensors")}
    train(recipe, tmp_path / "run")
    assert _files(tmp_path / "run") == _files(whole)
    assert all(path.stat().st_mtime_ns == time for path, time in finished.items())  # nothing is trained twice


def test_finished_stages_serve_other_gammas(recipe: Recipe, whole: Path, tmp_path: Path) -> None:
    config = replace(CIU, gamma=5.0, stages=str(whole / "stages"))
    train(replace(recipe, name="other", about=About(paper="another"), objective=config), tmp_path / "reused")
    assert not (tmp_path / "reused" / "stages").exists()
    train(replace(recipe, name="other", objective=replace(CIU, gamma=5.0)), tmp_path / "alone")
    found, expected = (load_checkpoint(tmp_path / name / "weights.safetensors")[0] for name in ("reused", "alone"))
    assert all(torch.equal(value, found.state_dict()[name]) for name, value in expected.state_dict().items())
    before = load_checkpoint(whole / "weights.safetensors")[0].state_dict()
    assert not all(torch.equal(value, before[name]) for name, value in expected.state_dict().items())
    assert [one.name for one, _ in score_networks(tmp_path / "reused")] == ["imbalanced", "balanced", "unbiased"]


def test_missing_stages_are_trained_in_the_shared_folder(recipe: Recipe, tmp_path: Path) -> None:
    short = replace(recipe, training=TrainingConfig(epochs=1))
    shared = tmp_path / "shared"
    train(replace(short, objective=replace(CIU, stages=str(shared))), tmp_path / "run")
    assert {path.name for path in (shared / "fold-1-seed-0").iterdir()} == {"imbalanced", "balanced"}


def test_stages_of_another_recipe_are_refused(recipe: Recipe, whole: Path, tmp_path: Path) -> None:
    other = replace(
        recipe, training=replace(recipe.training, epochs=3), objective=replace(CIU, stages=str(whole / "stages"))
    )
    message = r"imbalanced: the finished network was trained by another recipe: training.epochs: there 2, now 3; name"
    with pytest.raises(RecipeError, match=message):
        train(other, tmp_path / "run")
    assert not (tmp_path / "run").exists()  # else the folder would keep a recipe that can't run
    a_run = replace(recipe, objective=replace(CIU, stages=str(whole)))
    with pytest.raises(RecipeError, match=rf"^objective.stages: .* expected that of its stages, {whole}/stages$"):
        train(a_run, tmp_path / "run")
    assert not (whole / "fold-1-seed-0").exists()


def test_stages_that_know_people_to_test_on_are_refused(recipe: Recipe, whole: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared" / "fold-1-seed-0" / "imbalanced"
    shared.mkdir(parents=True)
    (shared / "recipe.yaml").write_bytes((whole / NETWORKS[0] / "recipe.yaml").read_bytes())
    model, info = load_checkpoint(whole / NETWORKS[0] / "weights.safetensors")
    everybody = {**info.provenance, "training_subjects": [f"S{number}" for number in range(6)]}
    save_checkpoint(shared / "weights.safetensors", model, replace(info, provenance=everybody))
    reusing = replace(recipe, objective=replace(CIU, stages=str(tmp_path / "shared")))
    with pytest.raises(DatasetError, match=r"imbalanced: .*S\d was trained on and would now be tested on"):
        train(reusing, tmp_path / "run")


def test_recipes_share_a_folder_if_their_stages_are_the_same(recipe: Recipe, tmp_path: Path) -> None:
    same = [
        replace(recipe, objective=replace(CIU, gamma=9.0, granularity="unit")),
        replace(recipe, name="other", data=replace(recipe.data, fold=2), runtime=replace(recipe.runtime, seed=4)),
    ]
    others = [
        replace(recipe, training=replace(recipe.training, epochs=3)),
        replace(recipe, objective=replace(CIU, reduction="sum")),
        replace(recipe, data=replace(recipe.data, action_units="AU01")),
    ]
    assert {share_stages(one, tmp_path)[1] for one in same} == {share_stages(recipe, tmp_path)[1]}
    assert len({share_stages(one, tmp_path)[1] for one in [recipe, *others]}) == 4
    named = replace(recipe, objective=replace(CIU, stages="elsewhere"))
    assert share_stages(named, tmp_path) == (named, Path("elsewhere"))
    plain = replace(recipe, objective=OccurrenceConfig())
    assert share_stages(plain, tmp_path) == (plain, None)


def test_a_post_compensated_teacher_needs_one_stage(recipe: Recipe, tmp_path: Path) -> None:
    config = replace(CIU, balanced_teacher="post-compensated")
    train(replace(recipe, objective=config, training=TrainingConfig(epochs=1)), tmp_path / "run")
    assert [path.name for path in (tmp_path / "run" / "stages" / "fold-1-seed-0").iterdir()] == ["imbalanced"]
    assert [network.name for network, _ in score_networks(tmp_path / "run")] == ["imbalanced", "unbiased"]
    provenance = read_weight_info(tmp_path / "run" / "weights.safetensors").provenance
    assert provenance["teachers"].keys() == {"imbalanced"}


def test_a_student_may_start_from_the_imbalanced_network(recipe: Recipe, whole: Path) -> None:
    session = Session.open(recipe)
    networks: dict[str, FaceNetwork] = {
        name: load_checkpoint(whole / folder / "weights.safetensors")[0]
        for name, folder in zip(CIU.stage_names, NETWORKS, strict=False)
    }
    warm = replace(recipe, objective=replace(CIU, student="imbalanced"))
    models = [assemble_network(one, session, session.folds[0], stages=networks).model for one in (recipe, warm)]
    expected = networks["imbalanced"].state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in models[1].state_dict().items())
    assert not torch.equal(models[0].state_dict()["head.weight"], expected["head.weight"])


def test_a_cross_validation_keeps_stages_beside_the_runs(recipe: Recipe, tmp_path: Path) -> None:
    folds = replace(recipe.data, folds=SubjectFolds(k=2, validation_fraction=0.0))
    out = tmp_path / "all"
    cross_validate(replace(recipe, data=folds, training=TrainingConfig(epochs=1)), out)
    found = {path.parent.relative_to(out).as_posix() for path in out.rglob("weights.safetensors")}
    stages_there = {f"stages/fold-{fold}-seed-0/{name}" for fold in (1, 2) for name in ("imbalanced", "balanced")}
    assert found == stages_there | {"fold-1-seed-0", "fold-2-seed-0"}
    networks = score_networks(out)
    assert [network.name for network, _ in networks] == ["imbalanced", "balanced", "unbiased"]
    assert "## F1 %" in (out / "networks.md").read_text()

    start = replace(recipe, initial_weights=str(out / "fold-2-seed-0"))
    expected = out / "stages" / "fold-2-seed-0" / "balanced" / "weights.safetensors"
    assert stage_recipe(start, "balanced").initial_weights == str(expected)
    with pytest.raises(
        RecipeError, match=r"no network of its own to start from; name one of its runs, such as .*fold-1"
    ):
        stage_recipe(replace(recipe, initial_weights=str(out)), "balanced")


def test_a_start_from_another_run_is_like_from_like(recipe: Recipe, whole: Path, tmp_path: Path) -> None:
    start = replace(recipe, initial_weights=str(whole), training=TrainingConfig(epochs=1))
    for number, name in enumerate(("imbalanced", "balanced")):
        stage = stage_recipe(start, name)
        assert stage.initial_weights == str(whole / NETWORKS[number] / "weights.safetensors")
    assert stage_recipe(replace(recipe, initial_weights="rendered-encoder"), "balanced").initial_weights == (
        "rendered-encoder"
    )
    train(start, tmp_path / "run")
    info = read_weight_info(tmp_path / "run" / NETWORKS[1] / "weights.safetensors")
    assert info.provenance["initial_weights"]["name"] == "balanced/weights.safetensors"
    last = read_weight_info(tmp_path / "run" / "weights.safetensors").provenance
    assert len(last["initial_people"]) == 1  # the same people three times
    assert last["initial_training_subjects"] == sorted(info.provenance["training_subjects"])


def test_people_known_to_initial_weights_are_refused_before_anything_is_trained(
    recipe: Recipe, whole: Path, tmp_path: Path
) -> None:
    table = pl.read_parquet(recipe.data.manifest)
    origin = DataOrigin(corpus="disfa")
    table.write_parquet(tmp_path / "faces.parquet", metadata={ORIGIN_KEY: origin.to_json()})
    model, info = load_checkpoint(whole / NETWORKS[0] / "weights.safetensors")
    known = {**info.provenance, "data": "disfa", "training_subjects": [f"S{number}" for number in range(6)]}
    save_checkpoint(tmp_path / "start.safetensors", model, replace(info, provenance=known))
    knowing = replace(
        recipe,
        data=replace(recipe.data, manifest=str(tmp_path / "faces.parquet")),
        initial_weights=str(tmp_path / "start.safetensors"),
    )
    with pytest.raises(DatasetError, match=r"2 of 2 people to test on were trained on"):
        train(knowing, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_mistake_of_the_last_stage_shows_before_the_first(recipe: Recipe, tmp_path: Path) -> None:
    large = replace(recipe, data=replace(recipe.data, loader=LoaderConfig(batch_size=512)))
    with pytest.raises(DatasetError, match="data.loader.batch_size: found 24 training images"):
        train(large, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_signal_in_a_stage_says_where_everything_is_saved(recipe: Recipe, tmp_path: Path) -> None:
    usual = EpochLoader.batches

    def batches(self: EpochLoader[Batch], number: int, start_step: int = 0) -> Iterator[Batch]:
        for place, batch in enumerate(usual(self, number, start_step), start=start_step):
            if (number, place) == (0, 5):
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EpochLoader, "batches", batches)
        with pytest.raises(FacskitError, match=r"saved in .*imbalanced; give the same command again to go on"):
            train(recipe, tmp_path / "run")


def test_a_start_says_which_branches_are_taken_and_which_are_new(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = AttentionConfig(image_size=32, unit_width=1, branch_widths=(2, 2, 2, 2, 2))
    plain = replace(recipe, model=network, objective=OccurrenceConfig(), training=TrainingConfig(epochs=1))
    train(replace(plain, data=replace(recipe.data, action_units="AU12")), tmp_path / "first")
    train(replace(plain, initial_weights=str(tmp_path / "first")), tmp_path / "second")
    said = " ".join(capsys.readouterr().err.split())
    assert "Branches of first/weights.safetensors are taken over by action unit; AU01 starts anew." in said
    provenance = read_weight_info(tmp_path / "second" / "weights.safetensors").provenance
    assert provenance["initial_branches"] == {"AU12": "AU12"}
