"""How a report is shown in the terminal, the same for every command that makes one."""

from pathlib import Path

from rich.console import Console

from facskit.evaluation.expression_reports import ExpressionReport
from facskit.evaluation.reports import Report

__all__ = ["print_report"]

_WIDTH_IN_FILES = 140


def print_report(report: Report | ExpressionReport, folder: Path) -> None:
    """Print the table and where the results are.

    Args:
        report: What to print.
        folder: Where `results.md` and the files beside it are.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH_IN_FILES)
    console.print(report.to_table())
    beside = "results.json, confusion.png" if isinstance(report, ExpressionReport) else "results.json"
    console.print(f"Results: {folder / 'results.md'}, {beside} and predictions.parquet beside it", soft_wrap=True)
