"""Is causal intervention less biased? `python -m studies.causal_intervention` trains CIU and its controls.

Needs the rendered corpora that docs/studies/causal_intervention.md names. The gate comes first: a third network can't
learn from teachers that recognise nothing. Every training is a run that can be resumed, so the study can be stopped and
started again; what is finished is printed after each arm.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console

from facskit.action_units import ActionUnitSet
from facskit.datasets.manifest import read_manifest, write_manifest
from facskit.errors import FacskitError
from facskit.evaluation.bias.numbers import AUGroups, bias_difference, bias_numbers, published_groups
from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.evaluation.calibration import logits_of
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.predictions import Predictions
from facskit.experiments.analysis.weight_scores import evaluate
from facskit.experiments.intervention.stages import stage_folder
from facskit.experiments.opened_data import assemble_folds, assemble_manifest
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import read_recipe
from facskit.experiments.scoring import PREDICTIONS
from facskit.experiments.sweep.grid import change_recipe
from facskit.experiments.sweep.parallel_runs import PlannedRun, choose_slots, train_runs
from facskit.interfaces.report_printing import table_console
from facskit.tables import TextTable, markdown_page, write_results
from studies.command import run_study
from studies.rates import keep_rates, swap_rates
from studies.spread import spread_cell

Profile = Literal["disfa", "bp4d"]

CIU = "CIU"
TEACHERS: tuple[Literal["imbalanced", "balanced"], ...] = ("imbalanced", "balanced")
POST_COMPENSATED = "imbalanced, post-compensated"
"""The imbalanced network with its logits shifted by the log odds of absence in training; needs no training."""
ARMS: Mapping[str, Mapping[str, Any]] = {
    CIU: {},
    "gamma 0": {"objective.gamma": 0.0},
    "weights per AU": {"objective.granularity": "unit"},
    "inverted weights": {"objective.weights": "inverted"},
    "gamma 2": {"objective.gamma": 2.0},
    "TE": {"objective.risks": "imbalanced"},
    "TDE": {"objective.risks": "balanced"},
    "post-compensated teacher": {"objective.balanced_teacher": "post-compensated"},
}
"""Third networks, in the order they are trained, by what they change in the recipe; all have the same teachers."""

TESTS = {
    "same": "new people, as often as in training",
    "balanced": "new people, each action unit in half of the labels",
    "inverted": "new people, the rarest action unit as often as the most frequent one in training, and so on",
}


@dataclass(frozen=True, kw_only=True)
class Study:
    """What to train and test."""

    recipe: Path = Path("recipes/rendered/imbalance.yaml")
    """The training; its manifest, fold, seed and objective are replaced run by run."""
    data: Path = Path("data/imbalance")
    """Folder of the corpora `disfa` or `bp4d`, and `balanced`, which show the same people."""
    out: Path = Path("runs/studies/causal_intervention")
    """Folder of the study."""
    profile: Profile = "disfa"
    """Base rates to train with."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds; each leaves out another fold in turn."""
    arms: tuple[str, ...] = tuple(ARMS)
    """Which third networks to train."""
    epochs: int = 0
    """Passes over the faces; 0 takes the recipe's."""
    jobs: int = 2
    """Trainings at a time, each in a process of one thread; on a GPU they share it."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One third network with its place."""

    seed: int
    recipe: Recipe
    folder: Path


@dataclass(kw_only=True)
class Results:
    """What is finished."""

    rates: dict[int, np.ndarray] = field(default_factory=dict)
    """By seed, how often each action unit is present among the labels trained on."""
    tested: dict[str, dict[str, list[Predictions]]] = field(default_factory=dict)
    """By test and network, what the network of each seed said."""


def main(study: Study) -> None:
    """Run the study arm by arm, all seeds of one at once, and print what is finished after each."""
    if unknown := set(study.arms) - set(ARMS):
        raise FacskitError(f"--arms: found {min(unknown)!r}, expected some of {', '.join(ARMS)}")
    console = Console(highlight=False, soft_wrap=True)
    recipe = read_recipe(study.recipe, Recipe)
    results = Results()
    for arm in study.arms:
        jobs = [_job(study, recipe, arm, seed) for seed in study.seeds]
        runs = [PlannedRun(name=f"{arm} {job.seed}", recipe=job.recipe, folder=job.folder) for job in jobs]
        if failures := train_runs(runs, choose_slots(recipe, jobs=study.jobs), study.out / study.profile / "logs"):
            raise FacskitError(f"{len(failures)} of {len(runs)} trainings failed: {failures}")
        for job in jobs:
            _test(study, job, arm, results)
        numbers = _numbers(study, results)
        tables = [_table(study, results, test, numbers[test]) for test in TESTS]
        write_results(study.out / study.profile, markdown_page(tables), numbers)
        for table in tables:
            table_console().print(table.to_terminal())
    console.print(f"Results: {study.out / study.profile}/results.md and results.json")


def _job(study: Study, recipe: Recipe, arm: str, seed: int) -> Job:
    folder = study.out / study.profile / f"{arm.replace(' ', '-')}-seed-{seed}"
    changes: dict[str, Any] = {
        "name": f"{recipe.name}: {arm}",
        "data.manifest": str(study.data / study.profile / "manifest.parquet"),
        "data.action_units": "disfa-8" if study.profile == "disfa" else "bp4d",
        "data.fold": 1 + seed % 3,
        "runtime.seed": seed,
        "runtime.threads": 1,
        "training.epochs": study.epochs or recipe.training.epochs,
        "objective.stages": str(study.out / study.profile / "stages"),
    }
    return Job(seed=seed, recipe=change_recipe(recipe, changes | dict(ARMS[arm])), folder=folder)


def _test(study: Study, job: Job, arm: str, results: Results) -> None:
    """Test a network, and with the first arm its teachers too, and add what they say."""
    tests = _Tests(study, job)
    networks = {arm: job.folder}
    if arm == study.arms[0]:
        results.rates[job.seed] = tests.rates
        stages = study.out / study.profile / "stages"
        networks = {
            name: stage_folder(job.recipe, stages, name) for name in job.recipe.objective.stage_names
        } | networks
    for name, folder in networks.items():
        for test in TESTS:
            said = tests.of(folder, test)
            results.tested.setdefault(test, {}).setdefault(name, []).append(said)
            if name == "imbalanced":
                shifted = results.tested[test].setdefault(POST_COMPENSATED, [])
                shifted.append(_post_compensated(said, tests.rates))


class _Tests:
    """The faces of the people whom a seed leaves out."""

    def __init__(self, study: Study, job: Job) -> None:
        self.study, self.job = study, job
        manifest = assemble_manifest(job.recipe.data)
        fold = assemble_folds(job.recipe.data, manifest)[job.recipe.data.fold - 1]
        self.units: ActionUnitSet = manifest.action_units
        self.people = fold.test_subjects
        labels = manifest.labels[fold.train]
        self.rates = (labels == 1).sum(axis=0) / (labels >= 0).sum(axis=0)

    @cached_property
    def other_rates(self) -> Path:
        """The manifest of these people's pictures in which every action unit is frequent."""
        path = self.study.out / self.study.profile / f"balanced-fold-{self.job.recipe.data.fold}.parquet"
        if not path.is_file():
            whole = read_manifest(self.study.data / "balanced" / "manifest.parquet", self.units)
            write_manifest(whole.select(np.isin(whole.subjects, self.people)), path)
        return path

    def of(self, folder: Path, test: str) -> Predictions:
        """Return what the network of a folder says in one of the tests.

        Each seed leaves out another fold, so the seed's number stands for it: scores are means over the seeds.
        """
        own = Predictions.load(folder / PREDICTIONS)
        said = own
        if test != "same":
            tested = folder / "other-rates"
            if not (tested / "results.json").is_file():
                evaluate(folder / "weights.safetensors", str(self.other_rates), tested)
            rates = np.full(len(self.units), 0.5) if test == "balanced" else swap_rates(self.rates)
            said = Predictions.load(tested / PREDICTIONS)
            said = replace(said, labels=keep_rates(said.labels, rates), protocol=own.protocol)
        return replace(said, folds=np.full(len(said), self.job.seed + 1), seeds=np.zeros(len(said), np.int64))


def _post_compensated(said: Predictions, rates: np.ndarray) -> Predictions:
    """Return what the imbalanced network would say if every action unit had been as often present as absent."""
    shift = np.log((1 - rates) / rates)

    def shifted(probabilities: np.ndarray) -> np.ndarray:
        found: np.ndarray = (1 / (1 + np.exp(-logits_of(probabilities) - shift))).astype(np.float32)
        return found

    return replace(said, probabilities=shifted(said.probabilities), thresholds=shifted(said.thresholds))


def _at_half(said: Predictions) -> Predictions:
    return replace(said, thresholds=np.full_like(said.thresholds, 0.5))


def _numbers(study: Study, results: Results) -> dict[str, Any]:
    """Return everything that was measured, to be read by programs: each list has an entry per seed."""
    found: dict[str, Any] = {"rates": {seed: rates.tolist() for seed, rates in results.rates.items()}}
    for test, arms in results.tested.items():
        found[test] = {}
        for arm, seeds in arms.items():
            scores: dict[str, Any] = {}
            scores["roc_auc"] = [float(said.scores().macro("roc_auc").value) for said in seeds]
            scores["f1_at_half"] = [_at_half(said).macro_f1() for said in seeds]
            scores["f1_at_chosen"] = [said.macro_f1() for said in seeds]
            scores["calibration_error"] = [float(said.scores().macro("calibration_error").value) for said in seeds]
            scores |= _bias(study, results, test, arm)
            found[test][arm] = scores
    return found


def _bias(study: Study, results: Results, test: str, arm: str) -> dict[str, Any]:
    """Return the bias at 0.5 of an arm over all seeds, and how CIU differs from it; estimate, low and high of each."""
    rates, groups = np.mean(list(results.rates.values()), axis=0), _groups(study, results)
    said, bootstrap = concat([_at_half(each) for each in results.tested[test][arm]]), BootstrapConfig()
    numbers = bias_numbers(said, rates, groups.head, groups.tail, bootstrap)
    found = {name: _ends(getattr(numbers, name)) for name in ("head_f1", "tail_f1", "spread")}
    ours = results.tested[test].get(CIU, [])
    if arm != CIU and len(ours) == len(results.tested[test][arm]):
        ciu = concat([_at_half(each) for each in ours])
        gains = bias_difference(said, ciu, rates, groups.head, groups.tail, bootstrap)
        found |= {f"ciu_minus_it_{name}": _ends(getattr(gains, name)) for name in ("macro_f1", "spread")}
    return found


def _ends(interval: Any) -> list[float]:  # noqa: ANN401 -- an interval of either kind
    return [interval.estimate, interval.low, interval.high]


def _groups(study: Study, results: Results) -> AUGroups:
    units = results.tested["same"]["imbalanced"][0].action_units
    groups = published_groups(study.profile, units)
    assert groups is not None  # both profiles' papers name theirs
    return groups


def _table(study: Study, results: Results, test: str, numbers: Mapping[str, Any]) -> TextTable:
    """Return the table of one test, of the numbers of its networks."""
    rows = []
    for arm, scores in numbers.items():
        row = [arm, str(len(scores["roc_auc"]))]
        row += [spread_cell(scores[name]) for name in ("roc_auc", "f1_at_half", "f1_at_chosen")]
        row += [f"{100 * scores[name][0]:.1f}" for name in ("head_f1", "tail_f1")]
        row += [f"{scores['spread'][0]:.2f}", spread_cell(scores["calibration_error"])]
        row += [_difference(scores, "macro_f1", 100, 1), _difference(scores, "spread", 1, 2)]
        rows.append(tuple(row))
    groups = _groups(study, results)
    head, tail = (", ".join(unit.code for unit in units) for units in (groups.head, groups.tail))
    return TextTable(
        title=f"{study.profile.upper()}'s rates: {TESTS[test]}",
        header=(
            "network",
            "seeds",
            "ROC-AUC",
            "F1 at 0.5",
            "F1 at chosen",
            "head F1",
            "tail F1",
            "spread",
            "ECE",
            "F1 of CIU minus it",
            "spread of CIU minus it",
        ),
        rows=tuple(rows),
        notes=(
            _gate(results),
            f"head {head}; tail {tail}; their F1 and the spread of log2(predicted / present) over AUs are at 0.5",
            "in percent but for the spread; mean (lowest to highest seed); differences with 95 % intervals, people "
            "resampled; chosen: for each AU on validation people, who act as in training",
        ),
    )


def _gate(results: Results) -> str:
    """Say whether the imbalanced network recognises enough to teach."""
    mean = 100 * float(np.mean([_at_half(said).macro_f1() for said in results.tested["same"]["imbalanced"]]))
    verdict = "passed" if mean > _GATE else "failed: the third network's teachers recognise too little"
    found = f"the imbalanced network has {mean:.1f} macro F1 at 0.5 on new people"
    return f"gate: {found}; more than {_GATE:g} asked: {verdict}"


_GATE = 50.0


def _difference(scores: Mapping[str, Any], name: str, scale: float, digits: int) -> str:
    ends = scores.get(f"ciu_minus_it_{name}")
    if ends is None:
        return ""
    estimate, low, high = (scale * end for end in ends)
    return f"{estimate:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


if __name__ == "__main__":
    run_study(main, Study)
