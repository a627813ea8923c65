"""Counts of decisions against labels: the true and false positives and negatives that threshold scores are made of.

A label whose state is UNKNOWN is not counted, and what the counts can't define is NaN; the conventions are those of
`facskit.evaluation.metrics`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from facskit.datasets.samples import LabelState

__all__ = ["Counts", "Labels", "PerAU", "Probabilities", "Thresholds", "count", "decide", "divide"]

Labels = Int8[np.ndarray, "samples aus"]
Probabilities = Float[np.ndarray, "samples aus"]
PerAU = Float[np.ndarray, "aus"]
Thresholds = float | Float[np.ndarray, "aus"] | Float[np.ndarray, "samples aus"]


def divide(
    numerator: Float[np.ndarray, "*shape"] | Int[np.ndarray, "*shape"],
    denominator: Float[np.ndarray, "*shape"] | Int[np.ndarray, "*shape"],
) -> Float[np.ndarray, "*shape"]:
    """Divide elementwise; 0 in the denominator gives NaN without a warning."""
    result = np.full(np.shape(denominator), np.nan)
    np.divide(numerator, denominator, out=result, where=np.asarray(denominator) != 0)
    return result


@dataclass(frozen=True, eq=False)
class Counts:
    """How decisions met known labels; the last axis of every array is the AU."""

    true_positive: Int[np.ndarray, "*shape"]
    """Present and predicted present."""
    false_positive: Int[np.ndarray, "*shape"]
    """Absent but predicted present."""
    false_negative: Int[np.ndarray, "*shape"]
    """Present but predicted absent."""
    true_negative: Int[np.ndarray, "*shape"]
    """Absent and predicted absent."""

    @property
    def present(self) -> Int[np.ndarray, "*shape"]:
        """Labels that are present."""
        return self.true_positive + self.false_negative

    @property
    def absent(self) -> Int[np.ndarray, "*shape"]:
        """Labels that are absent."""
        return self.true_negative + self.false_positive

    @property
    def predicted(self) -> Int[np.ndarray, "*shape"]:
        """Known labels predicted present."""
        return self.true_positive + self.false_positive

    @property
    def known(self) -> Int[np.ndarray, "*shape"]:
        """Labels that are known."""
        return self.present + self.absent

    def f1(self, undefined: float = np.nan) -> Float[np.ndarray, "*shape"]:
        """Return 2 TP / (2 TP + FP + FN); `undefined` where nothing is present or predicted but labels are known."""
        f1 = divide(2 * self.true_positive, 2 * self.true_positive + self.false_positive + self.false_negative)
        return np.where(np.isnan(f1) & (self.known > 0), undefined, f1)

    def precision(self) -> Float[np.ndarray, "*shape"]:
        """Return TP / (TP + FP)."""
        return divide(self.true_positive, self.predicted)

    def recall(self) -> Float[np.ndarray, "*shape"]:
        """Return TP / (TP + FN)."""
        return divide(self.true_positive, self.present)

    def specificity(self) -> Float[np.ndarray, "*shape"]:
        """Return TN / (TN + FP)."""
        return divide(self.true_negative, self.absent)

    def micro_f1(self) -> Float[np.ndarray, "*rest"]:
        """Return F1 of all AUs' decisions counted together; NaN where nothing is present or predicted."""
        hits, false_alarms, misses = (
            np.asarray(part.sum(axis=-1)) for part in (self.true_positive, self.false_positive, self.false_negative)
        )
        wrong = np.asarray(false_alarms + misses)
        return divide(np.asarray(2 * hits), np.asarray(2 * hits + wrong))

    def balanced_accuracy(self) -> Float[np.ndarray, "*shape"]:
        """Return the mean of the recall of present and the recall of absent."""
        return (self.recall() + self.specificity()) / 2

    def mcc(self) -> Float[np.ndarray, "*shape"]:
        """Return Matthews' correlation coefficient: 0 for constant decisions, NaN where one class is missing."""
        tp, tn = self.true_positive.astype(float), self.true_negative.astype(float)
        fp, fn = self.false_positive.astype(float), self.false_negative.astype(float)
        spread = np.ones_like(tp)
        for margin in (tp + fp, tp + fn, tn + fp, tn + fn):
            spread = spread * np.sqrt(margin)  # factor by factor: the product of four large counts loses digits
        correlation = np.where(spread == 0, 0.0, divide(tp * tn - fp * fn, spread))
        one_class = (self.present == 0) | (self.absent == 0)
        return np.where(one_class, np.nan, correlation)


def decide(probabilities: Probabilities, thresholds: Thresholds = 0.5) -> Bool[np.ndarray, "samples aus"]:
    """Return where an AU is predicted present: its probability is at or above the threshold.

    Args:
        thresholds: One for all, one per AU, or one per row and AU. They are rounded to the probabilities' precision
            first, so that a probability stored as 0.3 reaches a threshold of 0.3.
    """
    return probabilities >= np.asarray(thresholds, dtype=probabilities.dtype)


def count(labels: Labels, decisions: Bool[np.ndarray, "samples aus"]) -> Counts:
    """Count true and false, positive and negative decisions per AU among the known labels."""
    present, absent = labels == LabelState.PRESENT, labels == LabelState.ABSENT
    return Counts(
        true_positive=np.sum(present & decisions, axis=0),
        false_positive=np.sum(absent & decisions, axis=0),
        false_negative=np.sum(present & ~decisions, axis=0),
        true_negative=np.sum(absent & ~decisions, axis=0),
    )
