"""The identity probe, how much of who somebody is features still tell: a linear classifier of subjects, and its score.

The classifier is fitted to convergence and its penalty is chosen within the training part, so a low score says that
identity isn't there linearly, not that the probe was trained too little.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int64, Shaped
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.evaluation.identity.published_probe import published_probe
from facskit.evaluation.identity.scores import IdentityProbe, ProbeMethod, compare_probes, pool_probes
from facskit.evaluation.identity.splits import ProbeSplit, SplitConfig, other_recordings, random_frames

__all__ = [
    "IdentityProbe",
    "IdentityProbeConfig",
    "ProbeMethod",
    "compare_probes",
    "pool_probes",
    "probe_identity",
    "probe_split",
]


@dataclass(frozen=True, kw_only=True)
class IdentityProbeConfig:
    """Which frames are probed, how the classifier is fitted, and how sure its score is."""

    method: ProbeMethod = "converged"
    """`converged`, or `paper` for the published probe, which learns for 20 epochs; what else is set here about the fit
    is about the first alone."""
    split: SplitConfig = field(default_factory=SplitConfig)
    """Frames per subject."""
    inverse_penalties: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
    """Values of scikit-learn's C to choose from, rising; the features are standardised."""
    iterations: int = 2000
    """Most iterations of the solver."""
    tolerance: float = 1e-6
    """Largest entry of the mean loss's gradient at which a fit counts as converged."""
    top: int = 5
    """Answers among which the subject must be for the second accuracy."""
    bootstrap: BootstrapConfig = field(default_factory=BootstrapConfig)
    """How subjects are resampled for the intervals."""

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        penalties = self.inverse_penalties
        if not penalties or min(penalties) <= 0 or (np.diff(penalties) <= 0).any():
            raise ValueError(f"inverse_penalties must be rising numbers above 0, at least one, got {penalties}")
        if self.iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {self.iterations}")
        if not self.tolerance > 0:
            raise ValueError(f"tolerance must be above 0, got {self.tolerance}")
        if self.top < 2:
            raise ValueError(f"top must be at least 2, got {self.top}")


def probe_identity(
    features: Float[np.ndarray, "samples dim"],
    subjects: Sequence[str] | Shaped[np.ndarray, "samples"],
    recordings: Sequence[str | None] | Shaped[np.ndarray, "samples"] | None = None,
    config: IdentityProbeConfig | None = None,
) -> IdentityProbe:
    """Fit a linear classifier of subjects to frozen features, and score it on frames it wasn't fitted to.

    Args:
        features: Of each face, in evaluation mode and without random changes: `extract_features`.
        recordings: Which recording of the subject it is from. If given, the probe is tested on recordings that it
            wasn't fitted to; otherwise on random frames, as in the paper.

    Raises:
        DatasetError: Fewer than two subjects have two frames, or two recordings.
        ValueError: Features and subjects differ in number.

    Paper:
        FMAE-IAT, figure 3. There the probe is trained for 880 steps with augmentation and drop path, and with a
        binary cross-entropy for each subject, which is the method `paper`; the other is multinomial logistic
        regression at its optimum.
    """
    config = config or IdentityProbeConfig()
    if len(features) != len(subjects):
        raise ValueError(f"there are {len(features)} rows of features but {len(subjects)} subjects")
    if recordings is None:
        split = random_frames(subjects, config.split)
    else:
        split = other_recordings(subjects, recordings, config.split)
    return probe_split(features, subjects, split, config)


def probe_split(
    features: Float[np.ndarray, "samples dim"],
    subjects: Sequence[str] | Shaped[np.ndarray, "samples"],
    split: ProbeSplit,
    config: IdentityProbeConfig | None = None,
) -> IdentityProbe:
    """Fit and score a probe on parts that were chosen before.

    Args:
        split: Which rows of the two belong to which part.
    """
    config = config or IdentityProbeConfig()
    everyone, answers = np.unique(np.asarray(subjects, dtype=str)[split.rows], return_inverse=True)
    truth = np.full(len(subjects), -1)
    truth[split.rows] = answers
    labels = truth[split.test]
    if config.method == "paper":
        parts = (truth[split.train], labels)
        scores, updates = published_probe(features[split.train], features[split.test], parts, config.split.seed)
        fitted: dict[str, Any] = {"inverse_penalty": 0.0, "iterations": updates, "converged": False}
    else:
        scores, fitted = _fit_converged(features, truth, split, config)
    ranks = (scores > scores[np.arange(len(labels)), labels][:, np.newaxis]).sum(axis=1)
    commonest = np.bincount(truth[split.train]).argmax()

    def count(chosen: np.ndarray) -> Int64[np.ndarray, "subjects"]:
        return np.bincount(labels[chosen], minlength=len(everyone)).astype(np.int64)

    return IdentityProbe(
        split=split.name,
        method=config.method,
        subjects=tuple(everyone.tolist()),
        tested=count(labels >= 0),
        correct=count(scores.argmax(axis=1) == labels),
        correct_top=count(ranks < config.top),
        top=config.top,
        chance=1 / len(everyone),
        majority=float(np.mean(labels == commonest)),
        trained=len(split.train),
        left_out=split.left_out,
        **fitted,
    )


def _fit_converged(
    features: Float[np.ndarray, "samples dim"],
    truth: Int64[np.ndarray, "samples"],
    split: ProbeSplit,
    config: IdentityProbeConfig,
) -> tuple[Float[np.ndarray, "test subjects"], dict[str, Any]]:
    """Return a score per test frame and subject, and how the fit went."""
    train, test = features[split.train].astype(np.float64), features[split.test].astype(np.float64)
    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    penalty = _best_penalty(train, truth[split.train], split, config)
    classifier, converged = _fit(_classifier(penalty, config), train, truth[split.train])
    how = {"inverse_penalty": penalty, "iterations": int(classifier.n_iter_.max()), "converged": converged}
    return classifier.predict_proba(test), how


def _best_penalty(
    train: Float[np.ndarray, "train dim"],
    truth: Int64[np.ndarray, "train"],
    split: ProbeSplit,
    config: IdentityProbeConfig,
) -> float:
    """Return the C whose fit without the tuning rows is the most accurate on them, the smallest of several."""
    scored = split.tuning
    if len(config.inverse_penalties) == 1 or not scored.any():
        return config.inverse_penalties[0]
    accuracies: list[float] = []
    classifier = _classifier(config.inverse_penalties[0], config).set_params(warm_start=True)
    for penalty in config.inverse_penalties:
        _fit(classifier.set_params(C=penalty), train[~scored], truth[~scored])
        accuracies.append(float(np.mean(classifier.predict(train[scored]) == truth[scored])))
        if max(accuracies[-2:]) < max(accuracies):  # past the best: from strong to weak the accuracy rises, then falls
            break
    return config.inverse_penalties[int(np.argmax(accuracies))]


def _classifier(inverse_penalty: float, config: IdentityProbeConfig) -> LogisticRegression:
    return LogisticRegression(C=inverse_penalty, max_iter=config.iterations, tol=config.tolerance)


def _fit(
    classifier: LogisticRegression, train: Float[np.ndarray, "train dim"], truth: Int64[np.ndarray, "train"]
) -> tuple[LogisticRegression, bool]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", ConvergenceWarning)
        classifier.fit(train, truth)
    return classifier, not any(issubclass(warning.category, ConvergenceWarning) for warning in found)
