"""`facskit train RECIPE`: one model, trained as a recipe says and tested on the subjects it leaves out."""

from collections.abc import Sequence

from rich.console import Console

from facskit.experiments.train import train
from facskit.interfaces.recipe_command import read_command
from facskit.interfaces.report_printing import print_networks, print_protocols, print_report

__all__ = ["main"]


def main(words: Sequence[str]) -> int:
    """Parse the command's words, train, and say where the results are; return the exit code."""
    command = read_command(words, "train", "Train one model as a recipe says; a run that broke off goes on.")
    weights, report = train(command.recipe, command.out)
    if report is not None:
        print_report(report, command.out)
        print_protocols(command.out, command.recipe.evaluation.protocols)
        if command.recipe.objective.stage_names:
            print_networks(command.out)
    Console(highlight=False, soft_wrap=True).print(f"Weights: {weights}")
    return 0
