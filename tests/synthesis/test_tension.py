import numpy as np
import pytest

from facskit.action_units import RENDERED
from facskit.synthesis.expressions import Animator, FacialAction
from facskit.synthesis.head import MorphableHead
from facskit.synthesis.tension import TENSE, SkinTension, unit_intensities


@pytest.fixture(scope="module")
def animator(any_head: MorphableHead) -> Animator:
    return Animator(any_head)


@pytest.fixture(scope="module")
def tension(animator: Animator) -> SkinTension:
    return SkinTension(animator)


def acting(left: dict[int, float], right: dict[int, float] | None = None) -> FacialAction:
    rows = [
        np.array([side.get(number, 0.0) for number in RENDERED.numbers])
        for side in (left, left if right is None else right)
    ]
    return FacialAction(left=rows[0], right=rows[1])


def folds(animator: Animator, tension: SkinTension, action: FacialAction) -> dict[str, float]:
    rest = animator.animate(animator.head.vertices, acting({}))
    return tension.creases(rest, animator.animate(animator.head.vertices, action), action)


def test_nothing_folds_at_rest(animator: Animator, tension: SkinTension) -> None:
    assert max(folds(animator, tension, acting({})).values()) == 0


@pytest.mark.parametrize("number", TENSE)
def test_a_unit_folds_its_own_skin_about_as_deep_as_it_acts(
    animator: Animator, tension: SkinTension, number: int
) -> None:
    deep, half = (folds(animator, tension, acting({number: value})) for value in (1.0, 0.5))
    for side in "LR":
        assert deep[f"AU{number:02d}_{side}"] == pytest.approx(1.0)
        assert 0.3 < half[f"AU{number:02d}_{side}"] < 0.7


def test_one_side_folds_alone(animator: Animator, tension: SkinTension) -> None:
    depths = folds(animator, tension, acting({12: 1.0, 6: 1.0}, {}))
    assert depths["AU06_L"] > 0.8
    assert depths["AU06_R"] < 0.1


def test_smiling_deepens_crows_feet_and_a_wrinkled_nose_the_glabella(animator: Animator, tension: SkinTension) -> None:
    assert 0.1 < folds(animator, tension, acting({12: 1.0}))["AU06_L"] < 0.6
    assert folds(animator, tension, acting({9: 1.0}))["AU04_L"] > 0.5
    # A raised inner brow smooths what a lowered one folds.
    assert folds(animator, tension, acting({1: 1.0, 4: 0.5}))["AU04_L"] < 0.5


def test_what_tension_does_not_show_follows_the_unit() -> None:
    depths = unit_intensities(acting({14: 0.7}, {14: 0.2}))
    assert (depths["AU14_L"], depths["AU14_R"]) == (0.7, 0.2)
