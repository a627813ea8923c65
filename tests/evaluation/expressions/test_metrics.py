"""Scores of expressions against a second implementation, and against counting by hand."""

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score, precision_score

from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.evaluation.expressions.metrics import (
    ExpressionScores,
    accuracy_interval,
    expected_calibration_error,
    score_expressions,
    wilson_interval,
)
from facskit.evaluation.expressions.predictions import ExpressionPredictions
from tests.evaluation.builders_of_expressions import predictions


@pytest.mark.parametrize("seed", range(3))
def test_scores_agree_with_another_implementation(seed: int) -> None:
    found = predictions(300, seed=seed)
    known = found.labels >= 0
    assert 0 < known.sum() < 300
    truth, guess = found.labels[known], found.predicted[known]
    scores = score_expressions(found)
    np.testing.assert_array_equal(scores.confusion, confusion_matrix(truth, guess, labels=range(7)))
    assert scores.accuracy == pytest.approx(accuracy_score(truth, guess))
    assert scores.mean_class_accuracy == pytest.approx(balanced_accuracy_score(truth, guess))
    assert scores.macro_f1 == pytest.approx(f1_score(truth, guess, average="macro"))
    np.testing.assert_allclose(scores.precision, precision_score(truth, guess, average=None, zero_division=np.nan))


def test_what_no_image_shows_is_left_out() -> None:
    scores = ExpressionScores(np.array([[8, 2, 0], [1, 3, 0], [0, 0, 0]]), 0.0)
    assert scores.total == 14
    assert scores.accuracy == pytest.approx(11 / 14)
    np.testing.assert_allclose(scores.recall, [0.8, 0.75, np.nan])
    np.testing.assert_allclose(scores.f1, [16 / 19, 6 / 9, np.nan])
    assert scores.mean_class_accuracy == pytest.approx(0.775)
    assert scores.macro_f1 == pytest.approx((16 / 19 + 6 / 9) / 2)
    assert math.isnan(ExpressionScores(np.zeros((3, 3), np.int64), 0.0).accuracy)


def test_the_commonest_answer_is_the_best_constant() -> None:
    commonest = ExpressionScores(np.array([[1, 9], [2, 4]]), 0.0).commonest
    assert commonest.confusion.tolist() == [[10, 0], [6, 0]]
    assert commonest.accuracy == pytest.approx(10 / 16)
    assert commonest.mean_class_accuracy == pytest.approx(0.5)
    assert commonest.macro_f1 == pytest.approx((20 / 26) / 2)


def naive_calibration_error(labels: list[int], probabilities: list[list[float]], bins: int) -> float:
    total, known = 0.0, [row for row, label in enumerate(labels) if label >= 0]
    for place in range(bins):
        low, high = place / bins, (place + 1) / bins
        rows = [row for row in known if low < max(probabilities[row]) <= high]
        if rows:
            right = sum(probabilities[row].index(max(probabilities[row])) == labels[row] for row in rows) / len(rows)
            sure = sum(max(probabilities[row]) for row in rows) / len(rows)
            total += len(rows) / len(known) * abs(right - sure)
    return total


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_error_agrees_with_a_loop(bins: int) -> None:
    found = predictions(200, seed=4)
    expected = naive_calibration_error(found.labels.tolist(), found.probabilities.astype(float).tolist(), bins)
    assert expected_calibration_error(found.labels, found.probabilities, bins) == pytest.approx(expected, abs=1e-6)


def test_calibration_error_of_sure_answers_is_their_error_rate() -> None:
    sure = np.eye(2, dtype=np.float32)[[0, 0, 0, 1]]
    assert expected_calibration_error(np.array([0, 0, 1, 1]), sure) == pytest.approx(0.25)
    assert math.isnan(expected_calibration_error(np.full(4, -1), sure))


def test_wilson_interval_is_the_published_one() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), Table I, method 3.
    for correct, total, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        assert wilson_interval(correct, total) == pytest.approx((low, high), abs=5e-5)
    assert wilson_interval(29, 29) == pytest.approx((0.8830, 1.0), abs=5e-5)


def test_images_of_different_people_give_a_wilson_interval() -> None:
    found = predictions(120, seed=2)
    interval = accuracy_interval(found, BootstrapConfig())
    known = found.labels >= 0
    correct = int((found.predicted == found.labels)[known].sum())
    assert interval is not None
    assert (interval.low, interval.high) == wilson_interval(correct, int(known.sum()))
    assert interval.method == f"Wilson, {known.sum()} images"


def test_people_with_several_images_are_drawn_whole() -> None:
    """Two kinds of people, always right and always wrong, make an accuracy less sure than its images suggest."""
    people, each = 12, 20
    right = np.arange(people * each) // each % 2 == 0
    found = ExpressionPredictions(
        expressions=predictions(1).expressions,
        probabilities=np.eye(7, dtype=np.float32)[np.where(right, 3, 5)],
        labels=np.full(people * each, 3),
        subjects=np.array([f"p{row // each}" for row in range(people * each)]),
        names=np.array([f"{row}.jpg" for row in range(people * each)]),
        folds=np.ones(people * each, np.int64),
        seeds=np.zeros(people * each, np.int64),
    )
    interval = accuracy_interval(found, BootstrapConfig())
    assert interval is not None
    assert interval.method == "bootstrap over 12 subjects"
    low, high = wilson_interval(people * each // 2, people * each)
    assert interval.low < low - 0.1 < high + 0.1 < interval.high
    assert accuracy_interval(found, BootstrapConfig()) == interval
    assert accuracy_interval(found.select(found.subjects == "p0"), BootstrapConfig()) is None
    assert accuracy_interval(found.select(found.labels < 0), BootstrapConfig()) is None
