"""`facskit report RUN...`: one page about finished runs, with Markdown and JSON of the same numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape

from facskit.errors import RecipeError
from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.experiments.report.gather import ReportPlan, gather_report
from facskit.experiments.report.page import write_page
from facskit.models.devices import Device
from facskit.tables import write_results

__all__ = ["ReportCommand", "main"]

_DESCRIPTION = """Write one page about finished runs, which can be sent and opened anywhere without a network.

Scores with intervals, protocols and what the published ones gain by looking at test labels, published rows, training
curves, confusion, calibration, co-occurrence, bias, groups, identity leakage, attention and the worst mistakes.
Markdown and JSON with the same numbers lie beside it.

Examples:
  facskit report runs/fmae_iat_tiny -o report.html
  facskit report FMAE=runs/fmae IAT=runs/fmae_iat -o report.html
"""


@dataclass(frozen=True, kw_only=True)
class ReportCommand:
    """Write one page about finished runs."""

    runs: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="[NAME=]RUN ...")]]
    """Folders of runs or cross-validations, or predictions files. The first stands on top, and is what the others are
    compared with."""
    out: Annotated[Path, tyro.conf.arg(aliases=("-o",), metavar="FILE.html")] = Path("report.html")
    """The page; FILE.md and FILE.json beside it have the same numbers."""
    title: str = ""
    """Heading; by default the names of the runs."""
    manifest: str = ""
    """Where the test faces are, a manifest or `packaged`; by default where the run's recipe says."""
    pictures: bool = True
    """Show faces. The corpus's licence then holds for the page: most forbid to publish faces."""
    leakage: bool = True
    """Fit the identity probe, which lets the networks look at all faces once."""
    resamples: int = 2000
    """How often subjects are drawn for the intervals."""
    device: Device = "auto"
    """Where the networks run."""

    def __post_init__(self) -> None:
        """Refuse another kind of file, and too few draws."""
        if self.out.suffix.lower() not in {".html", ".htm"}:
            raise RecipeError(f"--out is {self.out}, expected a file that ends in .html")
        if self.resamples < 100:
            raise RecipeError(f"--resamples is {self.resamples}, expected at least 100")


def main(words: Sequence[str]) -> int:
    """Parse the command's words and write the report; return the exit code."""
    command = tyro.cli(ReportCommand, prog="facskit report", description=_DESCRIPTION, args=list(words))
    if not command.runs:
        raise RecipeError("found nothing to report on; expected the folder of a run or a predictions file")
    plan = ReportPlan(
        title=command.title,
        manifest=command.manifest,
        pictures=command.pictures,
        leakage=command.leakage,
        bootstrap=BootstrapConfig(resamples=command.resamples),
        device=command.device,
    )
    with Console(stderr=True).status("opening runs") as status:
        page = gather_report(command.runs, plan, say=lambda text: status.update(escape(text)))
    write_results(command.out.parent, page.to_markdown(), page.to_dict(), name=command.out.stem)
    write_page(page, command.out)
    out = Console(highlight=False, soft_wrap=True)
    for card in page.cards:
        out.print(f"{escape(card.label):22} [bold]{escape(card.value):>12}[/]  [dim]{escape(card.note)}[/]")
    stem = escape(command.out.stem)
    out.print(f"Report: {escape(str(command.out))}, with {stem}.md and {stem}.json beside it")
    return 0
