"""Recipes as YAML files: read strictly, one sentence for every mistake, and written so that they can be repeated."""

import contextlib
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, TypeVar, overload

import yaml

from facskit.configurations import plain_values, read_configuration, written_value
from facskit.errors import RecipeError
from facskit.experiments.pretraining_recipe import PretrainRecipe
from facskit.experiments.recipe import Recipe
from facskit.models.masked_autoencoder import AutoencoderConfig
from facskit.objectives.reconstruction import ReconstructionConfig

__all__ = ["AnyRecipe", "describe_difference", "find_recipes", "format_recipe", "read_recipe"]

AnyRecipe = TypeVar("AnyRecipe", Recipe, PretrainRecipe)
"""A kind of recipe."""

_COMMANDS: dict[type | None, str] = {Recipe: "facskit train", PretrainRecipe: "facskit pretrain"}


class _Loader(yaml.SafeLoader):
    """YAML's safe loader with two repairs: `1e-4` is a number, and a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key) for key, _ in node.value]
        for place, (key_node, _) in enumerate(node.value):
            key = keys[place]
            if key in keys[:place]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands there twice", key_node.start_mark
                )
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


@overload
def read_recipe(path: Path) -> Recipe: ...
@overload
def read_recipe(path: Path, wanted: type[AnyRecipe]) -> AnyRecipe: ...
def read_recipe(path: Path, wanted: type[Any] = Recipe) -> Any:
    """Read a recipe; a key that means nothing is an error, never a silent default.

    Args:
        wanted: The kind of recipe: `Recipe` to train a recogniser, or `PretrainRecipe`.

    Returns:
        The recipe, with defaults for what the file leaves out.

    Raises:
        RecipeError: The file is missing or no YAML, or a recipe of another kind, or a key is unknown, missing, doubled,
            or has a wrong value; the message names file, key, what was found and what was expected.
    """
    content = _content(path)
    if (kind := _kind(content)) not in {wanted, None}:
        raise RecipeError(f"{path}: this is a recipe for {_COMMANDS[kind]}, not for {_COMMANDS[wanted]}.")
    try:
        return read_configuration(wanted, content, whole="the recipe")
    except ValueError as error:
        raise RecipeError(f"{path}: {error}" + ("" if str(error).endswith("?") else ".")) from error


def find_recipes(folder: Path, wanted: type[Recipe] | type[PretrainRecipe]) -> list[Path]:
    """List the recipes of one kind in a folder and those below it, by name; files that can't be read are left out."""
    found = []
    for path in sorted(folder.rglob("*.yaml")):
        with contextlib.suppress(RecipeError):
            if _kind(_content(path)) in {wanted, None}:
                found.append(path)
    return found


def _content(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # a subclass of the safe loader
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise RecipeError(f"{path}: the recipe can't be read: {reason}.") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: {_yaml_sentence(error)}.") from error


def _kind(content: Any) -> type[Recipe] | type[PretrainRecipe] | None:  # noqa: ANN401 - whatever the file holds
    """Tell which kind of recipe a file holds by what it trains; None if it doesn't say."""
    sections = [content.get(name) for name in ("model", "objective")] if isinstance(content, Mapping) else []
    kinds = [section.get("kind") for section in sections if isinstance(section, Mapping)]
    if AutoencoderConfig.kind in kinds or ReconstructionConfig.kind in kinds:
        return PretrainRecipe
    return Recipe if any(kinds) else None


def format_recipe(recipe: Recipe | PretrainRecipe) -> str:
    """Return a recipe as YAML with every value in it, which `read_recipe` reads back."""
    return yaml.safe_dump(plain_values(recipe), sort_keys=False, allow_unicode=True, width=120)


def describe_difference(there: str, now: str) -> str:
    """Say in words how two recipes differ, key by key.

    Args:
        there: YAML text of the recipe found in a folder.
        now: YAML text of the recipe at hand.

    Returns:
        For example `runtime.threads: there 1, now 2 (and 3 other keys)`.
    """
    try:
        old, new = (_flat(yaml.load(text, _Loader)) for text in (there, now))  # a subclass of the safe loader
    except yaml.YAMLError as error:
        return _yaml_sentence(error)

    def show(values: Mapping[str, Any], key: str) -> str:
        return written_value(values[key]) if key in values else "absent"

    keys = [key for key in dict.fromkeys([*old, *new]) if key not in old or key not in new or old[key] != new[key]]
    if not keys:
        return "the same values, written differently"
    others = f" (and {len(keys) - 1} other key{'s' * (len(keys) > 2)})" if len(keys) > 1 else ""
    return f"{keys[0]}: there {show(old, keys[0])}, now {show(new, keys[0])}{others}"


def _flat(content: Any, above: str = "") -> dict[str, Any]:  # noqa: ANN401 - whatever the file holds
    """Return every value that isn't a section, by its dotted key."""
    if not isinstance(content, Mapping):
        return {above or "the recipe": content}
    found: dict[str, Any] = {}
    for key, value in content.items():
        found |= _flat(value, f"{above}.{key}" if above else str(key))
    return found


def _yaml_sentence(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        line = error.problem_mark.line + 1
        return f"line {line}: {error.problem or error.context}"
    return f"no valid YAML: {error}"
