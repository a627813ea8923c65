"""Processes that work for one parent: one thread each, silent on Ctrl-C, gone when it is; and the bar that counts."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["counting_bar", "single_threaded_children", "start_worker"]

_SINGLE_THREADED = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "LP_NUM_THREADS",
    "POLARS_MAX_THREADS",
)


def start_worker() -> None:
    """Prepare a process to work for its parent; the first thing a pool's process does.

    The parent speaks for all when it is interrupted, and a process whose parent was killed leaves, since nobody would
    ever give it work or end it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


@contextmanager
def single_threaded_children() -> Iterator[None]:
    """Let processes that start meanwhile use one thread each; threads beside processes only slow both down."""
    before = {name: os.environ.get(name) for name in _SINGLE_THREADED}
    os.environ.update(dict.fromkeys(_SINGLE_THREADED, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def counting_bar() -> Progress:
    """Return a progress bar that counts what is done and says how long the rest takes; it is drawn on stderr."""
    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*shown, console=Console(stderr=True))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
