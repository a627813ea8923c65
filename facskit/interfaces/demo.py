"""`facskit demo`: recognition on real photographs, then a small model trained and evaluated, in a few minutes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import torch
import tyro
from rich.console import Console

from facskit.errors import RecipeError
from facskit.experiments.analysis.weight_scores import evaluate
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import read_recipe
from facskit.experiments.train import train
from facskit.interfaces.attention import main as show_attention
from facskit.interfaces.recipe_command import RECIPES
from facskit.interfaces.recognize import RecognizeConfig, recognize
from facskit.interfaces.report_printing import print_networks, print_report
from facskit.models.checkpoints import CheckpointInfo, read_weight_info
from facskit.models.weight_files import find_weights
from facskit.objectives.causal_intervention import CausalInterventionConfig

__all__ = ["DemoCommand", "main"]

RECIPE = RECIPES / "packaged" / "fmae_iat_tiny.yaml"
INTERVENTION = RECIPES / "packaged" / "ciu_tiny.yaml"
PHOTOGRAPHS = Path(str(files("facskit"))) / "assets" / "photographs"
TABLE, PICTURES, ATTENTION = "recognition.csv", "pictures", "attention"
_EPOCHS = 9
"""Of each training, fewer than its recipe has, so that the tour stays under eight minutes on two slow cores."""

_CONSOLE = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class DemoCommand:
    """A tour: recognise the action units in photographs, then train and test both methods in miniature.

    A tour that broke off goes on where it stopped; the second tour only shows the results again.
    """

    out: Annotated[Path, tyro.conf.arg(aliases=("-o",))] = Path("demo")
    """Folder for everything the tour makes."""


def main(words: Sequence[str]) -> int:
    """Parse the command's words and give the tour; return the exit code."""
    command = tyro.cli(DemoCommand, prog="facskit demo", args=list(words))
    if not RECIPE.exists():
        raise RecipeError(f"{RECIPE} is missing; the demo needs a clone of the project, with its recipes/ folder")
    start = time.monotonic()
    command.out.mkdir(parents=True, exist_ok=True)
    steps = (
        ("Action units in photographs", _recognise),
        ("FMAE-IAT in miniature: a pre-trained transformer, trained and tested on 1 of 3 folds", _train_transformer),
        ("CIU in miniature: an imbalanced and an unbiased network, tested on the same fold", _train_intervention),
    )
    for number, (title, step) in enumerate(steps, start=1):
        _CONSOLE.rule(f"{number} of {len(steps) + 1}  {title}", align="left")
        step(command.out)
        _CONSOLE.print()
    minutes = (time.monotonic() - start) / 60
    last = len(steps) + 1
    _CONSOLE.rule(f"{last} of {last}  Done in {minutes:.1f} minutes; where things are", align="left")
    places = (
        (TABLE, "one row per face: box, confidence, AU probabilities and decisions"),
        (PICTURES, "the photographs with boxes and bars"),
        ("training", "one run: recipe, environment, metrics and weights.safetensors"),
        ("training/results.md", "the table above; predictions.parquet holds every single prediction"),
        ("packaged_weights/results.md", "the same table for the packaged weights"),
        ("ciu/networks.md", "CIU's networks side by side, by action unit"),
        (ATTENTION, "heat maps on the photographs, a panel per action unit"),
    )
    for place, meaning in places:
        _CONSOLE.print(f"  [cyan]{command.out / place}[/]  {meaning}")
    _CONSOLE.print("Try it on your own pictures:  facskit recognize PHOTO... -o result.csv --overlay pictures/")
    return 0


def _for_this_processor(recipe: Recipe) -> Recipe:
    """Compute in 32 bits on a processor that only imitates bfloat16: there a step takes 5 to 8 times as long."""
    if torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        return recipe
    return replace(recipe, runtime=replace(recipe.runtime, precision="32"))


def _recognise(out: Path) -> None:
    recognize(RecognizeConfig(inputs=(PHOTOGRAPHS,), output=out / TABLE, overlay=out / PICTURES))


def _train_transformer(out: Path) -> None:
    recipe = _for_this_processor(read_recipe(RECIPE))
    _, report = train(replace(recipe, training=replace(recipe.training, epochs=_EPOCHS)), out / "training")
    if report is not None:
        print_report(report, out / "training")
    _CONSOLE.print(
        f"All three folds, {recipe.training.epochs} epochs instead of {_EPOCHS}:  facskit cross-validate {RECIPE}\n\n"
        "The transformer was pre-trained on 24,000 rendered faces without a label and saw 960 labelled ones.\n"
        "What fighting identity is worth where habits mislead: networks rely less on who it is, and action units of "
        "new people get no better (docs/studies/identity.md)."
    )
    packaged = find_weights("packaged")
    info = read_weight_info(packaged)
    assert isinstance(info, CheckpointInfo)
    faces = f"{len(info.action_units)} AUs from {info.provenance['training_images']:,} labelled faces"
    _CONSOLE.print(f"The packaged weights, a convolutional network that learned {faces}:")
    _CONSOLE.print(f"  {evaluate(packaged, 'packaged', out / 'packaged_weights').headline}")


def _train_intervention(out: Path) -> None:
    run, recipe = out / "ciu", _for_this_processor(read_recipe(INTERVENTION))
    assert isinstance(recipe.objective, CausalInterventionConfig)
    # 960 images leave a balanced network of its own at chance, and a pupil learns that from it.
    objective = replace(recipe.objective, balanced_teacher="post-compensated")
    train(replace(recipe, objective=objective, training=replace(recipe.training, epochs=_EPOCHS)), run)
    print_networks(run)
    _CONSOLE.print(
        "The balanced teacher was the imbalanced network with its answers moved by the units' rates: a tour is too "
        f"short to train one.\nAll three networks, {recipe.training.epochs} epochs:  facskit train {INTERVENTION}\n"
        "What CIU is worth on rendered people: with DISFA's rates the best macro F1 and by far the smallest bias, with "
        "BP4D's a place between its teachers (docs/studies/causal_intervention.md)."
    )
    _CONSOLE.print("\nWhere the unbiased network looks for each action unit:")
    show_attention([str(run), str(PHOTOGRAPHS), "-o", str(out / ATTENTION)])
