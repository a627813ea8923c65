"""How a study writes what its seeds found."""

from collections.abc import Sequence

import numpy as np

__all__ = ["spread_cell"]


def spread_cell(values: Sequence[float]) -> str:
    """Return fractions, one per seed, in percent: `45.8 (45.1 to 46.5)`, the mean, the lowest and the highest."""
    mean = f"{100 * np.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ({100 * min(values):.1f} to {100 * max(values):.1f})"
