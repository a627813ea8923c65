"""Calibration: the truth is found again, rare and one-sided action units stay sober."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from facskit.evaluation.calibration import (
    CalibrationConfig,
    calibrated_thresholds,
    fit_calibration,
    logits_of,
    precise_thresholds,
)
from facskit.evaluation.metrics import calibration_error_per_au
from facskit.models.calibration import Calibration


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _faces(rng: np.random.Generator, rows: int, slopes: np.ndarray, biases: np.ndarray) -> tuple[np.ndarray, ...]:
    """Logits of a network whose calibrated ones are slope * logit + bias."""
    logits = rng.normal(0, 2, (rows, len(slopes)))
    return (rng.random(logits.shape) < expit(slopes * logits + biases)).astype(np.int8), logits


def test_the_truth_is_found_again(rng: np.random.Generator) -> None:
    slopes, biases = np.array([0.4, 1.0, 2.0]), np.array([-2.5, 0.0, 1.0])
    labels, logits = _faces(rng, 20_000, slopes, biases)
    labels[rng.random(labels.shape) < 0.2] = -1
    logits[labels[:, 0] == -1, 0] = np.nan  # what an unknown label goes with doesn't matter
    found = fit_calibration(labels, logits)
    # Four standard errors of a fit to 16,000 labels.
    np.testing.assert_allclose(1 / np.array(found.temperatures), slopes, rtol=0.15)
    np.testing.assert_allclose(found.biases, biases, atol=0.15)
    fresh, raw = _faces(rng, 20_000, slopes, biases)
    before, after = expit(raw), expit(found.logits(raw))
    assert (calibration_error_per_au(fresh, after) < 0.015).all()
    assert calibration_error_per_au(fresh, before)[0] > 0.1


def test_without_a_prior_it_is_logistic_regression(rng: np.random.Generator) -> None:
    labels, logits = _faces(rng, 500, np.array([1.7]), np.array([-1.0]))
    found = fit_calibration(labels, logits, CalibrationConfig(slope_deviation=1e6, bias_deviation=1e6))
    known = LogisticRegression(C=np.inf, tol=1e-10).fit(logits, labels[:, 0])
    assert 1 / found.temperatures[0] == pytest.approx(known.coef_[0, 0], rel=1e-3)
    assert found.biases[0] == pytest.approx(known.intercept_[0], abs=1e-3)


def test_rare_units_do_not_explode(rng: np.random.Generator) -> None:
    labels = np.zeros((1000, 4), np.int8)
    labels[:3, 0] = 1  # three presences, which any steep slope separates
    labels[:, 1] = 1  # always present
    labels[:, 3] = -1  # never known; the one between is never present
    logits = np.where(labels == 1, 1.0, -1.0) + rng.normal(0, 0.1, labels.shape)
    found = fit_calibration(labels, logits)
    assert 1 < 1 / found.temperatures[0] < 5
    assert abs(found.biases[0]) < 4
    assert found.temperatures[1:] == (1.0, 1.0, 1.0)
    assert found.biases[1:] == (0.0, 0.0, 0.0)
    assert calibrated_thresholds(labels, logits, found) == (0.5, 0.5, 0.5, 0.5)


def test_the_order_of_faces_never_turns_around(rng: np.random.Generator) -> None:
    logits = rng.normal(0, 1, (400, 1))
    labels = (logits < 0).astype(np.int8)  # a network that is always wrong
    found = fit_calibration(labels, logits)
    assert found.temperatures[0] > 0
    assert (np.diff(found.logits(np.sort(logits, axis=0))[:, 0]) >= 0).all()


def test_thresholds_are_of_calibrated_probabilities(rng: np.random.Generator) -> None:
    labels, logits = _faces(rng, 20_000, np.array([1.0]), np.array([-3.0]))
    (threshold,) = calibrated_thresholds(labels, logits, fit_calibration(labels, logits))
    assert 0.25 < threshold < 0.45  # half of the best F1, as it must be where probabilities are true


def test_logits_come_back_from_probabilities() -> None:
    logits = np.array([[-12.0, 0.0, 3.5]])
    np.testing.assert_allclose(logits_of(expit(logits).astype(np.float32)), logits, atol=1e-5)
    assert logits_of(np.array([[0.0, 1.0]], np.float32)).tolist() == [[-16.0, 16.0]]


@pytest.mark.parametrize(
    ("temperatures", "biases", "message"),
    [
        ((1.0,), (0.0, 0.0), "1 temperatures and 2 biases"),
        ((-1.0,), (0.0,), r"temperatures must be finite and above 0, got \(-1.0,\)"),
        ((1.0,), (float("nan"),), "biases must be finite"),
    ],
)
def test_impossible_calibrations_are_refused(
    temperatures: tuple[float, ...], biases: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Calibration(temperatures=temperatures, biases=biases)


def test_logits_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="finite numbers"):
        fit_calibration(np.zeros((3, 1), np.int8), np.full((3, 1), np.nan))


def test_a_precise_threshold_is_the_best_of_those_that_are_mostly_true() -> None:
    # 60 faces: the upper 30 show it but for every tenth, the lower 30 don't but for every third.
    shares = np.linspace(0.99, 0.01, 60)
    truth = np.concatenate([np.arange(30) % 10 != 9, np.arange(30) % 3 == 0]).astype(np.int8)
    (threshold,), (reached,) = precise_thresholds(truth[:, None], shares[:, None], 0.8, 0.3)
    assert reached
    best, best_f1 = 0.0, -1.0
    for candidate in np.arange(1, 100) / 100:
        said = shares >= candidate
        hits = int((said & (truth == 1)).sum())
        f1 = 2 * hits / (said.sum() + truth.sum())
        if hits >= 0.8 * said.sum() and f1 > best_f1:
            best, best_f1 = float(candidate), float(f1)
    assert threshold == pytest.approx(best)


def test_an_action_unit_that_is_never_mostly_true_says_so() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((400, 1)) < 0.2).astype(np.int8)
    (threshold,), (reached,) = precise_thresholds(labels, rng.random((400, 1)), 0.8, 0.0)
    assert not reached
    assert 0 < threshold < 1
