"""Detected faces, and where annotators would have their points."""

import numpy as np
import pytest
from jaxtyping import Float

from facskit.faces.alignment import transform_points
from facskit.faces.centerface import CenterFace
from facskit.faces.detection import Face, FaceDetector
from facskit.faces.detectors import FOR_VIDEO, ONE_THREAD, build_detector

OFFSETS = np.array([[-0.01, 0.03], [0.01, 0.03], [0.0, -0.05], [-0.02, 0.105], [0.02, 0.105]])
FIVE = np.array([[40.0, 50.0], [80.0, 50.0], [61.0, 70.0], [45.0, 95.0], [76.0, 94.0]])
BOX = np.array([20.0, 10.0, 100.0, 120.0])


def test_annotated_points_move_with_the_face() -> None:
    def annotated(points: Float[np.ndarray, "5 2"]) -> Float[np.ndarray, "5 2"]:
        return Face(BOX, points, 0.9, OFFSETS).annotated

    moved = annotated(FIVE)
    assert moved[0].tolist() == pytest.approx([40 - 0.4, 50 + 1.2])
    assert moved[4].tolist() == pytest.approx([76 + 0.8, 94 + 4.2])
    turn = np.array([[2.4, -1.0, 30.0], [1.0, 2.4, 5.0]])  # a similarity: twice as large and tilted
    np.testing.assert_allclose(annotated(transform_points(turn, FIVE)), transform_points(turn, moved))
    mirrored = (FIVE * [-1, 1])[[1, 0, 2, 4, 3]]
    np.testing.assert_allclose(annotated(mirrored), (moved * [-1, 1])[[1, 0, 2, 4, 3]])


def test_a_detector_that_agrees_with_annotators_says_nothing_of_them() -> None:
    assert Face(BOX, FIVE, 0.9).annotated is FIVE


def test_a_face_found_in_a_window_lies_in_the_picture() -> None:
    face = Face(BOX, FIVE, 0.9, OFFSETS).seen_in(np.array([10.0, -20.0]), 2.0)
    assert face.box.tolist() == [5.0, 15.0, 45.0, 70.0]
    assert face.landmarks[0].tolist() == [15.0, 35.0]
    assert face.offsets is OFFSETS


@pytest.mark.parametrize("config", [FOR_VIDEO, ONE_THREAD])
def test_every_kind_of_settings_builds_its_detector(config: object) -> None:
    detector = build_detector(config)  # type: ignore[arg-type]
    assert isinstance(detector, FaceDetector)
    assert isinstance(detector, CenterFace)
    assert detector.config == config


@pytest.mark.parametrize("score", [-0.1, 1.1])
def test_impossible_scores_are_refused(score: float) -> None:
    with pytest.raises(ValueError, match="score must be from 0 to 1"):
        Face(BOX, FIVE, score)
