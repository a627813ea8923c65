"""Do faces without labels help where labels are few? `python -m studies.unlabelled_faces` trains with and without.

A few people of a rendered corpus keep their labels, many more lose them, others are tested on. Every training is a run
that can be resumed, so the study can be stopped and started again; what is finished is printed as it comes.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from facskit.action_units import NO_ACTION_UNITS, ActionUnitSet
from facskit.datasets.findings import counted
from facskit.datasets.manifest import Manifest, read_manifest, write_manifest
from facskit.datasets.unlabelled.beside import UnlabelledConfig
from facskit.errors import DatasetError, FacskitError
from facskit.evaluation.predictions import Predictions
from facskit.experiments.analysis.weight_scores import evaluate
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import read_recipe
from facskit.experiments.sweep.parallel_runs import PlannedRun, choose_slots, train_runs
from facskit.objectives.consistency import ConsistencyConfig
from facskit.tables import TextTable, write_results
from studies.command import run_study
from studies.people_bootstrap import auc_difference, macro_auc
from studies.spread import spread_cell

BASE = "labels alone"
ARMS = (
    BASE,
    "labels alone, strong changes",
    "pseudo-labels",
    "pseudo-labels, adaptive limits",
    "soft answers",
    "labels of all",
)
"""What is trained, all with the same number of updates. Strong changes alone could help, so that is an arm; `labels of
all` is what the unlabelled faces could give at the most."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What to train and test."""

    recipe: Path = Path("recipes/rendered/unlabelled.yaml")
    """The training; its faces, seed and objective are replaced run by run."""
    manifest: Path = Path("data/train/manifest.parquet")
    """Rendered faces to take the people from, with all labels."""
    out: Path = Path("runs/studies/unlabelled_faces")
    """Folder of the study."""
    people: int = 40
    """People with labels."""
    unlabelled: int = 400
    """People without."""
    test_people: int = 200
    """People to test on, the same whatever the other numbers are."""
    frames: int = 24
    """Pictures of each person."""
    epochs: int = 0
    """Passes over the labelled faces; 0 takes the recipe's."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of each arm."""
    arms: tuple[str, ...] = ARMS
    """Which of the arms to train."""
    jobs: int = 2
    """Trainings at a time, each in a process of one thread."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training."""

    arm: str
    seed: int
    recipe: Recipe
    folder: Path


def main(study: Study) -> None:
    """Run the study seed by seed, and print what is finished after each."""
    if unknown := set(study.arms) - set(ARMS):
        raise FacskitError(f"--arms: found {min(unknown)!r}, expected some of {', '.join(ARMS)}")
    console = Console(highlight=False, soft_wrap=True)
    recipe = read_recipe(study.recipe, Recipe)
    faces = divide_people(study, recipe.data.unit_set)
    done: list[Job] = []
    for seed in study.seeds:
        jobs = [_job(study, recipe, faces, arm, seed) for arm in study.arms]
        runs = [PlannedRun(name=job.folder.name, recipe=job.recipe, folder=job.folder) for job in jobs]
        if failures := train_runs(runs, choose_slots(recipe, jobs=study.jobs), study.out / "logs"):
            raise FacskitError(f"{len(failures)} of {len(runs)} trainings failed: {failures}")
        done += jobs
        table, results = _compare(study, faces, done)
        write_results(study.out, table.to_markdown("#"), results)
        console.print(table.to_terminal())
    console.print(f"Results: {study.out}/results.md and results.json")


def divide_people(study: Study, units: ActionUnitSet) -> dict[str, Path]:
    """Write a manifest for each group of people: `labelled`, `unlabelled` without its labels, `all` of both, `test`.

    Raises:
        DatasetError: There are too few people.
    """
    whole = read_manifest(study.manifest, units)
    names = np.random.default_rng(0).permutation(np.array(whole.subject_names))
    wanted = study.test_people + study.people + study.unlabelled
    if len(names) < wanted:
        raise DatasetError(f"{study.manifest}: found {len(names):,} people, expected {wanted:,} at least")
    test, rest = np.split(names[:wanted], [study.test_people])
    groups = {"labelled": rest[: study.people], "unlabelled": rest[study.people :], "all": rest, "test": test}
    paths = {}
    for group, people in groups.items():
        paths[group] = study.out / "faces" / f"{group}-{len(people)}.parquet"
        if not paths[group].is_file():
            write_manifest(_faces_of(whole, people, study.frames, labelled=group != "unlabelled"), paths[group])
    return paths


def _faces_of(whole: Manifest, people: np.ndarray, frames: int, *, labelled: bool) -> Manifest:
    """Return the first faces of some people; without their labels where they have to do without."""
    chosen = whole.select(np.isin(whole.subjects.astype(str), people) & (whole.table["frame"] < frames).to_numpy())
    if labelled:
        return chosen
    labels = [name for name in chosen.table.columns if name.startswith("AU")]
    return replace(chosen, table=chosen.table.drop(labels), action_units=NO_ACTION_UNITS)


def _job(study: Study, recipe: Recipe, faces: dict[str, Path], arm: str, seed: int) -> Job:
    """Plan a training; all arms make as many updates, on as many labelled faces each, as the recipe's."""
    assert isinstance(recipe.objective, ConsistencyConfig)
    beside, alone = replace(recipe.data.unlabelled, manifest=str(faces["unlabelled"])), UnlabelledConfig()
    data, epochs = replace(recipe.data, manifest=str(faces["labelled"])), study.epochs or recipe.training.epochs
    objective: Any = recipe.objective.labels
    match arm:
        case "labels alone":
            data = replace(data, unlabelled=alone)
        case "labels alone, strong changes":
            data = replace(data, unlabelled=alone, augmentation=recipe.objective.strong)
        case "labels of all":
            data = replace(data, unlabelled=alone, manifest=str(faces["all"]))
            epochs = max(1, round(epochs * study.people / (study.people + study.unlabelled)))
        case _:
            data, objective = replace(data, unlabelled=beside), _changed(recipe.objective, arm)
    changed = replace(
        recipe,
        name=f"{recipe.name}: {arm}",
        data=data,
        objective=objective,
        training=replace(recipe.training, epochs=epochs),
        runtime=replace(recipe.runtime, seed=seed, threads=1),
    )
    folder = study.out / f"{arm.replace(', ', '-').replace(' ', '-')}-seed-{seed}"
    return Job(arm=arm, seed=seed, recipe=changed, folder=folder)


def _changed(config: ConsistencyConfig, arm: str) -> ConsistencyConfig:
    match arm:
        case "pseudo-labels, adaptive limits":
            return replace(config, adaptive=True)
        case "soft answers":
            return replace(config, targets="soft", present_from=0.5, absent_to=0.5)
        case _:
            return config


def _compare(study: Study, faces: dict[str, Path], jobs: list[Job]) -> tuple[TextTable, dict[str, Any]]:
    """Return the table of everything that is finished, and its numbers."""
    said: dict[str, list[Predictions]] = {}
    for job in jobs:
        said.setdefault(job.arm, []).append(_tested(faces["test"], job))
    rows, results = [], {}
    for arm, each in said.items():
        auc = [macro_auc(one) for one in each]
        f1 = [float(one.scores().macro("f1").value) for one in each]
        results[arm] = {"roc_auc": auc, "f1": f1, "seeds": sorted({job.seed for job in jobs})}
        gain = "" if arm == BASE or BASE not in said else auc_difference(each, said[BASE]).in_points()
        rows.append((arm, spread_cell(auc), spread_cell(f1), gain))
    seeds = len({job.seed for job in jobs})
    table = TextTable(
        title=f"{study.people} people with labels, {study.unlabelled} without",
        header=("arm", "ROC-AUC %", "macro F1 %", f"ROC-AUC against {BASE}"),
        rows=tuple(rows),
        notes=(
            f"{study.test_people} other people; {counted(seeds, 'seed')}: mean (lowest to highest)",
            "difference: 95 % interval, people resampled, mean over seeds; F1 at 0.5",
        ),
    )
    return table, results


def _tested(manifest: Path, job: Job) -> Predictions:
    folder = job.folder / "tested"
    if not (folder / "results.json").is_file():
        evaluate(job.folder / "weights.safetensors", str(manifest), folder, device="cpu")
    return Predictions.load(folder / "predictions.parquet")


if __name__ == "__main__":
    run_study(main, Study)
