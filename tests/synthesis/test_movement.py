import numpy as np
import pytest

from facskit.action_units import RENDERED
from facskit.synthesis.casting import sample_looks
from facskit.synthesis.expressions import Animator, FacialAction
from facskit.synthesis.head import MorphableHead
from facskit.synthesis.movement import FULL_MOVEMENT, millimetres
from facskit.synthesis.people import draw_identity
from facskit.synthesis.rest import draw_rest


@pytest.fixture(scope="module")
def animator(any_head: MorphableHead) -> Animator:
    return Animator(any_head)


def acting(**units: float) -> FacialAction:
    pulls = np.array([units.get(code, 0.0) for code in RENDERED.codes])
    return FacialAction(left=pulls, right=pulls)


# Lips that are shut hold on to each other, and with them what AU09 and AU10 lift.
@pytest.mark.parametrize("number", [number for number in FULL_MOVEMENT if number not in (9, 10)])
@pytest.mark.parametrize("intensity", [0.2, 1.0])
def test_an_intensity_is_the_same_movement_on_every_head_and_person(
    animator: Animator, number: int, intensity: float
) -> None:
    movement = FULL_MOVEMENT[number]
    for seed in range(3):
        rng = np.random.default_rng(seed)
        identity = draw_identity(animator.head, sample_looks(rng), rng).coefficients
        own = animator.at_rest(animator.head.neutral(identity), draw_rest(rng))
        rest = animator.animate(own, acting())
        posed = animator.animate(own, acting(**{f"AU{number:02d}": intensity}))
        moved = millimetres(animator.head, posed - rest, movement.left)
        assert moved == pytest.approx(intensity * movement.millimetres, rel=0.12, abs=0.15)


def test_millimetres_are_those_of_a_face_with_eyes_62_mm_apart(packaged_head: MorphableHead) -> None:
    marks = packaged_head.vertices[packaged_head.landmarks68]
    eyes = float(np.linalg.norm(marks[36:42].mean(0) - marks[42:48].mean(0)))
    displacement = np.zeros_like(packaged_head.vertices)
    displacement[packaged_head.landmarks68[8]] = (0.0, -eyes / 2, 5.0)
    assert millimetres(packaged_head, displacement, (8,)) == pytest.approx(31.0)
