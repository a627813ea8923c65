"""The way in which threads wait for each other, which OpenMP reads once: when PyTorch is first imported.

A thread that is done with its part of an operation waits for the others, and by default it spins meanwhile. Where other
programs want the processor, it spins away the time that the thread it waits for could have used: beside many busy
programs a training fell to a tenth of its fair share. Asleep at once it keeps its share, but loses a seventh of its
speed when nobody disturbs it. A short spin does neither (`python -m benchmarks.busy_machine`, and docs/log.md).
"""

import os

__all__ = ["spin_briefly"]

SPIN_COUNT = 50_000
"""Turns of GNU's OpenMP's waiting loop before a thread sleeps; 300,000 by default."""


def spin_briefly() -> None:
    """Let OpenMP's threads sleep soon while they wait, unless the user's environment says how they should wait.

    Holds for GNU's OpenMP, which PyTorch's packages for Linux bring, and for processes started from here. Too late once
    PyTorch is imported.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPIN_COUNT))
