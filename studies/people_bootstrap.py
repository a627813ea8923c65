"""How sure is a difference of ROC-AUC? People are drawn, not pictures, and the same ones for both arms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from facskit.datasets.samples import LabelState
from facskit.evaluation.predictions import Predictions

__all__ = ["Difference", "auc_difference", "macro_auc", "resampled_auc"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A difference of macro ROC-AUC with its 95 % interval, as fractions."""

    estimate: float
    low: float
    high: float

    def in_points(self) -> str:
        """Say it in percent: `+1.2 (-0.3 to +2.8)`."""
        return f"{100 * self.estimate:+.1f} ({100 * self.low:+.1f} to {100 * self.high:+.1f})"


def macro_auc(predictions: Predictions) -> float:
    """Return the mean ROC-AUC of the action units that are both present and absent among the faces."""
    return float(predictions.scores().macro("roc_auc").value)


def auc_difference(
    arm: Sequence[Predictions], base: Sequence[Predictions], *, resamples: int = 1000, seed: int = 0
) -> Difference:
    """Return how much higher an arm's macro ROC-AUC is, mean over seeds, with an interval over people.

    Args:
        arm: What its networks said about the same faces in the same order, one entry per seed.
        base: The same of the arm it is compared with.
        resamples: How many times people are drawn.
        seed: Seed of the draws.

    Raises:
        ValueError: The faces aren't the same.
    """
    for each in (*arm, *base):
        if not np.array_equal(each.names, base[0].names):
            raise ValueError("the predictions are about other faces, or in another order")
    weights = _draw_people(base[0].subjects, resamples, seed)
    gains = np.mean([_macro(each, weights) for each in arm], axis=0)
    gains = gains - np.mean([_macro(each, weights) for each in base], axis=0)
    low, high = np.nanquantile(gains[1:], (0.025, 0.975))
    return Difference(estimate=float(gains[0]), low=float(low), high=float(high))


def resampled_auc(
    probabilities: Float[np.ndarray, "faces"],
    present: Bool[np.ndarray, "faces"],
    weights: Int[np.ndarray, "draws faces"],
) -> Float[np.ndarray, "draws"]:
    """Return the ROC-AUC of one action unit under each draw: a presence above an absence counts 1, a tie a half.

    Args:
        weights: How often each face was drawn.

    Returns:
        NaN for a draw without any presence or absence.
    """
    levels, places = np.unique(probabilities, return_inverse=True)
    order = np.argsort(places, kind="stable")
    starts = np.searchsorted(places[order], np.arange(len(levels)))
    drawn = weights[:, order].astype(np.float64)
    positives = np.add.reduceat(drawn * present[order], starts, axis=1)
    negatives = np.add.reduceat(drawn * ~present[order], starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    pairs = positives.sum(1) * negatives.sum(1)
    found: Float[np.ndarray, "draws"] = np.divide(
        (positives * below).sum(1), pairs, out=np.full(len(weights), np.nan), where=pairs > 0
    )
    return found


def _draw_people(subjects: Sequence[str] | np.ndarray, resamples: int, seed: int) -> Int[np.ndarray, "draws faces"]:
    """Return how often each face is drawn; the first draw is everybody once."""
    names, people = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    counts = np.concatenate([np.ones((1, len(names)), counts.dtype), counts])
    drawn: Int[np.ndarray, "draws faces"] = counts[:, people]
    return drawn


def _macro(predictions: Predictions, weights: Int[np.ndarray, "draws faces"]) -> Float[np.ndarray, "draws"]:
    found = []
    for column, labels in enumerate(predictions.labels.T):
        known = labels != LabelState.UNKNOWN
        said = predictions.probabilities[known, column]
        found.append(resampled_auc(said, labels[known] == LabelState.PRESENT, weights[:, known]))
    mean: Float[np.ndarray, "draws"] = np.nanmean(found, axis=0)
    return mean
