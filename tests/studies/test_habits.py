"""Habits planted in labels: rates, equal numbers, and labels that are never invented."""

import numpy as np
import pytest

from studies.habits import draw_signs, keep_habits


def _faces() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(6), 100)
    return (rng.random((600, 2)) < [0.3, 0.5]).astype(np.int8), people


def test_as_many_people_show_a_unit_often_as_seldom() -> None:
    signs = draw_signs(80, 5, seed=1)
    assert not signs.sum(0).any()
    assert not (signs[:, 0] == signs[:, 1]).all()


@pytest.mark.parametrize("habit", [0.8, 0.5, -0.8])
def test_people_show_units_at_their_rates_and_regimes_have_as_many_labels(habit: float) -> None:
    labels, people = _faces()
    signs = draw_signs(6, 2, seed=0)

    kept = keep_habits(labels, people, signs, habit=habit, most=20)
    without = keep_habits(labels, people, signs, habit=0.0, most=20)

    assert ((kept == labels) | (kept == -1)).all()
    for person in range(6):
        for unit in range(2):
            said = kept[people == person, unit]
            assert (said >= 0).sum() == 20 == (without[people == person, unit] >= 0).sum()
            assert (said == 1).sum() == round(10 * (1 + signs[person, unit] * habit))
    assert ((kept == 1).sum(0) == (without == 1).sum(0)).all()


def test_who_shows_too_little_has_fewer_labels_in_every_regime() -> None:
    labels = np.zeros((100, 1), np.int8)
    labels[:9] = 1
    people, signs = np.zeros(100, np.int64), np.array([[1]])
    counts = [int((keep_habits(labels, people, signs, habit=habit, most=30) >= 0).sum()) for habit in (0.0, 0.8, -0.8)]
    assert counts == [10, 10, 10]


def test_stronger_habits_than_the_labels_suffice_for_are_refused() -> None:
    labels, people = _faces()
    with pytest.raises(ValueError, match="habit must be from -0.8 to 0.8, got 0.9"):
        keep_habits(labels, people, draw_signs(6, 2, seed=0), habit=0.9, most=20)
