"""The packaged detector on the packaged portraits, and its decoder on maps written by hand."""

import cv2
import numpy as np
import pytest

from facskit.faces.centerface import CenterFace, CenterFaceConfig, _decode, _suppress
from facskit.faces.detection import Face
from facskit.faces.images import warp
from tests.faces.portraits import LANDMARKS, portrait


@pytest.fixture(scope="module")
def detector() -> CenterFace:
    return CenterFace(CenterFaceConfig(threads=1))


@pytest.mark.parametrize("name", LANDMARKS)
def test_each_portrait_has_one_face_with_eyes_and_mouth_in_place(detector: CenterFace, name: str) -> None:
    (face,) = detector.detect(portrait(name))
    truth = LANDMARKS[name]
    eye_distance = np.linalg.norm(truth[1] - truth[0])
    assert face.score > 0.8
    assert np.linalg.norm(face.landmarks - truth, axis=1).max() < 0.12 * eye_distance
    assert (face.box[:2] < truth.min(axis=0)).all()
    assert (face.box[2:] > truth.max(axis=0)).all()


@pytest.mark.parametrize("zoom", [0.15, 0.5, 2.5])
def test_size_of_the_picture_does_not_matter(detector: CenterFace, zoom: float) -> None:
    image = portrait("grace_hopper")
    size = round(image.shape[1] * zoom), round(image.shape[0] * zoom)
    resized = warp(image, np.array([[zoom, 0, (zoom - 1) / 2], [0, zoom, (zoom - 1) / 2]]), size)
    (face,) = detector.detect(resized)
    assert np.abs(face.landmarks / zoom - LANDMARKS["grace_hopper"]).max() < 14


def test_grey_and_tilted_faces_are_found(detector: CenterFace) -> None:
    image = portrait("eileen_collins")
    grey = image.mean(axis=2, keepdims=True).repeat(3, axis=2).astype(np.uint8)
    assert len(detector.detect(grey)) == 1
    angle = np.radians(25)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([turn, np.array([256, 256]) - turn @ [222, 120]])
    (face,) = detector.detect(warp(image, matrix, 512))
    landed = LANDMARKS["eileen_collins"] @ turn.T + matrix[:, 2]
    assert np.linalg.norm(face.landmarks - landed, axis=1).max() < 7


@pytest.mark.parametrize("name", LANDMARKS)
def test_a_face_that_fills_the_picture_is_found(detector: CenterFace, name: str) -> None:
    truth = LANDMARKS[name]
    middle, side = truth.mean(axis=0), 2.1 * np.linalg.norm(truth[1] - truth[0])
    zoom = 300 / side
    matrix = np.array([[zoom, 0, 150 - zoom * middle[0]], [0, zoom, 150 - zoom * middle[1]]])
    (face,) = detector.detect(warp(portrait(name), matrix, 300))
    landed = truth * zoom + matrix[:, 2]
    assert np.linalg.norm(face.landmarks - landed, axis=1).max() < 0.25 * np.linalg.norm(landed[1] - landed[0])


def test_several_faces_come_largest_first(detector: CenterFace) -> None:
    first, second = portrait("eileen_collins"), portrait("grace_hopper")[:512]
    faces = detector.detect(np.concatenate([first, second, first], axis=1))
    assert len(faces) == 3
    assert faces[0].area > faces[1].area >= faces[2].area
    assert 512 < faces[0].landmarks[2, 0] < 1024


def test_views_of_arrays_are_taken(detector: CenterFace) -> None:
    assert len(detector.detect(portrait("grace_hopper")[:, ::-1])) == 1


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (33, 47), (200, 200)])
def test_pictures_without_a_face_give_an_empty_list(detector: CenterFace, shape: tuple[int, int]) -> None:
    assert detector.detect(np.full((*shape, 3), 90, np.uint8)) == []


def test_decoder_equals_the_documented_format_by_hand() -> None:
    heatmap = np.zeros((6, 8), np.float32)
    scale, offset = np.zeros((2, 6, 8), np.float32), np.zeros((2, 6, 8), np.float32)
    landmarks = np.zeros((10, 6, 8), np.float32)
    heatmap[2, 5] = 0.9
    scale[:, 2, 5] = np.log(8), np.log(4)  # 8 cells high, 4 wide: 32 x 16 pixels
    offset[:, 2, 5] = 0.25, -0.5
    landmarks[:, 2, 5] = (0.25, 0.5, 0.5, 1.0, 0, 0, 1, 1, 0.1, 0.2)
    boxes, points, scores = _decode(heatmap, scale, offset, landmarks, 0.5)
    # centre: down (2 + 0.25 + 0.5) * 4 = 11, right (5 - 0.5 + 0.5) * 4 = 20
    np.testing.assert_allclose(boxes, [[12, -5, 28, 27]], atol=1e-4)
    wanted = np.array([[20, 3], [28, 11], [12, -5], [28, 27], [15.2, -1.8]])
    np.testing.assert_allclose(points[0], wanted, atol=1e-4)
    assert scores == pytest.approx([0.9])


def test_suppression_keeps_the_best_of_each_heap() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [1, 1, 11, 11], [30, 30, 40, 40], [3, 3, 6, 6], [8, 8, 18, 18]])
    assert _suppress(boxes, np.array([0.7, 0.9, 0.6, 0.8, 0.65]), 0.4) == [1, 4, 2]
    assert _suppress(np.zeros((0, 4)), np.zeros(0), 0.4) == []


def test_limits_are_named() -> None:
    with pytest.raises(ValueError, match="max_side must be at least 32 pixels, got 8"):
        CenterFaceConfig(max_side=8)
    with pytest.raises(ValueError, match=r"score_threshold must be between 0 and 1, got 1.5"):
        CenterFaceConfig(score_threshold=1.5)
    with pytest.raises(ValueError, match=r"min_side must be at most max_side \(100\), got 200"):
        CenterFaceConfig(max_side=100, min_side=200)
    with pytest.raises(ValueError, match="threads must be 0 or more, got -1"):
        CenterFaceConfig(threads=-1)
    with pytest.raises(ValueError, match="left, top, right, bottom with an area"):
        Face(np.array([5.0, 5, 5, 9]), np.zeros((5, 2)), 0.5)
    with pytest.raises(ValueError, match="score must be from 0 to 1, got 2"):
        Face(np.array([5.0, 5, 7, 9]), np.zeros((5, 2)), 2.0)


def test_small_faces_in_a_group_are_all_found() -> None:
    """Faces of two sizes: beside those that are just large enough to be found lie others that aren't."""
    whole = portrait("grace_hopper")
    group = np.full((1600, 2600, 3), 110, np.uint8)
    for row in range(4):
        for column in range(8):
            side = 160 if (row + column) % 2 else 300
            small = cv2.resize(
                whole, (side, round(side * whole.shape[0] / whole.shape[1])), interpolation=cv2.INTER_AREA
            )
            group[row * 390 + 5 :, column * 320 + 5 :][: small.shape[0], : small.shape[1]] = small
    assert len(CenterFace().detect(group)) == 32
    assert len(CenterFace(CenterFaceConfig(second_look=False)).detect(group)) < 32
