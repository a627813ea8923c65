"""The 49 and 66 points of the corpora land at their places among the 68."""

import numpy as np
import pytest
from jaxtyping import Float

from facskit.datasets.packed import packaged_faces
from facskit.faces.centerface import CenterFace
from facskit.faces.landmarks import (
    INNER_MOUTH_CORNERS,
    JAW,
    MIRRORED_68,
    POINTS_49,
    box_of,
    five_points,
    to_49,
    to_68,
)


def numbered(count: int) -> Float[np.ndarray, "points 2"]:
    return np.arange(count, dtype=np.float64)[:, None] * [1.0, -1.0]


def test_49_points_go_where_the_published_table_says() -> None:
    landmarks = to_68(numbered(49))
    table = {point: point + 17 for point in range(43)} | {43: 61, 44: 62, 45: 63, 46: 65, 47: 66, 48: 67}
    for point, place in table.items():
        assert landmarks[place].tolist() == [point, -point]
    assert np.flatnonzero(np.isnan(landmarks[:, 0])).tolist() == [*JAW, *INNER_MOUTH_CORNERS]


def test_the_49_are_disfas_points_18_to_66_counted_from_1() -> None:
    points66 = numbered(66)
    np.testing.assert_array_equal(to_49(to_68(points66)), points66[18 - 1 : 66])
    assert np.flatnonzero(np.isnan(to_68(points66)[:, 0])).tolist() == [60, 64]


def test_68_points_stay_and_the_way_back_is_exact() -> None:
    np.testing.assert_array_equal(to_68(numbered(68)), numbered(68))
    np.testing.assert_array_equal(to_49(to_68(numbered(49))), numbered(49))


def test_another_number_of_points_is_refused() -> None:
    with pytest.raises(ValueError, match="landmarks must be 49, 66 or 68 points, got 5"):
        to_68(numbered(5))


def test_mirroring_twice_changes_nothing() -> None:
    assert sorted(MIRRORED_68) == list(range(68))
    assert [MIRRORED_68[point] for point in MIRRORED_68] == list(range(68))
    on_the_axis = [point for point, other in enumerate(MIRRORED_68) if point == other]
    assert on_the_axis == [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]


PUBLISHED_REFLECTION = """
    9 8 7 6 5 4 3 2 1 0 10 11 12 13 18 17 16 15 14 28 27 26 25 30 29 22 21 20 19 24 23 37 36 35 34 33 32 31
    42 41 40 39 38 45 44 43 48 47 46
"""


def test_the_49_points_are_mirrored_as_jaa_net_mirrors_them() -> None:
    published = [POINTS_49[int(point)] for point in PUBLISHED_REFLECTION.split()]
    assert [MIRRORED_68[point] for point in POINTS_49] == published


def test_a_mirrored_face_has_its_points_in_their_places() -> None:
    """Averaged over faces, each point lies nearly where its reflection does."""
    faces = packaged_faces()
    points = faces.all_landmarks
    assert points is not None
    mean = points.mean(axis=0)
    middle = mean[27:31, 0].mean()
    reflected = (mean * [-1, 1] + [2 * middle, 0])[list(MIRRORED_68)]
    assert np.abs(reflected - mean).max() < 2.0


def test_five_points_need_neither_jaw_nor_inner_mouth_corners() -> None:
    full = np.random.default_rng(0).uniform(0, 100, (68, 2))
    np.testing.assert_array_equal(five_points(to_68(to_49(full))), five_points(full))


def test_the_box_without_a_jaw_is_about_the_one_a_detector_draws() -> None:
    faces, detector = packaged_faces(), CenterFace()
    shifts, growths = [], []
    for row in range(7, len(faces), 120):
        landmarks, found = faces.landmarks(row), detector.detect(faces.image(row))
        if landmarks is None or not found:
            continue
        left, top, right, bottom = found[0].box
        side = max(right - left, bottom - top)
        box = box_of(to_68(to_49(landmarks.astype(np.float64))))
        middle = np.array([left + right, top + bottom]) / 2
        shifts.append(np.hypot(*(middle - (box[:2] + box[2:]) / 2)) / side)
        growths.append((box[2] - box[0]) / side)
    assert len(growths) >= 8
    assert np.median(shifts) < 0.08
    assert 0.92 < np.median(growths) < 1.08
