"""The same face in every frame, found by a small look where it was."""

import numpy as np
import pytest
from jaxtyping import Float, UInt8

from facskit.datasets.packed import packaged_faces
from facskit.faces.centerface import CenterFace
from facskit.faces.drawing import resize
from facskit.faces.single_face_following import FaceFollower

Picture = UInt8[np.ndarray, "480 640 3"]
FIRST, SECOND = packaged_faces().image(20), packaged_faces().image(350)


def scene(*faces: tuple[UInt8[np.ndarray, "128 128 3"], int, int, int]) -> Picture:
    """Put faces (picture, left, top, side) onto grey."""
    picture = np.full((480, 640, 3), 100, np.uint8)
    for face, left, top, side in faces:
        picture[top : top + side, left : left + side] = resize(face, (side, side))
    return picture


def middle(box: Float[np.ndarray, "4"]) -> Float[np.ndarray, "2"]:
    centre: Float[np.ndarray, "2"] = (box[:2] + box[2:]) / 2
    return centre


def test_it_follows_with_few_looks_at_the_whole_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    widths: list[int] = []
    detect = CenterFace.detect

    def counted(self: CenterFace, image: UInt8[np.ndarray, "height width 3"]) -> list[object]:
        widths.append(image.shape[1])
        return list(detect(self, image))

    monkeypatch.setattr(CenterFace, "detect", counted)
    follower = FaceFollower()
    for step in range(12):
        found = follower.find(scene((FIRST, 100 + 12 * step, 120, 180)))
        assert found is not None
        assert np.abs(middle(found.box) - (190 + 12 * step, 210)).max() < 25
    assert widths.count(640) == 1
    assert widths.count(288) == 11


def test_a_small_look_sees_what_a_large_one_does() -> None:
    picture = scene((FIRST, 200, 120, 200))
    follower, whole = FaceFollower(), CenterFace().detect(picture)[0]
    follower.find(picture)
    near = follower.find(picture)
    assert near is not None
    side = whole.box[2] - whole.box[0]
    assert np.abs(near.box - whole.box).max() < 0.1 * side
    assert np.abs(near.landmarks - whole.landmarks).max() < 0.06 * side


def test_a_face_that_jumps_is_found_again_and_one_that_is_gone_isnt_invented() -> None:
    follower = FaceFollower()
    assert follower.find(scene((FIRST, 20, 20, 180))) is not None
    assert follower.find(scene()) is None
    found = follower.find(scene((FIRST, 420, 250, 180)))
    assert found is not None
    assert np.abs(middle(found.box) - (510, 340)).max() < 25


def test_it_stays_with_its_person_until_told_to_forget() -> None:
    follower = FaceFollower()
    alone, crowd = scene((FIRST, 40, 150, 170)), scene((FIRST, 40, 150, 170), (SECOND, 370, 100, 220))
    follower.find(alone)
    for _ in range(52):  # beyond the next look at the whole picture
        found = follower.find(crowd)
        assert found is not None
        assert middle(found.box)[0] < 320
    follower.forget()
    found = follower.find(crowd)
    assert found is not None
    assert middle(found.box)[0] > 320
