"""Training by a recipe: one fold as `facskit train` does it, or every fold with every seed as `cross-validate` does."""

from pathlib import Path

from facskit.errors import DatasetError
from facskit.evaluation.expressions.reports import ExpressionReport
from facskit.evaluation.reports import Report
from facskit.experiments.analysis.networks_report import score_networks, write_networks
from facskit.experiments.data_check import check_data
from facskit.experiments.intervention.stages import train_fold
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import describe_difference, format_recipe
from facskit.experiments.run_tree import run_name
from facskit.experiments.scoring import PREDICTIONS, scoring_of
from facskit.experiments.session import Session
from facskit.training.run_directory import RunDirectory, claim_folder

__all__ = ["cross_validate", "train"]


def train(recipe: Recipe, out: Path) -> tuple[Path, Report | ExpressionReport | None]:
    """Train the recipe's fold and test it on the subjects left out; a run that broke off goes on.

    Returns:
        The weight file and the report, which is also written to `results.md` and `results.json`; there is no report if
        the recipe leaves nobody out.

    Raises:
        RecipeError: The folder belongs to another recipe, or the machine isn't what the recipe asks for.
        DatasetError: The faces are missing or wrong, or others than the run began with.
        FacskitError: The loss is no longer a number, or somebody asked the run to stop.
    """
    session = Session.open(recipe)
    run = train_fold(recipe, out, session, root=out)
    if not (session.fabric.is_global_zero and (out / PREDICTIONS).exists()):
        return run.weights, None
    return run.weights, _report(recipe, session, [out], out)


def cross_validate(recipe: Recipe, out: Path) -> Report | ExpressionReport | None:
    """Train every fold with every seed, each in its own folder, and score all together; goes on where it stopped.

    Args:
        recipe: The whole experiment; its `data.fold` and `runtime.seed` are replaced run by run.
        out: Folder of the cross-validation; a run's folder in it is called `fold-1-seed-0`.

    Returns:
        The report, which is also written to `results.md` and `results.json`; None in all but the main process.

    Raises:
        RecipeError: The folder belongs to another recipe, or the machine isn't what the recipe asks for.
        DatasetError: The faces are missing or wrong, or others than a run began with, or the recipe leaves nobody out.
        FacskitError: The loss is no longer a number, or somebody asked the run to stop.
    """
    session = Session.open(recipe)
    if not all(len(fold.test) for fold in session.folds):
        raise DatasetError("A cross-validation needs test subjects in every fold; found a fold without any.")

    def claim() -> None:
        claim_folder(out, format_recipe(recipe), describe_difference)

    runs = [(fold.index, seed) for seed in recipe.evaluation.seeds for fold in session.folds]
    folders = [out / run_name(fold, seed) for fold, seed in runs]
    for (fold, _), folder in zip(runs, folders, strict=True):  # all before the first training, which may take days
        check_data(RunDirectory(folder), session.record(fold))
    for (fold, seed), folder in zip(runs, folders, strict=True):
        train_fold(recipe.of_run(fold, seed), folder, session, root=out, claim=claim)
    if not session.fabric.is_global_zero:
        return None
    return _report(recipe, session, folders, out)


def _report(recipe: Recipe, session: Session, runs: list[Path], out: Path) -> Report | ExpressionReport:
    report = scoring_of(recipe, session).report(runs, out)
    if recipe.objective.stage_names:
        write_networks(score_networks(out), out)
    return report
