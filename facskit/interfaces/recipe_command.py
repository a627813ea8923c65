"""The form of all commands that carry out a recipe: a recipe file first, then any of its values as an option."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, overload

import tyro

from facskit.errors import RecipeError
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import AnyRecipe, find_recipes, read_recipe

__all__ = ["RECIPES", "RecipeCommand", "read_command"]

RECIPES = Path(__file__).parents[2] / "recipes"
"""The recipes that come with a clone of the project."""


@dataclass(frozen=True, kw_only=True)
class RecipeCommand(Generic[AnyRecipe]):
    """A recipe and where its run goes."""

    recipe: Annotated[AnyRecipe, tyro.conf.arg(name="")]
    """The experiment."""
    out: Annotated[Path, tyro.conf.arg(aliases=("-o",))]
    """Folder of the run; a run that broke off goes on there."""


@overload
def read_command(words: Sequence[str], name: str, purpose: str) -> RecipeCommand[Recipe]: ...
@overload
def read_command(
    words: Sequence[str], name: str, purpose: str, wanted: type[AnyRecipe]
) -> RecipeCommand[AnyRecipe]: ...
def read_command(words: Sequence[str], name: str, purpose: str, wanted: type[Any] = Recipe) -> RecipeCommand[Any]:
    """Read `RECIPE [OPTIONS]` from the words after a command.

    Args:
        name: The command, for its help.
        purpose: What it does, for its help.
        wanted: The kind of recipe that the command carries out.

    Raises:
        RecipeError: There is no recipe, or it can't be read, or a value is impossible.
        SystemExit: Help was asked for, or an option is unknown.
    """
    program = f"facskit {name}"
    if not words or words[0] in {"-h", "--help"}:
        print(_usage(program, purpose, wanted))
        sys.exit(0 if words else 2)
    if words[0].startswith("-"):
        raise RecipeError(f"the recipe comes first: {program} RECIPE {' '.join(words)}")
    path = Path(words[0])
    recipe = read_recipe(path, wanted)
    command = RecipeCommand[wanted]  # type: ignore[valid-type]
    try:
        return tyro.cli(
            tyro.conf.AvoidSubcommands[command],
            prog=f"{program} {path}",
            description=f"{purpose} The defaults below are those of {path}.",
            default=command(recipe=recipe, out=Path("runs") / path.stem),
            args=list(words[1:]),
        )
    except ValueError as error:
        raise RecipeError(f"on the command line: {error}") from error


def _usage(program: str, purpose: str, wanted: type[Any]) -> str:
    found = [_short(path) for path in find_recipes(RECIPES, wanted)]
    runnable = sorted(found, key=lambda path: (path.parent.name == "debug", path.parent.name != "packaged"))
    example = next(iter(runnable), "RECIPE")  # one that needs no corpus, if there is any
    lines = [
        f"usage: {program} RECIPE [--out DIR] [OPTIONS]",
        "",
        purpose,
        "",
        f"  RECIPE     a YAML file; {program} RECIPE --help shows every option with the recipe's own values",
        "  --out DIR  folder of the run (default: runs/NAME of the recipe); a run that broke off goes on there",
        "",
        "Any value of the recipe can be changed for one run, for example:",
        f"  {program} {example} --optimizer.base-lr 2e-4 --training.epochs 5",
    ]
    if found:
        lines += ["", "Recipes that come with facskit:", *(f"  {path}" for path in found)]
    return "\n".join(lines)


def _short(path: Path) -> Path:
    working = Path.cwd()
    return path.relative_to(working) if path.is_relative_to(working) else path
