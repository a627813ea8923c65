"""What the commands `train`, `cross-validate` and `evaluate` do: one run, all runs, or the scores of a weight file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from facskit.action_units import ActionUnitSet
from facskit.datasets.fold import Fold
from facskit.datasets.loaders import EpochLoader, FaceDataset, LoaderConfig, Preparation, eval_loader
from facskit.datasets.manifest import Manifest, read_manifest
from facskit.datasets.packed import packaged_faces
from facskit.errors import DatasetError
from facskit.evaluation.predicting import PredictionSource, predict
from facskit.evaluation.predictions import Predictions, apply_protocol, concat
from facskit.evaluation.protocols import Protocol, choose_thresholds
from facskit.evaluation.reports import Report, build_report, write_report
from facskit.experiments.assemble import Part
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import describe_difference, format_recipe
from facskit.experiments.run_parts import assemble_run
from facskit.experiments.session import Session
from facskit.models.checkpoints import CheckpointInfo, load_checkpoint, save_checkpoint
from facskit.models.layers import FaceNetwork
from facskit.training.loop import EpochEnd, TrainingPlan, fit
from facskit.training.run_directory import RunDirectory, claim_folder
from facskit.training.runtime import RuntimeConfig, start_runtime

__all__ = ["cross_validate", "evaluate", "train"]

_PREDICTIONS = "predictions.parquet"


def train(recipe: Recipe, out: Path) -> tuple[Path, Report | None]:
    """Train the recipe's fold and test it on the subjects left out; a run that broke off goes on.

    Args:
        recipe: The whole experiment.
        out: Folder of the run.

    Returns:
        The weight file and the report, which is also written to `results.md` and `results.json`; there is no report if
        the recipe leaves nobody out.

    Raises:
        RecipeError: The folder belongs to another recipe, or the machine isn't what the recipe asks for.
        DatasetError: The faces are missing or wrong.
        FacskitError: The loss is no longer a number, or somebody asked the run to stop.
    """
    session = Session.open(recipe)
    run = _train_fold(recipe, out, session)
    if not (session.fabric.is_global_zero and (out / _PREDICTIONS).exists()):
        return run.weights, None
    return run.weights, _write_report(recipe, Predictions.load(out / _PREDICTIONS), out)


def cross_validate(recipe: Recipe, out: Path) -> Report | None:
    """Train every fold with every seed, each in its own folder, and score all together; goes on where it stopped.

    Args:
        recipe: The whole experiment; its `data.fold` and `runtime.seed` are replaced run by run.
        out: Folder of the cross-validation; a run's folder in it is called `fold-1-seed-0`.

    Returns:
        The report, which is also written to `results.md` and `results.json`; None in all but the main process.

    Raises:
        RecipeError: The folder belongs to another recipe, or the machine isn't what the recipe asks for.
        DatasetError: The faces are missing or wrong, or the recipe leaves nobody out.
        FacskitError: The loss is no longer a number, or somebody asked the run to stop.
    """
    session = Session.open(recipe)
    if not all(len(fold.test) for fold in session.folds):
        raise DatasetError("A cross-validation needs test subjects in every fold; found a fold without any.")

    def claim() -> None:
        claim_folder(out, format_recipe(recipe), describe_difference)

    folders = []
    for seed in recipe.evaluation.seeds:
        for fold in session.folds:
            folders.append(out / f"fold-{fold.index}-seed-{seed}")
            _train_fold(_recipe_of_run(recipe, fold.index, seed), folders[-1], session, claim)
    if not session.fabric.is_global_zero:
        return None
    predictions = concat([Predictions.load(folder / _PREDICTIONS) for folder in folders])
    predictions.save(out / _PREDICTIONS)
    return _write_report(recipe, predictions, out)


def evaluate(weights: Path, manifest: str, out: Path, *, device: str = "auto", batch_size: int = 64) -> Report:
    """Score a weight file on labelled faces, on the action units that both know.

    Args:
        weights: A `.safetensors` file that facskit wrote.
        manifest: Path of the manifest, or `packaged`.
        out: Folder for predictions and report.
        device: Where to compute: `auto`, `cpu`, `cuda` or `mps`.
        batch_size: Images computed at once.

    Returns:
        The report, which is also written to `results.md` and `results.json`.

    Raises:
        CheckpointError: The weight file is missing or damaged.
        DatasetError: The manifest is missing or wrong, or has none of the model's action units.
    """
    model, info = load_checkpoint(weights)
    faces = packaged_faces() if manifest == "packaged" else read_manifest(Path(manifest))
    shared = tuple(unit for unit in info.action_units if unit in faces.action_units)
    if not shared:
        raise DatasetError(
            f"{manifest}: found labels of {faces.action_units}, expected some of what {weights} recognises "
            f"({info.action_units})"
        )
    faces = replace(faces, action_units=ActionUnitSet(shared))
    outputs = [info.action_units.index(unit) for unit in shared]
    fabric = start_runtime(RuntimeConfig(device=device))  # type: ignore[arg-type]
    dataset = FaceDataset(faces, Preparation(recipe=info.crop, normalization=info.normalization))
    batches = eval_loader(dataset, LoaderConfig(batch_size=batch_size)).batches(0)
    epoch = "last" if info.provenance.get("epoch") == "last" else "unknown"
    protocol = Protocol(epoch=epoch, threshold="stored", folds=f"all images of {manifest}")  # type: ignore[arg-type]
    source = PredictionSource(
        subjects=faces.subjects.tolist(),
        names=[faces.image_name(row) for row in range(len(faces))],
        protocol=protocol,
        model=dict(info.provenance),
    )
    predictions = predict(_Outputs(model, outputs).to(fabric.device), batches, source, description="Recognising")
    thresholds = np.tile(np.array(info.thresholds, np.float32)[outputs], (len(predictions), 1))
    predictions = replace(predictions, thresholds=thresholds, protocol=protocol)
    predictions.save(out / _PREDICTIONS)
    report = build_report(predictions, title=f"{weights.stem} on {manifest}")
    report = replace(report, notes=[*_shared_subjects(faces, info), *_not_scored(faces, info), *report.notes])
    write_report(report, out)
    return report


class _Outputs(nn.Module):
    """A network reduced to some of its outputs."""

    def __init__(self, model: FaceNetwork, outputs: list[int]) -> None:
        super().__init__()
        self.model = model
        self.outputs = outputs

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch aus"]:
        logits: Tensor = self.model(images)
        return logits[:, self.outputs]


def _not_scored(faces: Manifest, info: CheckpointInfo) -> list[str]:
    missing = [unit.code for unit in info.action_units if unit not in faces.action_units]
    return [f"not in the manifest, so not scored: {', '.join(missing)}"] if missing else []


def _shared_subjects(faces: Manifest, info: CheckpointInfo) -> list[str]:
    """Say so if the weights were trained on people with the same names; the score would be too good."""
    trained_on = info.provenance.get("training_subjects", [])
    known = sorted(set(faces.subject_names) & set(trained_on if isinstance(trained_on, list) else []))
    if not known:
        return []
    return [f"NOT INDEPENDENT: {len(known)} subjects have names of training subjects, {known[0]} for example."]


def _recipe_of_run(recipe: Recipe, fold: int, seed: int) -> Recipe:
    """Return the recipe that repeats one run of a cross-validation by itself."""
    return replace(recipe, data=replace(recipe.data, fold=fold), runtime=replace(recipe.runtime, seed=seed))


def _train_fold(recipe: Recipe, out: Path, session: Session, claim: Callable[[], None] | None = None) -> RunDirectory:
    """Train and test one fold in its folder; nothing is written, nor `claim` called, before everything is built."""
    fabric, fold, run = session.fabric, session.folds[recipe.data.fold - 1], RunDirectory(out)
    parts = None if run.finished else assemble_run(recipe, session, fold)
    if fabric.is_global_zero:
        if claim is not None:
            claim()
        RunDirectory.open(out, format_recipe(recipe), device=session.device_name, difference=describe_difference)
    fabric.barrier()
    if parts is None or run.finished:
        session.say(f"{out}: this run is finished; its weights are in {run.weights.name}")
        return run
    model, scored = parts.model, parts.scored
    session.introduce(recipe, fold, model)
    batch_size = recipe.data.loader.batch_size
    plan = TrainingPlan(training=recipe.training, optimizer=recipe.optimizer, batch_size=batch_size)
    fit(parts.objective, parts.loader, plan, run=run, fabric=fabric, on_epoch_end=_validation(recipe, session, scored))
    if fabric.is_global_zero:
        thresholds = _test(recipe, session, scored, model, run)
        save_checkpoint(run.weights, model, _describe_weights(recipe, session, fold, thresholds))
        run.drop_snapshots()
    fabric.barrier()
    return run


def _predict(recipe: Recipe, session: Session, model: nn.Module, loader: EpochLoader, shown: str | None) -> Predictions:
    faces = session.manifest
    source = PredictionSource(
        subjects=faces.subjects.tolist(),
        names=[faces.image_name(row) for row in range(len(faces))],
        fold=recipe.data.fold,
        seed=recipe.runtime.seed,
        protocol=Protocol(fixed_threshold=recipe.evaluation.fixed_threshold, folds=session.held_out),
        model={"recipe": recipe.name},
    )
    return predict(model, loader.batches(0), source, precision=recipe.runtime.precision, description=shown)


def _validation(recipe: Recipe, session: Session, scored: dict[Part, EpochLoader]) -> EpochEnd | None:
    """Return what scores the validation subjects after each epoch; their scores choose nothing, they are logged."""
    if not (recipe.evaluation.validate_each_epoch and "validation" in scored):
        return None

    def validate(_: int, model: nn.Module) -> dict[str, float]:
        # No bar of its own: the training's is still there.
        scores = _predict(recipe, session, model, scored["validation"], None).scores()
        return {f"validation_{name}": scores.macro(name).value for name in ("f1", "roc_auc")}

    return validate


def _test(
    recipe: Recipe, session: Session, scored: dict[Part, EpochLoader], model: FaceNetwork, run: RunDirectory
) -> tuple[float, ...]:
    """Predict the test subjects, once, and return the thresholds that go with the weights."""
    protocol = recipe.evaluation.protocol(session.held_out)

    def predictions(part: Part) -> Predictions:
        return _predict(recipe, session, model, scored[part], f"Recognising {part} faces")

    validation = predictions("validation") if protocol.threshold.startswith("validation") else None
    if "test" in scored:
        apply_protocol(predictions("test"), protocol, validation).save(run.path / _PREDICTIONS)
    if validation is None:
        # A threshold chosen on the test labels imitates a paper; it doesn't go with the weights.
        return (protocol.fixed_threshold,) * len(session.manifest.action_units)
    chosen = choose_thresholds(protocol, validation.labels, validation.probabilities)
    return tuple(np.broadcast_to(chosen, len(validation.action_units)).tolist())


def _describe_weights(recipe: Recipe, session: Session, fold: Fold, thresholds: tuple[float, ...]) -> CheckpointInfo:
    provenance: dict[str, Any] = {
        "recipe": recipe.name,
        "paper": recipe.about.paper,
        "manifest": recipe.data.manifest,
        "training_images": len(fold.train),
        "training_subjects": list(fold.train_subjects),
        "seed": recipe.runtime.seed,
        "epoch": "last",
        "epochs": recipe.training.epochs,
        "threshold": recipe.evaluation.threshold if recipe.evaluation.threshold.startswith("validation") else "fixed",
        "initial_weights": Path(recipe.initial_weights).name,
    }
    return CheckpointInfo(
        model=recipe.model,
        action_units=recipe.data.unit_set,
        crop=recipe.data.crop,
        normalization=recipe.data.normalization,
        thresholds=thresholds,
        licence=recipe.licence,
        provenance=provenance,
    )


def _write_report(recipe: Recipe, predictions: Predictions, out: Path) -> Report:
    names = {"none": None, "bp4d": "BP4D", "bp4d-plus": "BP4D+", "disfa": "DISFA"}
    report = build_report(predictions, title=recipe.name, dataset=names[recipe.evaluation.dataset])
    write_report(report, out)
    return report
