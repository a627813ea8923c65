"""Scores of action unit detection: how well probabilities agree with labels, per action unit (AU) and on average.

Conventions, the same for every number facskit prints:

- A label whose state is UNKNOWN enters nothing: no count, no rate, no score.
- An AU is predicted present where its probability is **at or above** the threshold.
- A score that the data can't define is NaN, never 0 or 1 by decree, and leaves the macro mean, which reports how many
  AUs entered it. Precision needs a predicted presence, recall a true presence, specificity a true absence; ROC-AUC,
  average precision, MCC and balanced accuracy need both classes; F1 needs a presence, true or predicted. Papers that
  follow scikit-learn's default count an undefined F1 as 0; `undefined_f1=0.0` does the same.
- F1, precision, recall and average precision are of the class "present". Rates and scores are fractions, not percent.
- ROC-AUC and average precision are scikit-learn's.
- Where levels (0 to 5) are known and a network says intensities, `icc` is ICC(3,1), the consistency of both, and
  `intensity_error` their mean absolute difference; elsewhere both are NaN.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Int
from sklearn.metrics import average_precision_score, roc_auc_score

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import LabelState
from facskit.evaluation.confusion_counts import Labels, PerAU, Probabilities, Thresholds, count, decide, divide

__all__ = [
    "METRICS",
    "AUScores",
    "MacroMean",
    "average_precision_per_au",
    "brier_per_au",
    "calibration_error_per_au",
    "f1_per_au",
    "icc_per_au",
    "intensity_error_per_au",
    "macro_mean",
    "roc_auc_per_au",
    "score",
]


def f1_per_au(
    labels: Labels, probabilities: Probabilities, thresholds: Thresholds = 0.5, *, undefined_f1: float = np.nan
) -> PerAU:
    """Return the F1 of each AU at the thresholds; `undefined_f1` where nothing is present or predicted."""
    return count(labels, decide(probabilities, thresholds)).f1(undefined_f1)


def _known_columns(labels: Labels, probabilities: Probabilities) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give labels (0 or 1) and probabilities of each AU without the rows where it is unknown."""
    for states, shares in zip(labels.T, probabilities.T, strict=True):
        known = states != LabelState.UNKNOWN
        yield states[known].astype(np.int64), shares[known].astype(np.float64)


def _of_both_classes(
    labels: Labels, probabilities: Probabilities, scorer: Callable[[np.ndarray, np.ndarray], float]
) -> PerAU:
    """Return scikit-learn's score per AU; NaN where a class is missing."""
    scores = []
    for truth, shares in _known_columns(labels, probabilities):
        scores.append(scorer(truth, shares) if np.unique(truth).size == 2 else np.nan)
    return np.array(scores, dtype=float)


def roc_auc_per_au(labels: Labels, probabilities: Probabilities) -> PerAU:
    """Return the area under the receiver operating characteristic per AU; NaN where a class is missing."""
    return _of_both_classes(labels, probabilities, roc_auc_score)


def average_precision_per_au(labels: Labels, probabilities: Probabilities) -> PerAU:
    """Return the average precision (area under precision over recall) per AU; NaN where a class is missing."""
    return _of_both_classes(labels, probabilities, average_precision_score)


def brier_per_au(labels: Labels, probabilities: Probabilities) -> PerAU:
    """Return the Brier score per AU: the mean squared difference of probability and label, 0 is best."""
    scores = []
    for truth, shares in _known_columns(labels, probabilities):
        scores.append(np.mean((shares - truth) ** 2) if truth.size else np.nan)
    return np.array(scores, dtype=float)


def calibration_error_per_au(labels: Labels, probabilities: Probabilities, bins: int = 15) -> PerAU:
    """Return the expected calibration error per AU, 0 is best.

    The probabilities of "present" fall into bins of equal width; the error is the difference between mean probability
    and share of present labels in a bin, averaged over bins by their number of labels.
    """
    errors = []
    for truth, shares in _known_columns(labels, probabilities):
        places = np.minimum((shares * bins).astype(np.int64), bins - 1)
        gaps = np.bincount(places, weights=shares - truth, minlength=bins)
        errors.append(np.abs(gaps).sum() / truth.size if truth.size else np.nan)
    return np.array(errors, dtype=float)


def icc_per_au(levels: Labels, intensities: Probabilities) -> PerAU:
    """Return ICC(3,1) per AU, how consistently intensities rise with the levels (0 to 5, -1 unknown); 1 is best.

    Two raters, the coder and the network, each with a level of its own that doesn't count: of the mean squares between
    faces (BMS) and left over (EMS) it is (BMS - EMS) / (BMS + EMS). NaN where neither varies or fewer than two faces
    are known.
    """
    return _of_known_levels(levels, intensities, _intraclass_correlation)


def _intraclass_correlation(truth: np.ndarray, told: np.ndarray) -> float:
    if len(truth) < 2:
        return float("nan")
    both = np.stack([truth, told], axis=1)
    between = 2 * both.mean(1).var(ddof=1)
    residual = both - both.mean(1, keepdims=True) - both.mean(0) + both.mean()
    within = float((residual**2).sum()) / (len(truth) - 1)
    return float((between - within) / (between + within)) if between + within > 0 else float("nan")


def intensity_error_per_au(levels: Labels, intensities: Probabilities) -> PerAU:
    """Return the mean absolute difference of level and intensity per AU, in levels; NaN where no level is known."""
    return _of_known_levels(levels, intensities, lambda truth, told: float(np.abs(truth - told).mean()))


def _of_known_levels(
    levels: Labels, intensities: Probabilities, scorer: Callable[[np.ndarray, np.ndarray], float]
) -> PerAU:
    scores = []
    for column, told in zip(levels.T, intensities.T, strict=True):
        known = column >= 0
        truth = column[known].astype(np.float64)
        scores.append(scorer(truth, told[known].astype(np.float64)) if truth.size else np.nan)
    return np.array(scores, dtype=float)


@dataclass(frozen=True)
class MacroMean:
    """A mean over AUs that says how many entered it."""

    value: float
    """The mean; NaN when no AU has a defined score."""
    num_aus: int
    """AUs with a defined score."""
    total_aus: int
    """AUs scored."""


def macro_mean(values: PerAU) -> MacroMean:
    """Return the unweighted mean over the AUs whose score is defined."""
    defined = values[~np.isnan(values)]
    return MacroMean(float(defined.mean()) if defined.size else float("nan"), defined.size, values.size)


@dataclass(frozen=True, eq=False, kw_only=True)
class AUScores:
    """Every score of one set of predictions, one entry per AU; NaN marks a score the data can't define."""

    action_units: ActionUnitSet
    """What the entries of each array mean."""
    num_known: Int[np.ndarray, "aus"]
    """Labels that are known."""
    num_present: Int[np.ndarray, "aus"]
    """Labels that are present: the support."""
    base_rate: PerAU
    """Share of known labels that are present."""
    predicted_ratio: PerAU
    """Number predicted present over number present: above 1 the model says "present" too often."""
    precision: PerAU
    """Share of the predicted presences that are true."""
    recall: PerAU
    """Share of the true presences that are predicted."""
    specificity: PerAU
    """Share of the true absences that are predicted absent."""
    f1: PerAU
    """Harmonic mean of precision and recall."""
    balanced_accuracy: PerAU
    """Mean of the recalls of present and absent; 0.5 for guessing."""
    mcc: PerAU
    """Matthews' correlation coefficient, -1 to 1; 0 for guessing."""
    roc_auc: PerAU
    """Area under the receiver operating characteristic; 0.5 for guessing; needs no threshold."""
    average_precision: PerAU
    """Area under precision over recall; the base rate for guessing; needs no threshold."""
    calibration_error: PerAU
    """Expected calibration error in 15 bins; 0 is best."""
    brier: PerAU
    """Mean squared difference of probability and label; 0 is best."""
    icc: PerAU
    """Consistency of intensities with levels, ICC(3,1); 1 is best; NaN without intensities or levels."""
    intensity_error: PerAU
    """Mean absolute difference of intensity and level; 0 is best; NaN without intensities or levels."""

    def per_au(self, metric: str) -> PerAU:
        """Return one metric's entries by its name in `METRICS`."""
        if metric not in METRICS:
            raise ValueError(f"{metric!r} is not a metric; expected one of {', '.join(METRICS)}")
        return getattr(self, metric)

    def macro(self, metric: str) -> MacroMean:
        """Return a metric's mean over the AUs where it is defined."""
        return macro_mean(self.per_au(metric))


METRICS: tuple[str, ...] = tuple(
    field.name for field in fields(AUScores) if field.name not in {"action_units", "num_known", "num_present"}
)
"""Names of the scores an `AUScores` holds."""


def score(
    labels: Labels,
    probabilities: Probabilities,
    action_units: ActionUnitSet,
    thresholds: Thresholds = 0.5,
    *,
    undefined_f1: float = np.nan,
    graded: tuple[Labels, Probabilities] | None = None,
) -> AUScores:
    """Compute every score of a set of predictions.

    Args:
        thresholds: At or above which an AU is predicted present: one for all, one per AU, or one per row and AU.
        undefined_f1: F1 of an AU that is neither present nor predicted: NaN leaves it out, 0.0 is what papers that
            use scikit-learn's default report.
        graded: Where intensities are to be scored: FACS levels 0 to 5, -1 for unknown, and what the model says.

    Raises:
        ValueError: Labels, probabilities and action units differ in shape.
    """
    expected = (len(labels), len(action_units))
    if labels.shape != expected or probabilities.shape != expected:
        raise ValueError(
            f"labels have shape {labels.shape} and probabilities {probabilities.shape}; expected the same number of "
            f"samples and {len(action_units)} columns, one for each of {action_units}"
        )
    counts = count(labels, decide(probabilities, thresholds))
    nothing = np.full(len(action_units), np.nan)
    return AUScores(
        action_units=action_units,
        num_known=counts.known,
        num_present=counts.present,
        base_rate=divide(counts.present, counts.known),
        predicted_ratio=divide(counts.predicted, counts.present),
        precision=counts.precision(),
        recall=counts.recall(),
        specificity=counts.specificity(),
        f1=counts.f1(undefined_f1),
        balanced_accuracy=counts.balanced_accuracy(),
        mcc=counts.mcc(),
        roc_auc=roc_auc_per_au(labels, probabilities),
        average_precision=average_precision_per_au(labels, probabilities),
        calibration_error=calibration_error_per_au(labels, probabilities),
        brier=brier_per_au(labels, probabilities),
        icc=nothing if graded is None else icc_per_au(*graded),
        intensity_error=nothing if graded is None else intensity_error_per_au(*graded),
    )
