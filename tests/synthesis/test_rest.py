import numpy as np
import pytest

from facskit.action_units import RENDERED
from facskit.synthesis.expressions import Animator, FacialAction
from facskit.synthesis.head import MorphableHead
from facskit.synthesis.rest import MOST, RestingFace, draw_rest

STILL = np.zeros(len(RENDERED))


@pytest.fixture(scope="module")
def animator(any_head: MorphableHead) -> Animator:
    return Animator(any_head)


def resting(number: int, pull: float, lip_parting: float = 0.0) -> RestingFace:
    pulls = STILL.copy()
    pulls[RENDERED.index(number)] = pull
    return RestingFace(left=pulls, right=pulls, brow_height=0.0, lip_parting=lip_parting)


def test_pulls_are_weak_and_go_both_ways() -> None:
    people = [draw_rest(np.random.default_rng(seed)) for seed in range(300)]
    pulls = np.stack([person.left for person in people])
    assert np.abs(pulls).max() <= MOST
    brows = pulls[:, RENDERED.index(1)]
    assert brows.std() > 0.03
    assert abs(brows.mean()) < 0.02
    corners_up, corners_down = pulls[:, RENDERED.index(12)] > 0.03, pulls[:, RENDERED.index(15)] > 0.03
    assert 0.3 < corners_up.mean() < 0.45
    assert 0.3 < corners_down.mean() < 0.45
    # Only what differs from side to side pulls both ways at once.
    assert not (corners_up & corners_down).any()


def test_a_few_people_have_lips_apart() -> None:
    partings = np.array([draw_rest(np.random.default_rng(seed)).lip_parting for seed in range(500)])
    assert 0.08 < (partings > 0).mean() < 0.17
    assert partings.max() < 0.2


def test_corners_and_brows_of_the_neutral_head_move(animator: Animator) -> None:
    corner, brow = animator.head.landmarks68[[54, 22]]
    plain = animator.at_rest(animator.head.vertices, resting(1, 0.0))
    assert animator.at_rest(animator.head.vertices, resting(15, MOST))[corner, 1] < plain[corner, 1] - 0.03
    assert animator.at_rest(animator.head.vertices, resting(12, MOST))[corner, 1] > plain[corner, 1] + 0.03
    assert animator.at_rest(animator.head.vertices, resting(1, -MOST))[brow, 1] < plain[brow, 1] - 0.03


def test_lips_apart_at_rest_meet_when_they_are_pressed(animator: Animator) -> None:
    def opening(number: int, intensity: float) -> float:
        units = STILL.copy()
        units[RENDERED.index(number)] = intensity
        points = animator.animate(animator.head.vertices, FacialAction(left=units, right=units, lip_parting=0.15))
        upper, lower = points[animator.head.landmarks68[[62, 66]], 1]
        return float(upper - lower)

    assert opening(24, 0.0) == pytest.approx(0.12, abs=0.03)
    assert opening(24, 0.5) < 0.05
    assert opening(25, 0.5) > 0.3
