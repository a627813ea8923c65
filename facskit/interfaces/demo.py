"""`facskit demo`: recognition on real photographs, then a small model trained and evaluated, in a few minutes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from facskit.errors import RecipeError
from facskit.experiments.recipe_files import read_recipe
from facskit.experiments.run import cross_validate
from facskit.experiments.weight_scores import evaluate
from facskit.interfaces.recipe_command import RECIPES
from facskit.interfaces.recognize import RecognizeConfig, recognize
from facskit.interfaces.report_printing import print_report
from facskit.models.weight_files import find_weights

__all__ = ["DemoCommand", "main"]

RECIPE = RECIPES / "packaged" / "fmae_iat_tiny.yaml"


@dataclass(frozen=True, kw_only=True)
class DemoCommand:
    """A tour: recognise the action units in photographs, then train and evaluate a small model on rendered faces.

    A tour that broke off goes on where it stopped; the second tour only shows the results again.
    """

    out: Annotated[Path, tyro.conf.arg(aliases=("-o",))] = Path("demo")
    """Folder for everything the tour makes."""


def main(words: Sequence[str]) -> int:
    """Parse the command's words and give the tour; return the exit code.

    Raises:
        RecipeError: The recipes aren't there, since facskit runs outside a clone of the project.
    """
    command = tyro.cli(DemoCommand, prog="facskit demo", args=list(words))
    if not RECIPE.exists():
        raise RecipeError(f"{RECIPE} is missing; the demo needs a clone of the project, with its recipes/ folder")
    console = Console(highlight=False, soft_wrap=True)
    start = time.monotonic()
    console.rule("1 of 3  Action units in photographs", align="left")
    photographs = Path(str(files("facskit"))) / "assets" / "photographs"
    table, pictures = command.out / "recognition.csv", command.out / "pictures"
    command.out.mkdir(parents=True, exist_ok=True)
    recognize(RecognizeConfig(inputs=(photographs,), output=table, overlay=pictures))
    console.print()
    console.rule(
        "2 of 3  FMAE-IAT in miniature: a pre-trained transformer, trained and tested on 3 folds", align="left"
    )
    report = cross_validate(read_recipe(RECIPE), command.out / "training")
    if report is not None:
        print_report(report, command.out / "training")
    console.print(
        "\nThe transformer was pre-trained on 24,000 rendered faces without a label and saw 960 labelled ones a fold.\n"
        "The packaged weights, a convolutional network that learned 19 AUs from 21,600 labelled faces:"
    )
    console.print(f"  {evaluate(find_weights('packaged'), 'packaged', command.out / 'packaged_weights').headline}\n")
    console.rule(f"3 of 3  Done in {(time.monotonic() - start) / 60:.1f} minutes; where things are", align="left")
    for path, meaning in (
        (table, "one row per face: box, confidence, AU probabilities and decisions"),
        (pictures, "the photographs with boxes and bars"),
        (command.out / "training" / "results.md", "the table above; predictions.parquet holds every single prediction"),
        (command.out / "packaged_weights" / "results.md", "the same table for the packaged weights"),
        (command.out / "training" / "fold-1-seed-0", "one run: recipe, environment, metrics and weights.safetensors"),
    ):
        console.print(f"  [cyan]{path}[/]  {meaning}")
    console.print("Try it on your own pictures:  facskit recognize PHOTO... -o result.csv --overlay pictures/")
    return 0
