"""What `train` and `cross-validate` share: a recipe file first, then any of its values as an option."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from facskit.errors import RecipeError
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import read_recipe

__all__ = ["RECIPES", "RecipeCommand", "read_command"]

RECIPES = Path(__file__).parents[2] / "recipes"
"""The recipes that come with a clone of the project."""


@dataclass(frozen=True, kw_only=True)
class RecipeCommand:
    """A recipe and where its run goes."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    """The experiment."""
    out: Annotated[Path, tyro.conf.arg(aliases=("-o",))]
    """Folder of the run; a run that broke off goes on there."""


def read_command(words: Sequence[str], name: str, purpose: str) -> RecipeCommand:
    """Read `RECIPE [OPTIONS]` from the command line.

    Args:
        words: What stands after the command.
        name: The command, for its help.
        purpose: What it does, for its help.

    Returns:
        The recipe with the options applied, and the folder of the run: `runs/` and the recipe's name unless given.

    Raises:
        RecipeError: There is no recipe, or it can't be read, or a value is impossible.
        SystemExit: Help was asked for, or an option is unknown.
    """
    program = f"facskit {name}"
    if not words or words[0] in {"-h", "--help"}:
        print(_usage(program, purpose))
        sys.exit(0 if words else 2)
    if words[0].startswith("-"):
        raise RecipeError(f"the recipe comes first: {program} RECIPE {' '.join(words)}")
    path = Path(words[0])
    recipe = read_recipe(path)
    default = RecipeCommand(recipe=recipe, out=Path("runs") / path.stem)
    try:
        return tyro.cli(
            tyro.conf.AvoidSubcommands[RecipeCommand],
            prog=f"{program} {path}",
            description=f"{purpose} The defaults below are those of {path}.",
            default=default,
            args=list(words[1:]),
        )
    except ValueError as error:
        raise RecipeError(f"on the command line: {error}") from error


def _usage(program: str, purpose: str) -> str:
    lines = [
        f"usage: {program} RECIPE [--out DIR] [OPTIONS]",
        "",
        purpose,
        "",
        f"  RECIPE     a YAML file; {program} RECIPE --help shows every option with the recipe's own values",
        "  --out DIR  folder of the run (default: runs/NAME of the recipe); a run that broke off goes on there",
        "",
        "Any value of the recipe can be changed for one run, for example:",
        f"  {program} recipes/packaged/fmae_iat_tiny.yaml --optimizer.base-lr 2e-4 --training.epochs 5",
    ]
    found = sorted(RECIPES.rglob("*.yaml"))
    if found:
        lines += ["", "Recipes that come with facskit:", *(f"  {_short(path)}" for path in found)]
    return "\n".join(lines)


def _short(path: Path) -> Path:
    working = Path.cwd()
    return path.relative_to(working) if path.is_relative_to(working) else path
