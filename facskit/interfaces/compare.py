"""`facskit compare A B`: say whether runs differ, or how far the result tables of two tools agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from facskit.datasets.corpora.lists.foreign_tables import guess_table
from facskit.datasets.corpora.lists.table_cells import ENDINGS
from facskit.errors import RecipeError
from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.experiments.analysis.comparison import ComparisonReport, compare_networks
from facskit.experiments.analysis.table_comparison import TableComparison, compare_tables
from facskit.experiments.analysis.tool_tables import ToolTable, read_tool_table
from facskit.experiments.analysis.trained_networks import find_networks
from facskit.experiments.run_tree import split_name
from facskit.interfaces.report_printing import print_tables

__all__ = ["CompareCommand", "main"]


@dataclass(frozen=True, kw_only=True)
class CompareCommand:
    """Say whether models differ that were tested on the same faces: F1, ROC-AUC, and the F1 of each AU.

    Each model is the folder of a run, of a cross-validation or of a point of a sweep, or a predictions file; NAME=PATH
    gives it a name. All are compared with the first. The intervals draw test subjects, the same for both models.

    Two result tables (facskit's, OpenFace's, py-feat's, LibreFace's) of the same videos or pictures are compared as
    tools: how far their decisions and scores agree on the action units that both know and, with --labels, which of
    them is right.

    Examples:
      facskit compare fmae=runs/fmae_iat_tiny-0 iat=runs/fmae_iat_tiny -o runs/comparison
      facskit compare result.csv openface=processed/interview.csv
      facskit compare result.csv pyfeat=fex.csv --labels coded.csv
    """

    models: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[NAME=]PATH ...")]
    """Two models or more."""
    out: Annotated[Path, tyro.conf.arg(aliases=("-o",), metavar="DIR")] = Path("runs/comparison")
    """Folder for results.md and results.json."""
    labels: Path | None = None
    """For result tables: what people coded, a table with a column `input`, for videos `frame` (from 0), and columns
    such as AU12 with 1, 0 or nothing."""
    stages: bool = False
    """Compare the networks of a causal intervention's stages too: imbalanced, balanced, unbiased."""
    bootstrap: BootstrapConfig = BootstrapConfig()  # noqa: RUF009 (frozen)
    """How subjects are resampled."""


def main(words: Sequence[str]) -> int:
    """Parse the command's words, compare, and print the tables; return the exit code."""
    command = tyro.cli(CompareCommand, prog="facskit compare", args=list(words))
    tables = _tables_among(command.models)
    comparison: TableComparison | ComparisonReport
    if tables:
        comparison = compare_tables(*tables, labels=command.labels)
    elif command.labels is not None:
        raise RecipeError("--labels is for result tables; runs and predictions have their labels with them")
    else:
        comparison = compare_networks(find_networks(command.models, stages=command.stages), command.bootstrap)
    comparison.write(command.out)
    print_tables([table.to_terminal() for table in comparison.to_tables()], command.out, "results.json")
    return 0


def _tables_among(words: Sequence[str]) -> tuple[ToolTable, ToolTable] | None:
    """Read the two result tables that a person names; None where there is none among runs and predictions."""
    named = [(name or Path(place).stem, Path(place)) for name, place in map(split_name, words)]
    tables = [path for _, path in named if path.suffix.lower() in ENDINGS and path.is_file() and guess_table(path)]
    if not tables:
        return None
    if len(named) != 2 or len(tables) != 2:
        raise RecipeError(
            f"{tables[0]} is a tool's result table: give two of them; found {len(tables)} among {len(named)} paths"
        )
    (first, here), (second, there) = named
    if first == second:
        raise RecipeError(f"both tables are called {first!r}; give them names, such as first={here}")
    return read_tool_table(here, first), read_tool_table(there, second)
