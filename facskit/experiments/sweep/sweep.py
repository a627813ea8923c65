"""Sweeps: one recipe trained with every combination of some values, over seeds and folds, scored in one table.

```text
sweep/
  recipe.yaml                     what all runs have in common
  objective.strength=0.5/         a point of the grid
    fold-1-seed-0/                a run, as `facskit train` makes it
  stages/                         stages that points share, for objectives that have any
  logs/                           what the runs' processes said
  results.md, .json, .csv         one row per point
  curves.png                      validation F1 over epochs, if subjects were set aside for validation
  gamma.png                       F1 over gamma with the weights, if the gamma of causal intervention was swept
```

A sweep that broke off goes on when it is called again, and one that is called with more values, seeds or folds trains
only what is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facskit.datasets.folds_config import FoldsConfig
from facskit.errors import DatasetError, RecipeError
from facskit.experiments.data_check import check_data
from facskit.experiments.intervention.stages import share_stages
from facskit.experiments.opened_data import OpenedData
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import describe_difference, format_recipe
from facskit.experiments.run_tree import STAGES, run_name
from facskit.experiments.sweep.grid import GridPoint, make_grid
from facskit.experiments.sweep.parallel_runs import PlannedRun, choose_slots, train_runs
from facskit.experiments.sweep.pictures import draw_sweep
from facskit.experiments.sweep.report import SweepReport, build_sweep_report, write_sweep_report
from facskit.training.run_directory import RunDirectory, claim_folder

__all__ = ["Sweep", "plan_sweep", "run_sweep"]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What is trained, and where."""

    recipe: Recipe
    """What all runs have in common."""
    points: tuple[GridPoint, ...]
    """The grid."""
    seeds: tuple[int, ...]
    """Seeds of every point."""
    folds: tuple[int, ...]
    """Folds of every point."""
    out: Path
    """Folder of the sweep."""

    def runs(self, point: GridPoint) -> list[PlannedRun]:
        """Return the runs of a point, fold by fold for each seed."""
        runs = []
        for seed in self.seeds:
            for fold in self.folds:
                recipe, stages = share_stages(point.recipe.of_run(fold, seed), self.out / STAGES)
                folder = run_name(fold, seed)
                runs.append(
                    PlannedRun(
                        name=f"{point.name}, fold {fold}, seed {seed}",
                        recipe=recipe,
                        folder=self.out / point.folder / folder,
                        shared=None if stages is None else stages / folder,
                    )
                )
        return runs


def plan_sweep(
    recipe: Recipe,
    swept: Mapping[str, Sequence[Any]],
    out: Path,
    *,
    seeds: Sequence[int] = (),
    folds: Sequence[int] | None = (),
) -> Sweep:
    """Lay out a sweep and check that it can be carried out.

    Args:
        swept: Values by key, for example `{"objective.strength": (0.0, 0.5)}`; without any, seeds and folds are swept.
        seeds: Seeds of every point; those of the recipe's evaluation if empty.
        folds: Folds of every point, from 1; the recipe's fold if empty, all if None.

    Raises:
        RecipeError: A key, a value, a seed or a fold is impossible.
        DatasetError: The faces are missing or wrong, or nobody is left out to test on.
    """
    if recipe.data.expression_set is not None:
        raise RecipeError("data.expressions: sweeps score action units; train recipes of expressions one by one")
    points = make_grid(recipe, swept)
    parts = OpenedData.read(recipe.data).folds
    chosen = tuple(range(1, len(parts) + 1)) if folds is None else tuple(folds) or (recipe.data.fold,)
    if unknown := [fold for fold in chosen if not 1 <= fold <= len(parts)]:
        raise RecipeError(f"--folds: found {unknown[0]}, expected folds from 1 to {len(parts)} of data.folds")
    if any(not len(parts[fold - 1].test) for fold in chosen):
        raise DatasetError("a sweep compares test scores, but data.folds leaves nobody out to test on")
    seeds = tuple(seeds) or recipe.evaluation.seeds
    for name, numbers in (("--seeds", seeds), ("--folds", chosen)):
        if len(set(numbers)) != len(numbers) or min(numbers) < 0:
            shown = ",".join(map(str, numbers))
            raise RecipeError(f"{name}: found {shown}, expected different numbers from 0")
    return Sweep(recipe=recipe, points=points, seeds=seeds, folds=chosen, out=out)


def run_sweep(sweep: Sweep, *, jobs: int = 0, devices: Sequence[str] = ()) -> SweepReport:
    """Train what isn't trained yet, then score everything together.

    Args:
        jobs: Runs at a time; 0 for one per GPU, or one per core of the processor.
        devices: Numbers of the GPUs to use; all there are if empty.

    Returns:
        The report, which is also written to the sweep's folder; its `failures` say which runs failed.

    Raises:
        RecipeError: The folder belongs to a sweep of another recipe, or a device isn't there.
        DatasetError: A run there was trained with other data than the recipe's now, or no run was finished.
    """
    slots = choose_slots(sweep.recipe, jobs=jobs, devices=devices)
    planned = {point: sweep.runs(point) for point in sweep.points}
    _check_data([run for runs in planned.values() for run in runs])
    claim_folder(sweep.out, format_recipe(sweep.recipe), describe_difference)
    # Seed by seed, so that a sweep that is looked at early has something of every point.
    order = [run for runs in zip(*planned.values(), strict=True) for run in runs]
    failures = train_runs(order, slots, sweep.out / "logs")
    report = build_sweep_report(planned, failures, title=sweep.recipe.name)
    write_sweep_report(report, sweep.out, draw_sweep(report, sweep.out))
    return report


def _check_data(runs: Sequence[PlannedRun]) -> None:
    """Refuse a sweep some of whose runs were trained with other data: one table would set them side by side."""
    opened: dict[tuple[str, str, str, FoldsConfig], OpenedData] = {}
    for run in runs:
        if not run.folder.exists():
            continue
        data = run.recipe.data
        key = (data.manifest, data.action_units, data.expressions, data.folds)
        if key not in opened:
            opened[key] = OpenedData.read(data)
        check_data(RunDirectory(run.folder), opened[key].record(data.fold))
