"""The one strict reader of configurations: from the plain values of recipes, weight files and manifests to dataclasses.

Whatever is unknown, missing, of another type or out of range ends in one sentence that names the key, what was found
and what was expected. The dataclasses know nothing of it, but for `BY_KIND` where a field holds one of several.
"""

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

__all__ = ["BY_KIND", "keys_left_out", "plain_values", "read_configuration", "written_value"]

BY_KIND = Field(discriminator="kind")
"""Marks a field that holds one of several dataclasses, whose `kind` tells which: `Annotated[Oval | Box, BY_KIND]`."""

_EXPECTED = {
    "bool_type": "true or false",
    "dataclass_type": "a section with keys",
    "dict_type": "a section with keys",
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text",
    "tuple_type": "a list in brackets",
}
"""What pydantic's names of errors mean to somebody who wrote a file."""


def read_configuration(wanted: Any, values: object, whole: str = "") -> Any:  # noqa: ANN401 - whatever is wanted
    """Turn plain values into a configuration; a key that means nothing is an error, never a silent default.

    Args:
        wanted: A dataclass, a union of dataclasses with a `kind` each, or the type of a single value.
        values: Mappings, lists, texts, numbers, switches and None, as JSON and YAML have them.
        whole: What sentences call the values when no single key is wrong, for example `the recipe`.

    Returns:
        The configuration, with defaults for what was left out; the `kind` that chooses among several must be there.

    Raises:
        ValueError: A key is unknown, missing or has a wrong value; one sentence without a full stop.
    """
    try:
        text = json.dumps([values])
    except (RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"a value is neither text, number, list nor section: {error}") from error
    try:
        # pydantic's strict mode for JSON has the files' idea of types: lists fill tuples, text never fills a number
        return _validator(wanted)(text)[0]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(_sentence(first, values, wanted, whole)) from error


def plain_values(configuration: Any) -> Any:  # noqa: ANN401 - a dataclass, or a value in one
    """Return a configuration as mappings, lists and plain values, which `read_configuration` reads back."""
    if is_dataclass(configuration):
        names = sorted((field.name for field in fields(configuration)), key=lambda name: name != "kind")
        return {name: plain_values(getattr(configuration, name)) for name in names}  # what it is about comes first
    if isinstance(configuration, tuple | list):
        return [plain_values(entry) for entry in configuration]
    return configuration


def keys_left_out(values: Mapping[str, Any], configuration: object) -> list[str]:
    """Return the dotted keys that took their defaults when the values were read."""
    left_out = []
    for name, value in plain_values(configuration).items():
        if name not in values:
            left_out.append(name)
        elif isinstance(value, dict):
            left_out += [f"{name}.{key}" for key in keys_left_out(values[name], getattr(configuration, name))]
    return left_out


def written_value(value: object) -> str:
    """Return a plain value as a message shows it: as in JSON, cut short, and `nothing` where nothing was written."""
    if value is None:
        return "nothing"
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


@lru_cache(maxsize=64)
def _validator(wanted: Any) -> Callable[[str], tuple[Any]]:  # noqa: ANN401 - whatever is wanted
    if isinstance(wanted, UnionType) and all(is_dataclass(member) for member in wanted.__args__):
        wanted = Annotated[wanted, BY_KIND]
    # a tuple around it, because pydantic takes no settings for a bare dataclass
    return TypeAdapter(tuple[wanted], config=ConfigDict(extra="forbid", strict=True)).validate_json


def _sentence(error: ErrorDetails, content: object, wanted: Any, whole: str) -> str:  # noqa: ANN401
    """Turn one of pydantic's errors into: key, found, expected."""
    keys = _key_path(error["loc"][1:], content)
    key, within = ".".join(keys), ".".join([*keys, "kind"])
    about = f"{key or whole}: " if key or whole else ""
    found, context = written_value(error["input"]), error.get("ctx", {})
    match error["type"]:
        case "unexpected_keyword_argument":
            sentence = f"unknown key {key!r}{_suggestion(keys, wanted)}"
        case "missing":
            sentence = f"{about}the key is missing"
        case "union_tag_not_found":
            sentence = f"{about}the key 'kind' is missing, which says what the section is about"
        case "union_tag_invalid":
            tag, expected = context["tag"], context["expected_tags"]
            sentence = f"{within}: found {tag!r}, expected one of {expected}{_closest(tag, expected)}"
        case "literal_error":
            expected = context["expected"]
            sentence = f"{about}found {found}, expected {expected}{_closest(error['input'], expected)}"
        case "value_error":
            sentence = f"{about}{context['error']}"
        case other:
            expected = _EXPECTED.get(other) or error["msg"].removeprefix("Input should be ")
            sentence = f"{about}found {found}, expected {expected}"
    return sentence


def _key_path(location: Sequence[str | int], content: Any) -> list[str]:  # noqa: ANN401 - whatever the file holds
    """Drop the kinds of sections that pydantic puts between keys."""
    keys: list[str] = []
    for position, step in enumerate(location):
        if isinstance(content, Mapping) and step not in content:
            if step == content.get("kind"):
                continue
            return [*keys, *(str(rest) for rest in location[position:])]
        keys.append(str(step))
        content = content[step] if isinstance(content, Mapping) else None
    return keys


def _suggestion(keys: Sequence[str], wanted: Any) -> str:  # noqa: ANN401 - whatever is wanted
    """Guess which key was meant, among those of the section, then among all."""
    everywhere = _all_keys(wanted)
    section = {path for path in everywhere if path[:-1] == tuple(keys[:-1])}
    names = sorted({path[-1] for path in section})
    close = difflib.get_close_matches(keys[-1], names, n=1)
    if close:
        return f"; did you mean {'.'.join([*keys[:-1], close[0]])!r}?"
    elsewhere = sorted(".".join(path) for path in everywhere if path[-1] == keys[-1])
    if elsewhere:
        return f"; it belongs under {elsewhere[0]!r}"
    return f"; expected one of {', '.join(names)}"


def _closest(found: object, expected: str) -> str:
    close = difflib.get_close_matches(str(found), re.findall(r"'([^']*)'", expected), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _all_keys(section: Any, above: tuple[str, ...] = ()) -> set[tuple[str, ...]]:  # noqa: ANN401 - a dataclass or union
    """Return the path of every key that can be there, through all members of unions."""
    found: set[tuple[str, ...]] = set()
    for member in getattr(section, "__args__", (section,)):
        if is_dataclass(member):
            for entry in fields(member):
                path = (*above, entry.name)
                found |= {path} | _all_keys(getattr(entry.type, "__origin__", entry.type), path)
    return found
