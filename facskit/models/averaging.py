"""The arithmetic of running averages of weights: how fast they move, and one step of it."""

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["average_decay", "move_average"]


def average_decay(decay: float, updates: int) -> float:
    """Return the share of an average that its next update keeps.

    An average remembers little at first, so that it leaves the random initial weights behind quickly.

    Args:
        decay: The share kept in the long run.
        updates: How often it has been updated before.

    Returns:
        `min(decay, (1 + updates) / (10 + updates))`.
    """
    return min(decay, (1 + updates) / (10 + updates))


@torch.no_grad()
def move_average(average: Mapping[str, Tensor], present: Mapping[str, Tensor], decay: float) -> None:
    """Move averaged weights towards the present ones, in place; counters are copied.

    Args:
        average: By name, as a network's `state_dict` has them.
        present: Of the same network.
        decay: Share of the average that is kept.
    """
    averages: list[Tensor] = []
    values: list[Tensor] = []
    for name, value in present.items():
        if value.is_floating_point():
            averages.append(average[name])
            values.append(value)
        else:
            average[name].copy_(value)
    torch._foreach_lerp_(averages, values, 1.0 - decay)
