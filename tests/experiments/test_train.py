import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.datasets.folds import HoldOut, SubjectFolds
from facskit.datasets.loaders import LoaderConfig
from facskit.doctor.runs import check_run
from facskit.errors import CheckpointError, DatasetError, RecipeError
from facskit.evaluation.epochs import EpochPredictions
from facskit.evaluation.predictions import Predictions
from facskit.evaluation.protocols import PROTOCOLS
from facskit.experiments.analysis.weight_scores import evaluate
from facskit.experiments.recipe import DataConfig, EvaluationConfig, Recipe
from facskit.experiments.recipe_files import format_recipe, read_recipe
from facskit.experiments.train import cross_validate, train
from facskit.faces.alignment import EyeSimilarityCrop, WholeImage
from facskit.interfaces import cli
from facskit.models.checkpoints import load_checkpoint, save_checkpoint, weights_digest
from facskit.models.compact_network import CompactConfig
from facskit.models.weight_files import find_weights
from facskit.objectives.identity_adversarial import IdentityAdversarialConfig
from facskit.training.loop import TrainingConfig
from facskit.training.optimization import OptimizerConfig
from facskit.training.runtime import RuntimeConfig
from tests.experiments.drawn_faces import write_drawn_faces


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    manifest = write_drawn_faces(tmp_path_factory.mktemp("faces") / "faces.parquet")
    return Recipe(
        name="drawn",
        data=DataConfig(
            manifest=str(manifest),
            action_units="AU01,AU12",
            crop=WholeImage(size=32),
            loader=LoaderConfig(batch_size=8),
            folds=SubjectFolds(k=2, validation_fraction=0.2),
        ),
        model=CompactConfig(image_size=32, widths=(16, 32), depths=(1, 1), places=8, place_dim=8),
        objective=IdentityAdversarialConfig(strength=0.1),
        optimizer=OptimizerConfig(base_lr=0.1, warmup_epochs=1.0),
        training=TrainingConfig(epochs=15, log_steps=2),
        runtime=RuntimeConfig(device="cpu", threads=1),
    )


@pytest.fixture(scope="module")
def validated(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "all"
    cross_validate(replace(recipe, evaluation=EvaluationConfig(seeds=(0, 1))), out)
    return out


def test_cross_validation_writes_every_run_and_the_results(validated: Path) -> None:
    runs = {path.parent.name for path in validated.glob("*/weights.safetensors")}
    assert runs == {"fold-1-seed-0", "fold-2-seed-0", "fold-1-seed-1", "fold-2-seed-1"}
    predictions = Predictions.load(validated / "predictions.parquet")
    assert predictions.runs == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert len(predictions) == 2 * 144  # every image is tested on once with each seed
    text = (validated / "results.md").read_text()
    for stamp in ("last epoch", "threshold fixed at 0.5", "2 subject-exclusive folds, seed 0", "All-present"):
        assert stamp in text
    json.loads((validated / "results.json").read_text())


def test_it_learns_something(validated: Path) -> None:
    scores = Predictions.load(validated / "predictions.parquet").scores()
    assert scores.macro("f1").value > 0.8


def test_a_finished_cross_validation_only_reports(
    recipe: Recipe, validated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in validated.rglob("weights.safetensors")}
    cross_validate(replace(recipe, evaluation=EvaluationConfig(seeds=(0, 1))), validated)
    assert before == {path: path.stat().st_mtime_ns for path in validated.rglob("weights.safetensors")}
    assert "this run is finished; its weights are in weights.safetensors" in capsys.readouterr().err


def test_another_recipe_is_refused(recipe: Recipe, validated: Path) -> None:
    changed = replace(recipe, name="other", evaluation=EvaluationConfig(seeds=(0, 1)))
    with pytest.raises(RecipeError, match='holds a run with another recipe: name: there "drawn", now "other"; '):
        cross_validate(changed, validated)


def test_a_failed_start_leaves_no_folder(recipe: Recipe, tmp_path: Path) -> None:
    large = replace(recipe, data=replace(recipe.data, loader=LoaderConfig(batch_size=512)))
    message = r"faces.parquet: data.loader.batch_size: found \d+ training images, fewer than one batch of 512"
    for start in (train, cross_validate):
        with pytest.raises(DatasetError, match=message):
            start(large, tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_the_recipe_of_a_run_repeats_it(validated: Path, tmp_path: Path) -> None:
    run = validated / "fold-2-seed-1"
    weights, _ = train(read_recipe(run / "recipe.yaml"), tmp_path / "again")
    assert weights.read_bytes() == (run / "weights.safetensors").read_bytes()
    first, second = (Predictions.load(path / "predictions.parquet") for path in (run, tmp_path / "again"))
    assert np.array_equal(first.probabilities, second.probabilities)


def test_the_weight_file_says_what_it_is(validated: Path) -> None:
    model, info = load_checkpoint(validated / "fold-1-seed-0" / "weights.safetensors")
    assert info.action_units.codes == ("AU01", "AU12")
    assert info.thresholds == (0.5, 0.5)
    assert info.provenance["recipe"] == "drawn"
    predictions = Predictions.load(validated / "fold-1-seed-0" / "predictions.parquet")
    assert not set(info.provenance["training_subjects"]) & set(predictions.subjects.tolist())
    assert not any("subject" in name for name in model.state_dict())


def test_metrics_log_the_validation_subjects(validated: Path) -> None:
    lines = [json.loads(line) for line in (validated / "fold-1-seed-0" / "metrics.jsonl").read_text().splitlines()]
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert len(epochs) == 15
    assert {"loss", "identity", "identity_constant", "validation_f1", "validation_roc_auc", "lr"} <= epochs[-1].keys()
    assert not list((validated / "fold-1-seed-0" / "checkpoints").iterdir())


def test_thresholds_from_validation_subjects_go_with_the_weights(recipe: Recipe, tmp_path: Path) -> None:
    shared = replace(
        recipe, training=TrainingConfig(epochs=1), evaluation=EvaluationConfig(threshold="validation-shared")
    )
    _, info = load_checkpoint(train(shared, tmp_path / "run")[0])
    predictions = Predictions.load(tmp_path / "run" / "predictions.parquet")
    assert len(set(info.thresholds)) == 1
    assert info.thresholds == pytest.approx(predictions.thresholds[0].tolist())
    nobody = replace(shared, data=replace(shared.data, folds=SubjectFolds(k=2, validation_fraction=0.0)))
    with pytest.raises(DatasetError, match="asks for validation subjects to choose on, but data.folds sets none aside"):
        train(nobody, tmp_path / "other")


def test_training_on_everybody_leaves_no_predictions(recipe: Recipe, tmp_path: Path) -> None:
    everybody = replace(
        recipe,
        data=replace(recipe.data, folds=HoldOut(test_fraction=0.0, validation_fraction=0.0), subjects_in_head="all"),
        training=TrainingConfig(epochs=1, ema_decay=0.9),
    )
    weights, _ = train(everybody, tmp_path / "run")
    assert weights.exists()
    assert not (tmp_path / "run" / "predictions.parquet").exists()
    with pytest.raises(DatasetError, match="A cross-validation needs test subjects in every fold"):
        cross_validate(everybody, tmp_path / "all")


def test_folds_all_trains_on_everybody(recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = replace(recipe, training=TrainingConfig(epochs=1), optimizer=OptimizerConfig(base_lr=0.1))
    (tmp_path / "short.yaml").write_text(format_recipe(short))
    words = ["train", str(tmp_path / "short.yaml"), "--folds", "all", "-o", str(tmp_path / "run")]

    assert cli.main(words) == 0

    assert "nobody is left to test on" in capsys.readouterr().out
    _, info = load_checkpoint(tmp_path / "run" / "weights.safetensors")
    assert info.provenance["training_images"] == 144
    assert not (tmp_path / "run" / "predictions.parquet").exists()
    assert cli.main([*words[:2], "--folds", "2"]) == 1
    assert "--folds: found '2', expected all" in capsys.readouterr().err


def test_a_cross_validation_isnt_one_network_and_names_those_it_holds(validated: Path) -> None:
    with pytest.raises(CheckpointError, match=r"several networks, one for each fold.*fold-1-seed-0.*--folds all"):
        find_weights(validated)


def test_doctor_finds_the_results_of_a_fold_in_its_cross_validation(validated: Path) -> None:
    checkup = check_run(validated / "fold-1-seed-0")
    assert f"a fold of a cross-validation, whose results are in {(validated / 'results.md').resolve()}" in checkup.facts
    assert not [finding for finding in checkup.findings if "results.md" in finding.sentence]


def test_evaluate_scores_a_weight_file_and_warns_of_known_subjects(
    recipe: Recipe, validated: Path, tmp_path: Path
) -> None:
    weights = validated / "fold-1-seed-0" / "weights.safetensors"
    report = evaluate(weights, recipe.data.manifest, tmp_path / "scores", device="cpu")
    text = (tmp_path / "scores" / "results.md").read_text()
    assert text == report.to_markdown()
    assert "NOT INDEPENDENT: 2 subjects have names of training subjects" in text
    found = Predictions.load(tmp_path / "scores" / "predictions.parquet")
    tested = Predictions.load(validated / "fold-1-seed-0" / "predictions.parquet")
    rows = [found.names.tolist().index(name) for name in tested.names]
    assert np.allclose(found.probabilities[rows], tested.probabilities, atol=1e-6)


def test_evaluate_says_so_if_nobody_knows_whom_the_weights_were_trained_on(
    recipe: Recipe, validated: Path, tmp_path: Path
) -> None:
    model, info = load_checkpoint(validated / "fold-1-seed-0" / "weights.safetensors")
    told: list[dict[str, str]] = [{}, {"training_subjects": "unknown: the file doesn't say"}]
    for number, provenance in enumerate(told):
        weights = tmp_path / f"{number}.safetensors"
        save_checkpoint(weights, model, replace(info, provenance=provenance))
        report = evaluate(weights, recipe.data.manifest, tmp_path / f"scores-{number}", device="cpu")
        assert "It isn't known whom the weights were trained on" in report.to_markdown()


def test_a_start_from_weights_of_unknown_people_is_said(
    recipe: Recipe, validated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, info = load_checkpoint(validated / "fold-1-seed-0" / "weights.safetensors")
    save_checkpoint(tmp_path / "start.safetensors", model, replace(info, provenance={}))
    train(replace(recipe, initial_weights=str(tmp_path / "start.safetensors")), tmp_path / "run")
    output = capsys.readouterr()
    said = " ".join((output.out + output.err).split())
    assert "It isn't known whom start.safetensors was trained on; people to test on may be among them." in said


def test_evaluate_scores_the_action_units_in_common(recipe: Recipe, validated: Path, tmp_path: Path) -> None:
    weights = validated / "fold-1-seed-0" / "weights.safetensors"
    table = pl.read_parquet(recipe.data.manifest)
    table.drop("AU01").write_parquet(tmp_path / "fewer.parquet")
    evaluate(weights, recipe.data.manifest, tmp_path / "all", device="cpu")
    evaluate(weights, str(tmp_path / "fewer.parquet"), tmp_path / "fewer", device="cpu")
    complete, fewer = (Predictions.load(tmp_path / name / "predictions.parquet") for name in ("all", "fewer"))
    assert fewer.action_units.codes == ("AU12",)
    assert np.allclose(fewer.probabilities, complete.probabilities[:, 1:], rtol=0.0, atol=1e-6)  # one ulp may differ
    assert np.array_equal(fewer.thresholds, complete.thresholds[:, 1:])
    assert "- not in the manifest, so not scored: AU01\n" in (tmp_path / "fewer" / "results.md").read_text()
    assert "not scored" not in (tmp_path / "all" / "results.md").read_text()
    table.drop("AU12").rename({"AU01": "AU45"}).write_parquet(tmp_path / "none.parquet")
    with pytest.raises(DatasetError, match=r"none\.parquet: found labels of AU45, expected some of what .*AU01,AU12"):
        evaluate(weights, str(tmp_path / "none.parquet"), tmp_path / "none", device="cpu")
    assert not (tmp_path / "none").exists()


def test_a_crop_by_landmarks_names_the_manifest_without_them(recipe: Recipe, tmp_path: Path) -> None:
    five_points = replace(recipe, data=replace(recipe.data, crop=EyeSimilarityCrop(size=32)))
    with pytest.raises(DatasetError, match=r"y_67, which \S*faces\.parquet lacks; add them, or choose the crop 'none'"):
        train(five_points, tmp_path / "run")


def test_the_best_epoch_on_validation_subjects_goes_on_calibrated(recipe: Recipe, tmp_path: Path) -> None:
    evaluation = EvaluationConfig(
        epoch="validation", calibration="validation", threshold="validation-per-au", protocols=("fixed", "validation")
    )
    recipe = replace(recipe, evaluation=evaluation, training=replace(recipe.training, epochs=4))
    weights, _ = train(recipe, tmp_path / "run")
    network, info = load_checkpoint(weights)
    epochs = EpochPredictions.load(tmp_path / "run")
    assert len(epochs.test) == len(epochs.validation) == 4
    chosen = epochs.under(PROTOCOLS["validation"])
    assert info.provenance["epoch"] == chosen.epoch
    assert info.calibration is not None
    predictions = Predictions.load(tmp_path / "run" / "predictions.parquet")
    np.testing.assert_allclose(predictions.probabilities, chosen.predictions.probabilities, atol=1e-6)
    assert predictions.protocol.name == "validation"
    np.testing.assert_allclose(predictions.thresholds[0], info.thresholds, atol=1e-7)
    assert predictions.model["weights"] == weights_digest(network.state_dict())
    scores = json.loads((tmp_path / "run" / "protocols.json").read_text())["protocols"]
    assert scores["fixed"]["epochs"] == {"run": 4}
    assert scores["validation"]["epochs"] == {"run": chosen.epoch}
    logged = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    of_epochs = [record["test_f1"] for record in logged if record["kind"] == "epoch"]
    assert of_epochs == [pytest.approx(said.macro_f1(), nan_ok=True) for said in epochs.test.values()]
