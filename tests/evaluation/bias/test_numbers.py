from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from facskit.action_units import BP4D, DISFA_8, ActionUnitSet
from facskit.errors import DatasetError
from facskit.evaluation.bias.numbers import (
    LOG_RATIO_LIMIT,
    bias_difference,
    bias_numbers,
    frequencies_of,
    groups_by_frequency,
    log_ratio,
    published_groups,
)
from facskit.evaluation.bootstrap import BootstrapConfig, bootstrap_macro_f1
from facskit.evaluation.confusion_counts import Counts, count
from facskit.evaluation.metrics import f1_per_au
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.predictions import Predictions
from tests.evaluation.builders import make_predictions

FEW = BootstrapConfig(resamples=100)
HEAD, TAIL = ["AU12"], ["AU01"]
EVEN = np.array([0.2, 0.4])


def counts(**arrays: list[int]) -> Counts:
    names = ("true_positive", "false_positive", "false_negative", "true_negative")
    return Counts(**{name: np.array(arrays[name]) for name in names})


def wide(logit_shift: np.ndarray | float = 0.0, *, seed: int = 0, folds: int = 3) -> Predictions:
    """Return predictions of DISFA's AUs at its rates, all decided a little too often or too seldom."""
    rates = np.array([0.05, 0.04, 0.15, 0.08, 0.043, 0.132, 0.278, 0.089])
    generator = np.random.default_rng(3)
    subjects = np.repeat([f"SN{number:03d}" for number in range(9)], 60)
    shown = np.repeat(generator.uniform(0.5, 1.5, (9, 8)), 60, axis=0) * rates
    labels = (generator.random(shown.shape) < shown).astype(np.int8)
    noise = np.random.default_rng(seed + 50).normal(size=shown.shape)
    logits = 3 * (labels - 0.5) + noise + logit_shift
    rows = len(subjects)
    return Predictions(
        action_units=DISFA_8,
        probabilities=(1 / (1 + np.exp(-logits))).astype(np.float32),
        labels=labels,
        subjects=subjects,
        names=np.arange(rows).astype(np.str_),
        folds=np.repeat(np.arange(9) % folds, 60).astype(np.int64),
        seeds=np.full(rows, seed, dtype=np.int64),
        thresholds=np.full(labels.shape, 0.5, dtype=np.float32),
    )


def test_the_log_ratio_counts_doublings() -> None:
    ratio = log_ratio(counts(true_positive=[99], false_positive=[100], false_negative=[0], true_negative=[9]))
    assert ratio == pytest.approx([np.log2(199.5 / 99.5)])


def test_the_log_ratio_is_finite_where_nothing_is_predicted_or_present() -> None:
    ratio = log_ratio(
        counts(
            true_positive=[0, 0, 0, 0, 0],
            false_positive=[0, 1, 0, 5000, 0],
            false_negative=[1, 0, 5000, 0, 0],
            true_negative=[7, 7, 7, 7, 0],
        )
    )
    assert ratio[:4] == pytest.approx([-np.log2(3), np.log2(3), -LOG_RATIO_LIMIT, LOG_RATIO_LIMIT])
    assert np.isnan(ratio[4])  # no label is known
    nothing = counts(true_positive=[0], false_positive=[0], false_negative=[0], true_negative=[8])
    assert log_ratio(nothing) == pytest.approx([0.0])


def test_the_numbers_are_those_of_a_plain_computation() -> None:
    predictions = wide(np.linspace(-1, 1.5, 8))
    rates = frequencies_of(predictions).known
    numbers = bias_numbers(predictions, rates, ["AU12", 25], [1, "au2", "AU09"], None)
    said, truth = predictions.decisions.sum(axis=0), (predictions.labels == 1).sum(axis=0)
    ratios = np.log2((said + 0.5) / (truth + 0.5))
    assert numbers.spread.estimate == pytest.approx(ratios.std())
    assert numbers.level.estimate == pytest.approx(ratios.mean())
    assert numbers.correlation.estimate == pytest.approx(spearmanr(ratios, rates).statistic)
    f1 = np.mean([f1_per_au(run.labels, run.probabilities) for run in map(predictions.run, range(3), [0] * 3)], axis=0)
    assert numbers.macro_f1.estimate == pytest.approx(f1.mean())
    assert numbers.head_f1.estimate == pytest.approx(f1[[5, 6]].mean())
    assert numbers.tail_f1.estimate == pytest.approx(f1[[0, 1, 4]].mean())
    assert np.isnan(numbers.spread.low)


def test_an_interval_is_that_of_resampled_subjects() -> None:
    predictions = make_predictions()
    generator = np.random.default_rng(0)
    draws = [generator.multinomial(3, np.full(3, 1 / 3), 100) for _ in range(3)]
    spreads = []
    for draw in range(100):
        rows: list[int] = []
        for fold in range(3):
            names = sorted(set(predictions.subjects[predictions.folds == fold]))
            for subject, times in zip(names, draws[fold][draw], strict=True):
                rows += np.flatnonzero(predictions.subjects == subject).tolist() * int(times)
        spreads.append(log_ratio(count(predictions.labels[rows], predictions.decisions[rows])).std())
    spread = bias_numbers(predictions, EVEN, HEAD, TAIL, FEW).spread
    assert (spread.low, spread.high) == pytest.approx(tuple(np.quantile(spreads, [0.025, 0.975])))
    assert spread.num_subjects == 9


def test_macro_f1_is_the_one_of_result_tables() -> None:
    predictions = concat([make_predictions(seed=seed, noise_seed=seed) for seed in (0, 1)])
    assert bias_numbers(predictions, EVEN, HEAD, TAIL, FEW).macro_f1 == bootstrap_macro_f1(predictions, FEW)


def test_seeds_are_networks_whose_numbers_are_averaged() -> None:
    often, seldom = wide(1.0, seed=0), wide(-1.0, seed=1)
    rates = frequencies_of(often).known
    alone = [bias_numbers(one, rates, HEAD, TAIL, None).spread.estimate for one in (often, seldom)]
    both = bias_numbers(concat([often, seldom]), rates, HEAD, TAIL, None)
    assert both.spread.estimate == pytest.approx(np.mean(alone))
    assert both.spread.estimate > 0.3  # pooled, the two would cancel out


def test_leaning_on_frequency_shows_in_the_correlation() -> None:
    rates = frequencies_of(wide()).known
    favour = 2 * (np.log(rates) - np.log(rates).mean())
    frequent, rare = wide(favour), wide(-favour)
    assert bias_numbers(frequent, rates, HEAD, TAIL, FEW).correlation.low > 0.5
    assert bias_numbers(rare, rates, HEAD, TAIL, FEW).correlation.high < -0.5
    assert np.isnan(bias_numbers(frequent, np.full(8, 0.1), HEAD, TAIL, None).correlation.estimate)
    two = np.where(np.arange(8) < 2, rates, np.nan)
    assert np.isnan(bias_numbers(frequent, two, HEAD, TAIL, None).correlation.estimate)  # could only be -1 or 1


def test_a_difference_is_of_the_same_draws() -> None:
    plain, shifted = wide(), wide(np.linspace(-2, 2, 8))
    rates = frequencies_of(plain).known
    more = bias_difference(plain, shifted, rates, HEAD, TAIL, FEW)
    apart = [bias_numbers(one, rates, HEAD, TAIL, FEW).spread for one in (plain, shifted)]
    assert more.spread.estimate == pytest.approx(apart[1].estimate - apart[0].estimate)
    assert more.spread.low > 0.5
    assert more.spread.share_not_above_zero == 0.0  # type: ignore[attr-defined]
    none = bias_difference(plain, plain, rates, HEAD, TAIL, FEW)
    assert (none.spread.low, none.tail_f1.high) == (0.0, 0.0)


def test_impossible_questions_are_refused() -> None:
    predictions = wide()
    with pytest.raises(ValueError, match=r"frequencies have the shape \(2,\); expected one for each of AU01"):
        bias_numbers(predictions, EVEN, HEAD, TAIL)
    with pytest.raises(ValueError, match="AU17"):
        bias_numbers(predictions, np.ones(8), ["AU17"], TAIL)
    with pytest.raises(DatasetError, match="missing in the second predictions or has other labels"):
        bias_difference(predictions, replace(predictions, labels=1 - predictions.labels), np.ones(8), HEAD, TAIL)


def test_training_rates_are_those_of_the_other_folds() -> None:
    predictions = wide()
    found = frequencies_of(predictions)
    by_fold = np.stack([(predictions.labels[predictions.folds != fold] == 1).mean(axis=0) for fold in range(3)])
    assert found.training == pytest.approx(by_fold.mean(axis=0))
    assert found.test == pytest.approx((predictions.labels == 1).mean(axis=0))
    alone = frequencies_of(predictions.run(0, 0))
    assert alone.training is None
    assert alone.known is alone.test


def test_head_and_tail_are_the_published_ones_or_thirds() -> None:
    disfa, bp4d = published_groups("disfa", DISFA_8), published_groups("BP4D", BP4D)
    assert disfa is not None
    assert bp4d is not None
    assert [unit.number for unit in (*disfa.head, *disfa.tail)] == [12, 25, 1, 2, 9]
    assert [unit.number for unit in (*bp4d.head, *bp4d.tail)] == [7, 10, 12, 14, 2, 4]
    assert published_groups("bp4d-plus", BP4D) is None
    assert published_groups("disfa", ActionUnitSet.parse("AU01,AU02")) is None
    rates = np.array([0.05, 0.04, 0.15, 0.08, np.nan, 0.132, 0.278, 0.089])
    thirds = groups_by_frequency(DISFA_8, rates, "of the training labels")
    assert [unit.number for unit in thirds.head] == [4, 25]
    assert [unit.number for unit in thirds.tail] == [1, 2]
    assert thirds.source == "the most and the least frequent third of the training labels"
