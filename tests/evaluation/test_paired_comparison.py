"""Paired differences: F1 as the bootstrap has it, ROC-AUC as scikit-learn has it, seed by seed."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig, bootstrap_difference, draw_subjects, subjects_by_fold
from facskit.evaluation.paired_comparison import compare_predictions, resample_roc_auc
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.predictions import Predictions
from tests.evaluation.builders import make_predictions

CONFIG = BootstrapConfig(resamples=200)


def _seeds(skill: float, *, subjects: int = 9, seeds: tuple[int, ...] = (0, 1)) -> Predictions:
    parts = [make_predictions(num_subjects=subjects, skill=skill, seed=seed, noise_seed=seed) for seed in seeds]
    return concat(parts)


def test_roc_auc_of_a_draw_is_that_of_repeated_rows() -> None:
    predictions = make_predictions(folds=1)
    rounded = replace(predictions, probabilities=predictions.probabilities.round(1))  # with ties
    found = resample_roc_auc(rounded, CONFIG)
    (subjects,) = subjects_by_fold(rounded).values()
    (draws,) = draw_subjects({0: subjects}, CONFIG).values()
    for draw in (0, 1, 50, 200):
        rows = np.concatenate(
            [
                np.tile(np.flatnonzero(rounded.subjects == name), n)
                for name, n in zip(subjects, draws[draw], strict=True)
            ]
        )
        for au in range(2):
            known = rows[rounded.labels[rows, au] >= 0]
            expected = roc_auc_score(rounded.labels[known, au], rounded.probabilities[known, au])
            assert found[draw, au] == pytest.approx(expected, abs=1e-12)


def test_roc_auc_of_the_data_is_the_mean_over_folds_and_seeds() -> None:
    predictions = _seeds(1.0)
    runs = [predictions.run(*run).scores().roc_auc for run in predictions.runs]
    assert resample_roc_auc(predictions, CONFIG)[0] == pytest.approx(np.mean(runs, axis=0))


def test_roc_auc_is_undefined_with_labels_of_one_kind() -> None:
    predictions = make_predictions(folds=1)
    labels = predictions.labels.copy()
    labels[:, 0] = 0
    found = resample_roc_auc(replace(predictions, labels=labels), CONFIG)
    assert np.isnan(found[:, 0]).all()
    assert not np.isnan(found[:, 1]).any()


def test_macro_f1_is_the_bootstraps() -> None:
    first, second = _seeds(1.0), _seeds(1.6)
    assert compare_predictions(first, second, CONFIG).f1 == bootstrap_difference(first, second, CONFIG)


def test_each_au_and_seed_has_its_difference() -> None:
    first, second = _seeds(1.0, seeds=(0, 1)), _seeds(2.0, seeds=(1, 2))
    comparison = compare_predictions(first, second, CONFIG)
    means = [np.mean([one.run(*run).scores().f1 for run in one.runs], axis=0) for one in (first, second)]
    estimates = [interval.estimate for interval in comparison.f1_per_au if interval is not None]
    assert estimates == pytest.approx((means[1] - means[0]).tolist())
    by_seed = [_macro(one, seed=1) for one in (first, second)]
    assert comparison.f1_by_seed == {1: pytest.approx(by_seed[1] - by_seed[0])}
    assert comparison.roc_auc is not None
    assert 0 < comparison.roc_auc.low <= comparison.roc_auc.estimate <= comparison.roc_auc.high


def test_a_model_doesnt_differ_from_itself() -> None:
    comparison = compare_predictions(_seeds(1.0), _seeds(1.0), CONFIG)
    assert (comparison.f1.low, comparison.f1.high, comparison.f1.share_not_above_zero) == (0, 0, 1)


def test_other_faces_are_refused() -> None:
    with pytest.raises(DatasetError, match="is missing in the second predictions"):
        compare_predictions(_seeds(1.0), _seeds(1.0, subjects=8), CONFIG)


def _macro(predictions: Predictions, seed: int) -> float:
    runs = [predictions.run(fold, seed).scores().f1 for fold in sorted({fold for fold, _ in predictions.runs})]
    return float(np.mean(np.mean(runs, axis=0)))
