"""Is causal intervention less biased? `python -m studies.causal_intervention` trains CIU and its controls.

Needs the rendered corpora that docs/studies/causal_intervention.md names. Every training is a run that can be resumed,
so the study can be stopped and started again.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console

from facskit.action_units import ActionUnitSet
from facskit.datasets.manifest import read_manifest, write_manifest
from facskit.errors import FacskitError
from facskit.evaluation.bias.numbers import (
    AUGroups,
    bias_difference,
    bias_numbers,
    groups_by_frequency,
    published_groups,
)
from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.predictions import Predictions
from facskit.experiments.analysis.weight_scores import evaluate
from facskit.experiments.intervention.stages import stage_folder
from facskit.experiments.opened_data import assemble_folds, assemble_manifest
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import read_recipe
from facskit.experiments.sweep.grid import change_recipe
from facskit.experiments.sweep.parallel_runs import PlannedRun, choose_slots, train_runs
from facskit.files import write_text
from facskit.tables import TextTable
from studies.command import run_study

Profile = Literal["disfa", "bp4d"]
Test = Literal["imbalanced", "balanced"]

TRAINED: dict[str, dict[str, Any]] = {
    "CIU": {},
    "half weights": {"objective.gamma": 0.0},
    "inverted weights": {"objective.weights": "inverted"},
    "weights per AU": {"objective.granularity": "unit"},
}
"""Third networks, by what they change in the recipe; the two teachers are the same for all."""
VARIANTS: dict[str, dict[str, Any]] = {
    "TE": {"objective.risks": "imbalanced"},
    "TDE": {"objective.risks": "balanced"},
    "TE without weights": {"objective.risks": "imbalanced", "objective.weights": "none"},
    "TDE without weights": {"objective.risks": "balanced", "objective.weights": "none"},
    "post-compensated": {"objective.balanced_teacher": "post-compensated"},
}
"""Further third networks, with the first seed alone."""
TEACHERS: tuple[Literal["imbalanced", "balanced"], ...] = ("imbalanced", "balanced")


@dataclass(frozen=True, kw_only=True)
class Study:
    """What to train and test."""

    recipe: Path = Path("recipes/rendered/imbalance.yaml")
    """The training; its manifest, fold, seed and objective are replaced run by run."""
    data: Path = Path("data/imbalance")
    """Folder of the corpora `disfa`, `bp4d` and `balanced`, which show the same people."""
    out: Path = Path("runs/studies/causal_intervention")
    """Folder of the study."""
    profiles: tuple[Profile, ...] = ("disfa", "bp4d")
    """Base rates to train with."""
    frames: tuple[int, ...] = (40, 20)
    """Pictures of each person for each profile; fewer where there are more action units, to save time."""
    batch_sizes: tuple[int, ...] = (32, 16)
    """Images per update for each profile."""
    epochs: tuple[int, ...] = (8, 5)
    """Passes over the images for each profile: 400 and 250 updates."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds; each leaves out another fold in turn."""
    variants: bool = False
    """Whether to train the variants of table 3 too."""
    jobs: int = 2
    """Trainings at a time, each in a process of one thread."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One third network with its place."""

    arm: str
    profile: Profile
    seed: int
    recipe: Recipe
    folder: Path


def main(study: Study) -> None:
    """Run the whole study and say where its results are."""
    console = Console(highlight=False, soft_wrap=True)
    recipe = read_recipe(study.recipe, Recipe)
    jobs = list(_jobs(study, recipe))
    runs = [_planned(study, job) for job in jobs]
    if failures := train_runs(runs, choose_slots(recipe, jobs=study.jobs), study.out / "logs"):
        raise FacskitError(f"{len(failures)} of {len(runs)} trainings failed: {failures}")
    found: dict[str, Any] = {}
    tables = []
    for profile in study.profiles:
        own = [job for job in jobs if job.profile == profile]
        rates = (assemble_manifest(own[0].recipe.data).labels == 1).mean(axis=0)
        for test in ("imbalanced", "balanced"):
            predictions = _predictions(study, own, test)
            for arm, said in predictions.items():
                said.save(study.out / f"{profile}-{test}" / f"{arm.replace(' ', '-')}.parquet")
            table, values = _compare(predictions, rates, profile, test)
            tables.append(table)
            found[f"{profile}, {test} test"] = values
            console.print(table.to_markdown())
    write_text(study.out / "results.json", json.dumps(found, indent=2) + "\n")
    write_text(study.out / "results.md", "\n".join(table.to_markdown() for table in tables))
    console.print(f"Results: {study.out}/results.md and results.json")


def _jobs(study: Study, recipe: Recipe) -> Iterator[Job]:
    for seed in study.seeds:
        for profile in study.profiles:
            arms = TRAINED | (VARIANTS if study.variants and seed == study.seeds[0] else {})
            for arm, changes in arms.items():
                folder = study.out / profile / f"{arm.replace(' ', '-')}-seed-{seed}"
                base = _recipe_of(study, recipe, profile, seed)
                yield Job(arm=arm, profile=profile, seed=seed, recipe=change_recipe(base, changes), folder=folder)


def _recipe_of(study: Study, recipe: Recipe, profile: Profile, seed: int) -> Recipe:
    units = "disfa-8" if profile == "disfa" else "bp4d"
    place = study.profiles.index(profile)
    return change_recipe(
        recipe,
        {
            "data.manifest": str(_subset(study, profile, units)),
            "data.action_units": units,
            "data.loader.batch_size": study.batch_sizes[place],
            "training.epochs": study.epochs[place],
            "data.fold": 1 + seed % 3,
            "runtime.seed": seed,
            "runtime.threads": 1,
            "objective.stages": str(_stages(study, profile)),
        },
    )


def _stages(study: Study, profile: Profile) -> Path:
    return study.out / profile / "stages"


def _planned(study: Study, job: Job) -> PlannedRun:
    shared = _stages(study, job.profile) / str(job.seed)  # only a name: runs of one seed wait for its teachers
    return PlannedRun(name=f"{job.profile} {job.folder.name}", recipe=job.recipe, folder=job.folder, shared=shared)


def _subset(study: Study, profile: Profile, units: str) -> Path:
    """Write the manifest with the first pictures of each person."""
    frames = study.frames[study.profiles.index(profile)]
    path = study.out / f"{profile}-{frames}.parquet"
    if not path.is_file():
        whole = read_manifest(study.data / profile / "manifest.parquet", ActionUnitSet.parse(units))
        write_manifest(whole.select((whole.table["frame"] < frames).to_numpy()), path)
    return path


def _predictions(study: Study, jobs: list[Job], test: Test) -> dict[str, Predictions]:
    """Return what each network said about the people left out, over all seeds."""
    arms: dict[str, list[Predictions]] = {}
    for job in jobs:
        if job.arm == "CIU":
            for name in TEACHERS:
                folder = stage_folder(job.recipe, _stages(study, job.profile), name)
                arms.setdefault(name, []).append(_tested(study, job, folder, test))
        arms.setdefault(job.arm, []).append(_tested(study, job, job.folder, test))
    return {arm: concat(parts) for arm, parts in sorted(arms.items(), key=lambda item: _ORDER.index(item[0]))}


_ORDER = (*TEACHERS, *TRAINED, *VARIANTS)


def _tested(study: Study, job: Job, folder: Path, test: Test) -> Predictions:
    """Return predictions on the fold's people: of the run itself, or on balanced pictures of the same people.

    Each seed tests one fold, so the seed's number stands for it: scores are means over the seeds.
    """
    tested = folder if test == "imbalanced" else folder / "balanced"
    if test == "balanced" and not (tested / "results.json").is_file():
        evaluate(folder / "weights.safetensors", str(_balanced(study, job)), tested, device="cpu")
    protocol = Predictions.load(folder / "predictions.parquet").protocol  # of all tests: threshold 0.5
    found = replace(Predictions.load(tested / "predictions.parquet"), protocol=protocol)
    return replace(found, folds=np.full(len(found), job.seed + 1), seeds=np.zeros(len(found), np.int64))


def _balanced(study: Study, job: Job) -> Path:
    """Write the manifest of the balanced pictures of the fold's people."""
    path = study.out / f"balanced-{job.profile}-fold-{job.recipe.data.fold}.parquet"
    if not path.is_file():
        manifest = assemble_manifest(job.recipe.data)
        people = assemble_folds(job.recipe.data, manifest)[job.recipe.data.fold - 1].test_subjects
        whole = read_manifest(study.data / "balanced" / "manifest.parquet", manifest.action_units)
        write_manifest(whole.select(np.isin(whole.subjects, people)), path)
    return path


def _groups(profile: Profile, units: ActionUnitSet, frequencies: np.ndarray) -> AUGroups:
    name = {"disfa": "disfa", "bp4d": "bp4d"}[profile]
    return published_groups(name, units) or groups_by_frequency(units, frequencies)


def _compare(
    predictions: dict[str, Predictions], rates: np.ndarray, profile: Profile, test: Test
) -> tuple[TextTable, dict[str, Any]]:
    """Return the table of one test, and its numbers with the paired differences to CIU."""
    ciu = predictions["CIU"]
    groups = _groups(profile, ciu.action_units, rates)
    bootstrap = BootstrapConfig()
    rows: list[tuple[str, ...]] = []
    found: dict[str, Any] = {}
    for arm, said in predictions.items():
        numbers = bias_numbers(said, rates, groups.head, groups.tail, bootstrap)
        values = {name: getattr(numbers, name) for name in _SHOWN}
        found[arm] = {name: [value.estimate, value.low, value.high] for name, value in values.items()}
        rows.append((arm, *(_cell(name, values[name]) for name in _SHOWN)))
        if arm != "CIU" and len(said) == len(ciu):
            gains = bias_difference(said, ciu, rates, groups.head, groups.tail, bootstrap)
            found[arm]["CIU minus it"] = {
                name: [getattr(gains, name).estimate, getattr(gains, name).low, getattr(gains, name).high]
                for name in _SHOWN
            }
    title = f"{'DISFA' if profile == 'disfa' else 'BP4D'} rates, {test} test"
    header = ("network", "macro F1", "head AUs", "tail AUs", "spread", "correlation")
    head, tail = (", ".join(unit.code for unit in units) for units in (groups.head, groups.tail))
    notes = (f"Head {head}; tail {tail} ({groups.source}). In brackets 95 %, people resampled.",)
    return TextTable(title=title, header=header, rows=tuple(rows), notes=notes), found


_SHOWN = ("macro_f1", "head_f1", "tail_f1", "spread", "correlation")


def _cell(name: str, value: Any) -> str:  # noqa: ANN401 -- an interval
    scale, digits = (100, 1) if name.endswith("f1") else (1, 2)
    low, high = scale * value.low, scale * value.high
    return f"{scale * value.estimate:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


if __name__ == "__main__":
    run_study(main, Study)
