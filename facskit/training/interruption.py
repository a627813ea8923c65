"""Interruption: Ctrl-C and a scheduler's SIGTERM as a wish that the loop can grant between two updates."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

__all__ = ["Interruption", "catch_interruption"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Interruption:
    """Whether somebody asked the process to stop."""

    signal: int | None = None
    """Number of the signal that asked; None as long as none did."""


@contextlib.contextmanager
def catch_interruption() -> Iterator[Interruption]:
    """Note a first SIGINT or SIGTERM, to be looked at between two updates; a second one acts as usual.

    Outside the main thread, where Python delivers no signals, nothing is caught.
    """
    noted = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    usual = {number: signal.getsignal(number) for number in _SIGNALS}

    def note(number: int, _frame: FrameType | None) -> None:
        noted.signal = number
        restore()

    def restore() -> None:
        for number, handler in usual.items():
            signal.signal(number, handler)

    for number in _SIGNALS:
        signal.signal(number, note)
    try:
        yield noted
    finally:
        restore()
