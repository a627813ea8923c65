"""How much a frozen network already knows: a linear classifier per action unit on its features, fitted to convergence.

Nothing of the network is trained, so the score says what pre-training has put into the features, not what fine-tuning
can make of them.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int8
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import LabelState

__all__ = ["LinearProbe", "ProbeConfig", "linear_probe"]


@dataclass(frozen=True, kw_only=True)
class ProbeConfig:
    """How the classifier is fitted."""

    inverse_penalty: float = 0.01
    """scikit-learn's C: the smaller, the stronger the pull of all weights towards zero. Features are standardised."""
    iterations: int = 1000
    """Most iterations of the solver; a fit that needs more isn't used."""

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        if not self.inverse_penalty > 0:
            raise ValueError(f"inverse_penalty must be above 0, got {self.inverse_penalty}")
        if self.iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {self.iterations}")


@dataclass(frozen=True, kw_only=True)
class LinearProbe:
    """Scores of one probe."""

    action_units: ActionUnitSet
    """What `roc_auc` lists."""
    roc_auc: tuple[float, ...]
    """Area under the ROC curve of each action unit on the test rows; NaN where one of the two states is missing."""

    @property
    def macro_roc_auc(self) -> float:
        """Mean over the action units that have a score; 0.5 is chance."""
        return float(np.nanmean(self.roc_auc))


def linear_probe(
    features: tuple[Float[np.ndarray, "train dim"], Float[np.ndarray, "test dim"]],
    labels: tuple[Int8[np.ndarray, "train_labels aus"], Int8[np.ndarray, "test_labels aus"]],
    action_units: ActionUnitSet,
    config: ProbeConfig | None = None,
) -> LinearProbe:
    """Fit one classifier per action unit on the training features and score it on the test features.

    Args:
        features: Of the training and of the test images; the people in the two should differ.
        labels: `LabelState` values of the same images; unknown ones are left out.
        action_units: What the columns of the labels mean.
        config: How the classifiers are fitted.

    Returns:
        The scores.

    Raises:
        ValueError: The parts have different numbers of rows, or no action unit can be scored.
    """
    config = config or ProbeConfig()
    for part, rows, coded in zip(("training", "test"), features, labels, strict=True):
        if len(rows) != len(coded):
            raise ValueError(f"the {part} part has {len(rows)} rows of features but {len(coded)} of labels")
    scaler = StandardScaler().fit(features[0])
    train, test = (scaler.transform(part) for part in features)
    scores = tuple(
        _area(train, labels[0][:, column], test, labels[1][:, column], config) for column in range(len(action_units))
    )
    if np.isnan(scores).all():
        raise ValueError("no action unit is both present and absent in both parts, so nothing can be scored")
    return LinearProbe(action_units=action_units, roc_auc=scores)


def _area(
    train: Float[np.ndarray, "train dim"],
    train_labels: Int8[np.ndarray, "train"],
    test: Float[np.ndarray, "test dim"],
    test_labels: Int8[np.ndarray, "test"],
    config: ProbeConfig,
) -> float:
    known, scored = train_labels != LabelState.UNKNOWN, test_labels != LabelState.UNKNOWN
    if len(np.unique(train_labels[known])) < 2 or len(np.unique(test_labels[scored])) < 2:
        return float("nan")
    classifier = LogisticRegression(C=config.inverse_penalty, max_iter=config.iterations)
    classifier.fit(train[known], train_labels[known])
    return float(roc_auc_score(test_labels[scored], classifier.decision_function(test[scored])))
