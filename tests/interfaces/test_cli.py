"""The command line's front door: help, versions, wrong words, errors as sentences."""

from importlib import import_module

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
