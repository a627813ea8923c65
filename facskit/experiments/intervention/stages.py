"""The stages of an objective that learns from other networks: those first, in the order it names, then its own.

With causal intervention (CIU, algorithm 1) the imbalanced and the balanced network come before the unbiased one.
Each network is a complete run with its own folder, so a training that broke off goes on in the stage where it stopped,
and finished stages serve any number of runs that differ in the last stage alone. `run_tree` shows where they lie.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, cast

from facskit.datasets.people import people_of_weights
from facskit.errors import RecipeError
from facskit.experiments.assemble import assemble_model
from facskit.experiments.data_check import check_data
from facskit.experiments.initial_weights import (
    Body,
    describe_body,
    describe_start,
    provenance_of_people,
    provenance_of_teachers,
)
from facskit.experiments.network_run import (
    Predecessors,
    mention_untaught,
    open_run,
    refuse_known_start,
    train_network,
)
from facskit.experiments.recipe import About, ObjectiveConfig, Recipe
from facskit.experiments.recipe_files import describe_difference, format_recipe, read_recipe
from facskit.experiments.run_tree import STAGES, run_name, runs_in
from facskit.experiments.scoring import PREDICTIONS, scoring_of
from facskit.experiments.session import Session
from facskit.experiments.training_parts import assemble_network
from facskit.models.checkpoints import load_checkpoint
from facskit.objectives.config import StagedConfig
from facskit.training.run_directory import RunDirectory

__all__ = ["share_stages", "stage_folder", "stage_recipe", "train_fold"]

_LAST = "last"
"""Key of the network that all stages are for."""


def stage_recipe(recipe: Recipe, name: str) -> Recipe:
    """Return what a first-stage network is trained by: all that the recipe says, but for the loss.

    Args:
        recipe: A recipe of a staged objective, of one fold and seed.
    """
    return replace(
        recipe,
        name=f"{recipe.name}-{name}",
        objective=cast("ObjectiveConfig", _config(recipe).stage(name)),
        initial_weights=_like_from_like(recipe.initial_weights, name),
        evaluation=replace(recipe.evaluation, seeds=(recipe.runtime.seed,)),
    )


def stage_folder(recipe: Recipe, root: Path, name: str) -> Path:
    """Return the folder of a first-stage network.

    Args:
        recipe: A recipe of a staged objective, of one fold and seed.
        root: Folder of the run or cross-validation, for stages that are trained there.
    """
    reused = _config(recipe).stages
    stages = Path(reused) if reused else root / STAGES
    return stages / run_name(recipe.data.fold, recipe.runtime.seed) / name


def share_stages(recipe: Recipe, folder: Path) -> tuple[Recipe, Path | None]:
    """Give recipes whose first stages are the same, fold by fold and seed by seed, one folder for them.

    Args:
        folder: Where such folders are made; a recipe that names one already keeps it.

    Returns:
        The recipe that names the folder, and the folder; None for an objective without stages.
    """
    if not isinstance(recipe.objective, StagedConfig):
        return recipe, None
    if recipe.objective.stages:
        return recipe, Path(recipe.objective.stages)
    one = recipe.of_run(1, 0)
    texts = [format_recipe(_essence(stage_recipe(one, name))) for name in recipe.objective.stage_names]
    stages = folder / hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
    return replace(recipe, objective=replace(recipe.objective, stages=str(stages))), stages


def train_fold(
    recipe: Recipe, out: Path, session: Session, *, root: Path, claim: Callable[[], None] | None = None
) -> RunDirectory:
    """Train and test one fold in its folder: the network, and the stages before it that are still missing.

    Args:
        root: Folder of the run or cross-validation, which the stages are in.
        claim: What to call before anything is written.
    """
    run = RunDirectory(out)
    if not isinstance(recipe.objective, StagedConfig):
        return train_network(recipe, out, session, claim=claim)
    for name in recipe.objective.stage_names:
        check_data(RunDirectory(stage_folder(recipe, root, name)), session.record(recipe.data.fold))
    if run.finished:
        return train_network(recipe, out, session, claim=claim)
    check_data(run, session.record(recipe.data.fold))
    _check_reused(recipe, root)
    before = _rehearse(recipe, session)
    open_run(recipe, out, session, claim)
    if run.finished:  # by another process, while this one waited
        return run
    folders = _train_stages(recipe, root, session, before)
    session.say(f"Network {len(folders) + 1} of {len(folders) + 1}, the last: {out}")
    last = replace(
        before[_LAST],
        networks={name: load_checkpoint(RunDirectory(folder).weights)[0] for name, folder in folders.items()},
        provenance=_provenance(recipe, folders, before[_LAST].start),
    )
    return train_network(recipe, out, session, before=last)


def _rehearse(recipe: Recipe, session: Session) -> dict[str, Predecessors]:
    """Build all networks once, with untrained stages: a mistake shows now, not after the first trainings.

    Returns:
        For each stage, and for the last network under `_LAST`: the batches and the initial weights.
    """
    fold = session.folds[recipe.data.fold - 1]
    stages = {name: stage_recipe(recipe, name) for name in _config(recipe).stage_names}
    starts = {}
    for name, each in {**stages, _LAST: recipe}.items():
        starts[name] = describe_start(each.initial_weights)
        refuse_known_start(starts[name], session, fold)
    mention_untaught(recipe, session, fold)
    networks = {name: assemble_model(stage) for name, stage in stages.items()}
    feeds = assemble_network(recipe, session, fold, stages=networks).feeds
    return {name: Predecessors(feeds=feeds, start=start) for name, start in starts.items()}


def _train_stages(recipe: Recipe, root: Path, session: Session, before: Mapping[str, Predecessors]) -> dict[str, Path]:
    """Train the first-stage networks that aren't finished yet, in their order; return their folders."""
    names = _config(recipe).stage_names
    folders = {name: stage_folder(recipe, root, name) for name in names}
    for number, (name, folder) in enumerate(folders.items(), start=1):
        stage = stage_recipe(recipe, name)
        if RunDirectory(folder).finished:
            _check_finished(stage, folder)
            session.say(f"Network {number} of {len(names) + 1}, {name}: finished in {folder}")
        else:
            session.say(f"Network {number} of {len(names) + 1}, {name}: {folder}")
            train_network(stage, folder, session, before=before[name])
        if session.fabric.is_global_zero and (folder / PREDICTIONS).exists() and not (folder / "results.md").exists():
            scoring_of(stage, session).report([folder], folder)
    return folders


def _config(recipe: Recipe) -> StagedConfig:
    assert isinstance(recipe.objective, StagedConfig)
    return recipe.objective


def _essence(recipe: Recipe) -> Recipe:
    """Return a recipe without what changes no weight."""
    return replace(recipe, name="any", about=About())


def _check_reused(recipe: Recipe, root: Path) -> None:
    """Refuse stages that don't fit before the run's folder keeps a recipe that can't run."""
    reused = _config(recipe).stages
    if reused and RunDirectory(Path(reused)).recipe.exists():
        raise RecipeError(
            f"objective.stages: {reused} is the folder of a run or cross-validation; expected that of its stages, "
            f"{Path(reused) / STAGES}"
        )
    for name in _config(recipe).stage_names:
        folder = stage_folder(recipe, root, name)
        if reused and RunDirectory(folder).finished:
            _check_finished(stage_recipe(recipe, name), folder)


def _check_finished(stage: Recipe, folder: Path) -> None:
    run = RunDirectory(folder)
    there, now = (format_recipe(_essence(one)) for one in (read_recipe(run.recipe), stage))
    if there != now:
        raise RecipeError(
            f"{folder}: the finished network was trained by another recipe: {describe_difference(there, now)}; name "
            "another folder of stages (objective.stages, or --out), or go back to that recipe."
        )


def _provenance(recipe: Recipe, folders: Mapping[str, Path], start: Body | None) -> dict[str, Any]:
    """Say who the teachers were; people whom they knew before are no strangers to their pupil either."""
    bodies = {name: describe_body(folder) for name, folder in folders.items()}
    # The stages' own people are those of the fold.
    before = [people_of_weights({**body.provenance, "training_subjects": []}) for body in bodies.values()]
    known = [*(() if start is None else start.people), *chain.from_iterable(before)]
    return {**_config(recipe).provenance(), **provenance_of_teachers(bodies), **provenance_of_people(known)}


def _like_from_like(weights: str, name: str) -> str:
    """Return where a first-stage network starts: from the same stage of the run that is named, if that has stages."""
    folder = Path(weights)
    if not weights or not (folder / RunDirectory(folder).recipe.name).is_file():
        return weights
    try:
        recipe = read_recipe(folder / "recipe.yaml")
    except RecipeError:  # a pre-training, or a run of another version: its weight file says what it is
        return weights
    if not isinstance(recipe.objective, StagedConfig):
        return weights
    if not RunDirectory(folder).finished:
        runs = runs_in(folder)
        hint = f"name one of its runs, such as {runs[0]}" if runs else "let it finish first"
        raise RecipeError(f"initial_weights: {folder} has no network of its own to start from; {hint}.")
    for root in (folder, folder.parent):
        if (found := stage_folder(recipe, root, name) / "weights.safetensors").is_file():
            return str(found)
    raise RecipeError(f"initial_weights: the {name} network of {folder} isn't there; expected it in its {STAGES}.")
