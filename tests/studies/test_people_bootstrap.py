"""Differences of ROC-AUC over people: the resampled score against scikit-learn's, ties, and who is drawn."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from facskit.action_units import ActionUnitSet
from facskit.evaluation.predictions import Predictions
from facskit.evaluation.protocols import Protocol
from studies.people_bootstrap import auc_difference, macro_auc, resampled_auc


def _predictions(seed: int) -> Predictions:
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 2, (60, 2)).astype(np.int8)
    noise = np.random.default_rng(seed).random((60, 2))
    return Predictions(
        probabilities=(0.3 * (labels == 1) + 0.7 * noise).astype(np.float32),
        labels=labels,
        subjects=np.array([f"P{row // 6}" for row in range(60)]),
        names=np.array([f"{row}.jpg" for row in range(60)]),
        folds=np.ones(60, np.int64),
        seeds=np.zeros(60, np.int64),
        action_units=ActionUnitSet.parse("1 12"),
        protocol=Protocol(epoch="last", threshold="fixed", folds="all"),
        thresholds=np.full((60, 2), 0.5, np.float32),
    )


def test_the_resampled_score_is_that_of_repeated_faces() -> None:
    rng = np.random.default_rng(0)
    said, present = rng.integers(0, 8, 50) / 8, rng.random(50) < 0.3
    weights = rng.integers(0, 4, (5, 50))
    found = resampled_auc(said, present, weights)
    for draw in range(5):
        rows = np.repeat(np.arange(50), weights[draw])
        assert found[draw] == pytest.approx(roc_auc_score(present[rows], said[rows]))
    assert np.isnan(resampled_auc(said, present, weights * present)).all()


def test_a_difference_is_that_of_the_mean_scores_and_zero_to_itself() -> None:
    arm, base = [_predictions(1), _predictions(2)], [_predictions(3), _predictions(4)]
    found = auc_difference(arm, base, resamples=200)
    expected = np.mean([macro_auc(each) for each in arm]) - np.mean([macro_auc(each) for each in base])
    assert found.estimate == pytest.approx(expected)
    assert found.low < found.estimate < found.high
    same = auc_difference(base, base, resamples=200)
    assert (same.estimate, same.low, same.high) == (0, 0, 0)
    assert same.in_points() == "+0.0 (+0.0 to +0.0)"


def test_other_faces_are_refused() -> None:
    other = replace(_predictions(1), names=np.array([f"x{row}.jpg" for row in range(60)]))
    with pytest.raises(ValueError, match="other faces"):
        auc_difference([other], [_predictions(1)])
