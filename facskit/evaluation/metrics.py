"""Scores of action unit detection: how well probabilities agree with labels, per action unit (AU) and on average.

Conventions, the same for every number facskit prints:

- A label whose state is UNKNOWN enters nothing: no count, no rate, no score.
- An AU is predicted present where its probability is **at or above** the threshold.
- A score that the data can't define is NaN, never 0 or 1 by decree, and leaves the macro mean, which reports how many
  AUs entered it. Precision needs a predicted presence, recall a true presence; ROC-AUC, average precision, MCC and
  balanced accuracy need both classes; F1 needs a presence, true or predicted. Papers that follow scikit-learn's
  default count an undefined F1 as 0; `undefined_f1=0.0` does the same.
- F1, precision, recall and average precision are of the class "present". Rates and scores are fractions, not percent.
- ROC-AUC and average precision are scikit-learn's.
"""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Int
from sklearn.metrics import average_precision_score, roc_auc_score

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import LabelState
from facskit.evaluation.counts import Labels, PerAU, Probabilities, Thresholds, count, decide, divide

__all__ = [
    "METRICS",
    "AUScores",
    "MacroMean",
    "average_precision_per_au",
    "brier_per_au",
    "calibration_error_per_au",
    "f1_per_au",
    "macro_mean",
    "roc_auc_per_au",
    "score",
]


def f1_per_au(
    labels: Labels, probabilities: Probabilities, thresholds: Thresholds = 0.5, *, undefined_f1: float = np.nan
) -> PerAU:
    """Return the F1 of each AU at the thresholds; `undefined_f1` where nothing is present or predicted."""
    return count(labels, decide(probabilities, thresholds)).f1(undefined_f1)


def _known_columns(labels: Labels, probabilities: Probabilities) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return labels (0 or 1) and probabilities of each AU without the rows where it is unknown."""
    known = labels != LabelState.UNKNOWN
    return [
        (labels[rows, au].astype(np.int64), probabilities[rows, au].astype(np.float64))
        for au, rows in enumerate(known.T)
    ]


def roc_auc_per_au(labels: Labels, probabilities: Probabilities) -> PerAU:
    """Return the area under the receiver operating characteristic per AU; NaN where a class is missing."""
    columns = _known_columns(labels, probabilities)
    return np.array([roc_auc_score(y, p) if np.unique(y).size == 2 else np.nan for y, p in columns], dtype=float)


def average_precision_per_au(labels: Labels, probabilities: Probabilities) -> PerAU:
    """Return the average precision (area under precision over recall) per AU; NaN where a class is missing."""
    columns = _known_columns(labels, probabilities)
    return np.array(
        [average_precision_score(y, p) if np.unique(y).size == 2 else np.nan for y, p in columns], dtype=float
    )


def brier_per_au(labels: Labels, probabilities: Probabilities) -> PerAU:
    """Return the Brier score per AU: the mean squared difference of probability and label, 0 is best."""
    columns = _known_columns(labels, probabilities)
    return np.array([np.mean((p - y) ** 2) if y.size else np.nan for y, p in columns], dtype=float)


def calibration_error_per_au(labels: Labels, probabilities: Probabilities, bins: int = 15) -> PerAU:
    """Return the expected calibration error per AU, 0 is best.

    The probabilities of "present" fall into bins of equal width; the error is the difference between mean probability
    and share of present labels in a bin, averaged over bins by their number of labels.

    Args:
        probabilities: Probability that each AU is present.
        bins: Number of bins between 0 and 1.
    """

    def one(y: np.ndarray, p: np.ndarray) -> float:
        if not y.size:
            return np.nan
        bin_index = np.minimum((p * bins).astype(np.int64), bins - 1)
        gaps = np.bincount(bin_index, weights=p - y, minlength=bins)
        return float(np.abs(gaps).sum() / y.size)

    return np.array([one(y, p) for y, p in _known_columns(labels, probabilities)], dtype=float)


@dataclass(frozen=True)
class MacroMean:
    """A mean over AUs that says how many entered it."""

    value: float
    """The mean; NaN when no AU has a defined score."""
    num_aus: int
    """AUs with a defined score."""
    total_aus: int
    """AUs scored."""

    def __str__(self) -> str:
        """Return the mean with three decimals, and the count where AUs are missing from it."""
        return f"{self.value:.3f}" + (
            "" if self.num_aus == self.total_aus else f" ({self.num_aus}/{self.total_aus} AUs)"
        )


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

    def per_au(self, metric: str) -> PerAU:
        """Return one metric's entries by its name in `METRICS`."""
        if metric not in METRICS:
            raise ValueError(f"{metric!r} is not a metric; expected one of {', '.join(METRICS)}")
        values: PerAU = getattr(self, metric)
        return values

    def macro(self, metric: str) -> MacroMean:
        """Return a metric's mean over the AUs where it is defined."""
        return macro_mean(self.per_au(metric))

    def __str__(self) -> str:
        """Return a small table: one line per AU, the macro mean last."""
        shown = ("base_rate", "precision", "recall", "f1", "roc_auc", "average_precision", "mcc")
        names = ("base rate", "precision", "recall", "F1", "ROC-AUC", "avg. prec.", "MCC")
        lines = ["".join(f"{name:>11}" for name in ("AU", "known", *names))]
        for au, code in enumerate(self.action_units.codes):
            values = "".join(f"{self.per_au(metric)[au]:>11.3f}" for metric in shown)
            lines.append(f"{code:>11}{self.num_known[au]:>11}{values}")
        means = "".join(f"{self.macro(metric).value:>11.3f}" for metric in shown)
        entered = self.macro("f1")
        lines.append(f"{'mean':>11}{'':>11}{means}   (F1 of {entered.num_aus} of {entered.total_aus} AUs)")
        return "\n".join(line.replace("nan", "  –") for line in lines)


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
) -> AUScores:
    """Compute every score of a set of predictions.

    Args:
        probabilities: Probability that each AU is present.
        thresholds: At or above which an AU is predicted present: one for all, one per AU, or one per row and AU.
        undefined_f1: F1 of an AU that is neither present nor predicted: NaN leaves it out, 0.0 is what papers that
            use scikit-learn's default report.

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
    return AUScores(
        action_units=action_units,
        num_known=counts.known,
        num_present=counts.present,
        base_rate=divide(counts.present, counts.known),
        predicted_ratio=divide(counts.predicted, counts.present),
        precision=counts.precision(),
        recall=counts.recall(),
        f1=counts.f1(undefined_f1),
        balanced_accuracy=counts.balanced_accuracy(),
        mcc=counts.mcc(),
        roc_auc=roc_auc_per_au(labels, probabilities),
        average_precision=average_precision_per_au(labels, probabilities),
        calibration_error=calibration_error_per_au(labels, probabilities),
        brier=brier_per_au(labels, probabilities),
    )
