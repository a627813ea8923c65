from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facskit.action_units import ActionUnitSet
from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig, bootstrap_difference, bootstrap_macro_f1
from facskit.evaluation.cross_validation import CrossValidationResult
from facskit.evaluation.metrics import f1_per_au
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.predictions import Predictions
from tests.evaluation.builders import make_predictions


def test_the_estimate_is_the_headline() -> None:
    predictions = concat([make_predictions(seed=seed, noise_seed=seed) for seed in (0, 1)])
    interval = bootstrap_macro_f1(predictions, BootstrapConfig(resamples=300))
    assert interval.estimate == pytest.approx(CrossValidationResult(predictions).macro("f1").mean.value)
    assert interval.low < interval.estimate < interval.high
    assert interval.num_subjects == 9


def test_interval_equals_a_loop_over_resampled_images() -> None:
    predictions = make_predictions()
    config = BootstrapConfig(resamples=200, level=0.9, seed=4)
    generator = np.random.default_rng(4)
    subjects = {fold: sorted(set(predictions.subjects[predictions.folds == fold])) for fold in range(3)}
    draws = {fold: generator.multinomial(3, np.full(3, 1 / 3), 200) for fold in range(3)}
    values = []
    for draw in range(200):
        folds = []
        for fold in range(3):
            rows = [
                row
                for subject, times in zip(subjects[fold], draws[fold][draw], strict=True)
                for _ in range(times)
                for row in np.flatnonzero(predictions.subjects == subject)
            ]
            folds.append(f1_per_au(predictions.labels[rows], predictions.probabilities[rows]))
        values.append(np.mean(folds))
    interval = bootstrap_macro_f1(predictions, config)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(values, [0.05, 0.95])))


def test_the_seed_decides_the_interval() -> None:
    predictions = make_predictions()
    first, again, other = (bootstrap_macro_f1(predictions, BootstrapConfig(resamples=200, seed=s)) for s in (1, 1, 2))
    assert first == again
    assert first != other


def synthetic_study(generator: np.random.Generator, num_subjects: int) -> Predictions:
    """Return a study whose subjects differ in how well the model reads them: rate 0.4, recall and false alarms vary."""
    frames = 40
    base = make_predictions(num_subjects=num_subjects, frames=frames, folds=1)
    recall = np.repeat(generator.uniform(0.5, 0.9, (num_subjects, 2)), frames, axis=0)
    alarms = np.repeat(generator.uniform(0.05, 0.35, (num_subjects, 2)), frames, axis=0)
    labels = (generator.random(recall.shape) < 0.4).astype(np.int8)
    said = generator.random(recall.shape) < np.where(labels == 1, recall, alarms)
    return replace(base, labels=labels, probabilities=said.astype(np.float32))


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(0)
    # Expected counts per frame: TP = 0.4 * 0.7, FN = 0.4 * 0.3, FP = 0.6 * 0.2.
    truth = 2 * 0.28 / (2 * 0.28 + 0.12 + 0.12)
    config = BootstrapConfig(resamples=300)
    covered = []
    for _ in range(120):
        interval = bootstrap_macro_f1(synthetic_study(generator, 30), config)
        covered.append(interval.low <= truth <= interval.high)
    assert 0.86 <= np.mean(covered) <= 0.99


def test_a_better_model_is_found_better() -> None:
    weak, strong = make_predictions(skill=1.0), make_predictions(skill=3.0)
    gain = bootstrap_difference(weak, strong, BootstrapConfig(resamples=500))
    means = [CrossValidationResult(one).macro("f1").mean.value for one in (weak, strong)]
    assert gain.estimate == pytest.approx(means[1] - means[0])
    assert gain.low > 0
    assert gain.share_not_above_zero < 0.01


def test_pairing_is_sharper_than_two_intervals() -> None:
    first, second = make_predictions(), make_predictions(skill=2.1)
    config = BootstrapConfig(resamples=500)
    alone, gain = bootstrap_macro_f1(first, config), bootstrap_difference(first, second, config)
    assert gain.high - gain.low < (alone.high - alone.low) / 2
    same = bootstrap_difference(first, first, config)
    assert (same.estimate, same.low, same.high, same.share_not_above_zero) == (0.0, 0.0, 0.0, 1.0)


def test_models_scored_on_different_data_are_not_compared() -> None:
    first = make_predictions()
    with pytest.raises(DatasetError, match=r"S000/0\.jpg of fold 0 is missing in the second predictions or has other"):
        bootstrap_difference(first, first.select(np.arange(1, len(first))))
    with pytest.raises(DatasetError, match=r"S000/0\.jpg of fold 0 is missing in the first predictions"):
        bootstrap_difference(first.select(np.arange(1, len(first))), first)
    with pytest.raises(DatasetError, match="can't compare predictions of AU01,AU12 with predictions of AU01,AU02"):
        bootstrap_difference(first, replace(first, action_units=ActionUnitSet.parse("1 2")))


def test_one_subject_is_no_sample() -> None:
    with pytest.raises(DatasetError, match="fold 0 has 1 subject; resampling subjects needs at least 2 in every fold"):
        bootstrap_macro_f1(make_predictions(num_subjects=3, folds=3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resamples": 10}, "resamples is 10; expected at least 100"),
        ({"level": 95.0}, r"level is 95\.0; expected a share between 0 and 1"),
        ({"seed": -1}, "seed is -1; expected 0 or more"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BootstrapConfig(**settings)
