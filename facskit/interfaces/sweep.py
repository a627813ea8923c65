"""`facskit sweep RECIPE`: train a recipe with every combination of some values, and print one table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from facskit.errors import RecipeError
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import read_recipe
from facskit.experiments.sweep.grid import change_recipe, find_key, parse_values
from facskit.experiments.sweep.sweep import plan_sweep, run_sweep
from facskit.interfaces.recipe_command import read_command
from facskit.interfaces.report_printing import table_console

__all__ = ["SweepCommand", "main"]


@dataclass(frozen=True, kw_only=True)
class SweepCommand:
    """Train a recipe with every combination of some of its values, over seeds and folds, and score all in one table.

    Any option of `facskit train RECIPE --help` can be given, with one value or with several separated by commas. A
    value that is a list has spaces between its entries: --model.widths "8 16,16 32" are two values. In a text the
    comma belongs to the text; texts are separated by semicolons: --data.action-units "AU12;AU12,AU25".

    A sweep that broke off goes on when the same command is given again; with more values, only the new ones are
    trained. Each run is what `facskit train` makes, in OUT/objective.strength=0.5/fold-1-seed-0.

    Example: facskit sweep recipes/packaged/fmae_iat_tiny.yaml --objective.strength 0,0.5,1,2 --seeds 0,1,2
    """

    recipe: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")]
    """A YAML file."""
    seeds: str = ""
    """Seeds of every combination, separated by commas; those of the recipe's evaluation unless given."""
    folds: str = ""
    """Folds of every combination, separated by commas, or `all`; the recipe's data.fold unless given."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=("-o",), metavar="DIR")] = None
    """Folder of the sweep: runs/sweep-NAME of the recipe unless given."""
    jobs: int = 0
    """Runs at a time, each in its own process; 0 for one per GPU, or one single-threaded process per core."""
    devices: str = ""
    """Numbers of the GPUs to use, separated by commas; all there are unless given."""
    per_au: bool = False
    """Print the F1 of each AU too; it's always in the files."""

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        if self.jobs < 0:
            raise ValueError(f"jobs must be at least 0, got {self.jobs}")


def main(words: Sequence[str]) -> int:
    """Parse the command's words, train what is missing, print the table; return 1 if a run failed."""
    command, rest = tyro.cli(SweepCommand, prog="facskit sweep", args=list(words), return_unknown_args=True)
    base, swept = _read_options(command.recipe, rest)
    sweep = plan_sweep(
        base,
        swept,
        command.out or Path("runs") / f"sweep-{command.recipe.stem}",
        seeds=_numbers("--seeds", command.seeds),
        folds=None if command.folds.strip() == "all" else _numbers("--folds", command.folds),
    )
    devices = [device.strip() for device in command.devices.split(",") if device.strip()]
    report = run_sweep(sweep, jobs=command.jobs, devices=devices)
    console = table_console()
    console.print(report.to_table().to_terminal())
    if command.per_au:
        console.print(report.to_unit_table().to_terminal())
    beside = ", ".join(["results.json", "results.csv", *sorted(path.name for path in sweep.out.glob("*.png"))])
    console.print(f"Results: {sweep.out / 'results.md'}; beside it {beside}", soft_wrap=True)
    return 1 if report.failures else 0


def _read_options(path: Path, words: Sequence[str]) -> tuple[Recipe, dict[str, list[Any]]]:
    """Return the recipe with the options that have one value, and the values of those that have several."""
    recipe = read_recipe(path)
    flags: list[str] = []
    values: dict[str, list[Any]] = {}
    for option, found in _options(words):
        if len(found) != 1 or not option.startswith("--"):
            if any("," in word for word in found):
                shown = f'{option} "{",".join(word.replace(",", " ") for word in found)}"'
                raise RecipeError(
                    f"{option}: found {' '.join(found)}; write lists with spaces, separated by commas, quoted: {shown}"
                )
            flags += [option, *found]  # a switch, or one value that is a list, as in facskit train
            continue
        key = find_key(recipe, option.removeprefix("--"))
        values[key] = parse_values(recipe, key, found[0])
    base = read_command([str(path), *flags], "sweep", "Sweep.").recipe
    base = change_recipe(base, {key: several[0] for key, several in values.items() if len(several) == 1})
    return base, {key: several for key, several in values.items() if len(several) > 1}


def _options(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return each option with the words after it."""
    found: list[tuple[str, list[str]]] = []
    for word in words:
        if word.startswith("-") and not word[1:2].isdigit():
            option, equals, value = word.partition("=")
            found.append((option, [value] if equals else []))
        elif not found:
            raise RecipeError(f"the sweep's options begin with dashes, found {word!r}")
        else:
            found[-1][1].append(word)
    return found


def _numbers(option: str, text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if wrong := [word for word in words if not word.isdigit()]:
        raise RecipeError(f"{option}: found {wrong[0]!r}, expected whole numbers separated by commas, such as 0,1,2")
    return tuple(map(int, words))
