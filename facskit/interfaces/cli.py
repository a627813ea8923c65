"""The `facskit` command: finds the subcommand, turns errors into one sentence and an exit code.

A command's module is imported when the command is called, so that `facskit --help` answers at once.

Exit codes: 0 done, 1 something a person can act on, 2 wrong usage, 130 interrupted.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from facskit.errors import FacskitError
from facskit.version import __version__

__all__ = ["main"]


@dataclass(frozen=True)
class Command:
    """One subcommand; `module` has a function `main(arguments) -> int` that parses and runs it."""

    name: str
    group: str
    summary: str
    module: str
    example: str


COMMANDS = (
    Command(
        "recognize",
        "Use",
        "Action units of every face in photographs, folders and videos.",
        "facskit.interfaces.recognize",
        "facskit recognize photo.jpg interview.mp4 -o result.csv --overlay pictures/",
    ),
    Command(
        "demo",
        "Use",
        "A tour in a few minutes: recognise photographs, train and evaluate a small model.",
        "facskit.interfaces.demo",
        "facskit demo",
    ),
    Command(
        "weights",
        "Use",
        "List the weights that come with facskit, or show what a weight file holds.",
        "facskit.interfaces.weights",
        "facskit weights",
    ),
    Command(
        "synthesize",
        "Make data",
        "Render faces with known action units, subjects and landmarks.",
        "facskit.interfaces.synthesize",
        "facskit synthesize faces/ --subjects 60 --frames 50 --seed 0",
    ),
    Command(
        "train",
        "Train and evaluate",
        "Train one model as a recipe says; resumes where it stopped.",
        "facskit.interfaces.train",
        "facskit train recipes/debug/one_minute.yaml --optimizer.base-lr 2e-4",
    ),
    Command(
        "cross-validate",
        "Train and evaluate",
        "Train and test on subject-exclusive folds and print the table.",
        "facskit.interfaces.cross_validate",
        "facskit cross-validate recipes/packaged/fmae_iat_tiny.yaml",
    ),
    Command(
        "evaluate",
        "Train and evaluate",
        "Score a weight file on a manifest.",
        "facskit.interfaces.evaluate",
        "facskit evaluate packaged faces/manifest.parquet",
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: Words after `facskit`; those of the process when None.

    Returns:
        The exit code: 0, or what the module's docstring says.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in {"-h", "--help", "help"}:
        _print_help()
        return 0
    if words[0] in {"-V", "--version"}:
        print(f"facskit {__version__}")
        return 0
    command = next((command for command in COMMANDS if command.name == words[0]), None)
    if command is None:
        return _fail(_unknown(words[0]), code=2)
    return _run(command, words[1:])


def _run(command: Command, words: list[str]) -> int:
    try:
        run: Callable[[list[str]], int] = import_module(command.module).main
        return run(words)
    except FacskitError as error:
        return _fail(str(error))
    except BrokenPipeError:
        return 0
    except OSError as error:
        if error.filename is None:
            raise
        return _fail(f"{error.filename}: {(error.strerror or str(error)).lower()}")
    except KeyboardInterrupt:
        return _fail("interrupted; run the same command again to go on where that is possible", code=130)


def _fail(sentence: str, *, code: int = 1) -> int:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]facskit:[/] {escape(sentence)}")
    return code


def _unknown(word: str) -> str:
    near = get_close_matches(word, [command.name for command in COMMANDS], n=1)
    hint = f"did you mean {near[0]}?" if near else "see facskit --help for the commands"
    return f"there is no command {word!r}; {hint}"


def _print_help() -> None:
    console = Console(highlight=False)
    console.print(f"[bold]facskit {__version__}[/]  facial action units: recognise, render, train, evaluate\n")
    console.print(
        "[bold]Usage[/]  facskit COMMAND [OPTIONS]       facskit COMMAND --help shows its options and defaults\n"
    )
    for group in dict.fromkeys(command.group for command in COMMANDS):
        table = Table.grid(padding=(0, 2))
        table.add_column(style="cyan", no_wrap=True, min_width=14)
        table.add_column()
        for command in COMMANDS:
            if command.group == group:
                table.add_row(command.name, command.summary)
        console.print(Panel(table, title=group, title_align="left", border_style="dim"))
    examples = "\n".join(escape(command.example) for command in COMMANDS)
    console.print(Panel(examples, title="Examples", title_align="left", border_style="dim"))
    console.print("[dim]-h, --help shows this   -V, --version shows the version[/]")


if __name__ == "__main__":
    sys.exit(main())
