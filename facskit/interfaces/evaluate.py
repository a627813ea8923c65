"""`facskit evaluate WEIGHTS MANIFEST`: the scores of a weight file, or stored predictions scored again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.markup import escape

from facskit.errors import RecipeError
from facskit.evaluation.predicted_faces import networks_of
from facskit.experiments.analysis.verification import verify
from facskit.experiments.analysis.weight_scores import KnownPeople, evaluate
from facskit.inference.recognizer import Device
from facskit.interfaces.report_printing import print_report, table_console
from facskit.models.weight_files import find_weights

__all__ = ["EvaluateCommand", "main"]


@dataclass(frozen=True, kw_only=True)
class EvaluateCommand:
    """Score a weight file on a manifest: action units with the thresholds stored in it, or expressions.

    A predictions file instead is scored again, and compared with the results and weights beside it: anybody can verify
    a result without the pictures.

    Examples:
      facskit evaluate packaged faces/manifest.parquet --out runs/packaged-on-faces
      facskit evaluate runs/packaged-on-faces/predictions.parquet
    """

    weights: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="WEIGHTS")] = "packaged"
    """Name of installed weights, or path of a weight file or of a finished run's folder; or a predictions file."""
    manifest: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="MANIFEST")] = None
    """Path of a manifest (.parquet, .csv, .jsonl); without one, the rendered faces that come with facskit."""
    out: Annotated[Path, tyro.conf.arg(aliases=("-o",))] = Path("runs/evaluation")
    """Folder for results.md, results.json and predictions.parquet."""
    device: Device = "auto"
    """Where the network runs."""
    batch_size: int = 64
    """Faces computed at once."""
    known_people: KnownPeople = "refuse"
    """People that the weights were trained on: refuse to test on them, leave-out their images, or allow it with a note.
    Names alone are no proof: both the weights and the manifest must say which corpus they are from."""

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")


def main(words: Sequence[str]) -> int:
    """Parse the command's words, evaluate, and print the table; return the exit code."""
    command = tyro.cli(EvaluateCommand, prog="facskit evaluate", args=list(words))
    if Path(command.weights).suffix == ".parquet":
        if command.manifest is not None:
            raise RecipeError(f"{command.weights} holds its own labels; expected no manifest, found {command.manifest}")
        return _verify(Path(command.weights))
    report = evaluate(
        find_weights(command.weights),
        command.manifest or "packaged",
        command.out,
        device=command.device,
        batch_size=command.batch_size,
        known_people=command.known_people,
    )
    print_report(report, command.out)
    return 0


def _verify(path: Path) -> int:
    """Print stored predictions' scores, and whether what was published beside them is the same; 1 if it isn't."""
    verification = verify(path)
    console = table_console()
    console.print(verification.report.to_terminal())
    made_by = [
        f"weights {str(made['weights'])[:12]}, facskit {made.get('facskit', 'of unknown version')}"
        for made in networks_of(verification.report.model)
        if "weights" in made
    ]
    console.print(f"Predicted by: {'; '.join(made_by) or 'unknown'}", soft_wrap=True)
    for difference in verification.differences:
        console.print(f"[red]different:[/] {escape(difference)}", soft_wrap=True)
    if verification.differences:
        return 1
    same = f"the same {verification.compared:,} numbers as in results.json" if verification.compared else ""
    console.print(f"Verified: {same or 'scored; there is no results.json beside it to compare with'}.", soft_wrap=True)
    return 0
