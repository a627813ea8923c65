"""The way from a crop's landmarks and angles to the picture's."""

import numpy as np
import pytest

from facskit.faces.landmarks import MIRRORED_68
from facskit.inference.face_geometry import geometry_in_picture, unmirrored


def _numbers() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.uniform(0, 111, 136), rng.uniform(0.5, 2, 68), [3, 10, 4, -5, 8]]).astype(np.float32)


def test_points_turn_back_with_the_crop() -> None:
    turn, zoom = np.radians(20.0), 0.5
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = np.column_stack([linear, [7.0, -3.0]])
    numbers = _numbers()
    found = geometry_in_picture(numbers, matrix)
    for point in range(68):
        in_crop = linear @ found.points[point] + [7.0, -3.0]
        np.testing.assert_allclose(in_crop, numbers[2 * point : 2 * point + 2], atol=1e-4)
    np.testing.assert_allclose(found.deviations, numbers[136:204] * 2, rtol=1e-6)
    # The crop turned the picture 20 degrees clockwise, so that the face leans 20 degrees less to the right there.
    assert found.pose.tolist() == pytest.approx([3, 10, -16], abs=1e-5)
    assert found.gaze.tolist() == [-5, 8]


def test_a_mirror_twice_changes_nothing() -> None:
    numbers = np.stack([_numbers(), _numbers()[::-1]])
    np.testing.assert_allclose(unmirrored(unmirrored(numbers, 112), 112), numbers, atol=1e-4)
    once = unmirrored(numbers, 112)
    for point in range(68):
        other = MIRRORED_68[point]
        assert once[0, 2 * point] == pytest.approx(111 - numbers[0, 2 * other], abs=1e-4)
        assert once[0, 2 * point + 1] == numbers[0, 2 * other + 1]
        assert once[0, 136 + point] == numbers[0, 136 + other]
    assert once[0, 204:].tolist() == [3, -10, -4, -5, -8]
