import math

import numpy as np
import pytest

from facskit.action_units import ActionUnitSet
from facskit.evaluation.baselines import all_positive_f1, baselines, majority_f1, prior_f1
from facskit.evaluation.metrics import f1_per_au

RATES = np.array([0.1, 0.5, 0.8])


def labels_with(rates: np.ndarray, rows: int) -> np.ndarray:
    return (np.arange(rows)[:, None] < rates * rows).astype(np.int8)


def test_all_positive_is_what_saying_present_scores() -> None:
    labels = labels_with(RATES, 100)
    np.testing.assert_allclose(all_positive_f1(RATES), f1_per_au(labels, np.ones(labels.shape)))
    assert all_positive_f1(np.array([3 / 7]))[0] == pytest.approx(0.6)


def test_prior_is_what_random_guessing_scores() -> None:
    train_rates = np.array([0.3, 0.2, 0.9])
    labels = labels_with(RATES, 200_000)
    guesses = (np.random.default_rng(0).random(labels.shape) < train_rates).astype(np.float32)
    np.testing.assert_allclose(prior_f1(RATES, train_rates), f1_per_au(labels, guesses), atol=0.005)


def test_prior_at_the_test_rate_is_the_rate() -> None:
    np.testing.assert_allclose(prior_f1(RATES, RATES), RATES)


def test_majority_says_what_is_common_in_training() -> None:
    rates, train = np.array([0.4, 0.4, 0.0, math.nan]), np.array([0.6, 0.3, 0.3, 0.3])
    np.testing.assert_allclose(majority_f1(rates, train), [0.8 / 1.4, 0.0, math.nan, math.nan])


def test_unknown_training_rates_are_stood_in_for() -> None:
    units = ActionUnitSet.parse("1 2 4")
    assert not baselines(units, RATES).from_training
    assert baselines(units, RATES, np.array([0.2, 0.2, 0.2])).from_training
    np.testing.assert_allclose(baselines(units, RATES).prior, RATES)


def test_undefined_rates_stay_undefined() -> None:
    nothing = np.array([math.nan])
    assert np.isnan(prior_f1(nothing, nothing)).all()
    assert np.isnan(prior_f1(np.zeros(1), np.zeros(1))).all()
