"""`facskit train RECIPE`: one model, trained as a recipe says and tested on the subjects it leaves out."""

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from facskit.datasets.folds_config import HoldOut
from facskit.errors import RecipeError
from facskit.experiments.train import train
from facskit.interfaces.recipe_command import read_command
from facskit.interfaces.report_printing import print_networks, print_protocols, print_report

__all__ = ["main"]

_PURPOSE = """Train one model as a recipe says; a run that broke off goes on. --folds all trains on everybody, to use
afterwards: nobody is tested on, whatever the recipe's folds are."""


def main(words: Sequence[str]) -> int:
    """Parse the command's words, train, and say where the results are; return the exit code."""
    words, everybody = _without_folds(words)
    command = read_command(words, "train", _PURPOSE)
    recipe = command.recipe
    if everybody:
        if recipe.evaluation.needs_validation:
            raise RecipeError(
                "--folds all leaves nobody to choose on; leave out evaluation's rules on validation people"
            )
        data = replace(recipe.data, folds=HoldOut(test_fraction=0.0, validation_fraction=0.0), fold=1)
        recipe = replace(recipe, data=data)
        Console(highlight=False, soft_wrap=True).print(
            "Trained on everybody: nobody is left to test on; what such networks are worth, a cross-validation says."
        )
    weights, report = train(recipe, command.out)
    if report is not None:
        print_report(report, command.out)
        print_protocols(command.out, recipe.evaluation.protocols)
        if recipe.objective.stage_names:
            print_networks(command.out)
    Console(highlight=False, soft_wrap=True).print(f"Weights: {weights}")
    return 0


def _without_folds(words: Sequence[str]) -> tuple[list[str], bool]:
    """Take `--folds all` out of the words, and say whether it was there."""
    joined = [part for word in words for part in (word.split("=", 1) if word.startswith("--folds=") else [word])]
    if "--folds" not in joined:
        return list(words), False
    place = joined.index("--folds")
    if joined[place + 1 : place + 2] != ["all"]:
        found = joined[place + 1] if place + 1 < len(joined) else "nothing"
        raise RecipeError(f"--folds: found {found!r}, expected all; a recipe's own folds are options of data.folds")
    return joined[:place] + joined[place + 2 :], True
