"""Causal intervention's stages (CIU, algorithm 1): imbalanced and balanced network first, then the unbiased one.

Each network is a complete run with its own folder, so a training that broke off goes on in the stage where it stopped,
and finished stages serve any number of runs that differ in the last stage alone.

```text
run/                              the unbiased network
  stages/fold-1-seed-0/imbalanced/
  stages/fold-1-seed-0/balanced/
cross-validation/
  stages/fold-1-seed-0/imbalanced/ ...
  fold-1-seed-0/                  the unbiased network of the fold
```
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from facskit.errors import RecipeError
from facskit.experiments.assemble import assemble_model
from facskit.experiments.initial_weights import describe_body, describe_start
from facskit.experiments.network_parts import Feeds, assemble_network
from facskit.experiments.network_run import Predecessors, open_run, refuse_known_start, train_network
from facskit.experiments.recipe import About, Recipe
from facskit.experiments.recipe_files import describe_difference, format_recipe, read_recipe
from facskit.experiments.run_data import check_data
from facskit.experiments.run_tree import STAGES, run_name, runs_in
from facskit.experiments.scoring import PREDICTIONS, scoring_of
from facskit.experiments.session import Session
from facskit.models.checkpoints import load_checkpoint
from facskit.models.layers import FaceNetwork
from facskit.objectives.causal_intervention import CausalInterventionConfig, StageName, Teachers
from facskit.training.run_directory import RunDirectory

__all__ = ["stage_folder", "stage_recipe", "stages_key", "train_fold", "train_stages"]


def stage_recipe(recipe: Recipe, name: StageName) -> Recipe:
    """Return what a first-stage network is trained by: all that the recipe says, but for the loss.

    Args:
        recipe: A recipe of causal intervention, of one fold and seed.

    Raises:
        RecipeError: The initial weights are a cross-validation by causal intervention, or lack this network.
    """
    return replace(
        recipe,
        name=f"{recipe.name}-{name}",
        objective=_config(recipe).stage(name),
        initial_weights=_like_from_like(recipe.initial_weights, name),
        evaluation=replace(recipe.evaluation, seeds=(recipe.runtime.seed,)),
    )


def stages_key(recipe: Recipe) -> str:
    """Return a short name that two recipes share if their stages, fold by fold and seed by seed, are the same.

    Args:
        recipe: A recipe of causal intervention.
    """
    one = replace(recipe, data=replace(recipe.data, fold=1), runtime=replace(recipe.runtime, seed=0))
    texts = [format_recipe(_essence(stage_recipe(one, name))) for name in _config(recipe).stage_names]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]


def stage_folder(recipe: Recipe, root: Path, name: StageName) -> Path:
    """Return the folder of a first-stage network.

    Args:
        recipe: A recipe of causal intervention, of one fold and seed.
        root: Folder of the run or cross-validation, for stages that are trained there.
    """
    reused = _config(recipe).stages
    stages = Path(reused) if reused else root / STAGES
    return stages / run_name(recipe.data.fold, recipe.runtime.seed) / name


def train_stages(recipe: Recipe, root: Path, session: Session, feeds: Feeds | None = None) -> dict[StageName, Path]:
    """Train the first-stage networks that aren't finished yet, in the order of the paper.

    Args:
        recipe: A recipe of causal intervention, of one fold and seed.
        root: Folder of the run or cross-validation.
        session: The faces and the runtime.
        feeds: Batches that are open already.

    Returns:
        Their folders.

    Raises:
        RecipeError: A folder has a network that was trained in another way, or another process trains there.
        DatasetError: A network there was trained with other data.
        FacskitError: The loss is no longer a number, or somebody asked the run to stop.
    """
    names = _config(recipe).stage_names
    folders = {name: stage_folder(recipe, root, name) for name in names}
    for number, (name, folder) in enumerate(folders.items(), start=1):
        stage = stage_recipe(recipe, name)
        if RunDirectory(folder).finished:
            _check_finished(stage, folder)
            session.say(f"Network {number} of {len(names) + 1}, {name}: finished in {folder}")
        else:
            session.say(f"Network {number} of {len(names) + 1}, {name}: {folder}")
            train_network(stage, folder, session, before=Predecessors(feeds=feeds))
        if session.fabric.is_global_zero and (folder / PREDICTIONS).exists() and not (folder / "results.md").exists():
            scoring_of(stage, session).report([folder], folder)
    return folders


def train_fold(
    recipe: Recipe, out: Path, session: Session, *, root: Path, claim: Callable[[], None] | None = None
) -> RunDirectory:
    """Train all three networks of a fold, or those that are still missing.

    Args:
        recipe: A recipe of causal intervention, of one fold and seed.
        out: Folder of the unbiased network.
        session: The faces and the runtime.
        root: Folder of the run or cross-validation.
        claim: What to call before anything is written.

    Raises:
        RecipeError: A folder has a network that was trained in another way, or another process trains there.
        DatasetError: The faces are wrong, or others than a network began with, or people to test on are known to
            initial weights.
        FacskitError: The loss is no longer a number, or somebody asked the run to stop.
    """
    run, names = RunDirectory(out), _config(recipe).stage_names
    for place in (out, *(stage_folder(recipe, root, name) for name in names)):
        check_data(RunDirectory(place), session.record(recipe.data.fold))
    if not run.finished:
        _check_reused(recipe, root)
    feeds = None if run.finished else _rehearse(recipe, session)
    open_run(recipe, out, session, claim)
    if run.finished:
        return run
    folders = train_stages(recipe, root, session, feeds)
    session.say(f"Network {len(names) + 1} of {len(names) + 1}, unbiased: {out}")
    networks = {name: load_checkpoint(RunDirectory(folder).weights)[0] for name, folder in folders.items()}
    before = Predecessors(teachers=_teachers(networks), provenance=_provenance(recipe, folders), feeds=feeds)
    return train_network(recipe, out, session, before=before)


def _config(recipe: Recipe) -> CausalInterventionConfig:
    assert isinstance(recipe.objective, CausalInterventionConfig)
    return recipe.objective


def _teachers(networks: dict[StageName, FaceNetwork]) -> Teachers:
    return Teachers(imbalanced=networks["imbalanced"], balanced=networks.get("balanced"))


def _rehearse(recipe: Recipe, session: Session) -> Feeds:
    """Build all networks once, with untrained teachers: a mistake shows now, not after the first two trainings."""
    fold = session.folds[recipe.data.fold - 1]
    stages = {name: stage_recipe(recipe, name) for name in _config(recipe).stage_names}
    for each in (*stages.values(), recipe):
        refuse_known_start(each, session, fold)
    networks = {name: assemble_model(stage) for name, stage in stages.items()}
    return assemble_network(recipe, session, fold, teachers=_teachers(networks)).feeds


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


def _provenance(recipe: Recipe, folders: dict[StageName, Path]) -> dict[str, Any]:
    """Say who the teachers were; people whom they knew before are no strangers to their pupil either."""
    bodies = {name: describe_body(folder) for name, folder in folders.items()}
    found: dict[str, Any] = {
        "gamma": _config(recipe).gamma,
        "teachers": {
            name: {"recipe": body["provenance"].get("recipe", ""), "sha256": body["sha256"], "name": body["name"]}
            for name, body in bodies.items()
        },
    }
    starts = [describe_start(recipe.initial_weights), *(body["provenance"] for body in bodies.values())]
    groups = [group for start in starts for group in start.get("initial_people", ())]
    people = [{"corpus": group["corpus"], "subjects": list(group["subjects"])} for group in groups]
    if people:
        found["initial_people"] = [group for place, group in enumerate(people) if group not in people[:place]]
        found["initial_training_subjects"] = sorted({name for group in people for name in group["subjects"]})
    return found


def _like_from_like(weights: str, name: StageName) -> str:
    """Return where a first-stage network starts: from the same stage of the run that is named, if that has stages."""
    folder = Path(weights)
    if not weights or not (folder / RunDirectory(folder).recipe.name).is_file():
        return weights
    try:
        recipe = read_recipe(folder / "recipe.yaml")
    except RecipeError:  # a pre-training, or a run of another version: its weight file says what it is
        return weights
    if not isinstance(recipe.objective, CausalInterventionConfig):
        return weights
    if not RunDirectory(folder).finished:
        runs = runs_in(folder)
        hint = f"name one of its runs, such as {runs[0]}" if runs else "let it finish first"
        raise RecipeError(f"initial_weights: {folder} has no network of its own to start from; {hint}.")
    for root in (folder, folder.parent):
        if (found := stage_folder(recipe, root, name) / "weights.safetensors").is_file():
            return str(found)
    raise RecipeError(f"initial_weights: the {name} network of {folder} isn't there; expected it in its {STAGES}.")
