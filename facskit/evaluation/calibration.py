"""Fits temperatures and biases on validation subjects, so that probabilities of action units (AUs) can be believed.

Each AU's logit z is read as a z + b, with a slope a > 0 (the temperature is 1 / a), where a and b maximise the
likelihood of the known labels times a prior: log a ~ N(0, 0.5²), b ~ N(0, 2²). Thousands of labels outweigh it; with
three presences, which any steep slope separates, it keeps the slope finite. An AU that is never or always present among
the labels says nothing about its slope and keeps a = 1, b = 0.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int8
from scipy.optimize import minimize
from scipy.special import expit, logit

from facskit.datasets.samples import LabelState
from facskit.evaluation.thresholds import GRID, sweep_thresholds
from facskit.models.calibration import Calibration

__all__ = ["CalibrationConfig", "calibrated_thresholds", "fit_calibration", "logits_of", "precise_thresholds"]


@dataclass(frozen=True, kw_only=True)
class CalibrationConfig:
    """How far a calibration may go from what the network says."""

    slope_deviation: float = 0.5
    """Standard deviation of the prior of the slope's logarithm."""
    bias_deviation: float = 2.0
    """Standard deviation of the prior of the bias, in logits."""
    least_present: int = 10
    """Known presences, and absences, below which an AU keeps the threshold 0.5 instead of a chosen one."""

    def __post_init__(self) -> None:
        """Check every limit."""
        for name in ("slope_deviation", "bias_deviation"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be a finite number above 0, got {getattr(self, name)}")
        if self.least_present < 1:
            raise ValueError(f"least_present must be at least 1, got {self.least_present}")


def fit_calibration(
    labels: Int8[np.ndarray, "samples aus"],
    logits: Float[np.ndarray, "samples aus"],
    config: CalibrationConfig = CalibrationConfig(),
) -> Calibration:
    """Return the temperature and bias of each AU under which the labels are likeliest, given a mild prior.

    Args:
        labels: Label states of people who are neither in the training nor in the test; UNKNOWN enters nothing.
        logits: The network's own logits; `logits_of` returns them from stored probabilities.

    Raises:
        ValueError: A logit of a known label is not a finite number.
    """
    temperatures, biases = [], []
    for states, raw in zip(labels.T, logits.T, strict=True):
        known = states != LabelState.UNKNOWN
        slope, bias = _fit_one(states[known] == LabelState.PRESENT, raw[known].astype(np.float64), config)
        temperatures.append(1 / slope)
        biases.append(bias)
    return Calibration(temperatures=tuple(temperatures), biases=tuple(biases))


def _fit_one(
    truth: Bool[np.ndarray, " samples"], raw: Float[np.ndarray, " samples"], config: CalibrationConfig
) -> tuple[float, float]:
    """Return slope and bias of one AU."""
    if not np.isfinite(raw).all():
        raise ValueError("logits of known labels must be finite numbers")
    if truth.all() or not truth.any():  # also where nothing is known
        return 1.0, 0.0
    deviations = np.array([config.slope_deviation, config.bias_deviation])

    def loss(point: Float[np.ndarray, "2"]) -> tuple[float, Float[np.ndarray, "2"]]:
        """Return minus the log posterior at (log slope, bias), and its gradient."""
        scaled = np.exp(point[0]) * raw
        shifted = scaled + point[1]
        wrong = expit(shifted) - truth
        penalty = point / deviations
        value = np.logaddexp(0.0, shifted).sum() - shifted[truth].sum() + 0.5 * penalty @ penalty
        return float(value), np.array([wrong @ scaled, wrong.sum()]) + penalty / deviations

    found = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-5, 5), (-20, 20)])
    return float(np.exp(found.x[0])), float(found.x[1])


def calibrated_thresholds(
    labels: Int8[np.ndarray, "samples aus"],
    logits: Float[np.ndarray, "samples aus"],
    calibration: Calibration,
    config: CalibrationConfig = CalibrationConfig(),
) -> tuple[float, ...]:
    """Return the threshold of each AU's calibrated probability with the highest F1; 0.5 where labels are too few.

    Args:
        labels: Label states of the subjects that `calibration` was fitted on.
        logits: The network's own logits.
    """
    best = sweep_thresholds(labels, expit(calibration.logits(logits))).per_au
    present, absent = (labels == LabelState.PRESENT).sum(0), (labels == LabelState.ABSENT).sum(0)
    return tuple(np.where(np.minimum(present, absent) >= config.least_present, best, 0.5).tolist())


def precise_thresholds(
    labels: Int8[np.ndarray, "samples aus"],
    probabilities: Float[np.ndarray, "samples aus"],
    least_precision: float,
    least_recall: float,
    config: CalibrationConfig = CalibrationConfig(),
) -> tuple[tuple[float, ...], tuple[bool, ...]]:
    """Return the threshold of each AU with the highest F1 among those at which "present" is mostly true.

    Args:
        labels: Label states of people who are not in the training.
        probabilities: What is said of them, calibrated.
        least_precision: Share of the faces said to show an AU that must show it.
        least_recall: Share of the faces that show it that must be said to.

    Returns:
        The thresholds, and whether each AU reaches both. One that doesn't, or has too few labels, gets the threshold
        with the highest F1.
    """
    thresholds, reached = [], []
    for states, shares in zip(labels.T, probabilities.T, strict=True):
        known = states != LabelState.UNKNOWN
        truth = states[known] == LabelState.PRESENT
        said = shares[known][:, np.newaxis] >= GRID
        hits, calls = (said & truth[:, np.newaxis]).sum(0), said.sum(0)
        f1 = 2 * hits / np.maximum(calls + truth.sum(), 1)
        # From a handful of faces no precision can be told.
        precise = (hits >= least_precision * calls) & (hits >= max(least_recall * truth.sum(), config.least_present))
        enough = bool(precise.any())
        thresholds.append(float(GRID[int(np.argmax(np.where(precise, f1, -1.0) if enough else f1))]))
        reached.append(enough)
    return tuple(thresholds), tuple(reached)


def logits_of(probabilities: Float[np.ndarray, "samples aus"]) -> Float[np.ndarray, "samples aus"]:
    """Return the logits behind stored probabilities; beyond ±16, where float32 knows no difference, they are cut."""
    return np.clip(logit(probabilities.astype(np.float64)), -16.0, 16.0)
