"""Other base rates for the same faces: labels are forgotten until each action unit is as often present as wanted.

The pictures stay; only which of their labels count changes. So the same answers of a network are tested at any rates.
"""

import numpy as np
from jaxtyping import Float, Int8

from facskit.datasets.samples import LabelState

__all__ = ["keep_rates", "swap_rates"]


def keep_rates(
    labels: Int8[np.ndarray, "faces units"], rates: Float[np.ndarray, "units"], seed: int = 0
) -> Int8[np.ndarray, "faces units"]:
    """Forget as few labels as it takes for each unit to be present at its rate among the known ones.

    Args:
        labels: Label states.
        rates: Wanted share of presences, between 0 and 1.
        seed: Seed of which labels are forgotten.

    Raises:
        ValueError: A rate isn't between 0 and 1, or a unit is never present or never absent.
    """
    if not ((rates > 0) & (rates < 1)).all():
        raise ValueError(f"rates must be between 0 and 1, got {rates.tolist()}")
    rng = np.random.default_rng(seed)
    kept = np.full_like(labels, LabelState.UNKNOWN)
    for unit, rate in enumerate(rates):
        present, absent = (
            rng.permutation(np.flatnonzero(labels[:, unit] == state))
            for state in (LabelState.PRESENT, LabelState.ABSENT)
        )
        if not (len(present) and len(absent)):
            raise ValueError(f"unit {unit} is present in {len(present)} and absent in {len(absent)} labels")
        known = min(len(present) / rate, len(absent) / (1 - rate))
        kept[present[: max(1, round(known * rate))], unit] = LabelState.PRESENT
        kept[absent[: max(1, round(known * (1 - rate)))], unit] = LabelState.ABSENT
    return kept


def swap_rates(rates: Float[np.ndarray, "units"]) -> Float[np.ndarray, "units"]:
    """Give the rarest unit the rate of the most frequent one, the second rarest that of the second, and so on."""
    order = np.argsort(rates)
    swapped = np.empty_like(rates)
    swapped[order] = rates[order[::-1]]
    return swapped
