"""A study as a command: its options from its dataclass, and a sentence instead of a traceback when it is stopped."""

import sys
from collections.abc import Callable
from typing import TypeVar

import tyro
from rich.console import Console
from rich.markup import escape

from facskit.errors import FacskitError

__all__ = ["run_study"]

_Study = TypeVar("_Study")


def run_study(main: Callable[[_Study], None], study: type[_Study]) -> None:
    """Read a study's options from the command line and run it; exit with 1 and a sentence if it can't go on."""
    chosen = tyro.cli(study)
    try:
        main(chosen)
    except FacskitError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]study:[/] {escape(str(error))}")
        sys.exit(1)
