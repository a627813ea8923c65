"""The `facskit` command: finds the subcommand, turns errors into one sentence and an exit code.

A command's module is imported when the command is called, so that `facskit --help` answers at once.

Exit codes: 0 done, 1 something a person can act on, 2 wrong usage, 130 interrupted.
"""

import io
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from itertools import pairwise

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from facskit.errors import FacskitError
from facskit.version import __version__

__all__ = ["main"]


@dataclass(frozen=True)
class Command:
    """One subcommand."""

    name: str
    group: str
    summary: str
    example: str
    extra: str | None = None
    """What brings all it needs, where that isn't what the module that is missing suggests."""

    @property
    def module(self) -> str:
        """The module of the same name, whose function `main(arguments) -> int` parses and runs the command."""
        return f"facskit.interfaces.{self.name.replace('-', '_')}"


COMMANDS = (
    Command(
        "recognize",
        "Use",
        "Action units and expression of every face in photographs, folders and videos.",
        "facskit recognize photo.jpg interview.mp4 -o result.csv --overlay pictures/",
    ),
    Command(
        "serve",
        "Use",
        "A page in the browser: drop a photograph or a video, or use the webcam.",
        "facskit serve",
    ),
    Command(
        "export",
        "Use",
        "A recogniser as one ONNX file for other programs, half or a quarter as large if wanted.",
        "facskit export packaged -o model.onnx",
        extra="export",
    ),
    Command(
        "demo",
        "Use",
        "A tour in a few minutes: recognise photographs, train and evaluate a small model.",
        "facskit demo",
    ),
    Command(
        "weights",
        "Use",
        "List weights, show what one holds, import published ones.",
        "facskit weights import checkpoint-20.pth --dataset bp4d --fold 1",
    ),
    Command(
        "synthesize",
        "Make data",
        "Render faces with known action units, subjects and landmarks.",
        "facskit synthesize faces/ --subjects 60 --frames 50 --seed 0",
        extra="synthesis",
    ),
    Command(
        "prepare",
        "Make data",
        "From a corpus as its owners distribute it to crops and one manifest.",
        "facskit prepare bp4d BP4D/ -o data/bp4d --as fmae-iat",
    ),
    Command(
        "convert",
        "Make data",
        "Read and write other people's lists: FMAE-IAT, JAA-Net, ME-GraphAU, OpenFace, py-feat.",
        "facskit convert list/BP4D_combine_1_2_path.txt -o bp4d.parquet",
    ),
    Command(
        "curate",
        "Make data",
        "Filter and pack raw image collections for pre-training.",
        "facskit curate celeba/ faces.zip -o data/curated",
    ),
    Command(
        "example-tree",
        "Make data",
        "Write a small corpus of rendered faces in a corpus's exact layout, to look at.",
        "facskit example-tree disfa examples/disfa",
    ),
    Command(
        "doctor",
        "Check data",
        "Say what a folder or file is, what is missing and what looks wrong.",
        "facskit doctor BP4D/",
    ),
    Command(
        "describe",
        "Check data",
        "Occurrence, co-occurrence, duration and gaps of the labels: tables and one page of figures.",
        "facskit describe data/bp4d/manifest.parquet -o report/",
    ),
    Command(
        "pretrain",
        "Train and evaluate",
        "Pre-train an encoder on faces without labels; resumes where it stopped.",
        "facskit pretrain recipes/debug/pretrain_one_minute.yaml",
    ),
    Command(
        "train",
        "Train and evaluate",
        "Train one model as a recipe says; resumes where it stopped.",
        "facskit train recipes/debug/one_minute.yaml --optimizer.base-lr 2e-4",
    ),
    Command(
        "cross-validate",
        "Train and evaluate",
        "Train and test on subject-exclusive folds and print the table.",
        "facskit cross-validate recipes/packaged/fmae_iat_tiny.yaml",
    ),
    Command(
        "evaluate",
        "Train and evaluate",
        "Score a weight file on a manifest.",
        "facskit evaluate packaged faces/manifest.parquet",
    ),
    Command(
        "sweep",
        "Train and evaluate",
        "Train a recipe with every combination of some values; one table.",
        "facskit sweep recipes/packaged/fmae_iat_tiny.yaml --objective.strength 0,0.02,0.1 --seeds 0,1",
    ),
    Command(
        "report",
        "Analyse",
        "Write one page about finished runs: scores, protocols, calibration, bias, mistakes.",
        "facskit report runs/fmae_iat_tiny -o report.html",
    ),
    Command(
        "compare",
        "Analyse",
        "Say whether runs differ, with a paired bootstrap over subjects.",
        "facskit compare runs/fmae runs/fmae_iat",
    ),
    Command(
        "probe",
        "Analyse",
        "Say how well people can be told apart by a network's features.",
        "facskit probe runs/fmae runs/fmae_iat -o probe/",
    ),
    Command(
        "bias",
        "Analyse",
        "Show which action units networks predict too often or too seldom.",
        "facskit bias runs/disfa -o bias/",
    ),
    Command(
        "attention",
        "Analyse",
        "Draw where an attentive network looks for each action unit.",
        "facskit attention rendered-attention photo.jpg -o maps/",
    ),
)


_TRAINING = ("h5py", "imagehash", "jinja2", "lightning_fabric", "lmdb", "matplotlib", "scipy", "sklearn")
_EXTRA_OF = dict.fromkeys(_TRAINING, "training")
"""Modules that recognition does without, and the extra that brings them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the words after `facskit`, those of the process when None, and return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _print_anything()
    if not words or words[0] in {"-h", "--help", "help"}:
        _print_help()
        return 0
    if words[0] in {"-V", "--version"}:
        print(f"facskit {__version__}")
        return 0
    if any(not word and not before.startswith("-") for before, word in pairwise(words)):
        return _fail(
            f'found an empty word ("") after facskit {words[0]}, expected a path; is a variable empty?', code=2
        )
    command = next((command for command in COMMANDS if command.name == words[0]), None)
    if command is None:
        near = get_close_matches(words[0], [command.name for command in COMMANDS], n=1)
        hint = f"did you mean {near[0]}?" if near else "see facskit --help for the commands"
        return _fail(f"there is no command {words[0]!r}; {hint}", code=2)
    return _run(command, words[1:])


def _print_anything() -> None:
    """Let terminals and pipes that lack a character show its number: a name must not stop the work."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run(command: Command, words: list[str]) -> int:
    # A job that is told to stop ends like one that is interrupted: nothing half-written stays.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run: Callable[[list[str]], int] = import_module(command.module).main
        return run(words)
    except FacskitError as error:
        return _fail(str(error))
    except ModuleNotFoundError as error:
        suggested = _EXTRA_OF.get((error.name or "").partition(".")[0])
        if suggested is None:
            raise
        extra = command.extra or suggested
        return _fail(
            f"facskit {command.name} needs {error.name}, which isn't installed: pip install 'facskit[{extra}]'"
        )
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
