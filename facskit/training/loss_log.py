"""Losses that wait on the accelerator until somebody reads them, so that logging costs no waiting at every step."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["LossLog", "NonFiniteLossError"]


class NonFiniteLossError(ArithmeticError):
    """A loss is infinite or no number.

    Args:
        batches_ago: How many batches before the last one it happened.
    """

    def __init__(self, batches_ago: int, terms: dict[str, float]) -> None:
        self.batches_ago, self.terms = batches_ago, terms
        super().__init__(", ".join(f"{name} = {value:g}" for name, value in terms.items()))


class LossLog:
    """The losses of batches that nobody has looked at yet."""

    def __init__(self) -> None:
        self._waiting: list[dict[str, Tensor]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, terms: dict[str, Tensor]) -> None:
        """Keep the losses of a batch, detached scalars of the same names every time."""
        self._waiting.append(terms)

    def read(self, mean_over_processes: Callable[[Tensor], Tensor] | None = None) -> dict[str, float]:
        """Read all losses at once, forget them, and return their sums.

        Args:
            mean_over_processes: How to average a tensor over the processes that train together, each of which has lost
                on its own share of every batch; all of them must call it. None for this process's losses alone.

        Raises:
            NonFiniteLossError: A loss is infinite or no number; it names the first.
        """
        names = list(self._waiting[0])
        table = torch.stack([torch.stack([terms[name].float() for name in names]) for terms in self._waiting])
        self._waiting = []
        if mean_over_processes is not None:
            table = mean_over_processes(table)
        rows: list[list[float]] = table.tolist()
        for place, row in enumerate(rows):
            if not all(math.isfinite(value) for value in row):
                raise NonFiniteLossError(len(rows) - 1 - place, dict(zip(names, row, strict=True)))
        return {name: math.fsum(row[place] for row in rows) for place, name in enumerate(names)}
