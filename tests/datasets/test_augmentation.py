from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facskit.datasets.augmentation import (
    AugmentationConfig,
    augment_matrix,
    augment_normalised,
    augment_pixels,
    sample_generator,
)
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import find_recipes, read_recipe

EVERYTHING = 1.0
RECIPES = find_recipes(Path(__file__).parents[2] / "recipes", Recipe)
SIDE = 48


def crop(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(40, 216, (SIDE, SIDE, 3), dtype=np.uint8)


def moved(matrix: np.ndarray, point: tuple[float, float]) -> np.ndarray:
    result: np.ndarray = matrix[:, :2] @ np.array(point) + matrix[:, 2]
    return result


def test_nothing_changes_nothing() -> None:
    config, image = AugmentationConfig(), crop()
    matrix = np.array([[0.5, 0.1, 3.0], [-0.1, 0.5, 4.0]])
    rng = sample_generator(0, 0, 0)
    np.testing.assert_array_equal(augment_matrix(config, matrix, SIDE, rng), matrix)
    assert augment_pixels(config, image, rng) is image


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_the_same_key_gives_the_same_sample_and_another_key_another(recipe: Path) -> None:
    config, image, matrix = read_recipe(recipe).data.augmentation, crop(), np.eye(2, 3)

    def augmented(*key: int) -> tuple[bytes, bytes]:
        rng = sample_generator(*key)
        return augment_matrix(config, matrix, SIDE, rng).tobytes(), augment_pixels(config, image, rng).tobytes()

    kept = image.copy()
    assert augmented(3, 5, 7) == augmented(3, 5, 7)
    if config != AugmentationConfig():
        assert len({augmented(*key) for key in [(3, 5, 7), (4, 5, 7), (3, 6, 7), (3, 5, 8)]}) == 4
    np.testing.assert_array_equal(image, kept, "the crop given was written to")


def test_seeded_samples_stay_what_they_were() -> None:
    """Results in the docs were trained on these very numbers."""
    config = AugmentationConfig(
        flip_chance=0.5, window_area=(0.08, 1.0), rotation=5.0, shift=0.1, brightness=0.2, erase_chance=0.5
    )
    matrices = [
        [-1.451203, -0.078439, 53.561923, -0.081621, 1.394624, 0.386385],
        [1.17598, 0.016006, -4.809707, -0.018825, 0.999872, 3.123307],
        [-1.08562, 0.057624, 51.353494, 0.059908, 1.044226, -1.776908],
    ]
    for row, (matrix, following) in enumerate(zip(matrices, (0.754368, 0.050182, 0.772199), strict=True)):
        rng = sample_generator(1, 2, row)
        np.testing.assert_allclose(augment_matrix(config, np.eye(2, 3), SIDE, rng).ravel(), matrix, atol=1e-6)
        augment_pixels(config, crop(), rng)
        assert rng.random() == pytest.approx(following, abs=1e-6)


def test_a_mirror_image_is_about_the_middle() -> None:
    matrix = augment_matrix(AugmentationConfig(flip_chance=EVERYTHING), np.eye(2, 3), SIDE, sample_generator(0, 0, 0))
    for x in range(SIDE):
        np.testing.assert_allclose(moved(matrix, (x, 7)), (SIDE - 1 - x, 7))


def test_movements_keep_to_their_limits_and_reach_them() -> None:
    config = AugmentationConfig(rotation=12.0, scale=(0.85, 1.15), shift=0.06)
    turns, zooms, shifts = [], [], []
    middle = ((SIDE - 1) / 2, (SIDE - 1) / 2)
    for row in range(400):
        matrix = augment_matrix(config, np.eye(2, 3), SIDE, sample_generator(0, 0, row))
        turns.append(np.rad2deg(np.arctan2(matrix[1, 0], matrix[0, 0])))
        zooms.append(np.sqrt(np.linalg.det(matrix[:, :2])))
        shifts.append((moved(matrix, middle) - middle) / SIDE)
    for values, low, high in ((turns, -12, 12), (zooms, 0.85, 1.15), (np.ravel(shifts), -0.06, 0.06)):
        span = high - low
        assert low - 1e-9 <= np.min(values) < low + 0.05 * span
        assert high - 0.05 * span < np.max(values) <= high + 1e-9


def test_whole_pixels_are_moved_equally_often_each_way() -> None:
    found = [
        augment_matrix(AugmentationConfig(shift_pixels=2), np.eye(2, 3), SIDE, sample_generator(0, 0, row))[:, 2]
        for row in range(2000)
    ]
    places, counts = np.unique(np.array(found), axis=0, return_counts=True)
    assert places.tolist() == [[x, y] for x in range(-2, 3) for y in range(-2, 3)]
    assert counts.min() > 2000 / 25 * 0.6
    assert counts.max() < 2000 / 25 * 1.4
    with pytest.raises(ValueError, match="shift_pixels must be from 0 to 1024, got -1"):
        AugmentationConfig(shift_pixels=-1)


def test_moving_by_pixels_changes_none_of_the_other_movements() -> None:
    config = AugmentationConfig(flip_chance=0.5, rotation=12.0, scale=(0.85, 1.15), stretch=0.06, shift=0.06)
    for row in range(20):
        plain, moved_too = (
            augment_matrix(changes, np.eye(2, 3), SIDE, sample_generator(0, 0, row))
            for changes in (config, replace(config, shift_pixels=3))
        )
        np.testing.assert_array_equal(plain[:, :2], moved_too[:, :2])
        steps = moved_too[:, 2] - plain[:, 2]
        np.testing.assert_allclose(steps, steps.round(), atol=1e-9)


def test_stretching_changes_the_aspect_and_keeps_the_area() -> None:
    for row in range(20):
        matrix = augment_matrix(AugmentationConfig(stretch=0.1), np.eye(2, 3), SIDE, sample_generator(0, 0, row))
        assert abs(np.log(matrix[0, 0] / matrix[1, 1])) <= 0.1
        assert np.linalg.det(matrix[:, :2]) == pytest.approx(1)


def test_changes_come_after_the_crop() -> None:
    crop_matrix = np.array([[0.5, 0.0, -3.0], [0.0, 0.5, -2.0]])
    config = AugmentationConfig(flip_chance=0.5, rotation=12.0, scale=(0.85, 1.15), stretch=0.06, shift=0.06)
    joined = augment_matrix(config, crop_matrix, SIDE, sample_generator(1, 2, 3))
    alone = augment_matrix(config, np.eye(2, 3), SIDE, sample_generator(1, 2, 3))
    point = (20.0, 30.0)
    np.testing.assert_allclose(moved(joined, point), moved(alone, tuple(moved(crop_matrix, point))))


def test_a_random_window_lies_inside_the_crop_and_fills_it() -> None:
    config = AugmentationConfig(window_area=(0.08, 1.0))
    areas = []
    for row in range(300):
        matrix = augment_matrix(config, np.eye(2, 3), SIDE, sample_generator(0, 0, row))
        back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
        left, top = (back @ [-0.5, -0.5, 1])[:2]
        right, bottom = (back @ [SIDE - 0.5, SIDE - 0.5, 1])[:2]
        assert min(left, top) >= -0.5 - 1e-9
        assert max(right, bottom) <= SIDE - 0.5 + 1e-9
        areas.append((right - left) * (bottom - top) / SIDE**2)
    assert 0.075 < min(areas) < 0.12
    assert max(areas) > 0.85


PIXEL_CHANGES: dict[str, dict[str, Any]] = {
    "brightness": {"brightness": 0.3},
    "contrast": {"contrast": 0.5},
    "gamma": {"gamma": 0.5},
    "colour_gain": {"colour_gain": 0.3},
    "operations": {"random_operations": 2, "operation_chance": EVERYTHING},
    "grey": {"grey_chance": EVERYTHING},
    "shade": {"shade_chance": EVERYTHING},
    "blur": {"blur_chance": EVERYTHING, "blur": (0.02, 0.03)},
    "shrink": {"shrink_chance": EVERYTHING},
    "noise": {"noise_chance": EVERYTHING},
    "jpeg": {"jpeg_chance": EVERYTHING},
    "erase": {"erase_chance": EVERYTHING},
    "blocks": {"erase_chance": EVERYTHING, "erase_fill": "blocks", "erase_count": 3},
}


@pytest.mark.parametrize("name", PIXEL_CHANGES)
def test_each_change_alone_keeps_type_and_shape(name: str) -> None:
    config, image = AugmentationConfig(**PIXEL_CHANGES[name]), crop()
    changed = [augment_pixels(config, image, sample_generator(0, 0, row)) for row in range(30)]
    assert all(result.shape == image.shape and result.dtype == np.uint8 for result in changed)
    assert len({result.tobytes() for result in changed} - {image.tobytes()}) >= (1 if name == "grey" else 15)


def test_brightness_moves_every_colour_alike() -> None:
    image = np.full((SIDE, SIDE, 3), 128, np.uint8)
    values = [
        augment_pixels(AugmentationConfig(brightness=0.2), image, sample_generator(0, 0, row)) for row in range(99)
    ]
    levels = np.array([value[0, 0] for value in values], np.int64)
    assert (levels == levels[:, :1]).all()
    assert levels.min() < 85
    assert levels.max() > 171
    assert np.abs(levels - 128).max() <= 52


def test_grey_keeps_luma_and_loses_colour() -> None:
    result = augment_pixels(AugmentationConfig(grey_chance=EVERYTHING), crop(), sample_generator(0, 0, 0))
    assert (result == result[..., :1]).all()
    np.testing.assert_allclose(result[..., 0], crop() @ [0.299, 0.587, 0.114], atol=1)


def test_covered_areas_keep_to_their_limits() -> None:
    config = AugmentationConfig(erase_chance=EVERYTHING, erase_area=(0.05, 0.2))
    for row in range(100):
        changed = (augment_pixels(config, crop(), sample_generator(0, 0, row)) != crop()).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        area = (np.ptp(rows) + 1) * (np.ptp(columns) + 1) / SIDE**2
        assert 0.03 < area < 0.22


def test_chances_are_met() -> None:
    config = AugmentationConfig(grey_chance=0.25)
    grey = [np.ptp(augment_pixels(config, crop(), sample_generator(0, 0, row))[0, 0]) == 0 for row in range(1000)]
    assert 0.21 < np.mean(grey) < 0.29


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"flip_chance": 1.5}, "flip_chance must be from 0 to 1, got 1.5"),
        ({"rotation": -1.0}, "rotation must be from 0 to 180, got -1.0"),
        ({"scale": (1.2, 0.8)}, r"scale must be a range from low to high, got \(1.2, 0.8\)"),
        ({"window_area": (0.0, 1.0)}, "window_area must be from 0.01 to 1, got 0.0"),
        ({"jpeg_quality": (0, 90)}, "jpeg_quality must be from 1 to 100, got 0"),
        ({"shrink": 0.5}, "shrink must be from 1 to 20, got 0.5"),
        ({"erase_count": 21}, "erase_count must be from 0 to 20, got 21"),
        ({"random_operations": 11}, "random_operations must be from 0 to 10, got 11"),
        ({"magnitude": 10.5}, "magnitude must be from 0 to 10, got 10.5"),
        ({"magnitude_spread": -0.5}, "magnitude_spread must be from 0 to 10, got -0.5"),
        ({"operation_chance": 2.0}, "operation_chance must be from 0 to 1, got 2.0"),
        ({"brightness": float("nan")}, "brightness must be from 0 to 1, got nan"),
    ],
)
def test_limits_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AugmentationConfig(**values)


def test_every_field_has_a_limit() -> None:
    """A number that nobody checks would fail in the middle of an epoch."""
    for field in fields(AugmentationConfig):
        if field.name == "erase_fill":
            continue
        default = getattr(AugmentationConfig(), field.name)
        wrong: Any = (-1e9, -1e9) if isinstance(default, tuple) or default is None else -1e9
        if isinstance(default, int) or field.name == "jpeg_quality":
            wrong = -1000 if isinstance(default, int) else (-1000, -1000)
        with pytest.raises(ValueError, match=field.name):
            AugmentationConfig(**{field.name: wrong})


def test_normal_noise_covers_the_normalised_crop() -> None:
    """As timm's RandomErasing: a quarter of the crops, standard normal numbers, within the area's limits."""
    config = AugmentationConfig(erase_chance=0.25, erase_area=(0.02, 1 / 3), erase_fill="normal")
    covered, values = [], []
    for row in range(2000):
        image = np.full((3, 40, 40), 7.0, np.float32)
        rng = sample_generator(0, 0, row)
        assert augment_pixels(config, crop(), rng) is not None
        erased = augment_normalised(config, image, rng) != 7.0
        if erased.any():
            covered.append(erased[0].mean())
            values.append(image[erased])
    assert 0.22 < len(covered) / 2000 < 0.28
    assert min(covered) >= 0.01
    assert max(covered) <= 0.37
    noise = np.concatenate(values)
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
