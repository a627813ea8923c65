"""Commands that the project tells people to type: found in messages, help, docs, recipes and examples, and parsed."""

import argparse
import ast
import contextlib
import functools
import inspect
import io
import re
import runpy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import tyro

from facskit.experiments.pretraining_recipe import PretrainRecipe
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import find_recipes, read_recipe
from facskit.interfaces import cli

__all__ = [
    "ROOT",
    "Mention",
    "command_lines",
    "known_options",
    "mentions",
    "options_in",
    "parse_command",
    "parse_module",
    "recipe_options",
    "texts",
]

ROOT = Path(__file__).parents[1]
_PAGES = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "facskit/assets/**/*.md")
_SCRIPTS = ("recipes/**/*.yaml", "examples/*", ".ci/run")
_STARTS = ("facskit ", "python -m ", "python tools/", "make ", "examples/")
_TAKES_RECIPE = ("train", "cross-validate", "sweep", "pretrain")
_HOLE = "HOLE"
"""What stands in a text for a value that is filled in when the message is written."""


@dataclass(frozen=True, kw_only=True)
class Mention:
    """Words that somebody may type, and the file that has them."""

    place: str
    words: str

    @property
    def is_whole(self) -> bool:
        """Whether it can be typed as it stands: nothing is left to fill in."""
        return not re.search(rf"{_HOLE}|\bRECIPE\b|\bNAME\b|\.\.\.|[\[|$*]", self.words)


def texts() -> Iterator[tuple[str, str]]:
    """Yield file and text of every page, script, message and docstring."""
    for pattern in (*_PAGES, *_SCRIPTS):
        for path in sorted(ROOT.glob(pattern)):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8").replace('"$facskit"', "facskit")
    for folder in ("facskit", "benchmarks", "studies", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for text in _strings(ast.parse(path.read_text(encoding="utf-8"))):
                yield str(path.relative_to(ROOT)), text


def _strings(tree: ast.AST) -> Iterator[str]:
    """Yield every string of a module; of an f-string, what is filled in becomes a hole."""
    if isinstance(tree, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else _HOLE for part in tree.values)
        return
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        yield tree.value
    for child in ast.iter_child_nodes(tree):
        yield from _strings(child)


def command_lines(place: str, text: str) -> Iterator[Mention]:
    """Yield lines that are a command: in a page's code blocks, in scripts, in comments and in the examples of help."""
    text = re.sub(r"\s*\\\n\s*", " ", text)
    if place.endswith(".md"):
        text = "\n".join(re.findall(r"^```(?:bash|sh)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))
        begin = r"\s*"
    elif place.endswith(".py"):
        begin = "" if place == "facskit/interfaces/cli.py" else r"(?:Examples?: | +)"  # prose isn't indented
    else:
        begin = "# Needs +" if place.endswith(".yaml") else " *"
    for line in text.splitlines():
        for part in re.sub(rf"^{begin}", "", line).split("; "):
            words = re.sub(r"(\s+#|\s+\(|,? then | \|\|?|\s+&&?).*", "", part).strip()
            if re.match(begin, line) and words.startswith(_STARTS):
                yield Mention(place=place, words=words)


def mentions(place: str, text: str) -> Iterator[Mention]:
    """Yield commands in running text: what stands between backticks, and what follows `facskit COMMAND`."""
    for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", text):
        if span.startswith(_STARTS):
            yield Mention(place=place, words=re.sub(r"\s+", " ", span))
    names = "|".join(command.name for command in cli.COMMANDS)
    for found in re.finditer(rf"facskit (?:{names})\b(?:(?!facskit |[;`\n]).)*", text):
        yield Mention(place=place, words=found.group())


def options_in(words: str) -> list[str]:
    """Return the options among the words; dashes in quotes mean nothing."""
    plain = re.sub(r"\"[^\"\n]*\"|'[^'\n]*'", "x", words)
    return re.findall(r"(?<![\w/-])--?[a-z](?:[\w.-]*\w)?", plain)


def parse_command(words: list[str]) -> None:
    """Parse the words after `facskit` with the command's own parser, and do nothing else.

    Raises:
        SystemExit: The command's parser refuses the words.
        FacskitError: The recipe can't be read, or has no such key.
        StopIteration: There is no such command.
    """
    command = next(command for command in cli.COMMANDS if command.name == words[0])
    with _parsing_alone():
        import_module(command.module).main(words[1:])


def parse_module(module: str, words: list[str]) -> None:
    """Parse the words after `python -m MODULE` with the module's own parser, and do nothing else.

    Raises:
        SystemExit: The module's parser refuses the words.
    """
    with _parsing_alone(), mock.patch("sys.argv", [module, *words]):
        runpy.run_module(module, run_name="__main__", alter_sys=True)


@contextlib.contextmanager
def _parsing_alone() -> Iterator[None]:
    """Let every program end as soon as it has understood its words."""
    of_tyro, of_argparse = tyro.cli, argparse.ArgumentParser.parse_args

    def only_parse(target: Callable[..., object], **settings: Any) -> object:  # noqa: ANN401 - whatever tyro takes
        if inspect.isfunction(target):  # tyro would call it
            target = functools.wraps(target)(lambda *_, **__: None)
        parsed = of_tyro(target, **settings)
        if settings.get("return_unknown_args"):  # the sweep reads the rest itself, by this function again
            return parsed
        raise _ParsedError

    def only_parse_plainly(parser: argparse.ArgumentParser, words: list[str] | None = None) -> None:
        of_argparse(parser, words)
        raise _ParsedError

    with (
        contextlib.suppress(_ParsedError),
        mock.patch("tyro.cli", only_parse),
        mock.patch.object(argparse.ArgumentParser, "parse_args", only_parse_plainly),
    ):
        yield


class _ParsedError(Exception):
    """The words were understood; nothing was done."""


@functools.cache
def known_options(command: str) -> frozenset[str]:
    """Return the options of a command as its help shows them; those of all recipes where it takes a recipe."""
    shown = options_in(_help(command))
    if command == "weights":
        shown += options_in(_help("weights", "import"))
    if command in _TAKES_RECIPE:
        shown += recipe_options()
    return frozenset(shown)


def _help(*words: str) -> str:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        cli.main([*words, "--help"])
    return shown.getvalue().replace("'", " ")


@functools.cache
def recipe_options() -> tuple[str, ...]:
    """Return the options that stand for a value of any recipe."""
    found = {"--out", "-o", "--help", "--keep-every"}  # tyro shortens no name but this one, which has no prefix
    for kind in (Recipe, PretrainRecipe):
        for path in find_recipes(ROOT / "recipes", kind):
            found.update(f"--{key.replace('_', '-')}" for key in _keys(read_recipe(path, kind)))
    return tuple(sorted(found))


def _keys(config: object, prefix: str = "") -> Iterator[str]:
    if is_dataclass(config):
        for field in fields(config):
            yield prefix + field.name
            yield from _keys(getattr(config, field.name), f"{prefix}{field.name}.")
