"""Does identity adversarial training help? `python -m studies.identity` trains matched arms where the shortcut exists.

Needs the rendered corpora that docs/studies/identity.md names. Every training is a run that can be resumed, so the
study can be stopped and started again.
"""

import json
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from jaxtyping import Float32
from rich.console import Console

from facskit.datasets.face_dataset import FaceDataset, Preparation
from facskit.datasets.loaders import LoaderConfig, eval_loader
from facskit.datasets.manifest import read_manifest
from facskit.errors import FacskitError
from facskit.evaluation.bootstrap import BootstrapConfig, bootstrap_difference
from facskit.evaluation.features import extract_features
from facskit.evaluation.identity.probe import IdentityProbeConfig, probe_identity
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.predictions import Predictions
from facskit.experiments.analysis.weight_scores import evaluate
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import read_recipe
from facskit.experiments.sweep.grid import change_recipe
from facskit.experiments.sweep.parallel_runs import PlannedRun, choose_slots, train_runs
from facskit.files import write_text
from facskit.models.checkpoints import load_checkpoint
from facskit.tables import TextTable
from facskit.training.metrics_file import read_metrics
from studies.identity_figures import draw_study

ARMS: dict[str, dict[str, Any]] = {"FMAE": {"objective.stop_gradient": True}, "FMAE-IAT": {}}
"""Matched arms: they differ in the reversal alone. FMAE's subject head learns too, behind a stop-gradient; what the two
share is the length to which gradients are cut, as one vector."""


_RELEASED = {"objective.loss": "bce_one_hot", "objective.head_rate": 1.0, "objective.schedule": "constant"}
EXPLORED: dict[str, dict[str, Any]] = {
    "FMAE": ARMS["FMAE"],
    **{
        f"released loss, strength {strength:g}": _RELEASED | {"objective.strength": strength}
        for strength in (0.02, 0.1, 2)
    },
    "released loss, strength 0.1, warm-up": _RELEASED | {"objective.schedule": "warm-up"},
    "released loss, strength 0.1, 3 layers": _RELEASED | {"objective.head_depth": 3},
    "softmax, strength 0.1, rate 1": {"objective.head_rate": 1.0},
    "softmax, strength 0.03, rate 3": {"objective.strength": 0.03},
    "softmax, strength 0.1, rate 3": {},
}
"""What `--explore` tries, by what it changes in the recipe."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What to train and probe."""

    recipe: Path = Path("recipes/rendered/shortcut.yaml")
    """The training; its manifest, seed and arm are replaced run by run."""
    data: Path = Path("data/shortcut")
    """Folder of the corpora `people-10`, ... and `test`."""
    out: Path = Path("runs/studies/identity")
    """Folder of the study."""
    subjects: tuple[int, ...] = (10, 20, 40, 80)
    """Numbers of people to train on; all corpora have as many images."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of each training."""
    explore: bool = False
    """Try other reversals instead, and test on the people of `validation`: to choose by, so `test` isn't touched."""
    new_people: bool = False
    """Whether every network is probed on the people tested on too, or that of the first seed alone."""
    jobs: int = 2
    """Trainings at a time, each in a process of one thread."""

    @property
    def tested(self) -> Path:
        """Manifest of the people to test on: others when something is to be chosen by the result."""
        return self.data / ("validation" if self.explore else "test") / "manifest.parquet"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training."""

    arm: str
    subjects: int
    seed: int
    recipe: Recipe
    folder: Path


def main(study: Study) -> None:
    """Run the whole study and say where its results are."""
    console = Console(highlight=False, soft_wrap=True)
    recipe = read_recipe(study.recipe, Recipe)
    wanted = product(study.subjects, study.seeds, _arms(study))
    jobs = [_job(study, recipe, arm, (number, seed)) for number, seed, arm in wanted]
    runs = [PlannedRun(name=job.folder.name, recipe=job.recipe, folder=job.folder) for job in jobs]
    if failures := train_runs(runs, choose_slots(recipe, jobs=study.jobs), study.out / "logs"):
        raise FacskitError(f"{len(failures)} of {len(runs)} trainings failed: {failures}")
    rows = []
    for job in jobs:
        rows.append(_score(study, job))
        console.print(f"{job.folder.name}: macro F1 {rows[-1]['f1']:.1%}, probe {rows[-1]['probe_known']:.1%}")
    groups = [_compare(study, jobs, number) for number in study.subjects]
    write_text(study.out / "results.json", json.dumps({"trainings": rows, "comparisons": groups}, indent=2) + "\n")
    tables = [_table(study, rows, number) for number in study.subjects] + [_differences(groups)]
    write_text(study.out / "results.md", "\n".join(table.to_markdown() for table in tables))
    draw_study(rows, study.out / "identity.png")
    console.print((study.out / "results.md").read_text())
    console.print(f"Results: {study.out}/results.md, results.json and identity.png")


def _arms(study: Study) -> dict[str, dict[str, Any]]:
    return EXPLORED if study.explore else ARMS


def _job(study: Study, recipe: Recipe, arm: str, which: tuple[int, int]) -> Job:
    number, seed = which
    manifest = study.data / f"people-{number}" / "manifest.parquet"
    changes: dict[str, Any] = {"data.manifest": str(manifest), "runtime.seed": seed, "runtime.threads": 1}
    if seed == study.seeds[0]:
        changes["training.keep_every"] = 1  # for the curve of the probe over epochs
    folder = study.out / f"people-{number}-{arm.replace(', ', '-').replace(' ', '-')}-seed-{seed}"
    changed = change_recipe(recipe, changes | _arms(study)[arm])
    return Job(arm=arm, subjects=number, seed=seed, recipe=changed, folder=folder)


def _score(study: Study, job: Job) -> dict[str, Any]:
    """Test a trained network on new people, probe it, and return a row of the result table."""
    file = job.folder / "scores.json"
    if not file.is_file():
        predictions = _tested(study, job)
        scores = predictions.scores()
        last = [record for record in read_metrics(job.folder / "metrics.jsonl") if record["kind"] == "epoch"][-1]
        row: dict[str, Any] = {"arm": job.arm, "subjects": job.subjects, "seed": job.seed}
        row |= {name: scores.macro(name).value for name in ("f1", "roc_auc")}
        row |= {name: last[name] for name in ("occurrence", "identity", "identity_constant", "identity_accuracy")}
        row |= {name: last[name] for name in ("gradient_occurrence", "gradient_identity")}
        probed = {"known": Path(job.recipe.data.manifest)}
        if study.new_people or job.seed == study.seeds[0]:
            probed["new"] = study.tested
        for name, people in probed.items():
            features, subjects = _features(job, people)
            probe = probe_identity(features, subjects)
            paper = probe_identity(features, subjects, config=IdentityProbeConfig(method="paper"))
            row |= {f"probe_{name}": probe.accuracy, f"chance_{name}": probe.chance, f"paper_{name}": paper.accuracy}
        write_text(file, json.dumps(row, indent=2) + "\n")
    scored: dict[str, Any] = json.loads(file.read_text())
    return scored


def _tested(study: Study, job: Job) -> Predictions:
    folder = job.folder / "tested"
    if not (folder / "results.json").is_file():
        evaluate(job.folder / "weights.safetensors", str(study.tested), folder, device="cpu")
    return replace(found := Predictions.load(folder / "predictions.parquet"), seeds=np.full(len(found), job.seed))


def _features(job: Job, manifest: Path) -> tuple[Float32[np.ndarray, "samples dim"], np.ndarray]:
    """Return the trained network's features of plain crops, and whose they are."""
    model, info = load_checkpoint(job.folder / "weights.safetensors")
    faces = read_manifest(manifest, info.action_units)
    preparation = Preparation(recipe=info.crop, normalization=info.normalization)
    loader = eval_loader(FaceDataset(faces, preparation), LoaderConfig())
    return extract_features(model.eval(), loader.batches(0)).values, faces.subjects


def _compare(study: Study, jobs: list[Job], number: int) -> dict[str, Any]:
    """Compare each arm with the first, over all seeds, by resampling the people tested on."""
    joined = {
        arm: concat([_tested(study, job) for job in jobs if (job.arm, job.subjects) == (arm, number)])
        for arm in _arms(study)
    }
    first, *others = joined
    found: dict[str, Any] = {"subjects": number}
    for other in others:
        gain = bootstrap_difference(joined[first], joined[other], BootstrapConfig())
        found[other] = {"f1": gain.estimate, "low": gain.low, "high": gain.high}
    return found


def _table(study: Study, rows: list[dict[str, Any]], number: int) -> TextTable:
    lines = []
    for arm in _arms(study):
        chosen = [row for row in rows if (row["arm"], row["subjects"]) == (arm, number)]
        cells = [_range(chosen, name, scale, digits) for name, scale, digits in _SHOWN]
        lines.append((arm, *cells, f"{chosen[0]['identity_constant']:.4f}"))
    known, new = (
        next(row[f"chance_{name}"] for row in rows if row["subjects"] == number and f"chance_{name}" in row)
        for name in ("known", "new")
    )
    header = (
        "arm",
        "macro F1",
        "ROC-AUC",
        "probe, known",
        "probe, new",
        "paper's probe",
        "AU loss",
        "identity loss",
        "constant",
    )
    note = f"Chance of the probe: {known:.1%} for the people trained on, {new:.1%} for new ones."
    return TextTable(title=f"{number} people", header=header, rows=tuple(lines), notes=(note,))


_SHOWN = (
    ("f1", 100, 1),
    ("roc_auc", 100, 1),
    ("probe_known", 100, 1),
    ("probe_new", 100, 1),
    ("paper_known", 100, 1),
    ("occurrence", 1, 3),
    ("identity", 1, 4),
)


def _range(rows: list[dict[str, Any]], name: str, scale: float, digits: int) -> str:
    values = [scale * row[name] for row in rows if name in row]
    return f"{np.mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _differences(groups: list[dict[str, Any]]) -> TextTable:
    rows = []
    for group in groups:
        for arm, gain in group.items():
            if arm != "subjects":
                ends = f"{100 * gain['low']:+.1f} to {100 * gain['high']:+.1f}"
                rows.append((str(group["subjects"]), arm, f"{100 * gain['f1']:+.1f}", ends))
    return TextTable(
        title="Macro F1 against FMAE",
        header=("people", "arm", "difference", "95 %"),
        rows=tuple(rows),
        num_text=2,
        notes=("Paired bootstrap over the people tested on, all seeds together.",),
    )


if __name__ == "__main__":
    main(tyro.cli(Study))
