"""Decision thresholds chosen from predictions: one shared by all action units (AUs), or one per AU.

A threshold is part of the training: chosen on the validation subjects it is honest. Chosen on the test subjects, as
FMAE-IAT's published evaluation does, it makes the score optimistic; `Protocol` says so under every table.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from facskit.datasets.samples import LabelState
from facskit.evaluation.confusion_counts import Counts

__all__ = ["GRID", "ThresholdSweep", "sweep_thresholds"]

GRID: Float[np.ndarray, "99"] = np.arange(1, 100) / 100
"""The thresholds 0.01, 0.02, ..., 0.99 that published evaluations search."""


@dataclass(frozen=True, eq=False)
class ThresholdSweep:
    """F1 of every AU at every threshold of `GRID`, and the thresholds that maximise it.

    Where several thresholds are equally good, the one closest to 0.5 wins.
    """

    f1: Float[np.ndarray, "thresholds aus"]
    """F1 at each threshold; where nothing is present or predicted NaN, or what was asked for."""

    @property
    def macro_f1(self) -> Float[np.ndarray, "thresholds"]:
        """Mean F1 at each threshold, over the AUs whose F1 is defined at some threshold.

        An F1 that is undefined at one threshold only, because the AU is never present and here not predicted, counts
        as 0, so that all thresholds are compared on the same AUs.
        """
        scored = ~np.isnan(self.f1).all(axis=0)
        if not scored.any():
            return np.full(len(self.f1), np.nan)
        return np.nan_to_num(self.f1[:, scored]).mean(axis=1)

    def _best(self, f1: Float[np.ndarray, "thresholds"]) -> int:
        if np.isnan(f1).all():
            return int(np.abs(GRID - 0.5).argmin())
        ties = np.flatnonzero(f1 >= np.nanmax(f1) - 1e-12)
        return int(ties[np.abs(GRID[ties] - 0.5).argmin()])

    @property
    def shared(self) -> float:
        """The one threshold with the highest macro F1."""
        return float(GRID[self._best(self.macro_f1)])

    @property
    def f1_at_shared(self) -> Float[np.ndarray, "aus"]:
        """F1 of each AU at the shared threshold."""
        return self.f1[self._best(self.macro_f1)]

    @property
    def per_au(self) -> Float[np.ndarray, "aus"]:
        """The threshold with the highest F1 for each AU; the one closest to 0.5 where F1 is undefined."""
        return GRID[[self._best(column) for column in self.f1.T]]


def sweep_thresholds(
    labels: Int8[np.ndarray, "samples aus"],
    probabilities: Float[np.ndarray, "samples aus"],
    *,
    undefined_f1: float = np.nan,
) -> ThresholdSweep:
    """Compute F1 per AU at every threshold of `GRID`.

    Args:
        labels: Label states; UNKNOWN enters nothing.
        undefined_f1: F1 where nothing is present or predicted; it chooses no threshold.

    Paper:
        FMAE-IAT's evaluation takes the shared threshold with the highest macro F1 on the test fold: an optimistic
        number. Pass validation predictions for an honest one.
    """
    grid = GRID.astype(probabilities.dtype)
    present, absent = labels == LabelState.PRESENT, labels == LabelState.ABSENT
    hits, false_alarms = _reaching(probabilities, present, grid), _reaching(probabilities, absent, grid)
    counts = Counts(hits, false_alarms, present.sum(axis=0) - hits, absent.sum(axis=0) - false_alarms)
    return ThresholdSweep(counts.f1(undefined_f1))


def _reaching(
    probabilities: Float[np.ndarray, "samples aus"],
    counted: Bool[np.ndarray, "samples aus"],
    grid: Float[np.ndarray, "thresholds"],
) -> Int[np.ndarray, "thresholds aus"]:
    """Return how many of the counted probabilities of each AU are at or above each threshold."""
    columns = []
    for values, rows in zip(probabilities.T, counted.T, strict=True):
        rising = np.sort(values[rows])
        columns.append(rising.size - np.searchsorted(rising, grid, side="left"))
    return np.stack(columns, axis=1)
