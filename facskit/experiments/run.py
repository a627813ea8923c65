"""What the commands `train`, `cross-validate` and `evaluate` do: one run, all runs, or the scores of a weight file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from facskit.datasets.fold import Fold
from facskit.datasets.loaders import EpochLoader
from facskit.datasets.people import People, people_of_weights, refuse_shared_people, shared_people
from facskit.errors import DatasetError
from facskit.evaluation.expression_reports import ExpressionReport
from facskit.evaluation.reports import Report
from facskit.experiments.assemble import Part
from facskit.experiments.initial_weights import describe_body, describe_start
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import describe_difference, format_recipe
from facskit.experiments.run_parts import assemble_run
from facskit.experiments.scoring import PREDICTIONS, RunScoring, scoring_of
from facskit.experiments.session import Session
from facskit.experiments.weight_scores import evaluate
from facskit.models.checkpoints import CheckpointInfo, save_checkpoint
from facskit.training.loop import EpochEnd, TrainingPlan, fit
from facskit.training.run_directory import RunDirectory, claim_folder

__all__ = ["cross_validate", "evaluate", "train"]


def train(recipe: Recipe, out: Path) -> tuple[Path, Report | ExpressionReport | None]:
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
    if not (session.fabric.is_global_zero and (out / PREDICTIONS).exists()):
        return run.weights, None
    return run.weights, scoring_of(recipe, session).report([out], out)


def cross_validate(recipe: Recipe, out: Path) -> Report | ExpressionReport | None:
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
    return scoring_of(recipe, session).report(folders, out)


def _recipe_of_run(recipe: Recipe, fold: int, seed: int) -> Recipe:
    """Return the recipe that repeats one run of a cross-validation by itself."""
    return replace(recipe, data=replace(recipe.data, fold=fold), runtime=replace(recipe.runtime, seed=seed))


def _train_fold(recipe: Recipe, out: Path, session: Session, claim: Callable[[], None] | None = None) -> RunDirectory:
    """Train and test one fold in its folder; nothing is written, nor `claim` called, before everything is built."""
    fabric, fold, run = session.fabric, session.folds[recipe.data.fold - 1], RunDirectory(out)
    if not run.finished:
        _refuse_known_people(recipe, session, fold)
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
    start = describe_start(recipe.initial_weights)["initial_weights"]
    if start and start["licence"] != recipe.licence:
        session.say(
            f"The training starts from {start['name']}, whose licence is {start['licence']}; the new weights will say "
            f"{recipe.licence}, as in the recipe: check that they may."
        )
    batch_size = recipe.data.loader.batch_size
    plan = TrainingPlan(
        training=recipe.training, optimizer=recipe.optimizer, batch_size=batch_size, runtime=recipe.runtime
    )
    scoring = scoring_of(recipe, session)
    fit(parts.objective, parts.loader, plan, run=run, fabric=fabric, on_epoch_end=_validation(recipe, scoring, scored))
    if fabric.is_global_zero:
        thresholds = scoring.test(model, scored, run.path)
        save_checkpoint(run.weights, model, _describe_weights(recipe, session, fold, thresholds))
        run.drop_snapshots()
    fabric.barrier()
    return run


def _refuse_known_people(recipe: Recipe, session: Session, fold: Fold) -> None:
    """Refuse to test on people whose labels the initial weights were trained with; say so where it isn't certain."""
    if not recipe.initial_weights or not len(fold.test):
        return
    start = describe_body(recipe.initial_weights)
    trained = people_of_weights(start["provenance"])
    if not trained and start["kind"] == "recognizer":
        session.say(f"It isn't known whom {start['name']} was trained on; people to test on may be among them.")
    for people in trained:
        known = shared_people(people, People(corpus=_corpus(session), subjects=fold.test_subjects))
        if start["kind"] == "recognizer":
            refuse_shared_people(people.corpus, people.subjects, session.manifest.origin, fold.test_subjects)
        if known:
            session.say(
                f"{start['name']} may know {len(known):,} of the people to test on, {known[0][1]} for example: "
                "it was trained on people of these names."
            )


def _corpus(session: Session) -> str | None:
    return None if session.manifest.origin is None else session.manifest.origin.corpus


def _validation(recipe: Recipe, scoring: RunScoring, scored: dict[Part, EpochLoader]) -> EpochEnd | None:
    """Return what scores the validation subjects after each epoch; their scores choose nothing, they are logged."""
    if not (recipe.evaluation.validate_each_epoch and "validation" in scored):
        return None

    def validate(_: int, model: nn.Module) -> dict[str, float]:
        return scoring.after_epoch(model, scored["validation"])

    return validate


def _describe_weights(recipe: Recipe, session: Session, fold: Fold, thresholds: tuple[float, ...]) -> CheckpointInfo:
    provenance: dict[str, Any] = {
        "recipe": recipe.name,
        "paper": recipe.about.paper,
        "manifest": recipe.data.manifest,
        "data": "" if session.manifest.origin is None else session.manifest.origin.stamp(),
        "training_images": len(fold.train),
        "training_subjects": list(fold.train_subjects),
        "seed": recipe.runtime.seed,
        "epoch": "last",
        "epochs": recipe.training.epochs,
        "threshold": recipe.evaluation.threshold if recipe.evaluation.threshold.startswith("validation") else "fixed",
        **describe_start(recipe.initial_weights),
    }
    return CheckpointInfo(
        model=recipe.model,
        action_units=recipe.data.unit_set,
        expressions=recipe.data.expression_set,
        crop=recipe.data.crop,
        normalization=recipe.data.normalization,
        thresholds=thresholds,
        licence=recipe.licence,
        provenance=provenance,
    )
