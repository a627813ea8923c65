"""Every command that messages, help, docs, recipes and examples tell people to type can be typed."""

import contextlib
import io
import re
import shlex

import pytest

from facskit.errors import FacskitError
from facskit.interfaces import cli
from tests.typed_commands import (
    ROOT,
    command_lines,
    known_options,
    mentions,
    options_in,
    parse_command,
    parse_module,
    recipe_options,
    texts,
)

COMMANDS = {command.name for command in cli.COMMANDS}
TEXTS = list(texts())
LINES = sorted({line for place, text in TEXTS for line in command_lines(place, text)}, key=str)
MENTIONS = sorted({found for place, text in TEXTS for found in mentions(place, text)}, key=str)


def test_enough_is_found_to_mean_something() -> None:
    assert len(LINES) > 100
    assert len(MENTIONS) > 100
    assert {line.place.split("/")[0] for line in LINES} >= {"README.md", "docs", "facskit", "recipes", "examples"}


def test_whole_command_lines_are_understood_by_the_commands_own_parsers() -> None:
    modules = [found for found in MENTIONS if found.words.startswith("python -m ") and options_in(found.words)[1:]]
    places = {line.words: line.place for line in (*LINES, *modules) if line.is_whole}
    refusals = {words: _refusal(words) for words in places}
    wrong = [f"{places[words]}: {words}: {refusal}" for words, refusal in refusals.items() if refusal]
    assert not wrong, "\n".join(wrong)


def _refusal(words: str) -> str:
    """Return what a program says against the words, or nothing."""
    shown = io.StringIO()
    with contextlib.redirect_stderr(shown), contextlib.redirect_stdout(io.StringIO()):
        try:
            match shlex.split(words):
                case ["facskit", *rest]:
                    parse_command(rest)
                case ["python", "-m", module, *rest]:
                    parse_module(module, rest)
        except SystemExit as stop:
            return shown.getvalue() if stop.code else ""
        except (FacskitError, StopIteration, ImportError, ValueError) as error:
            return repr(error)
    return ""


def test_commands_in_running_text_exist_and_have_these_options() -> None:
    wrong: list[object] = []
    for found in (*LINES, *MENTIONS):
        command = re.match(r"facskit ([a-z][a-z-]*)", found.words)
        if command and command[1] not in COMMANDS:
            wrong.append(found)
        elif command:
            wrong += [(found, option) for option in options_in(found.words) if option not in known_options(command[1])]
    assert not wrong, "\n".join(map(str, wrong))


def test_options_named_without_their_command_belong_to_some_command() -> None:
    others = {"--porcelain", "--data-binary", "--rm", "--nproc_per_node"}  # of git, curl, docker and torchrun
    known = {"--version", *others}.union(recipe_options(), *map(known_options, COMMANDS))
    for path in (*ROOT.glob("benchmarks/*.py"), *ROOT.glob("studies/*.py")):
        text = path.read_text(encoding="utf-8")
        known.update(re.findall(r"add_argument\(\"(--[a-z-]+)", text))
        known.update("--" + field.replace("_", "-") for field in re.findall(r"^    (\w+): ", text, flags=re.MULTILINE))
    wrong = [
        (place, option)
        for place, text in TEXTS
        if place.endswith(".md") or place.startswith("facskit/")
        for option in options_in(text)
        if option.startswith("--") and option not in known
    ]
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        (r"`python -m ((?:benchmarks|studies|facskit|tests)\.[\w.]+)", "{}.py"),
        (r"(?<![\w/.$-])((?:tools|benchmarks|studies|tests|examples|recipes)/[\w/-]+\.(?:py|sh|yaml))", None),
    ],
)
def test_modules_and_files_that_are_named_exist(pattern: str, place: str | None) -> None:
    named = {(file, name) for file, text in TEXTS for name in re.findall(pattern, text)}
    assert named
    paths = {(file, place.format(name.replace(".", "/")) if place else name) for file, name in named}
    missing = sorted((file, path) for file, path in paths if not (ROOT / path).exists())
    assert [found for found in missing if not re.search(r"HOLE|NAME", found[1])] == []


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = [found for found in (*LINES, *MENTIONS) if found.words.startswith("make ")]
    assert [found for found in named if found.words.split()[1] not in targets] == []
