"""The same face in every frame, found by a small look where it was."""

import numpy as np
import pytest
from jaxtyping import Float, UInt8

from facskit.datasets.packed import packaged_faces
from facskit.faces.centerface import CenterFace, CenterFaceConfig
from facskit.faces.detection import Face
from facskit.faces.detectors import FOR_PHOTOGRAPHS, FOR_VIDEO, build_detector
from facskit.faces.drawing import resize
from facskit.faces.face_following import ONE_PERSON, FaceFollower, FollowingConfig

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


class Looks:
    """A detector that counts how it was used."""

    def __init__(self, config: CenterFaceConfig = FOR_VIDEO) -> None:
        self._detector = CenterFace(config)
        self.whole = self.near = 0

    def detect(self, image: UInt8[np.ndarray, "height width 3"]) -> list[Face]:
        self.whole += 1
        return self._detector.detect(image)

    def look_near(self, image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, "4"]) -> list[Face]:
        self.near += 1
        return self._detector.look_near(image, box)


def at(face: Face) -> tuple[float, float]:
    x, y = middle(face.box)
    return float(x), float(y)


def test_faces_are_followed_with_few_looks_at_the_whole_picture() -> None:
    looks = Looks()
    follower = FaceFollower(looks)
    for step in range(20):
        there = scene((FIRST, 20 + 6 * step, 120, 180), (SECOND, 420, 300 - 8 * step, 150))
        first, second = follower.find(there, step / 25)
        assert at(first) == pytest.approx((110 + 6 * step, 210), abs=25)
        assert at(second) == pytest.approx((495, 375 - 8 * step), abs=25)
    # At 0, 0.4 and 0.8 seconds; each face is looked at again when it has moved on.
    assert looks.whole == 2
    assert 36 <= looks.near <= 75


def test_somebody_new_is_found_at_the_next_search_and_in_an_empty_picture_at_once() -> None:
    follower = FaceFollower(build_detector(FOR_VIDEO))
    assert follower.find(scene(), 0.0) == []
    assert len(follower.find(scene((FIRST, 20, 120, 180)), 0.04)) == 1
    both = scene((FIRST, 20, 120, 180), (SECOND, 420, 200, 150))
    seen = [len(follower.find(both, 0.04 * step)) for step in range(2, 14)]
    assert seen == [1] * 9 + [2] * 3


def test_whoever_comes_beside_a_followed_face_is_seen_in_its_window() -> None:
    follower = FaceFollower(build_detector(FOR_VIDEO))
    follower.find(scene((FIRST, 200, 120, 180)), 0.0)
    assert len(follower.find(scene((FIRST, 200, 120, 180), (SECOND, 355, 160, 90)), 0.04)) == 2


def test_a_lost_face_and_a_cut_make_it_search() -> None:
    looks = Looks()
    follower = FaceFollower(looks)
    follower.find(scene((FIRST, 20, 20, 180)), 0.0)
    (found,) = follower.find(scene((FIRST, 420, 250, 180)), 0.04)
    assert at(found) == pytest.approx((510, 340), abs=25)
    assert looks.whole == 2
    near = looks.near
    assert len(follower.find(255 - scene((FIRST, 420, 250, 180)), 0.08)) <= 1
    assert looks.whole == 3
    assert looks.near - near <= 3


def test_searching_every_picture_is_the_plain_form() -> None:
    follower, detector = (
        FaceFollower(build_detector(FOR_VIDEO), FollowingConfig(search_every=0.0)),
        CenterFace(FOR_VIDEO),
    )
    for step in range(3):
        there = scene((FIRST, 20 + 6 * step, 120, 180), (SECOND, 420, 300, 150))
        for mine, plain in zip(follower.find(there, step / 25), detector.detect(there), strict=True):
            np.testing.assert_array_equal(mine.box, plain.box)
            np.testing.assert_array_equal(mine.landmarks, plain.landmarks)


def test_a_photograph_and_a_video_see_a_face_alike() -> None:
    photographs, videos = CenterFace(FOR_PHOTOGRAPHS), build_detector(FOR_VIDEO)
    differences = []
    for number in range(24):
        picture = scene((packaged_faces().image(55 * number), 50 + 9 * number, 10 + 4 * number, 120 + 10 * number))
        (photograph,), follower = photographs.detect(picture), FaceFollower(videos)
        follower.find(picture, 0.0)
        (frame,) = follower.find(picture, 0.04)
        eyes = np.linalg.norm(photograph.landmarks[1] - photograph.landmarks[0])
        differences.append(float(np.abs(frame.landmarks - photograph.landmarks).max() / eyes))
    # The few others have two windows that each ask for themselves.
    assert np.mean(np.array(differences) < 1e-6) > 0.9
    assert max(differences) < 0.1


def test_one_person_is_followed_with_a_search_every_fiftieth_picture() -> None:
    looks = Looks(FOR_PHOTOGRAPHS)
    follower = FaceFollower(looks, ONE_PERSON)
    for step in range(60):
        (found,) = follower.find(scene((FIRST, 100 + 5 * step, 120, 180)), float(step))
        assert at(found) == pytest.approx((190 + 5 * step, 210), abs=25)
    assert looks.whole == 2


def test_one_person_that_jumps_is_found_again_and_when_gone_isnt_invented() -> None:
    follower = FaceFollower(build_detector(FOR_PHOTOGRAPHS), ONE_PERSON)
    assert len(follower.find(scene((FIRST, 20, 20, 180)), 0.0)) == 1
    assert follower.find(scene(), 1.0) == []
    (found,) = follower.find(scene((FIRST, 420, 250, 180)), 2.0)
    assert at(found) == pytest.approx((510, 340), abs=25)


def test_one_person_is_stayed_with_until_told_to_forget() -> None:
    follower = FaceFollower(build_detector(FOR_PHOTOGRAPHS), ONE_PERSON)
    alone, crowd = scene((FIRST, 40, 150, 170)), scene((FIRST, 40, 150, 170), (SECOND, 370, 100, 220))
    follower.find(alone, 0.0)
    for step in range(1, 53):  # beyond the next look at the whole picture
        (found,) = follower.find(crowd, float(step))
        assert at(found)[0] < 320
    follower.forget()
    (found,) = follower.find(crowd, 53.0)
    assert at(found)[0] > 320


def test_limits_are_named() -> None:
    with pytest.raises(ValueError, match=r"search_every must be 0 or more, got -1"):
        FollowingConfig(search_every=-1.0)
    with pytest.raises(ValueError, match=r"cut must be above 0 grey levels, got 0"):
        FollowingConfig(cut=0.0)
