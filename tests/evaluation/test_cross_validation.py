import math
from dataclasses import replace

import numpy as np
import pytest

from facskit.errors import DatasetError
from facskit.evaluation.cross_validation import CrossValidationResult, defined_mean
from facskit.evaluation.metrics import f1_per_au
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.predictions import Predictions
from tests.evaluation.builders import make_predictions


def two_seeds() -> Predictions:
    return concat([make_predictions(seed=seed, noise_seed=seed) for seed in (0, 1)])


def naive_f1(predictions: Predictions) -> np.ndarray:
    """Return F1 as [fold][seed][au], each run cut out by hand."""
    return np.array(
        [
            [
                f1_per_au(predictions.labels[rows], predictions.probabilities[rows])
                for seed in (0, 1)
                if (rows := (predictions.folds == fold) & (predictions.seeds == seed)).any()
            ]
            for fold in (0, 1, 2)
        ]
    )


def test_headline_is_the_mean_over_folds_seeds_and_units() -> None:
    predictions = two_seeds()
    result, expected = CrossValidationResult(predictions), naive_f1(predictions)
    np.testing.assert_allclose(result.values("f1"), expected)
    np.testing.assert_allclose(result.mean("f1"), expected.mean(axis=(0, 1)))
    spread = result.macro("f1")
    assert spread.mean.value == pytest.approx(expected.mean())
    assert spread.over_folds == pytest.approx(np.std(expected.mean(axis=(1, 2)), ddof=1))
    assert spread.over_seeds == pytest.approx(np.std(expected.mean(axis=(0, 2)), ddof=1))


def test_pooled_differs_from_the_mean_of_folds() -> None:
    # Fold 0: one of one found. Fold 1: one of three found, so F1 1.0 and 0.5; pooled 2*2 / (2*2 + 2) = 2/3.
    base = make_predictions(num_subjects=2, frames=3, folds=2)
    labels = np.array([[1, 1], [0, 0], [0, 0], [1, 1], [1, 1], [1, 1]], dtype=np.int8)
    said = np.array([[1, 1], [0, 0], [0, 0], [1, 1], [0, 0], [0, 0]], dtype=np.float32)
    result = CrossValidationResult(replace(base, labels=labels, probabilities=said))
    np.testing.assert_allclose(result.mean("f1"), [0.75, 0.75])
    np.testing.assert_allclose(result.pooled.f1, [2 / 3, 2 / 3])


def test_a_unit_undefined_in_one_fold_is_averaged_over_the_others() -> None:
    base = make_predictions(num_subjects=2, frames=2, folds=2)
    labels = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.int8)
    result = CrossValidationResult(replace(base, labels=labels, probabilities=labels.astype(np.float32)))
    assert np.isnan(result.values("f1")[0, 0, 0])
    np.testing.assert_allclose(result.mean("f1"), [1.0, 1.0])
    assert math.isnan(result.macro("f1").over_seeds)


def test_support_counts_each_image_once() -> None:
    result, single = CrossValidationResult(two_seeds()), make_predictions()
    np.testing.assert_array_equal(result.num_present, (single.labels == 1).sum(axis=0))
    known = (single.labels != -1).sum(axis=0)
    np.testing.assert_allclose(result.base_rate, result.num_present / known)


def test_baselines_learn_their_rate_from_the_other_folds() -> None:
    predictions = make_predictions()
    result = CrossValidationResult(predictions)
    expected = []
    for fold in range(3):
        test, train = (predictions.labels[mask] for mask in (predictions.folds == fold, predictions.folds != fold))
        r, q = ((part == 1).sum(axis=0) / (part != -1).sum(axis=0) for part in (test, train))
        expected.append([2 * r / (1 + r), 2 * r * q / (r + q)])
    all_positive, prior = np.mean(expected, axis=0)
    np.testing.assert_allclose(result.baselines.all_positive, all_positive)
    np.testing.assert_allclose(result.baselines.prior, prior)
    assert result.baselines.from_training
    assert not CrossValidationResult(predictions.run(0, 0)).baselines.from_training


def test_holes_in_the_grid_are_refused() -> None:
    predictions = two_seeds()
    keep = (predictions.folds != 1) | (predictions.seeds != 1)
    with pytest.raises(DatasetError, match="fold 1 of seed 1 is missing; expected every fold for every seed"):
        CrossValidationResult(predictions.select(keep))
    with pytest.raises(DatasetError, match="a cross-validation result needs predictions, got none"):
        CrossValidationResult(predictions.select(np.array([], dtype=np.int64)))


def test_mean_of_what_is_defined() -> None:
    values = np.array([[1.0, math.nan, math.nan], [3.0, 4.0, math.nan]])
    np.testing.assert_allclose(defined_mean(values, axis=0), [2.0, 4.0, math.nan])
