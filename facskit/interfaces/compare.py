"""`facskit compare A B`: say whether runs differ, with a paired bootstrap over subjects."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.experiments.analysis.comparison import compare_networks
from facskit.experiments.analysis.trained_networks import find_networks
from facskit.interfaces.report_printing import print_tables

__all__ = ["CompareCommand", "main"]


@dataclass(frozen=True, kw_only=True)
class CompareCommand:
    """Say whether models differ that were tested on the same faces: F1, ROC-AUC, and the F1 of each AU.

    Each model is the folder of a run, of a cross-validation or of a point of a sweep, or a predictions file; NAME=PATH
    gives it a name. All are compared with the first. The intervals draw test subjects, the same for both models.

    Example: facskit compare fmae=runs/fmae_iat_tiny-0 iat=runs/fmae_iat_tiny -o runs/comparison
    """

    models: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[NAME=]PATH ...")]
    """Two models or more."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=("-o",), metavar="DIR")] = None
    """Folder for results.md and results.json; without it the tables are only printed."""
    stages: bool = False
    """Compare the networks of a causal intervention's stages too: imbalanced, balanced, unbiased."""
    bootstrap: BootstrapConfig = BootstrapConfig()  # noqa: RUF009 (frozen)
    """How subjects are resampled."""


def main(words: Sequence[str]) -> int:
    """Parse the command's words, compare, and print the tables; return the exit code."""
    command = tyro.cli(CompareCommand, prog="facskit compare", args=list(words))
    report = compare_networks(find_networks(command.models, stages=command.stages), command.bootstrap)
    if command.out is not None:
        report.write(command.out)
    print_tables([report.to_table().to_terminal(), report.to_unit_table().to_terminal()], command.out, "results.json")
    return 0
