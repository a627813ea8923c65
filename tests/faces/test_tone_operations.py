from collections.abc import Callable

import numpy as np
import pytest

from facskit.faces import tone_operations

Change = Callable[[np.ndarray, float], np.ndarray]


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(30, 220, (16, 20, 3), dtype=np.uint8)


def luma(image: np.ndarray) -> np.ndarray:
    grey: np.ndarray = image @ np.array([0.299, 0.587, 0.114])
    return grey


def blended(image: np.ndarray, dull: np.ndarray, factor: float) -> np.ndarray:
    mixed: np.ndarray = np.clip(dull + factor * (image - dull), 0, 255)
    return mixed


def smoothed(image: np.ndarray) -> np.ndarray:
    """Weigh a pixel five times and its eight neighbours once; the margin stays."""
    result = image.astype(np.float64)
    for y in range(1, len(image) - 1):
        for x in range(1, image.shape[1] - 1):
            around = image[y - 1 : y + 2, x - 1 : x + 2].astype(np.float64)
            result[y, x] = (around.sum(axis=(0, 1)) + 4 * around[1, 1]) / 13
    return result


def test_stretched_contrast_reaches_from_black_to_white_in_each_colour() -> None:
    image = picture()
    image[..., 1] //= 2
    expected = np.empty(image.shape)
    for channel in range(3):
        values = image[..., channel].astype(np.float64)
        expected[..., channel] = 255 * (values - values.min()) / np.ptp(values)
    result = tone_operations.stretch_contrast(image)
    np.testing.assert_allclose(result, expected, atol=1)
    assert (result.min(axis=(0, 1)) == 0).all()
    assert (result.max(axis=(0, 1)) >= 254).all()
    flat = np.full((4, 4, 3), 90, np.uint8)
    np.testing.assert_array_equal(tone_operations.stretch_contrast(flat), flat)


def test_equalized_values_are_as_frequent_as_can_be() -> None:
    image = (255 * np.random.default_rng(0).random((96, 96, 3)) ** 2).astype(np.uint8)
    result = tone_operations.equalize(image)
    for channel in range(3):
        values = image[..., channel]
        for value in np.unique(values):
            rank = (values < value).mean() / (values < values.max()).mean()
            np.testing.assert_allclose(result[..., channel][values == value] / 255, rank, atol=0.03)


@pytest.mark.parametrize("bits", [1, 4, 7])
def test_posterizing_keeps_the_upper_bits(bits: int) -> None:
    step = 2 ** (8 - bits)
    np.testing.assert_array_equal(tone_operations.posterize(picture(), bits), picture() // step * step)


@pytest.mark.parametrize("threshold", [0, 26, 128, 256])
def test_solarizing_turns_bright_values(threshold: int) -> None:
    expected = [value if value < threshold else 255 - value for value in picture().ravel().astype(int)]
    np.testing.assert_array_equal(tone_operations.solarize(picture(), threshold).ravel(), expected)


def test_inverting_twice_gives_the_picture_back() -> None:
    np.testing.assert_array_equal(tone_operations.invert(picture()), 255 - picture())
    np.testing.assert_array_equal(tone_operations.invert(tone_operations.invert(picture())), picture())


@pytest.mark.parametrize("amount", [0, 99, 110, 200])
def test_adding_to_shadows_leaves_bright_values(amount: int) -> None:
    expected = [min(value + amount, 255) if value < 128 else value for value in picture().ravel().astype(int)]
    np.testing.assert_array_equal(tone_operations.add_to_shadows(picture(), amount).ravel(), expected)


DULL: dict[str, tuple[Change, Callable[[np.ndarray], np.ndarray]]] = {
    "saturation": (tone_operations.change_saturation, lambda image: np.repeat(luma(image)[..., None], 3, axis=2)),
    "contrast": (tone_operations.change_contrast, lambda image: np.full(image.shape, luma(image).mean())),
    "brightness": (tone_operations.change_brightness, lambda image: np.zeros(image.shape)),
    "sharpness": (tone_operations.change_sharpness, smoothed),
}


@pytest.mark.parametrize("factor", [0.0, 0.19, 1.0, 1.81])
@pytest.mark.parametrize("name", DULL)
def test_enhancements_blend_with_a_duller_image(name: str, factor: float) -> None:
    change, dull = DULL[name]
    result = change(picture(), factor)
    np.testing.assert_allclose(result, blended(picture(), dull(picture()), factor), atol=2)
    assert (result == picture()).all() == (factor == 1)


def test_operations_leave_their_input_alone() -> None:
    image = picture()[:, ::-1]  # a view, as mirrored crops are
    kept = image.copy()
    tone_operations.stretch_contrast(image)
    tone_operations.equalize(image)
    tone_operations.invert(image)
    tone_operations.add_to_shadows(image, 50)
    tone_operations.change_sharpness(image, 0.5)
    np.testing.assert_array_equal(image, kept)
