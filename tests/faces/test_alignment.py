"""Crops put the face where the recipe says."""

import os
from itertools import pairwise

import numpy as np
import pytest
from jaxtyping import Float

from facskit.configurations import plain_values, read_configuration
from facskit.datasets.packed import packaged_faces
from facskit.faces.alignment import (
    TEMPLATE,
    BoxCrop,
    CropRecipe,
    EyeSimilarityCrop,
    Similarity49Crop,
    WholeImage,
    border_level,
    box_of,
    crop_matrix,
    five_points,
    invert,
    transform_points,
)
from facskit.faces.centerface import CenterFace
from facskit.faces.images import warp
from facskit.synthesis.head_import import find_head

Points = Float[np.ndarray, "5 2"]


def face(eye_distance: float = 60.0, tilt: float = 0.0, middle: tuple[float, float] = (200.0, 150.0)) -> Points:
    """The mean face, `tilt` radians clockwise, with the point between its eyes at `middle`."""
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    points: Points = TEMPLATE @ turn.T * eye_distance + middle
    return points


def matrix_of(recipe: CropRecipe, landmarks: Points) -> Float[np.ndarray, "2 3"]:
    return crop_matrix(recipe, landmarks=landmarks, box=None, image_size=(400, 300))


@pytest.mark.parametrize("tilt", [0.0, 0.5, -1.2])
@pytest.mark.parametrize("eye_distance", [8.0, 60.0, 700.0])
def test_the_mean_face_lands_on_the_template(tilt: float, eye_distance: float) -> None:
    recipe = EyeSimilarityCrop(size=100)
    landed = transform_points(matrix_of(recipe, face(eye_distance, tilt)), face(eye_distance, tilt))
    np.testing.assert_allclose(landed[1] - landed[0], (40.0, 0.0), atol=1e-6)  # 100 px / (2 x 1.25)
    np.testing.assert_allclose((landed[0] + landed[1]) / 2, (49.5, 49.5 - 0.55 * 40), atol=1e-6)
    np.testing.assert_allclose(landed, (TEMPLATE - [0, 0.55]) * 40 + 49.5, atol=1e-6)


def test_the_fit_is_a_similarity_with_the_least_weighted_error() -> None:
    rng = np.random.default_rng(0)
    points = face(tilt=0.2) + rng.normal(0, 4, (5, 2))
    matrix = matrix_of(EyeSimilarityCrop(), points)
    rotation = matrix[:, :2]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(2) * np.linalg.det(rotation), atol=1e-12)
    target = (TEMPLATE - [0, 0.55]) * (112 / 2.5) + 55.5

    def error(candidate: Float[np.ndarray, "2 3"]) -> float:
        total = 0.0
        for weight, point, aim in zip((1.0, 1.0, 0.5, 0.25, 0.25), points, target, strict=True):
            total += weight * float(np.sum((candidate[:, :2] @ point + candidate[:, 2] - aim) ** 2))
        return total

    best = error(matrix)
    for _ in range(200):
        a, b, x, y = rng.normal(0, 1e-3, 4)
        nudge = np.array([[a, -b, x * 100], [b, a, y * 100]])
        assert error(matrix + nudge) >= best


def scale_of(points: Points) -> float:
    return float(np.sqrt(np.linalg.det(matrix_of(EyeSimilarityCrop(), points)[:, :2])))


def test_expressions_hardly_change_the_scale() -> None:
    neutral = face()
    jaw_dropped, smiling = neutral.copy(), neutral.copy()
    jaw_dropped[3:, 1] += 0.12 * 60
    smiling[3, 0] -= 0.1 * 60
    smiling[4, 0] += 0.1 * 60
    assert abs(scale_of(jaw_dropped) / scale_of(neutral) - 1) < 0.05
    assert abs(scale_of(smiling) / scale_of(neutral) - 1) < 0.05


def test_a_turned_head_is_not_blown_up() -> None:
    turned = face()
    turned[:, 0] = (turned[:, 0] - 200) * np.cos(np.radians(40)) + 200
    turned[2, 0] += 0.35 * 60  # the nose sticks out to the side
    by_eyes_alone = 1 / np.cos(np.radians(40))
    assert scale_of(turned) / scale_of(face()) < 1 + 0.5 * (by_eyes_alone - 1)


def test_invert_goes_back() -> None:
    points = face(tilt=0.4)
    matrix = matrix_of(EyeSimilarityCrop(), points)
    np.testing.assert_allclose(transform_points(invert(matrix), transform_points(matrix, points)), points, atol=1e-9)


def test_warp_puts_a_dot_where_the_matrix_says() -> None:
    points = face(tilt=0.3)
    image = np.zeros((300, 400, 3), np.uint8)
    x, y = (int(value) for value in np.rint(points[1]))
    image[y - 3 : y + 4, x - 3 : x + 4] = 255
    matrix = matrix_of(EyeSimilarityCrop(), points)
    crop = warp(image, matrix, 112, fill=0)[..., 0].astype(float)
    rows, columns = np.mgrid[:112, :112]
    centre = (crop * columns).sum() / crop.sum(), (crop * rows).sum() / crop.sum()
    np.testing.assert_allclose(centre, transform_points(matrix, np.array([[x, y]], np.float64))[0], atol=0.2)


def test_box_crop_adds_its_margin_and_stays_square() -> None:
    box = np.array([10.0, 20.0, 50.0, 100.0])
    matrix = crop_matrix(BoxCrop(size=224, margin=0.05), landmarks=None, box=box, image_size=(1, 1))
    # the longer side is 80, so the crop is 88 wide around (30, 60)
    corners = transform_points(invert(matrix), np.array([[-0.5, -0.5], [223.5, 223.5]]))
    np.testing.assert_allclose(corners, [[-14, 16], [74, 104]], atol=1e-9)


def test_a_stretched_box_fills_the_crop_with_its_own_margins() -> None:
    box = np.array([10.0, 20.0, 50.0, 100.0])
    matrix = crop_matrix(BoxCrop(size=224, margin=0.05, stretch=True), landmarks=None, box=box, image_size=(1, 1))
    corners = transform_points(matrix, np.array([[10.0 - 2, 20.0 - 4], [50.0 + 2, 100.0 + 4]]))
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [223.5, 223.5]], atol=1e-9)


def test_borders_are_those_of_the_papers() -> None:
    recipes = (Similarity49Crop(), BoxCrop(stretch=True), BoxCrop(), EyeSimilarityCrop(), WholeImage())
    assert [border_level(recipe) for recipe in recipes] == [128, 0, 127, 127, 127]


def test_whole_image_fills_the_crop() -> None:
    matrix = crop_matrix(WholeImage(size=50), landmarks=None, box=None, image_size=(200, 100))
    corners = transform_points(matrix, np.array([[-0.5, -0.5], [199.5, 99.5]]))
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [49.5, 49.5]], atol=1e-9)


def test_what_a_recipe_needs_must_be_there() -> None:
    with pytest.raises(ValueError, match="five-point crop needs five landmarks, got none"):
        crop_matrix(EyeSimilarityCrop(), landmarks=None, box=None, image_size=(1, 1))
    with pytest.raises(ValueError, match="box crop needs a box, got none"):
        crop_matrix(BoxCrop(), landmarks=None, box=None, image_size=(1, 1))
    with pytest.raises(ValueError, match="similarity-49 crop needs five landmarks, got none"):
        crop_matrix(Similarity49Crop(), landmarks=None, box=None, image_size=(1, 1))
    for recipe in (EyeSimilarityCrop(), Similarity49Crop()):
        with pytest.raises(ValueError, match="five landmarks must be finite and apart"):
            matrix_of(recipe, np.zeros((5, 2)))
        with pytest.raises(ValueError, match="five landmarks must be finite and apart"):
            matrix_of(recipe, np.full((5, 2), np.nan))


def test_sixty_eight_landmarks_reduce_to_five() -> None:
    landmarks = np.random.default_rng(1).uniform(0, 100, (68, 2))
    five = five_points(landmarks)
    np.testing.assert_allclose(five[0], sum(landmarks[36:42]) / 6)
    np.testing.assert_allclose(five[1], sum(landmarks[42:48]) / 6)
    np.testing.assert_array_equal(five[2:], landmarks[[30, 48, 54]])


def test_the_box_of_landmarks_is_the_one_a_detector_draws() -> None:
    faces = packaged_faces()
    detector = CenterFace()
    errors = []
    for row in range(0, len(faces), 120):
        landmarks = faces.landmarks(row)
        found = detector.detect(faces.image(row))
        if landmarks is None or not found:
            continue
        left, top, right, bottom = found[0].box
        side = max(right - left, bottom - top)
        expected = box_of(landmarks.astype(np.float64))
        middle = np.array([left + right, top + bottom]) / 2
        errors.append(
            [np.hypot(*(middle - (expected[:2] + expected[2:]) / 2)) / side, (expected[2] - expected[0]) / side]
        )
    assert len(errors) >= 8
    shift, growth = np.median(errors, axis=0)
    assert shift < 0.06
    assert 0.92 < growth < 1.08


def test_template_is_the_mean_heads() -> None:
    source = os.environ.get("FACSKIT_ICT_HEAD")
    if source is None:
        pytest.skip("the template is ICT-FaceKit's average face; set FACSKIT_ICT_HEAD to a clone or a .npz")
    head = find_head(source)
    frontal = head.vertices[head.landmarks68][:, :2].astype(np.float64)
    five = five_points(frontal) * (1, -1)
    middle = (five[0] + five[1]) / 2
    np.testing.assert_allclose((five - middle) / np.linalg.norm(five[1] - five[0]), TEMPLATE, atol=2e-3)


@pytest.mark.parametrize(
    "recipe",
    [
        EyeSimilarityCrop(size=96, half_side=1.4),
        BoxCrop(margin=0.2, stretch=True),
        Similarity49Crop(enlarge=2.8),
        Similarity49Crop(size=176, aligned=200),
        WholeImage(size=176, aligned=200),
        WholeImage(),
    ],
)
def test_recipes_survive_storage(recipe: CropRecipe) -> None:
    assert read_configuration(CropRecipe, plain_values(recipe)) == recipe


BAD_RECIPES: list[tuple[dict[str, object], str]] = [
    ({"kind": "circle"}, r"kind: found 'circle', .* 'five-point', 'box', 'similarity-49', 'none'"),
    ({}, "'kind' is missing"),
    ({"kind": "box", "half_side": 1.0}, "unknown key 'half_side'"),
    ({"kind": "box", "size": "224"}, 'size: found "224", expected a whole number'),
    ({"kind": "box", "size": True}, "size: found true, expected a whole number"),
    ({"kind": "none", "size": 4}, "size must be .* 16 to 4096 .* got 4"),
    ({"kind": "five-point", "half_side": 0}, r"half_side must be .* 0\.3 to 10 .* got 0\.0"),
    ({"kind": "five-point", "drop": 9.0}, r"drop must be .* -2 to 2 .* got 9\.0"),
    ({"kind": "box", "stretch": 1}, "stretch: found 1, expected true or false"),
    ({"kind": "similarity-49", "enlarge": 0.1}, r"enlarge must be .* 0\.5 to 20 .* got 0\.1"),
    ({"kind": "box", "margin": -1.0}, r"margin must be .* -0\.4 to 5 .* got -1\.0"),
]


@pytest.mark.parametrize(("values", "sentence"), BAD_RECIPES)
def test_bad_recipes_are_refused(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_configuration(CropRecipe, values)


def test_kinds_differ() -> None:
    kinds = sorted([EyeSimilarityCrop().kind, BoxCrop().kind, Similarity49Crop().kind, WholeImage().kind])
    assert all(first != second for first, second in pairwise(kinds))
