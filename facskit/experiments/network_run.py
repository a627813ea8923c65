"""Training one network in a folder of its own: claimed, trained, tested on the people left out, and written last."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from facskit.datasets.fold import Fold
from facskit.datasets.loaders import EpochLoader
from facskit.datasets.people import People, find_known_people, people_of_weights, refuse_known_people
from facskit.datasets.samples import Batch
from facskit.experiments.assemble import Part
from facskit.experiments.initial_branches import branch_sources
from facskit.experiments.initial_weights import describe_body, describe_start
from facskit.experiments.intervention.weights import write_intervention_weights
from facskit.experiments.network_parts import Feeds, assemble_network
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import describe_difference, format_recipe
from facskit.experiments.run_data import check_data, record_data
from facskit.experiments.scoring import RunScoring, scoring_of
from facskit.experiments.session import Session
from facskit.models.checkpoints import CheckpointInfo, read_checkpoint_info, save_checkpoint
from facskit.models.layers import FaceNetwork
from facskit.models.weight_files import find_weights
from facskit.objectives.causal_intervention import CausalIntervention, Teachers
from facskit.training.loop import EpochEnd, TrainingPlan, fit
from facskit.training.run_directory import RunDirectory

__all__ = ["Predecessors", "open_run", "refuse_known_start", "train_network"]


@dataclass(frozen=True, kw_only=True)
class Predecessors:
    """What a network gets from the ones trained before it in the same fold."""

    teachers: Teachers | None = None
    """Those that causal intervention learns from."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """What its weight file must say about them."""
    feeds: Feeds | None = None
    """Batches that are open already."""


def train_network(
    recipe: Recipe,
    out: Path,
    session: Session,
    *,
    claim: Callable[[], None] | None = None,
    before: Predecessors = Predecessors(),
) -> RunDirectory:
    """Train and test the network of one fold in its folder; go on if it broke off.

    Nothing is written, nor `claim` called, before everything is built.

    Args:
        recipe: The recipe of this run.
        session: The faces and the runtime.
        claim: What to call before the folder is made.
        before: What comes from networks trained before.

    Raises:
        RecipeError: The folder belongs to another recipe, or another process trains there.
        DatasetError: The faces are wrong, or others than the run began with, or people to test on are known to the
            initial weights.
        FacskitError: The loss is no longer a number, or somebody asked the run to stop.
    """
    fold, run = session.folds[recipe.data.fold - 1], RunDirectory(out)
    check_data(run, session.record(recipe.data.fold))
    if not run.finished and before.feeds is None:  # whoever opened the batches has looked at the people too
        refuse_known_start(recipe, session, fold)
    parts = (
        None if run.finished else assemble_network(recipe, session, fold, teachers=before.teachers, feeds=before.feeds)
    )
    open_run(recipe, out, session, claim)
    if parts is None or run.finished:
        return run
    session.introduce(recipe, fold, parts.model)
    _mention_start(recipe, session)
    plan = TrainingPlan(
        training=recipe.training,
        optimizer=recipe.optimizer,
        batch_size=recipe.data.loader.batch_size,
        runtime=recipe.runtime,
    )
    scoring = scoring_of(recipe, session)
    describe = partial(_describe_weights, recipe, session, fold, before.provenance)
    watch = _watch(recipe, scoring, parts.feeds.scored, partial(_keep, recipe, run, describe))
    fit(parts.objective, parts.feeds.training, plan, run=run, fabric=session.fabric, on_epoch_end=watch)
    if session.fabric.is_global_zero:
        thresholds = scoring.test(parts.model, parts.feeds.scored, run.path)
        if isinstance(parts.objective, CausalIntervention):
            write_intervention_weights(recipe, session, fold, parts.objective, run.path)
        save_checkpoint(run.weights, parts.model, describe(thresholds))
        run.drop_snapshots()
    session.fabric.barrier()
    return run


def open_run(recipe: Recipe, out: Path, session: Session, claim: Callable[[], None] | None = None) -> None:
    """Make a folder the run's own, in the main process; the others wait. Say so if the run is finished.

    Args:
        recipe: The recipe of this run.

    Raises:
        RecipeError: The folder belongs to another recipe, or another process trains there.
    """
    if session.fabric.is_global_zero:
        if claim is not None:
            claim()
        run = RunDirectory.open(out, format_recipe(recipe), device=session.device_name, difference=describe_difference)
        record_data(run, session.record(recipe.data.fold))
    session.fabric.barrier()
    run = RunDirectory(out)
    if run.finished:
        session.say(f"{out}: this run is finished; its weights are in {run.weights.name}")


def refuse_known_start(recipe: Recipe, session: Session, fold: Fold) -> None:
    """Refuse to test on people whose labels the initial weights were trained with; say so where it isn't certain.

    Args:
        recipe: The recipe of a run.

    Raises:
        DatasetError: People to test on are among those.
    """
    if not recipe.initial_weights or not len(fold.test):
        return
    start = describe_body(recipe.initial_weights)
    trained = people_of_weights(start["provenance"])
    tested = People.of(session.manifest, fold.test_subjects)
    if start["kind"] == "recognizer":  # an autoencoder has seen their faces, but no label
        refuse_known_people(trained, tested)
        if not trained:
            session.say(f"It isn't known whom {start['name']} was trained on; people to test on may be among them.")
    if known := find_known_people(trained, tested).all:
        session.say(
            f"{start['name']} may know {len(known):,} of the people to test on, {known[0]} for example: "
            "it was trained on people of these names."
        )


def _mention_start(recipe: Recipe, session: Session) -> None:
    """Say what a reader of the result may trip over in the weights that the training starts from."""
    start = describe_start(recipe.initial_weights)["initial_weights"]
    if start and start["licence"] != recipe.licence:
        session.say(
            f"The training starts from {start['name']}, whose licence is {start['licence']}; the new weights will say "
            f"{recipe.licence}, as in the recipe: check that they may."
        )
    branches = _initial_branches(recipe)
    others = [f"{unit} from {given}" for unit, given in branches.items() if unit != given]
    fresh = [unit for unit in recipe.data.unit_set.codes if unit not in branches]
    if start and branches and (others or fresh):
        told = [*others, *(f"{unit} starts anew" for unit in fresh)]
        session.say(f"Branches of {start['name']} are taken over by action unit; {', '.join(told)}.")


def _initial_branches(recipe: Recipe) -> dict[str, str]:
    """Say which branch of the initial weights started which branch of an attention network."""
    if recipe.model.kind != "attention" or not recipe.initial_weights:
        return {}
    given = read_checkpoint_info(find_weights(recipe.initial_weights)).action_units
    return branch_sources(recipe.data.unit_set, given)


def _watch(
    recipe: Recipe,
    scoring: RunScoring,
    scored: Mapping[Part, EpochLoader[Batch]],
    keep: Callable[[int, nn.Module], None],
) -> EpochEnd:
    """Return what scores the validation subjects after each epoch, for the log alone, and keeps weights on the way."""

    def watch(epoch: int, model: nn.Module) -> dict[str, float]:
        keep(epoch, model)
        if not (recipe.evaluation.validate_each_epoch and "validation" in scored):
            return {}
        return scoring.after_epoch(model, scored["validation"])

    return watch


def _keep(
    recipe: Recipe,
    run: RunDirectory,
    describe: Callable[[tuple[float, ...], int], CheckpointInfo],
    epoch: int,
    model: nn.Module,
) -> None:
    every, last = recipe.training.keep_every, recipe.training.epochs
    if every and (epoch in {1, last} or epoch % every == 0):
        assert isinstance(model, FaceNetwork)
        thresholds = (recipe.evaluation.fixed_threshold,) * len(recipe.data.unit_set)
        save_checkpoint(run.kept_weights(epoch), model, describe(thresholds, epoch))


def _describe_weights(
    recipe: Recipe,
    session: Session,
    fold: Fold,
    more: Mapping[str, Any],
    thresholds: tuple[float, ...],
    epoch: int | None = None,
) -> CheckpointInfo:
    provenance: dict[str, Any] = {
        "recipe": recipe.name,
        "paper": recipe.about.paper,
        "manifest": recipe.data.manifest,
        "data": "" if session.manifest.origin is None else session.manifest.origin.stamp(),
        "training_images": len(fold.train),
        "training_subjects": list(fold.train_subjects),
        "seed": recipe.runtime.seed,
        "epoch": "last" if epoch is None else epoch,
        "epochs": recipe.training.epochs,
        "threshold": recipe.evaluation.threshold if recipe.evaluation.threshold.startswith("validation") else "fixed",
        **describe_start(recipe.initial_weights),
        **({"initial_branches": branches} if (branches := _initial_branches(recipe)) else {}),
        **more,
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
