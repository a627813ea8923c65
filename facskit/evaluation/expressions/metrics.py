"""Scores of expression recognition: accuracy, per-class recall and F1, confusions, calibration, and how sure they are.

Images with an unknown expression are left out. What isn't defined, such as the recall of an expression that no image
shows, is NaN and left out of means. RAF-DB papers print accuracy, often mean class accuracy too: the mean recall.
"""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Float32, Int64

from facskit.evaluation.bootstrap import BootstrapConfig, draw_subjects, interval_ends
from facskit.evaluation.confusion_counts import divide
from facskit.evaluation.expressions.predictions import ExpressionPredictions
from facskit.evaluation.metrics import macro_mean

__all__ = [
    "AccuracyInterval",
    "ExpressionScores",
    "accuracy_interval",
    "confusion_matrix",
    "expected_calibration_error",
    "score_expressions",
    "wilson_interval",
]

Confusion = Int64[np.ndarray, "classes classes"]


@dataclass(frozen=True, eq=False)
class ExpressionScores:
    """Everything that a confusion matrix says, and how far the probabilities can be trusted."""

    confusion: Confusion
    """Images by true expression (row) and most probable one (column)."""
    calibration_error: float
    """Expected calibration error of the most probable expression's probability, 0 to 1."""

    @property
    def support(self) -> Int64[np.ndarray, "classes"]:
        """Images of each expression."""
        return self.confusion.sum(axis=1)

    @property
    def total(self) -> int:
        """Images with a known expression."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of images whose most probable expression is the true one."""
        return float(np.trace(self.confusion) / self.total) if self.total else float("nan")

    @property
    def recall(self) -> Float[np.ndarray, "classes"]:
        """Share of each expression's images that were recognised; NaN where there is none."""
        return divide(np.diag(self.confusion), self.support)

    @property
    def precision(self) -> Float[np.ndarray, "classes"]:
        """Share of images called by each expression's name that show it; NaN where none was."""
        return divide(np.diag(self.confusion), self.confusion.sum(axis=0))

    @property
    def f1(self) -> Float[np.ndarray, "classes"]:
        """2 TP / (2 TP + FP + FN) of each expression; NaN where none is shown or predicted."""
        return divide(2 * np.diag(self.confusion), self.support + self.confusion.sum(axis=0))

    @property
    def mean_class_accuracy(self) -> float:
        """Mean recall over the expressions that occur: the macro recall."""
        return macro_mean(self.recall).value

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the expressions that occur or are predicted."""
        return macro_mean(self.f1).value

    @property
    def commonest(self) -> "ExpressionScores":
        """The scores of always answering with the commonest expression of these very images."""
        answers = np.zeros_like(self.confusion)
        answers[:, int(self.support.argmax())] = self.support
        return ExpressionScores(answers, float("nan"))


@dataclass(frozen=True)
class AccuracyInterval:
    """A confidence interval of the accuracy."""

    low: float
    """Lower end."""
    high: float
    """Upper end."""
    level: float
    """Share of intervals made like this that hold the true accuracy."""
    method: str
    """How it was made, in words."""


def confusion_matrix(
    labels: Int64[np.ndarray, "samples"], predicted: Int64[np.ndarray, "samples"], classes: int
) -> Confusion:
    """Count images by true expression (row) and predicted one (column), without those of unknown expression.

    Args:
        labels: Positions; -1 is unknown.
    """
    known = labels >= 0
    cells = np.bincount(labels[known] * classes + predicted[known], minlength=classes**2)
    return cells.reshape(classes, classes).astype(np.int64)


def expected_calibration_error(
    labels: Int64[np.ndarray, "samples"], probabilities: Float32[np.ndarray, "samples classes"], bins: int = 15
) -> float:
    """Return how far confidence and accuracy lie apart, on average over the images.

    Args:
        labels: Positions; -1 is unknown.
        bins: Number of equally wide ranges of confidence.

    Returns:
        0 for perfectly calibrated probabilities, at most 1; NaN without a known label.

    Paper:
        ECE = sum_b n_b / n |accuracy_b - confidence_b|, Guo et al., *On Calibration of Modern Neural Networks*, ICML
        2017, with ranges (low, high].
    """
    known = labels >= 0
    if not known.any():
        return float("nan")
    confidence = probabilities[known].max(axis=1).astype(np.float64)
    correct = probabilities[known].argmax(axis=1) == labels[known]
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(places, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / known.sum())


def score_expressions(predictions: ExpressionPredictions) -> ExpressionScores:
    """Score all rows together.

    Args:
        predictions: One run, or the folds of one seed.
    """
    labels, classes = predictions.labels, len(predictions.expressions)
    return ExpressionScores(
        confusion_matrix(labels, predictions.predicted, classes),
        expected_calibration_error(labels, predictions.probabilities),
    )


def wilson_interval(correct: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of a share, from a number of independent images.

    Paper:
        (p + z^2/2n -+ z sqrt(p (1 - p) / n + z^2/4n^2)) / (1 + z^2/n), Wilson, JASA 22, 1927.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = correct / total
    middle = share + z**2 / (2 * total)
    half = z * sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    scale = 1 + z**2 / total
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def accuracy_interval(predictions: ExpressionPredictions, config: BootstrapConfig) -> AccuracyInterval | None:
    """Return how sure the accuracy is: by Wilson where every image is a person of its own, else by drawing people.

    Args:
        predictions: One or more runs; seeds are averaged, folds pooled.
        config: Level, and how people are drawn.

    Returns:
        The interval; None without a known label, or with fewer than two people.
    """
    known = predictions.select(predictions.labels >= 0)
    if not len(known):
        return None
    people, codes = np.unique(known.subjects, return_inverse=True)
    correct = known.predicted == known.labels
    if len(np.unique(known.seeds)) == 1 and len(people) == len(known):
        low, high = wilson_interval(int(correct.sum()), len(known), config.level)
        images = len(np.unique(known.names))
        return AccuracyInterval(low, high, config.level, f"Wilson, {images:,} images")
    if len(people) < 2:
        return None
    hits = np.bincount(codes[correct], minlength=len(people))
    seen = np.bincount(codes, minlength=len(people))
    draws = draw_subjects({0: people.tolist()}, config)[0]
    low, high = interval_ends(draws @ hits / (draws @ seen), config.level)
    return AccuracyInterval(low, high, config.level, f"bootstrap over {len(people):,} subjects")
