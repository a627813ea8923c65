"""`-` among inputs: what is sent to standard input, kept as a private file while it's looked at."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from facskit.errors import RecipeError

__all__ = ["STANDARD_INPUT", "received"]

STANDARD_INPUT = "standard_input"
"""What it's called in tables and the names of pictures."""
_DASH = Path("-")


@contextmanager
def received(inputs: Sequence[Path]) -> Iterator[Path | None]:
    """Give the file that holds what came to standard input, until the block ends; None where no input is `-`.

    Most containers need their end, or to be read twice, so all of it is received first.

    Raises:
        RecipeError: Nothing is sent.
    """
    if _DASH not in inputs:
        yield None
        return
    if sys.stdin.isatty():
        raise RecipeError(
            "found - among the inputs and nothing sent to it; expected such as: facskit recognize - < talk.mp4"
        )
    with tempfile.TemporaryDirectory(prefix="facskit-") as folder:
        path = Path(folder) / STANDARD_INPUT
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield path
