"""Ids stay with their faces."""

import numpy as np
import pytest

from facskit.faces.appearance import Appearance
from facskit.faces.detection import Face
from facskit.faces.tracking import FaceTracker, Track, TrackerConfig


def face(x: float, y: float = 100.0, side: float = 80.0) -> Face:
    x, y = float(x), float(y)
    box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    return Face(box, np.full((5, 2), x), 0.9)


class Clock:
    """A tracker of a video with 25 frames a second."""

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self.tracker, self.frames = FaceTracker(config), 0

    def update(self, faces: list[Face], looks: list[Appearance] | None = None) -> list[int | None]:
        """Return the ids, where they are settled at once."""
        return [track.face_id for track in self.take_in(faces, looks)]

    def take_in(self, faces: list[Face], looks: list[Appearance] | None = None) -> list[Track]:
        self.frames += 1
        return self.tracker.update(faces, self.frames / 25, looks)


def look(person: int) -> Appearance:
    """An appearance at a right angle to everybody else's."""
    return np.eye(48, dtype=np.float32)[person]


def test_ids_stay_when_the_order_changes() -> None:
    tracker = Clock()
    assert tracker.update([face(100), face(300)]) == [0, 1]
    assert tracker.update([face(305), face(104)]) == [1, 0]
    assert tracker.update([face(109), face(500), face(310)]) == [0, 2, 1]


def test_two_faces_walking_past_each_other_on_different_heights() -> None:
    tracker = Clock()
    for step in range(40):
        ids = tracker.update([face(100 + 10 * step, y=100), face(500 - 10 * step, y=160)])
        assert ids == [0, 1]


def test_fast_faces_are_followed_by_their_speed() -> None:
    tracker = Clock()
    for step in range(20):  # one box side per frame is more than max_distance, but steady
        start = 30 * step if step < 3 else 90 + 55 * (step - 3)
        assert tracker.update([face(100 + start)]) == [0]


def test_short_gaps_keep_the_id_and_long_ones_lose_it() -> None:
    tracker = Clock(TrackerConfig(patience=0.25))
    assert tracker.update([face(100)]) == [0]
    for _ in range(5):
        assert tracker.update([]) == []
    assert tracker.update([face(110)]) == [0]
    for _ in range(6):
        tracker.update([])
    assert tracker.update([face(110)]) == [1]


def test_a_jump_or_another_size_is_another_face() -> None:
    tracker = Clock()
    assert tracker.update([face(100)]) == [0]
    assert tracker.update([face(400)]) == [1]
    assert tracker.update([face(400, side=200)]) == [2]


def test_an_id_is_given_once_per_frame() -> None:
    tracker = Clock()
    tracker.update([face(100)])
    assert sorted(map(str, tracker.update([face(98), face(103), face(101)]))) == ["0", "1", "2"]


def test_whoever_was_hidden_behind_another_is_known_by_the_look() -> None:
    tracker = Clock()
    for step in range(21):
        # They meet in frame 10 and turn back; one of them is hidden for seven frames.
        there = [face(100 + 8 * min(step, 20 - step)), face(260 - 8 * min(step, 20 - step))]
        hidden = 7 <= step <= 13
        ids = tracker.update(there[1:], [look(1)]) if hidden else tracker.update(there, [look(0), look(1)])
        assert ids == ([1] if hidden else [0, 1])


def test_the_look_decides_between_places_that_are_as_likely() -> None:
    tracker = Clock()
    tracker.update([face(100), face(190)], [look(0), look(1)])
    assert tracker.update([face(145, y=98), face(145, y=130)], [look(1), look(0)]) == [1, 0]


def test_who_comes_back_elsewhere_is_known_after_a_moment() -> None:
    tracker = Clock()
    assert tracker.update([face(100)], [look(0)]) == [0]
    for _ in range(50):
        tracker.update([])
    seen = [tracker.take_in([face(600), face(300)], [look(0), look(1)]) for _ in range(9)]
    assert [track.face_id for track in seen[0]] == [None, None]
    seen.append(tracker.take_in([face(600), face(300)], [look(0), look(1)]))
    assert {tuple(track.face_id for track in tracks) for tracks in seen} == {(0, 1)}
    assert tracker.update([face(605), face(305)], [look(0), look(1)]) == [0, 1]


def test_one_bad_look_does_not_decide() -> None:
    tracker = Clock()
    tracker.update([face(100)], [look(0)])
    for _ in range(50):
        tracker.update([])
    coming = tracker.take_in([face(600)], [look(7)])  # half outside the picture
    for _ in range(9):
        tracker.take_in([face(600)], [look(0)])
    assert coming[0].face_id == 0


def test_who_is_gone_before_it_is_settled_gets_an_id_all_the_same() -> None:
    tracker = Clock()
    tracker.update([face(100)], [look(0)])
    for _ in range(50):
        tracker.update([])
    (short,) = tracker.take_in([face(600)], [look(1)])
    assert short.face_id is None
    tracker.update([])
    assert short.face_id == 1
    (last,) = tracker.take_in([face(900)], [look(0)])
    tracker.tracker.settle()
    assert last.face_id == 0


def test_after_the_memory_everybody_is_new() -> None:
    tracker = Clock(TrackerConfig(memory=3.0))
    tracker.update([face(100)], [look(0)])
    for _ in range(90):
        tracker.update([])
    assert tracker.update([face(600)], [look(0)]) == [1]


def test_limits_are_named() -> None:
    with pytest.raises(ValueError, match=r"max_distance must be above 0, got 0.0"):
        TrackerConfig(max_distance=0.0)
    with pytest.raises(ValueError, match=r"max_size_ratio must be above 1, got 1.0"):
        TrackerConfig(max_size_ratio=1.0)
    with pytest.raises(ValueError, match="patience must be 0 seconds or more, got -1"):
        TrackerConfig(patience=-1.0)
