"""Processes that work for one parent: one thread each, silent on Ctrl-C, gone when it is; and the bar that counts."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from threading import Thread
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from facskit.errors import DatasetError

__all__ = ["counting_bar", "run_in_processes", "single_threaded_children", "start_worker", "tick"]

Unit = TypeVar("Unit")

_SINGLE_THREADED = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "LP_NUM_THREADS",
    "POLARS_MAX_THREADS",
)
_STOPPED = -1
"""Count of a parent that wants no more."""

_done: "Synchronized[int] | None" = None
"""Where a worker of `run_in_processes` counts what it has done."""


def run_in_processes(
    work: Callable[[Unit], int],
    units: Sequence[Unit],
    workers: int,
    *,
    what: str,
    prepare: Callable[[], None] | None = None,
) -> Iterator[int]:
    """Do units of work on processes of their own, started in the order given and finished in any.

    Args:
        work: Does a unit, and returns how many pieces it had beside those that it counted itself by `tick`; it can be
            pickled.
        workers: How many processes at most; 0 for one per core.
        what: The work in one word, for the message: `preparing`.
        prepare: What each process does first.

    Yields:
        How many more pieces are done, twice a second at least.

    Raises:
        DatasetError: A process died, or the work raised it.
    """
    if not units:
        return
    context = multiprocessing.get_context("spawn")
    done, told = context.Value("q", 0), 0
    count = min(workers or os.cpu_count() or 1, len(units))
    with single_threaded_children():
        pool = ProcessPoolExecutor(count, context, initializer=_start_counting, initargs=(done, prepare))
        try:
            waiting = {pool.submit(_counted, work, unit) for unit in units}
            while waiting:
                finished, waiting = wait(waiting, timeout=0.5, return_when=FIRST_EXCEPTION)
                for future in finished:
                    future.result()
                now = done.value
                yield now - told
                told = now
        except BrokenProcessPool as error:
            raise DatasetError(
                f"a {what} process died (out of memory?); run the same command again to go on from there, perhaps with "
                "fewer workers"
            ) from error
        finally:
            done.value = _STOPPED  # after an error, units in progress need not be finished
            pool.shutdown(wait=True, cancel_futures=True)


def tick(pieces: int = 1) -> None:
    """Count pieces of a unit of `run_in_processes`, and end the unit if its parent wants no more; else do nothing."""
    if _done is None:
        return
    with _done.get_lock():
        if _done.value == _STOPPED:
            raise _StoppedError
        _done.value += pieces


class _StoppedError(Exception):
    """The parent wants no more."""


def _start_counting(done: "Synchronized[int]", prepare: Callable[[], None] | None) -> None:
    global _done  # noqa: PLW0603 (a process works for one parent all its life)
    _done = done
    start_worker()
    if prepare is not None:
        prepare()


def _counted(work: Callable[[Unit], int], unit: Unit) -> None:
    tick(work(unit))


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


def counting_bar(*, fleeting: bool = False) -> Progress:
    """Return a progress bar that counts what is done and says how long the rest takes; it is drawn on stderr.

    A fleeting one is drawn only where a person looks, and gone at the end.
    """
    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    return Progress(*shown, console=console, transient=fleeting, disable=fleeting and not console.is_terminal)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
