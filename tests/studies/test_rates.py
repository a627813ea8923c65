"""Base rates made by forgetting labels."""

import numpy as np
import pytest

from studies.rates import keep_rates, swap_rates


def test_each_unit_is_present_at_its_rate_and_no_label_changes() -> None:
    labels = np.random.default_rng(1).choice([1, 0, -1], (400, 3), p=[0.3, 0.6, 0.1]).astype(np.int8)
    kept = keep_rates(labels, np.array([0.5, 0.05, 0.9]))
    known = kept >= 0
    assert np.array_equal(kept[known], labels[known])
    assert (kept == 1).sum(axis=0) / known.sum(axis=0) == pytest.approx([0.5, 0.05, 0.9], abs=0.01)
    assert (kept[:, 0] == 1).sum() == (labels[:, 0] == 1).sum()  # the scarcer state is kept whole


def test_what_cannot_be_is_refused() -> None:
    labels = np.array([[1], [1]], np.int8)
    with pytest.raises(ValueError, match="absent in 0"):
        keep_rates(labels, np.array([0.5]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        keep_rates(labels, np.array([1.0]))


def test_swapped_rates_turn_the_order_round() -> None:
    assert swap_rates(np.array([0.1, 0.4, 0.2])).tolist() == [0.4, 0.1, 0.2]
