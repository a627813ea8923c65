"""`facskit cross-validate RECIPE`: train and test on subject-exclusive folds, then print one table."""

from collections.abc import Sequence

from facskit.experiments.train import cross_validate
from facskit.interfaces.recipe_command import read_command
from facskit.interfaces.report_printing import print_networks, print_protocols, print_report

__all__ = ["main"]


def main(words: Sequence[str]) -> int:
    """Parse the command's words, train every fold, and print the table; return the exit code."""
    purpose = "Train and test on subject-exclusive folds; a run that broke off goes on."
    command = read_command(words, "cross-validate", purpose)
    report = cross_validate(command.recipe, command.out)
    if report is not None:
        print_report(report, command.out)
        print_protocols(command.out, command.recipe.evaluation.protocols)
        if command.recipe.objective.stage_names:
            print_networks(command.out)
    return 0
