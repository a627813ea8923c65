"""Choosing decision thresholds from predictions: one shared by all action units (AUs), or one per AU.

A threshold is part of the training: chosen on the validation subjects it is honest. Chosen on the test subjects, as
FMAE-IAT's published evaluation does, it makes the score optimistic; `Protocol` says so under every table.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int8

from facskit.datasets.samples import LabelState
from facskit.evaluation.counts import Counts

__all__ = ["GRID", "ThresholdSweep", "sweep_thresholds"]

GRID: Float[np.ndarray, "99"] = np.arange(1, 100) / 100
"""The thresholds 0.01, 0.02, ..., 0.99 that published evaluations search."""


@dataclass(frozen=True, eq=False)
class ThresholdSweep:
    """F1 of every AU at every threshold of a grid, and the thresholds that maximise it.

    Where several thresholds are equally good, the one closest to 0.5 wins.
    """

    thresholds: Float[np.ndarray, "thresholds"]
    """The grid."""
    f1: Float[np.ndarray, "thresholds aus"]
    """F1 at each threshold; NaN where nothing is present or predicted."""

    @property
    def macro_f1(self) -> Float[np.ndarray, "thresholds"]:
        """Mean F1 at each threshold, over the AUs whose F1 is defined at some threshold.

        An F1 that is undefined at one threshold only, because the AU is never present and here not predicted, counts
        as 0, so that all thresholds are compared on the same AUs.
        """
        scored = ~np.isnan(self.f1).all(axis=0)
        if not scored.any():
            return np.full(self.thresholds.shape, np.nan)
        mean: Float[np.ndarray, "thresholds"] = np.nan_to_num(self.f1[:, scored]).mean(axis=1)
        return mean

    def _best(self, f1: Float[np.ndarray, "thresholds"]) -> int:
        if np.isnan(f1).all():
            return int(np.abs(self.thresholds - 0.5).argmin())
        ties = np.flatnonzero(f1 >= np.nanmax(f1) - 1e-12)
        return int(ties[np.abs(self.thresholds[ties] - 0.5).argmin()])

    @property
    def shared(self) -> float:
        """The one threshold with the highest macro F1."""
        return float(self.thresholds[self._best(self.macro_f1)])

    @property
    def f1_at_shared(self) -> Float[np.ndarray, "aus"]:
        """F1 of each AU at the shared threshold."""
        row: Float[np.ndarray, "aus"] = self.f1[self._best(self.macro_f1)]
        return row

    @property
    def per_au(self) -> Float[np.ndarray, "aus"]:
        """The threshold with the highest F1 for each AU; the one closest to 0.5 where F1 is undefined."""
        return self.thresholds[[self._best(column) for column in self.f1.T]]


def sweep_thresholds(
    labels: Int8[np.ndarray, "samples aus"],
    probabilities: Float[np.ndarray, "samples aus"],
    thresholds: Float[np.ndarray, "thresholds"] = GRID,
) -> ThresholdSweep:
    """Compute F1 per AU at every threshold of a grid.

    Args:
        labels: Label states; UNKNOWN enters nothing.
        probabilities: Probability that each AU is present.

    Paper:
        FMAE-IAT's evaluation takes the shared threshold with the highest macro F1 on the test fold: an optimistic
        number. Pass validation predictions for an honest one.
    """
    grid = thresholds.astype(probabilities.dtype)
    hits, false_alarms = (
        np.stack([_at_or_above(probabilities[rows, au], grid) for au, rows in enumerate((labels == state).T)], axis=1)
        for state in (LabelState.PRESENT, LabelState.ABSENT)
    )
    present, absent = (labels == LabelState.PRESENT).sum(axis=0), (labels == LabelState.ABSENT).sum(axis=0)
    counts = Counts(hits, false_alarms, present - hits, absent - false_alarms)
    return ThresholdSweep(thresholds, counts.f1())


def _at_or_above(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return how many values reach each threshold."""
    return values.size - np.searchsorted(np.sort(values), grid, side="left")
