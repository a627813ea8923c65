"""Printing of reports in the terminal, the same for every command that makes one."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facskit.evaluation.expressions.reports import ExpressionReport
from facskit.evaluation.protocol_scores import score_protocols
from facskit.evaluation.protocols import ProtocolName
from facskit.evaluation.reports import Report
from facskit.experiments.analysis.networks_report import networks_table, score_networks
from facskit.experiments.run_tree import runs_in

__all__ = ["print_networks", "print_protocols", "print_report", "print_tables", "table_console"]

_WIDTH_IN_FILES = 140
_NEAR_CHANCE = 0.6
"""ROC-AUC below which a teacher is called no better than guessing."""


def print_report(report: Report | ExpressionReport, folder: Path) -> None:
    """Print the table and where the results are."""
    beside = "results.json, confusion.png" if isinstance(report, ExpressionReport) else "results.json"
    print_tables([report.to_terminal()], folder, f"{beside} and predictions.parquet")


def print_protocols(folder: Path, names: Sequence[ProtocolName]) -> None:
    """Print the same training under every protocol that its recipe names."""
    if names:
        scores = score_protocols(runs_in(folder) or [folder], names)
        table_console().print(scores.to_table().to_terminal())


def print_tables(tables: Sequence[Table], folder: Path | None, beside: str) -> None:
    """Print tables, and where the results are if they were written: `results.md`, with other files beside it."""
    console = table_console()
    for table in tables:
        console.print(table)
    if folder is not None:
        console.print(f"Results: {escape(str(folder / 'results.md'))}, {beside} beside it", soft_wrap=True)


def print_networks(folder: Path) -> None:
    """Print the networks of a training by causal intervention side by side, and where they are."""
    console = table_console()
    networks = score_networks(folder)
    console.print(networks_table(networks).to_terminal())
    console.print(f"Results of all networks by action unit: {folder / 'networks.md'}", soft_wrap=True)
    for teacher, result in networks[:-1]:
        score = result.macro("roc_auc").mean.value
        if score < _NEAR_CHANCE:
            sentence = f"The {teacher.name} network is near chance (ROC-AUC {100 * score:.1f} %; guessing has 50 %)"
            console.print(f"{sentence}, so the last network learned next to nothing from it.", soft_wrap=True)


def table_console() -> Console:
    """Return where tables are printed: as wide as the terminal, and wide enough for all columns in a file or pipe."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_IN_FILES)
