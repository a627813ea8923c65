"""Ids stay with their faces."""

import numpy as np
import pytest

from facskit.faces.detection import Face
from facskit.faces.tracking import FaceTracker, TrackerConfig


def face(x: float, y: float = 100.0, side: float = 80.0) -> Face:
    x, y = float(x), float(y)
    box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    return Face(box, np.full((5, 2), x), 0.9)


def test_ids_stay_when_the_order_changes() -> None:
    tracker = FaceTracker()
    assert tracker.update([face(100), face(300)]) == [0, 1]
    assert tracker.update([face(305), face(104)]) == [1, 0]
    assert tracker.update([face(109), face(500), face(310)]) == [0, 2, 1]


def test_two_faces_walking_past_each_other_on_different_heights() -> None:
    tracker = FaceTracker()
    for step in range(40):
        ids = tracker.update([face(100 + 10 * step, y=100), face(500 - 10 * step, y=160)])
        assert ids == [0, 1]


def test_fast_faces_are_followed_by_their_speed() -> None:
    tracker = FaceTracker()
    for step in range(20):  # one box side per frame is more than max_distance, but steady
        start = 30 * step if step < 3 else 90 + 55 * (step - 3)
        assert tracker.update([face(100 + start)]) == [0]


def test_short_gaps_keep_the_id_and_long_ones_lose_it() -> None:
    tracker = FaceTracker(TrackerConfig(patience=5))
    assert tracker.update([face(100)]) == [0]
    for _ in range(5):
        assert tracker.update([]) == []
    assert tracker.update([face(110)]) == [0]
    for _ in range(6):
        tracker.update([])
    assert tracker.update([face(110)]) == [1]


def test_a_jump_or_another_size_is_another_face() -> None:
    tracker = FaceTracker()
    assert tracker.update([face(100)]) == [0]
    assert tracker.update([face(400)]) == [1]
    assert tracker.update([face(400, side=200)]) == [2]


def test_an_id_is_given_once_per_frame() -> None:
    tracker = FaceTracker()
    tracker.update([face(100)])
    assert sorted(tracker.update([face(98), face(103), face(101)])) == [0, 1, 2]


def test_limits_are_named() -> None:
    with pytest.raises(ValueError, match=r"max_distance must be above 0 box sides, got 0.0"):
        TrackerConfig(max_distance=0.0)
    with pytest.raises(ValueError, match=r"max_size_ratio must be above 1, got 1.0"):
        TrackerConfig(max_size_ratio=1.0)
    with pytest.raises(ValueError, match="patience must be 0 updates or more, got -1"):
        TrackerConfig(patience=-1)
