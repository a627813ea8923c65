"""Does identity adversarial training help where people's habits mislead? `python -m studies.identity` tries.

Needs the rendered corpora that docs/studies/identity.md names. The gate comes first: without a network that falls for
the habits there is no shortcut to close. Every training is a run that can be resumed, so the study can be stopped and
started again; what is finished is printed after each arm.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool
from rich.console import Console

from facskit.action_units import ActionUnitSet
from facskit.columns import FRAME, IMAGE
from facskit.datasets.face_dataset import FaceDataset, Preparation
from facskit.datasets.loaders import LoaderConfig, eval_loader
from facskit.datasets.manifest import Manifest, read_manifest, write_manifest
from facskit.errors import FacskitError
from facskit.evaluation.features import extract_features
from facskit.evaluation.identity.probe import probe_identity
from facskit.evaluation.predictions import Predictions
from facskit.experiments.analysis.weight_scores import evaluate
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import read_recipe
from facskit.experiments.scoring import PREDICTIONS
from facskit.experiments.sweep.grid import change_recipe
from facskit.experiments.sweep.parallel_runs import PlannedRun, choose_slots, train_runs
from facskit.files import write_text
from facskit.interfaces.report_printing import table_console
from facskit.models.checkpoints import load_checkpoint
from facskit.objectives.occurrence import OccurrenceConfig
from facskit.tables import TextTable, write_results
from facskit.training.metrics_file import read_metrics
from studies.command import run_study
from studies.habits import draw_signs, keep_habits
from studies.people_bootstrap import auc_difference, macro_auc
from studies.spread import spread_cell


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A way to train."""

    changes: Mapping[str, Any]
    """What it changes in the recipe."""
    strengths: tuple[float, ...] = ()
    """Strengths of the reversal to choose from on validation people, with the first seed; empty for none."""
    habits: bool = True
    """Whether people have habits in training."""


NO_HABITS, PLAIN = "plain, no habits", "plain"
_PLAIN = {"objective": OccurrenceConfig()}
_RELEASED = {
    "objective.loss": "bce_one_hot",
    "objective.given_labels": False,
    "objective.head_rate": 1.0,
    "objective.schedule": "constant",
}
ARMS: Mapping[str, Arm] = {
    NO_HABITS: Arm(changes=_PLAIN, habits=False),
    PLAIN: Arm(changes=_PLAIN),
    "weights by person": Arm(changes={"objective": OccurrenceConfig(balance="person-rate")}),
    "reversal, given the labels": Arm(changes={}, strengths=(0.1, 0.03)),
    "reversal, softmax": Arm(changes={"objective.given_labels": False}, strengths=(0.1, 0.03)),
    "reversal, released": Arm(changes=_RELEASED, strengths=(0.5, 0.1)),
    "stop-gradient": Arm(changes=_RELEASED | {"objective.stop_gradient": True}),
}
"""What is trained, in this order. Those with a subject head differ in it alone; its gradient is cut apart from the
network's, so that `stop-gradient` is the plain training with other random numbers."""

TESTS = {
    "new": "new people",
    "reversed": "people trained on, habits reversed",
    "rooms": "new people in the rooms of people with the opposite habits",
}
"""What is tested, by name of the file."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What to train and test."""

    recipe: Path = Path("recipes/rendered/shortcut.yaml")
    """The training; its faces, seed and objective are replaced run by run."""
    data: Path = Path("data/identity")
    """Folder of the corpora `people`, `validation`, `test` and `rooms`."""
    out: Path = Path("runs/studies/identity")
    """Folder of the study."""
    habit: float = 0.8
    """How strong habits are: a person shows an action unit in (1 +- habit) / 2 of the known labels."""
    frames: int = 100
    """Pictures of each person to train on; the others are tested on with reversed habits."""
    most: int = 30
    """Known labels of a person and action unit, at the most."""
    epochs: int = 0
    """Passes over the faces; 0 takes the recipe's."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of each arm."""
    arms: tuple[str, ...] = tuple(ARMS)
    """Which of the arms to train, beside the first two."""
    chosen: Path | None = None
    """`results.json` of an earlier run, whose strengths are taken; without it they're chosen with the first seed."""
    jobs: int = 2
    """Trainings at a time, each in a process of one thread."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training."""

    arm: str
    strength: float | None
    seed: int
    recipe: Recipe
    folder: Path

    @cached_property
    def validation(self) -> float:
        """The best ROC-AUC on validation people after any epoch."""
        logged = read_metrics(self.folder / "metrics.jsonl")
        return max(float(record["validation_roc_auc"]) for record in logged if record["kind"] == "epoch")


@dataclass(kw_only=True)
class Results:
    """What is finished."""

    tested: dict[str, list[dict[str, Predictions]]] = field(default_factory=dict)
    """By arm, what the network of each seed said about the faces of each test."""
    probes: dict[str, list[float]] = field(default_factory=dict)
    """By arm and seed, the share of faces whose person a converged probe tells."""
    strengths: dict[str, float | None] = field(default_factory=dict)
    """By arm, the strength that was chosen."""


def main(study: Study) -> None:
    """Run the study arm by arm and seed by seed, and print what is finished after each."""
    if unknown := set(study.arms) - set(ARMS):
        raise FacskitError(f"--arms: found {min(unknown)!r}, expected some of {', '.join(ARMS)}")
    console = Console(highlight=False, soft_wrap=True)
    recipe = read_recipe(study.recipe, Recipe)
    faces = make_faces(study, recipe.data.unit_set)
    results = Results(strengths=_read_strengths(study.chosen))
    for seed in study.seeds:
        for arms in ((NO_HABITS, PLAIN), *((arm,) for arm in study.arms if arm not in (NO_HABITS, PLAIN))):
            jobs = [job for arm in arms for job in _jobs(study, recipe, faces, arm, seed, results)]
            _train(study, recipe, jobs)
            for arm in arms:
                job = max((job for job in jobs if job.arm == arm), key=lambda job: job.validation)
                _test(faces, job, results)
            table = _table(study, results)
            write_results(study.out, table.to_markdown("#"), _numbers(results))
            table_console().print(table.to_terminal())
    console.print(f"Results: {study.out}/results.md and results.json")


def _read_strengths(chosen: Path | None) -> dict[str, float | None]:
    if chosen is None:
        return {}
    try:
        return {arm: scores["strength"] for arm, scores in json.loads(chosen.read_text()).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FacskitError(f"{chosen}: expected results.json of an earlier run of this study; {error}") from None


def make_faces(study: Study, units: ActionUnitSet) -> dict[str, Path]:
    """Write the manifests to train on, with habits and without, and those to test on.

    Raises:
        DatasetError: A corpus is missing.
    """
    corpora = {name: read_manifest(study.data / name / "manifest.parquet", units) for name in _CORPORA}
    pool, rooms = corpora["people"], corpora["rooms"]
    signs = draw_signs(len(pool.subject_names), len(units), seed=0)
    taught = (pool.table[FRAME] < study.frames).to_numpy()
    faces = {}
    for name, habit in (("habits", study.habit), ("no-habits", 0.0)):
        known = keep_habits(pool.labels[taught], pool.subject_indices[taught], signs, habit=habit, most=study.most)
        parts = [(_labelled(pool, taught, known), "train")]
        parts += [(corpora[part], part) for part in ("validation", "test")]
        faces[name] = _write(study, f"{name}-{habit:g}", *parts)
    for name, corpus, rows in (("reversed", pool, ~taught), ("rooms", rooms, np.ones(len(rooms), bool))):
        # The people of `rooms` stand in the rooms of those of `people`, in the same order.
        known = keep_habits(
            corpus.labels[rows], corpus.subject_indices[rows], signs, habit=-study.habit, most=study.most
        )
        faces[name] = _write(study, f"{name}-{study.habit:g}", (_labelled(corpus, rows, known), "test"))
    return faces


_CORPORA = ("people", "validation", "test", "rooms")


def _labelled(manifest: Manifest, rows: Bool[np.ndarray, "faces"], labels: np.ndarray) -> Manifest:
    """Return some faces with other labels."""
    chosen = manifest.select(rows)
    columns = [
        pl.Series(code, column).replace(-1, None).cast(pl.Int8)
        for code, column in zip(chosen.action_units.codes, labels.T, strict=True)
    ]
    return replace(chosen, table=chosen.table.with_columns(columns))


def _write(study: Study, name: str, *parts: tuple[Manifest, str]) -> Path:
    """Join parts of a corpus, each under its name in the column `split`, to one manifest."""
    path = study.out / "faces" / f"{name}.parquet"
    tables = []
    for manifest, part in parts:
        where = str(manifest.root.resolve())
        kept = [column for column in manifest.table.columns if not column.startswith(("nuisance_", "AU"))]
        table = manifest.table.select(*kept, *manifest.action_units.codes)
        tables.append(table.with_columns(pl.concat_str(pl.lit(where + "/"), IMAGE).alias(IMAGE), split=pl.lit(part)))
    whole = pl.concat(tables, how="diagonal_relaxed")
    return write_manifest(replace(parts[0][0], table=whole, origin=None), path)


def _jobs(study: Study, recipe: Recipe, faces: Mapping[str, Path], arm: str, seed: int, results: Results) -> list[Job]:
    """Plan an arm's trainings with one seed: with every strength for the first seed, with the chosen one later."""
    plan = ARMS[arm]
    strengths: Sequence[float | None] = plan.strengths or (None,)
    if arm in results.strengths:
        strengths = (results.strengths[arm],)
    jobs = []
    for strength in strengths:
        changes: dict[str, Any] = {
            "name": f"{recipe.name}: {arm}",
            "data.manifest": str(faces["habits" if plan.habits else "no-habits"]),
            "runtime.seed": seed,
            "runtime.threads": 1,
            "training.epochs": study.epochs or recipe.training.epochs,
        }
        changes |= plan.changes
        changes |= {} if strength is None else {"objective.strength": strength}
        named = arm.replace(", ", "-").replace(" ", "-") + ("" if strength is None else f"-{strength:g}")
        folder = study.out / f"{named}-seed-{seed}"
        jobs.append(Job(arm=arm, strength=strength, seed=seed, recipe=change_recipe(recipe, changes), folder=folder))
    return jobs


def _train(study: Study, recipe: Recipe, jobs: Sequence[Job]) -> None:
    runs = [PlannedRun(name=job.folder.name, recipe=job.recipe, folder=job.folder) for job in jobs]
    if failures := train_runs(runs, choose_slots(recipe, jobs=study.jobs), study.out / "logs"):
        raise FacskitError(f"{len(failures)} of {len(runs)} trainings failed: {failures}")


def _test(faces: Mapping[str, Path], job: Job, results: Results) -> None:
    """Test a network on everything, probe it, and add what was found."""
    said = {"new": Predictions.load(job.folder / PREDICTIONS)}
    for name in ("reversed", "rooms"):
        folder = job.folder / name
        if not (folder / "results.json").is_file():
            evaluate(job.folder / "weights.safetensors", str(faces[name]), folder, device="cpu", known_people="allow")
        said[name] = Predictions.load(folder / PREDICTIONS)
    results.tested.setdefault(job.arm, []).append(said)
    results.probes.setdefault(job.arm, []).append(_probe(faces["reversed"], job.folder))
    results.strengths[job.arm] = job.strength


def _probe(manifest: Path, folder: Path) -> float:
    """Return how many of the faces that weren't trained on a linear classifier of the people names rightly."""
    file = folder / "probe.json"
    if not file.is_file():
        model, info = load_checkpoint(folder / "weights.safetensors")
        faces = read_manifest(manifest, info.action_units)
        preparation = Preparation(recipe=info.crop, normalization=info.normalization)
        loader = eval_loader(FaceDataset(faces, preparation), LoaderConfig())
        features = extract_features(model.eval(), loader.batches(0)).values
        write_text(file, json.dumps({"accuracy": probe_identity(features, faces.subjects).accuracy}) + "\n")
    return float(json.loads(file.read_text())["accuracy"])


def _f1(said: Predictions, *, chosen: bool) -> float:
    """Return the macro F1 at 0.5, or at the thresholds chosen on validation people."""
    read = said if chosen else replace(said, thresholds=np.full_like(said.thresholds, 0.5))
    return float(read.scores().macro("f1").value)


def _numbers(results: Results) -> dict[str, Any]:
    """Return everything that was measured, to be read by programs: each list has an entry per seed."""
    found = {}
    for arm, seeds in results.tested.items():
        scores: dict[str, Any] = {f"roc_auc_{test}": [macro_auc(said[test]) for said in seeds] for test in TESTS}
        scores["f1_at_half"] = [_f1(said["new"], chosen=False) for said in seeds]
        scores["f1_at_chosen"] = [_f1(said["new"], chosen=True) for said in seeds]
        found[arm] = scores | {"probe": results.probes[arm], "strength": results.strengths[arm]}
    return found


def _table(study: Study, results: Results) -> TextTable:
    """Return the table of everything that is finished."""
    rows = []
    for arm, scores in _numbers(results).items():
        row = [arm if scores["strength"] is None else f"{arm} {scores['strength']:g}", str(len(scores["probe"]))]
        row += [spread_cell(scores[name]) for name in ("roc_auc_new", "f1_at_half", "f1_at_chosen", "roc_auc_reversed")]
        row += [spread_cell(scores["roc_auc_rooms"]), spread_cell(scores["probe"])]
        row += ["", ""] if arm == PLAIN else [_gain(results, arm, "new"), _gain(results, arm, "reversed")]
        rows.append(tuple(row))
    return TextTable(
        title=f"Habits of strength {study.habit:g}",
        header=(
            "arm, strength",
            "seeds",
            "new people: ROC-AUC",
            "F1 at 0.5",
            "F1 at chosen",
            "reversed: ROC-AUC",
            "rooms: ROC-AUC",
            "probe",
            "new against plain",
            "reversed against plain",
        ),
        rows=tuple(rows),
        notes=(
            _gate(results),
            *(f"{name}: {meaning}" for name, meaning in TESTS.items()),
            "all in percent, mean (lowest to highest); differences of ROC-AUC with 95 % intervals, people resampled",
        ),
    )


def _gain(results: Results, arm: str, test: str) -> str:
    """Say how much better an arm is than the plain one, over the seeds that both have."""
    pairs = list(zip(results.tested[arm], results.tested[PLAIN], strict=False))
    ours, plain = [pair[0][test] for pair in pairs], [pair[1][test] for pair in pairs]
    return auc_difference(ours, plain).in_points()


def _gate(results: Results) -> str:
    """Say whether habits mislead the plain network, by 8 points of ROC-AUC at least."""
    lost = [
        100 * (macro_auc(without["reversed"]) - macro_auc(with_habits["reversed"]))
        for without, with_habits in zip(results.tested[NO_HABITS], results.tested[PLAIN], strict=False)
    ]
    mean = float(np.mean(lost))
    verdict = "there is a shortcut" if mean >= _GATE else "there is no shortcut to close"
    return f"gate: habits cost the plain network {mean:.1f} points under reversed habits; {_GATE:g} asked: {verdict}"


_GATE = 8.0


if __name__ == "__main__":
    run_study(main, Study)
