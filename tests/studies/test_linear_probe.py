"""The linear probe finds what is linear in the features, and nothing where nothing is."""

import numpy as np
import pytest

from facskit.action_units import ActionUnitSet
from studies.linear_probe import ProbeConfig, linear_probe

UNITS = ActionUnitSet.parse("AU01,AU12")


def _parts(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    features = rng.normal(size=(rows, 5))
    labels = np.stack([features[:, 0] > 0, rng.random(rows) > 0.5], axis=1).astype(np.int8)
    return features, labels


def test_a_linear_unit_is_found_and_a_random_one_is_not() -> None:
    rng = np.random.default_rng(0)
    (train, train_labels), (test, test_labels) = _parts(rng, 400), _parts(rng, 400)
    probe = linear_probe((train, test), (train_labels, test_labels), UNITS)
    assert probe.roc_auc[0] > 0.98
    assert 0.4 < probe.roc_auc[1] < 0.6
    assert probe.macro_roc_auc == pytest.approx(np.mean(probe.roc_auc))


def test_unknown_labels_change_nothing() -> None:
    rng = np.random.default_rng(1)
    (train, train_labels), (test, test_labels) = _parts(rng, 200), _parts(rng, 200)
    plain = linear_probe((train, test), (train_labels, test_labels), UNITS)
    noise, unknown = rng.normal(size=(50, 5)) * 0.9, np.full((50, 2), -1, np.int8)
    # Unknown rows do move the standardisation, so they are put where they don't: at the mean, without spread.
    centred = train.mean(axis=0) + 0 * noise
    more = linear_probe(
        (np.concatenate([train, centred]), np.concatenate([test, noise])),
        (np.concatenate([train_labels, unknown]), np.concatenate([test_labels, unknown])),
        UNITS,
    )
    assert more.roc_auc[0] == pytest.approx(plain.roc_auc[0], abs=0.01)


def test_a_unit_without_both_states_has_no_score() -> None:
    rng = np.random.default_rng(2)
    (train, train_labels), (test, test_labels) = _parts(rng, 100), _parts(rng, 100)
    test_labels[:, 1] = 0
    probe = linear_probe((train, test), (train_labels, test_labels), UNITS)
    assert np.isnan(probe.roc_auc[1])
    assert probe.macro_roc_auc == probe.roc_auc[0]
    with pytest.raises(ValueError, match="nothing can be scored"):
        linear_probe((train, test), (train_labels, np.zeros_like(test_labels)), UNITS)


def test_parts_of_different_lengths_are_refused() -> None:
    features, labels = _parts(np.random.default_rng(3), 20)
    with pytest.raises(ValueError, match="test part has 19 rows of features but 20 of labels"):
        linear_probe((features, features[:-1]), (labels, labels), UNITS)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="inverse_penalty must be above 0, got 0.0"):
        ProbeConfig(inverse_penalty=0.0)
    with pytest.raises(ValueError, match="iterations must be at least 1, got 0"):
        ProbeConfig(iterations=0)
