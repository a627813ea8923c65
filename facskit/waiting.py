"""The way in which threads wait for each other, which OpenMP reads once: when PyTorch is first imported.

A thread that is done with its part of an operation waits for the others, and by default it spins meanwhile. Where other
programs want the processor, it spins away the time that the thread it waits for could have used: beside two busy
programs a training fell to a tenth of its fair share (`python -m benchmarks.busy_machine`). Asleep it keeps all of it.
"""

import os

__all__ = ["let_threads_sleep"]


def let_threads_sleep() -> None:
    """Let OpenMP's threads sleep while they wait, unless the user's environment says something else.

    Holds for GNU's, LLVM's and Intel's OpenMP, and for processes started from here. Too late once PyTorch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
