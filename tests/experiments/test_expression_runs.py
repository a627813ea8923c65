"""Recipes that learn expressions: checked, trained, cross-validated and evaluated by the same commands as others."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.datasets.folds import GivenSplit, SubjectFolds
from facskit.datasets.loaders import LoaderConfig
from facskit.datasets.manifest import Manifest, read_manifest, write_manifest
from facskit.datasets.origin import DataOrigin
from facskit.errors import DatasetError
from facskit.evaluation.expressions.predictions import ExpressionPredictions
from facskit.evaluation.expressions.reports import ExpressionReport
from facskit.experiments.analysis.weight_scores import evaluate
from facskit.experiments.assemble import assemble_loader, assemble_model, assemble_objective
from facskit.experiments.opened_data import assemble_folds, assemble_manifest, describe_folds
from facskit.experiments.recipe import DataConfig, EvaluationConfig, Recipe
from facskit.experiments.train import cross_validate, train
from facskit.faces.alignment import EyeSimilarityCrop, WholeImage
from facskit.inference.recognizer import Recognizer
from facskit.models.checkpoints import load_checkpoint
from facskit.models.compact_network import CompactConfig
from facskit.objectives.expression import ExpressionClassification, ExpressionConfig
from facskit.objectives.occurrence import OccurrenceConfig
from facskit.training.loop import TrainingConfig
from facskit.training.optimization import OptimizerConfig
from facskit.training.runtime import RuntimeConfig, start_runtime
from tests.experiments.drawn_faces import write_drawn_expressions, write_drawn_faces

ORIGIN = DataOrigin(corpus="drawn", decisions={"missing": "unknown"}, crop=WholeImage(size=32))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    manifest = write_drawn_expressions(tmp_path_factory.mktemp("faces") / "faces.parquet")
    return Recipe(
        name="drawn",
        data=DataConfig(
            manifest=str(manifest),
            action_units="none",
            expressions="raf-db",
            crop=WholeImage(size=32),
            loader=LoaderConfig(batch_size=8),
            folds=SubjectFolds(k=2, validation_fraction=0.2),
        ),
        model=CompactConfig(image_size=32, widths=(16, 32), depths=(1, 1), places=8, place_dim=8),
        objective=ExpressionConfig(label_smoothing=0.05),
        optimizer=OptimizerConfig(base_lr=0.1, warmup_epochs=1.0),
        training=TrainingConfig(epochs=8, log_steps=2),
        runtime=RuntimeConfig(device="cpu", threads=1),
    )


@pytest.fixture(scope="module")
def validated(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "all"
    report = cross_validate(recipe, out)
    assert isinstance(report, ExpressionReport)
    return out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"objective": OccurrenceConfig()},
            "objective.kind occurrence needs data.action_units, got data.action_units none and data.expressions raf-db",
        ),
        (
            {"data": DataConfig(action_units="disfa-8", crop=WholeImage(size=32))},
            "objective.kind expression needs data.expressions, and action_units none, got data.action_units disfa-8",
        ),
        (
            {"data": DataConfig(action_units="disfa-8", expressions="raf-db", crop=WholeImage(size=32))},
            "data.action_units and data.expressions can't both be learned yet",
        ),
        (
            {"evaluation": EvaluationConfig(dataset="disfa")},
            "evaluation.dataset must be one with published scores of expressions, got disfa",
        ),
        (
            {"evaluation": EvaluationConfig(threshold="test-shared")},
            "evaluation.threshold must stay fixed for expressions, got test-shared",
        ),
    ],
)
def test_labels_loss_and_scores_must_fit(recipe: Recipe, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(recipe, **changes)  # type: ignore[arg-type]


def test_a_recipe_must_learn_something() -> None:
    with pytest.raises(ValueError, match="action_units and expressions must not both be none"):
        DataConfig(action_units="none")
    with pytest.raises(ValueError, match="got 'bored'"):
        DataConfig(action_units="none", expressions="neutral,bored")
    with pytest.raises(ValueError, match="evaluation.dataset must be one with published scores of action units"):
        Recipe(name="units", evaluation=EvaluationConfig(dataset="raf-db"))
    assert DataConfig(action_units="none", expressions="affectnet-8").num_outputs == 8


def test_the_head_has_an_output_per_expression(recipe: Recipe) -> None:
    assert assemble_model(recipe).head.out_features == 7


def test_class_weights_come_from_the_training_rows(recipe: Recipe) -> None:
    manifest = assemble_manifest(recipe.data)
    fold = assemble_folds(recipe.data, manifest)[0]
    balanced = replace(recipe, objective=ExpressionConfig(balance="class-rate"))
    objective = assemble_objective(balanced, assemble_model(recipe), manifest, fold)
    assert isinstance(objective, ExpressionClassification)
    names = manifest.expression_indices(recipe.data.expression_set)[fold.train]  # type: ignore[arg-type]
    counts = np.bincount(names[names >= 0], minlength=7)
    assert objective.weights is not None
    shown = counts > 0
    assert np.allclose(objective.weights.numpy()[shown], counts.sum() / shown.sum() / counts[shown])


def test_a_manifest_without_the_expressions_is_named(recipe: Recipe, tmp_path: Path) -> None:
    faces = write_drawn_faces(tmp_path / "units.parquet")
    with pytest.raises(DatasetError, match=r"units\.parquet: the column expression is missing"):
        assemble_manifest(replace(recipe.data, manifest=str(faces)))
    with pytest.raises(DatasetError, match=r"no row has an expression of data.expressions \(fear,disgust\)"):
        assemble_manifest(replace(recipe.data, expressions="fear,disgust"))
    with pytest.raises(DatasetError, match="the packaged faces: the column expression is missing"):
        assemble_manifest(replace(recipe.data, manifest="packaged"))


def test_cross_validation_scores_every_image_once(recipe: Recipe, validated: Path) -> None:
    predictions = ExpressionPredictions.load(validated / "predictions.parquet")
    assert predictions.runs == [(1, 0), (2, 0)]
    assert len(predictions) == 144
    known = predictions.labels >= 0
    assert known.sum() == 108
    assert (predictions.predicted == predictions.labels)[known].mean() > 0.8
    text = (validated / "results.md").read_text()
    for words in (
        "last epoch",
        "the most probable expression",
        "2 subject-exclusive folds, seed 0",
        "standard deviation",
    ):
        assert words in text
    assert {path.name for path in validated.iterdir()} >= {"results.md", "results.json", "confusion.png"}
    lines = [json.loads(line) for line in (validated / "fold-1-seed-0" / "metrics.jsonl").read_text().splitlines()]
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert {"expression", "expression_accuracy", "validation_accuracy", "validation_mean_class_accuracy"} <= set(
        epochs[-1]
    )


def test_the_weight_file_knows_its_expressions(recipe: Recipe, validated: Path) -> None:
    _, info = load_checkpoint(validated / "fold-1-seed-0" / "weights.safetensors")
    assert info.expressions == recipe.data.expression_set
    assert len(info.action_units) == 0
    assert info.thresholds == ()
    assert info.provenance["epoch"] == "last"
    face = Recognizer.from_checkpoint(validated / "fold-1-seed-0", device="cpu")
    assert face.info.num_outputs == 7


def test_evaluate_scores_expressions_and_warns_of_known_subjects(
    recipe: Recipe, validated: Path, tmp_path: Path
) -> None:
    weights = validated / "fold-1-seed-0" / "weights.safetensors"
    report = evaluate(weights, recipe.data.manifest, tmp_path / "scores", device="cpu")
    assert isinstance(report, ExpressionReport)
    text = (tmp_path / "scores" / "results.md").read_text()
    assert "NOT INDEPENDENT: 2 subjects have names of training subjects" in text
    found = ExpressionPredictions.load(tmp_path / "scores" / "predictions.parquet")
    tested = ExpressionPredictions.load(validated / "fold-1-seed-0" / "predictions.parquet")
    rows = [found.names.tolist().index(name) for name in tested.names]
    assert np.allclose(found.probabilities[rows], tested.probabilities, atol=1e-6)
    units = write_drawn_faces(tmp_path / "units.parquet")
    with pytest.raises(DatasetError, match=r"found labels of AU01,AU12, expected some of what .*\(surprise,fear"):
        evaluate(weights, str(units), tmp_path / "none", device="cpu")
    table = pl.read_parquet(recipe.data.manifest)
    table.with_columns(expression=pl.lit("contempt")).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(DatasetError, match="no row has an expression that the weights recognise"):
        evaluate(weights, str(tmp_path / "other.parquet"), tmp_path / "none", device="cpu")
    assert not (tmp_path / "none").exists()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest with its own split whose images say how they were cropped."""
    folder = tmp_path_factory.mktemp("prepared")
    faces = read_manifest(write_drawn_expressions(folder / "bare.parquet", split=True))
    return write_manifest(replace(faces, origin=ORIGIN), folder / "faces.parquet")


def test_a_given_split_and_the_datas_stamp_go_into_the_results(recipe: Recipe, prepared: Path, tmp_path: Path) -> None:
    assert describe_folds(GivenSplit(), 1) == "the corpus's own test part"
    given = replace(
        recipe,
        data=replace(recipe.data, manifest=str(prepared), folds=GivenSplit()),
        training=TrainingConfig(epochs=1),
        evaluation=EvaluationConfig(dataset="raf-db"),
    )
    weights, report = train(given, tmp_path / "run")
    assert isinstance(report, ExpressionReport)
    assert len(report.predictions) == 48
    text = (tmp_path / "run" / "results.md").read_text()
    stamp = "drawn: missing unknown; none crops of 32 px"
    assert f"- Data: {stamp}.\n" in text
    assert "the corpus's own test part" in text
    assert "| FMAE " in text
    assert load_checkpoint(weights)[1].provenance["data"] == stamp
    with pytest.raises(DatasetError, match="people to test on were trained on: "):
        evaluate(weights, str(prepared), tmp_path / "scores", device="cpu")
    assert not (tmp_path / "scores").exists()
    evaluate(weights, str(prepared), tmp_path / "scores", device="cpu", known_people="allow")
    assert f"- Data: {stamp}.\n" in (tmp_path / "scores" / "results.md").read_text()
    strangers = evaluate(weights, str(prepared), tmp_path / "strangers", device="cpu", known_people="leave-out")
    assert isinstance(strangers, ExpressionReport)
    assert len(strangers.predictions) == 48
    assert any("people whom the weights were trained on are left out; 48 images remain." in n for n in strangers.notes)


def test_a_manifest_without_a_split_is_named(recipe: Recipe) -> None:
    data = replace(recipe.data, folds=GivenSplit())
    with pytest.raises(DatasetError, match=r"faces\.parquet: folds of the kind 'given' need the manifest's column"):
        assemble_folds(data, assemble_manifest(data))


def test_images_that_are_crops_already_are_only_resized(recipe: Recipe, prepared: Path, tmp_path: Path) -> None:
    faces = read_manifest(prepared)
    fabric = start_runtime(recipe.runtime)

    def first(manifest: Manifest, crop: EyeSimilarityCrop | WholeImage) -> np.ndarray:
        changed = replace(recipe, data=replace(recipe.data, crop=crop))
        fold = assemble_folds(changed.data, manifest)[0]
        return next(assemble_loader(changed, manifest, fold, "test", fabric).batches(0)).images.numpy()

    five_points = EyeSimilarityCrop(size=32)
    cropped = replace(faces, origin=replace(ORIGIN, crop=EyeSimilarityCrop(size=64)))
    np.testing.assert_array_equal(first(cropped, five_points), first(faces, WholeImage(size=32)))
    other = replace(faces, origin=replace(ORIGIN, crop=EyeSimilarityCrop(size=64, half_side=1.7)))
    with pytest.raises(DatasetError, match=r"the images were cropped with half_side 1.7, data.crop asks for 1.25"):
        first(other, five_points)


def test_weights_remember_where_they_started(recipe: Recipe, validated: Path, tmp_path: Path) -> None:
    start = validated / "fold-1-seed-0"
    begun = load_checkpoint(start / "weights.safetensors")[1]
    again = replace(
        recipe,
        initial_weights=str(start),
        licence="CC0-1.0",
        data=replace(recipe.data, fold=2),
        training=TrainingConfig(epochs=1),
    )
    weights, _ = train(again, tmp_path / "run")
    provenance = load_checkpoint(weights)[1].provenance
    assert provenance["initial_weights"]["licence"] == "not stated"
    assert provenance["initial_training_subjects"] == begun.provenance["training_subjects"]
    evaluate(weights, recipe.data.manifest, tmp_path / "scores", device="cpu")
    everyone = {*provenance["training_subjects"], *begun.provenance["training_subjects"]}
    text = (tmp_path / "scores" / "results.md").read_text()
    assert f"NOT INDEPENDENT: {len(everyone)} subjects have names of training subjects" in text


def test_a_start_under_another_licence_is_said(
    recipe: Recipe, validated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = replace(
        recipe, initial_weights=str(validated / "fold-1-seed-0"), licence="MIT", training=TrainingConfig(epochs=1)
    )
    train(again, tmp_path / "run")
    assert "whose licence is not stated; the new weights will say MIT" in capsys.readouterr().err
