"""The grid of a sweep: every combination of the values that some keys of one recipe are to take.

On the command line the values of a key stand in one word:

- numbers, switches and choices are separated by commas: `0,0.5,1` or `true,false`;
- a value that is itself a list has spaces between its entries, as in `facskit train`: `8 16,16 32` are two values;
- in a text a comma belongs to the text, so texts are separated by semicolons: `AU01,AU02;bp4d` are two values.

A `kind` can't be swept: a section of another kind has other keys, so that belongs into a recipe of its own.
"""

import hashlib
import itertools
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from typing import Any

from facskit.configurations import read_configuration
from facskit.errors import RecipeError
from facskit.experiments.recipe import Recipe

__all__ = ["GridPoint", "change_recipe", "find_key", "make_grid", "parse_values", "short_keys", "show_value"]

_LONGEST_NAME = 120
_ELSEWHERE = {"data.fold": "--folds", "runtime.seed": "--seeds", "evaluation.seeds": "--seeds"}


@dataclass(frozen=True, kw_only=True)
class GridPoint:
    """One combination of values, and the recipe that has them."""

    values: tuple[tuple[str, Any], ...]
    """Swept keys, such as `objective.strength`, with this point's value of each; none if nothing is swept."""
    recipe: Recipe
    """The recipe with these values."""

    @property
    def name(self) -> str:
        """The values in words: `objective.strength=0.5, objective.head_depth=1`."""
        return ", ".join(f"{key}={show_value(value)}" for key, value in self.values) or self.recipe.name

    @property
    def short_name(self) -> str:
        """The values without their keys."""
        return ", ".join(show_value(value) for _, value in self.values) or self.name

    @property
    def folder(self) -> str:
        """The name as that of a folder; two points of one grid never share it."""
        plain = re.sub(r"[^\w.=+,-]+", "_", self.name.replace(", ", ","))
        if len(plain) <= _LONGEST_NAME and plain == self.name.replace(", ", ","):
            return plain
        return f"{plain[:_LONGEST_NAME]}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"


def make_grid(recipe: Recipe, swept: Mapping[str, Sequence[Any]]) -> tuple[GridPoint, ...]:
    """Combine every value of every key with all values of the others; the last key changes fastest.

    Args:
        swept: Values by key, for example `{"objective.strength": (0.0, 0.5), "objective.head_depth": (1, 2)}`.

    Raises:
        RecipeError: A key isn't the recipe's, a value stands there twice, or a combination is impossible.
    """
    for key, values in swept.items():
        find_key(recipe, key)
        shown = [show_value(value) for value in values]
        if twice := [value for value in shown if shown.count(value) > 1]:
            raise RecipeError(f"{key}: {twice[0]} stands there twice; expected different values")
    points = []
    for combination in itertools.product(*swept.values()):
        chosen = dict(zip(swept, combination, strict=True))
        points.append(GridPoint(values=tuple(chosen.items()), recipe=change_recipe(recipe, chosen)))
    return tuple(points)


def change_recipe(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """Return a recipe with other values of some keys, all changed at once.

    Raises:
        RecipeError: The values are impossible, alone or together.
    """
    try:
        changed: Recipe = _changed(recipe, {tuple(key.split(".")): value for key, value in values.items()})
    except ValueError as error:
        shown = ", ".join(f"{key} {show_value(value)}" for key, value in values.items())
        raise RecipeError(f"{shown}: {error}") from error
    return changed


def find_key(recipe: Recipe, option: str) -> str:
    """Return the key of a recipe that an option of the command line means.

    Args:
        option: The option without its dashes: `objective.head-depth`; the key itself will do too.

    Raises:
        RecipeError: The recipe has no such key, or it can't be swept.
    """
    key = option.replace("-", "_")
    if key.rpartition(".")[2] == "kind":
        raise RecipeError(
            f"{key}: a kind is chosen in the YAML file, because a section of another kind has other keys; "
            "give each kind a recipe and set their runs side by side with facskit compare"
        )
    if key in _ELSEWHERE:
        raise RecipeError(f"{key}: a sweep takes it from {_ELSEWHERE[key]}, for example {_ELSEWHERE[key]} 1,2")
    if key not in (keys := _keys(recipe)):
        raise RecipeError(f"{key}: this recipe has no such key{_hint(recipe, key, keys)}")
    return key


def parse_values(recipe: Recipe, key: str, text: str) -> list[Any]:
    """Read the values of a key as the module's docstring says.

    Raises:
        RecipeError: A value has the wrong type or isn't one of the choices.
    """
    *above, last = key.split(".")
    section: Any = recipe
    for name in above:
        section = getattr(section, name)
    kind = typing.get_type_hints(type(section))[last]
    if kind is str:
        return text.split(";")
    is_list = any(typing.get_origin(member) is tuple for member in (kind, *typing.get_args(kind)))
    values = []
    for word in text.split(","):
        plain = [_plain(entry) for entry in word.split()] if is_list else _plain(word.strip())
        try:
            values.append(read_configuration(kind, None if plain == ["none"] else plain))
        except ValueError as error:
            raise RecipeError(f"{key}: {error}") from error
    return values


def short_keys(keys: Sequence[str]) -> tuple[str, ...]:
    """Return the last part of each key, or the whole key where last parts coincide."""
    last = [key.rpartition(".")[2] for key in keys]
    return tuple(key if last.count(name) > 1 else name for key, name in zip(keys, last, strict=True))


def show_value(value: Any) -> str:  # noqa: ANN401 - whatever a recipe holds
    """Return a value as a person would write it."""
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case tuple() | list():
            return " ".join(show_value(entry) for entry in value)
        case None:
            return "none"
        case _:
            return str(value)


def _plain(word: str) -> Any:  # noqa: ANN401 - a number, a switch, or the word itself
    if word.lower() in {"true", "false"}:
        return word.lower() == "true"
    for number in (int, float):
        try:
            return number(word)
        except ValueError:
            continue
    return word


def _changed(section: Any, values: Mapping[tuple[str, ...], Any]) -> Any:  # noqa: ANN401 - any section of a recipe
    changes = {}
    for name in dict.fromkeys(path[0] for path in values):
        below = {path[1:]: value for path, value in values.items() if path[0] == name}
        changes[name] = below[()] if () in below else _changed(getattr(section, name), below)
    return replace(section, **changes)


def _keys(section: Any, above: str = "") -> list[str]:  # noqa: ANN401 - any section of a recipe
    """Return the keys of all values that aren't sections."""
    found = []
    for entry in fields(section):
        value = getattr(section, entry.name)
        found += _keys(value, f"{above}{entry.name}.") if is_dataclass(value) else [f"{above}{entry.name}"]
    return found


def _hint(recipe: Recipe, key: str, keys: list[str]) -> str:
    """Say what may have been meant: a similar key, or one of a section of another kind."""
    *above, _ = key.split(".")
    section: Any = recipe
    for name in above:
        section = getattr(section, name, None)
    close = get_close_matches(key, keys, n=1, cutoff=0.75)
    kind = getattr(section, "kind", None)
    meant = f"; did you mean {close[0]}?" if close else ""
    if kind is None:
        return meant or "; facskit train RECIPE --help lists them all"
    place = ".".join(above)
    return f"{meant or ';'} {'Its' if meant else 'its'} {place}.kind is {kind}; a kind is chosen in the YAML file"
