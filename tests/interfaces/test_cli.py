"""The command line's front door: help, versions, wrong words, errors as sentences."""

import subprocess
import sys
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import pytest

from facskit import __version__
from facskit.errors import MediaError
from facskit.interfaces import cli


def test_help_lists_every_command_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert command.name in text
        assert command.example.startswith(f"facskit {command.name}")


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself(command: cli.Command, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code: object = cli.main([command.name, "--help"])
    except SystemExit as stop:
        code = stop.code
    assert code == 0
    assert f"facskit {command.name}" in capsys.readouterr().out
    assert callable(import_module(command.module).main)


@pytest.mark.parametrize(("command", "names"), [("evaluate", ("WEIGHTS", "MANIFEST")), ("synthesize", ("OUT",))])
def test_help_names_the_words_without_a_dash(
    command: str, names: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    usage = capsys.readouterr().out.split("positional arguments")[1].split("options")[0]
    assert all(name in usage for name in names)


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"facskit {__version__}"


def test_an_unknown_command_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recognise"]) == 2
    assert capsys.readouterr().err.strip() == "facskit: there is no command 'recognise'; did you mean recognize?"


@pytest.mark.parametrize("words", [["recognize", ""], ["doctor", ""], ["recognize", "a.jpg", "", "--every", "2"]])
def test_an_empty_word_is_no_path(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    sentence = f'found an empty word ("") after facskit {words[0]}, expected a path; is a variable empty?'
    assert sentence in capsys.readouterr().err


def test_an_error_becomes_one_sentence_and_exit_code_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(words: list[str]) -> int:
        raise MediaError(f"{words[0]} is no picture")

    monkeypatch.setattr("facskit.interfaces.demo.main", refuse)
    assert cli.main(["demo", "[x].jpg"]) == 1
    assert capsys.readouterr().err == "facskit: [x].jpg is no picture\n"


def test_an_interruption_says_how_to_go_on(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(words: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("facskit.interfaces.demo.main", stop)
    assert cli.main(["demo"]) == 130
    assert "run the same command again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        ("compare", "sklearn", "training"),
        ("export", "sklearn", "export"),
        ("synthesize", "scipy.sparse", "synthesis"),
        ("recognize", "matplotlib", "training"),
    ],
)
def test_a_missing_extra_is_named(
    command: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacking(_: list[str]) -> int:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(f"facskit.interfaces.{command}.main", lacking)
    assert cli.main([command]) == 1
    told = capsys.readouterr().err
    assert told == f"facskit: facskit {command} needs {module}, which isn't installed: pip install 'facskit[{extra}]'\n"


def test_recognition_needs_no_extra_and_no_connection(tmp_path: Path) -> None:
    """Whole runs in a fresh process that can neither import what training needs nor reach another machine."""
    photograph = Path(str(files("facskit.assets").joinpath("photographs/eileen_collins.jpg")))
    table = str(tmp_path / "table.csv")
    lines = [
        ["recognize", str(photograph), "-o", table, "--overlay", str(tmp_path / "pictures")],
        ["doctor"],
        ["describe", table],
        ["convert", table, "-o", str(tmp_path / "labels.csv")],
        ["attention", "rendered-attention", str(photograph), "-o", str(tmp_path / "maps")],
    ]
    script = f"""
import socket, sys
sys.modules.update(dict.fromkeys({cli._TRAINING!r}))
def watch(event, arguments):
    outside = event in ("socket.getaddrinfo", "socket.sendto") or (
        event == "socket.connect" and arguments[0].family != socket.AF_UNIX
    )
    if outside:
        print("reached out:", event, arguments, file=sys.stderr, flush=True)
        import os; os._exit(99)
sys.addaudithook(watch)
from facskit.interfaces.cli import main
code = max(main(words) for words in {lines!r})
if "--reach-out" in sys.argv:
    socket.create_connection(("127.0.0.1", 9))
sys.exit(code)
"""
    quiet = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert quiet.returncode == 0, quiet.stderr
    assert (tmp_path / "table.csv").read_text().count("\n") == 2
    assert len(list((tmp_path / "maps").iterdir())) == 1
    assert "training no" in quiet.stdout
    # The guard itself must be able to fail.
    loud = subprocess.run([sys.executable, "-c", script, "--reach-out"], capture_output=True, text=True, check=False)
    assert loud.returncode == 99
