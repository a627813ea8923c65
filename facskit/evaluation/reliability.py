"""Reliability: how often an action unit (AU) is there, among faces of which much the same probability was said."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from facskit.datasets.samples import LabelState
from facskit.evaluation.confusion_counts import Labels, Probabilities, divide

__all__ = ["Reliability", "reliability_of"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Reliability:
    """The points of a reliability diagram per AU, in bins of equal width; on the diagonal probabilities are true."""

    means: Float[np.ndarray, "aus bins"]
    """Mean probability of the labels in a bin; NaN where it is empty."""
    shares: Float[np.ndarray, "aus bins"]
    """Share of them that are present."""
    counts: Int[np.ndarray, "aus bins"]
    """Known labels in the bin."""


def reliability_of(labels: Labels, probabilities: Probabilities, bins: int = 10) -> Reliability:
    """Sort the known labels of each AU into bins by their probability."""
    sums, present, counts = [], [], []
    for states, shares in zip(labels.T, probabilities.T, strict=True):
        known = states != LabelState.UNKNOWN
        said = shares[known].astype(np.float64)
        places = np.minimum((said * bins).astype(np.int64), bins - 1)
        sums.append(np.bincount(places, weights=said, minlength=bins))
        present.append(np.bincount(places, weights=states[known] == LabelState.PRESENT, minlength=bins))
        counts.append(np.bincount(places, minlength=bins))
    number = np.array(counts)
    return Reliability(means=divide(np.array(sums), number), shares=divide(np.array(present), number), counts=number)
