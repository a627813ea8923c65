import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from facskit.action_units import BP4D, ActionUnitSet
from facskit.evaluation.confusion_counts import count, decide
from facskit.evaluation.metrics import (
    METRICS,
    calibration_error_per_au,
    f1_per_au,
    macro_mean,
    roc_auc_per_au,
    score,
)
from facskit.evaluation.thresholds import GRID, sweep_thresholds

DATA = Path(__file__).parents[1] / "data" / "metrics.npz"
THREE = ActionUnitSet.parse("1 2 4")


def random_case(rows: int = 300, aus: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(-1, 2, (rows, aus)).astype(np.int8)
    probabilities = np.round(np.clip(0.3 * labels + generator.random((rows, aus)) * 0.8, 0, 1), 2).astype(np.float32)
    return labels, probabilities


def naive_f1(labels: np.ndarray, decisions: np.ndarray, undefined: float) -> list[float]:
    result = []
    for au in range(labels.shape[1]):
        tp = fp = fn = known = 0
        for row in range(labels.shape[0]):
            truth, said = labels[row, au], decisions[row, au]
            if truth == -1:
                continue
            known += 1
            tp += truth == 1 and said
            fp += truth == 0 and said
            fn += truth == 1 and not said
        if 2 * tp + fp + fn:
            result.append(2 * tp / (2 * tp + fp + fn))
        else:
            result.append(undefined if known else math.nan)
    return result


def test_reference_numbers_of_the_published_evaluation() -> None:
    with np.load(DATA) as data:
        labels, probabilities = data["labels"], 1 / (1 + np.exp(-data["logits"].astype(np.float64)))
        np.testing.assert_allclose(f1_per_au(labels, probabilities), data["f1_at_half"], atol=1e-6)
        np.testing.assert_allclose(roc_auc_per_au(labels, probabilities), data["roc_auc"], atol=1e-6)
        sweep = sweep_thresholds(labels, probabilities)
        assert sweep.shared == pytest.approx(float(data["best_shared_threshold"]), abs=1e-6)
        np.testing.assert_allclose(sweep.f1_at_shared, data["f1_at_best"], atol=1e-6)
        assert score(labels, probabilities, BP4D).macro("f1").num_aus == 12


@settings(max_examples=60, deadline=None)
@given(data=st.data(), undefined=st.sampled_from([0.0, math.nan]))
def test_f1_equals_a_loop(data: st.DataObject, undefined: float) -> None:
    shape = (data.draw(st.integers(1, 12)), data.draw(st.integers(1, 3)))
    labels = data.draw(hnp.arrays(np.int8, shape, elements=st.integers(-1, 1)))
    probabilities = data.draw(hnp.arrays(np.float32, shape, elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])))
    expected = naive_f1(labels, probabilities >= 0.5, undefined)
    np.testing.assert_allclose(f1_per_au(labels, probabilities, undefined_f1=undefined), expected)


def test_every_score_equals_scikit_learn() -> None:
    labels, probabilities = random_case()
    scores = score(labels, probabilities, THREE, 0.4)
    for au in range(3):
        known = labels[:, au] != -1
        truth, probability = labels[known, au], probabilities[known, au]
        said = probability >= np.float32(0.4)
        assert scores.f1[au] == pytest.approx(sk.f1_score(truth, said))
        assert scores.precision[au] == pytest.approx(sk.precision_score(truth, said))
        assert scores.recall[au] == pytest.approx(sk.recall_score(truth, said))
        assert scores.mcc[au] == pytest.approx(sk.matthews_corrcoef(truth, said))
        assert scores.balanced_accuracy[au] == pytest.approx(sk.balanced_accuracy_score(truth, said))
        assert scores.roc_auc[au] == pytest.approx(sk.roc_auc_score(truth, probability))
        assert scores.average_precision[au] == pytest.approx(sk.average_precision_score(truth, probability))
        assert scores.brier[au] == pytest.approx(sk.brier_score_loss(truth, probability), abs=1e-7)
        assert scores.base_rate[au] == pytest.approx(truth.mean())
        assert scores.predicted_ratio[au] == pytest.approx(said.sum() / truth.sum())
        assert scores.num_known[au] == known.sum()
        assert scores.num_present[au] == truth.sum()


_SK: dict[str, tuple[Callable[..., float], bool]] = {
    "f1": (lambda y, p, d: sk.f1_score(y, d, zero_division=np.nan), False),
    "precision": (lambda y, p, d: sk.precision_score(y, d, zero_division=np.nan), False),
    "recall": (lambda y, p, d: sk.recall_score(y, d, zero_division=np.nan), False),
    "specificity": (lambda y, p, d: sk.recall_score(y, d, pos_label=0, zero_division=np.nan), False),
    "mcc": (lambda y, p, d: sk.matthews_corrcoef(y, d), True),
    "balanced_accuracy": (lambda y, p, d: sk.balanced_accuracy_score(y, d), True),
    "roc_auc": (lambda y, p, d: sk.roc_auc_score(y, p), True),
    "average_precision": (lambda y, p, d: sk.average_precision_score(y, p), True),
    "brier": (lambda y, p, d: np.mean((y - p) ** 2), False),
}
"""scikit-learn's score from labels, probabilities and decisions, and whether it needs both classes."""


@settings(max_examples=150, deadline=None)
@given(data=st.data(), threshold=st.sampled_from([0.0, 0.3, 0.5, 1.0]))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_random_and_degenerate_units_equal_scikit_learn(data: st.DataObject, threshold: float) -> None:
    # Few rows make every degenerate case common: one class, one row, ties, nothing known, nothing predicted.
    shape = (data.draw(st.integers(1, 9)), 3)
    labels = data.draw(hnp.arrays(np.int8, shape, elements=st.integers(-1, 1)))
    probabilities = data.draw(
        hnp.arrays(np.float64, shape, elements=st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1)))
    )
    scores = score(labels, probabilities, THREE, threshold)
    for au in range(3):
        known = labels[:, au] != -1
        truth, shares = labels[known, au].astype(int), probabilities[known, au]
        for name, (scorer, needs_both) in _SK.items():
            if not known.any() or (needs_both and np.unique(truth).size < 2):
                expected = math.nan
            else:
                expected = scorer(truth, shares, shares >= threshold)
            assert scores.per_au(name)[au] == pytest.approx(expected, abs=1e-9, nan_ok=True), name


def test_icc_is_that_of_shrout_and_fleiss() -> None:
    levels = np.array([[0, 0], [1, 0], [2, 0], [5, 0], [-1, -1]], np.int8)
    told = np.array([[1.0, 0.0], [1.0, 0.0], [4.0, 0.0], [3.0, 0.0], [0.0, 4.0]], np.float32)
    truth, said = levels[:4, 0].astype(float), told[:4, 0].astype(float)
    # (BMS - EMS) / (BMS + EMS) for two raters
    between, error = (truth + said).var(ddof=1) / 2, (truth - said).var(ddof=1) / 2

    scores = score(np.clip(levels, -1, 1), told / 5, ActionUnitSet.parse("1 2"), graded=(levels, told))

    np.testing.assert_allclose(scores.icc, [(between - error) / (between + error), math.nan])
    np.testing.assert_allclose(scores.intensity_error, [np.abs(truth - said).mean(), 0.0])
    shifted = score(np.clip(levels, -1, 1), told / 5, ActionUnitSet.parse("1 2"), graded=(levels, levels + 0.5))
    assert shifted.icc[0] == pytest.approx(1.0)
    assert shifted.intensity_error.tolist() == [0.5, 0.5]


def test_without_intensities_their_scores_are_undefined() -> None:
    scores = score(*random_case(), THREE)
    assert np.isnan(scores.icc).all()
    assert math.isnan(scores.macro("intensity_error").value)


def test_unknown_labels_change_nothing() -> None:
    labels, probabilities = random_case()
    extra = np.concatenate([labels, np.full((50, 3), -1, dtype=np.int8)])
    noise = np.concatenate([probabilities, np.random.default_rng(1).random((50, 3)).astype(np.float32)])
    first, second = score(labels, probabilities, THREE), score(extra, noise, THREE)
    for metric in METRICS:
        np.testing.assert_allclose(second.per_au(metric), first.per_au(metric), rtol=1e-12)


def test_what_the_data_cannot_define_is_nan_and_leaves_the_mean() -> None:
    # Columns: ordinary; never present and not predicted; always present; nothing known.
    labels = np.array([[1, 0, 1, -1], [0, 0, 1, -1], [1, 0, 1, -1]], dtype=np.int8)
    probabilities = np.array([[0.9, 0.1, 0.9, 0.9], [0.1, 0.2, 0.2, 0.9], [0.8, 0.3, 0.7, 0.9]], dtype=np.float32)
    scores = score(labels, probabilities, ActionUnitSet.parse("1 2 4 5"))
    np.testing.assert_allclose(scores.f1, [1.0, math.nan, 0.8, math.nan])
    np.testing.assert_allclose(scores.roc_auc, [1.0, math.nan, math.nan, math.nan])
    np.testing.assert_allclose(scores.average_precision, [1.0, math.nan, math.nan, math.nan])
    np.testing.assert_allclose(scores.mcc, [1.0, math.nan, math.nan, math.nan])
    np.testing.assert_allclose(scores.recall, [1.0, math.nan, 2 / 3, math.nan])
    np.testing.assert_allclose(scores.precision, [1.0, math.nan, 1.0, math.nan])
    np.testing.assert_allclose(scores.base_rate, [2 / 3, 0.0, 1.0, math.nan])
    assert math.isnan(scores.brier[3])
    assert math.isnan(scores.calibration_error[3])
    mean = scores.macro("f1")
    assert mean.value == pytest.approx(0.9)
    assert (mean.num_aus, mean.total_aus) == (2, 4)
    zero = score(labels, probabilities, ActionUnitSet.parse("1 2 4 5"), undefined_f1=0.0)
    np.testing.assert_allclose(zero.f1, [1.0, 0.0, 0.8, math.nan])


def test_false_alarms_on_an_absent_unit_score_zero() -> None:
    labels, probabilities = np.zeros((4, 1), dtype=np.int8), np.full((4, 1), 0.9, dtype=np.float32)
    assert f1_per_au(labels, probabilities).tolist() == [0.0]


def test_constant_decisions_have_no_correlation() -> None:
    labels = np.array([[1], [0], [1]], dtype=np.int8)
    assert count(labels, np.ones((3, 1), dtype=np.bool_)).mcc().tolist() == [0.0]


def test_mean_of_nothing_is_nan() -> None:
    mean = macro_mean(np.array([math.nan, math.nan]))
    assert math.isnan(mean.value)
    assert mean.num_aus == 0


def test_calibration_error_equals_a_loop() -> None:
    labels, probabilities = random_case()
    for au, found in enumerate(calibration_error_per_au(labels, probabilities, bins=10)):
        pairs = [(p, y) for p, y in zip(probabilities[:, au].astype(float), labels[:, au], strict=True) if y != -1]
        total = 0.0
        for number in range(10):
            inside = [(p, y) for p, y in pairs if min(int(p * 10), 9) == number]
            if inside:
                confidence, share = (sum(values) / len(inside) for values in zip(*inside, strict=True))
                total += len(inside) / len(pairs) * abs(confidence - share)
        assert found == pytest.approx(total)


def test_a_probability_stored_as_the_threshold_reaches_it() -> None:
    probabilities = np.array([[0.3], [0.7], [0.01]], dtype=np.float32)
    for row, threshold in enumerate((0.3, 0.7, 0.01)):
        assert decide(probabilities, threshold)[row, 0]


def test_thresholds_may_differ_by_unit_and_by_row() -> None:
    probabilities = np.full((2, 2), 0.5, dtype=np.float32)
    assert decide(probabilities, np.array([0.4, 0.6])).tolist() == [[True, False], [True, False]]
    assert decide(probabilities, np.array([[0.4, 0.6], [0.6, 0.4]])).tolist() == [[True, False], [False, True]]


def test_mismatched_columns_are_refused() -> None:
    labels, probabilities = random_case()
    with pytest.raises(ValueError, match="expected the same number of samples and 12 columns, one for each of AU01,"):
        score(labels, probabilities, BP4D)


def test_unknown_metric_is_refused() -> None:
    labels, probabilities = random_case()
    with pytest.raises(ValueError, match="'f2' is not a metric; expected one of base_rate, "):
        score(labels, probabilities, THREE).per_au("f2")


@pytest.mark.parametrize("seed", range(3))
def test_sweep_equals_a_loop_over_thresholds(seed: int) -> None:
    labels, probabilities = random_case(seed=seed)
    sweep = sweep_thresholds(labels, probabilities)
    assert len(GRID) == 99
    for row, threshold in enumerate(GRID):
        np.testing.assert_allclose(sweep.f1[row], f1_per_au(labels, probabilities, float(threshold)))
    best = [np.nanmax(sweep.f1[:, au]) for au in range(3)]
    np.testing.assert_allclose(f1_per_au(labels, probabilities, sweep.per_au), best)
    assert sweep.f1_at_shared.mean() == pytest.approx(sweep.f1.mean(axis=1).max())


def test_equally_good_thresholds_go_to_the_one_nearest_a_half() -> None:
    labels = np.array([[1, 0], [0, 0]], dtype=np.int8)
    probabilities = np.array([[0.9, 0.0], [0.1, 0.0]], dtype=np.float32)
    sweep = sweep_thresholds(labels, probabilities)
    assert sweep.per_au.tolist() == [0.5, 0.5]
    assert sweep.shared == 0.5
