import numpy as np
import pytest

from facskit.faces import filters


def picture(side: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)


def dot(side: int = 33) -> np.ndarray:
    image = np.zeros((side, side, 3), np.uint8)
    image[side // 2, side // 2] = 255
    return image


def test_curves_replace_each_colour_by_its_own() -> None:
    image = picture()
    curves = np.random.default_rng(1).integers(0, 256, (256, 3), dtype=np.uint8)
    expected = np.empty_like(image)
    for channel in range(3):
        expected[..., channel] = curves[image[..., channel], channel]
    np.testing.assert_array_equal(filters.apply_curves(image, curves), expected)


def test_greyscale_is_luma() -> None:
    result = filters.greyscale(picture())
    np.testing.assert_allclose(result[..., 1], picture() @ [0.299, 0.587, 0.114], atol=1)
    assert (result == result[..., :1]).all()


def test_gaussian_blur_equals_the_formula() -> None:
    image = np.full((33, 33, 3), 0, np.uint8)
    image[:, 16:] = 200
    sigma = 2.0
    from math import erf, sqrt

    expected = [200 * 0.5 * (1 + erf((x - 15.5) / (sigma * sqrt(2)))) for x in range(33)]
    np.testing.assert_allclose(filters.gaussian_blur(image, sigma)[16, :, 0], expected, atol=2.5)


@pytest.mark.parametrize("angle", [0.0, np.pi / 2, np.pi / 4, 2.0])
def test_motion_blur_draws_a_line(angle: float) -> None:
    result = filters.motion_blur(dot(), 9.0, angle)[..., 0].astype(np.float64)
    assert result.sum() == pytest.approx(255, abs=20)
    y, x = np.nonzero(result > 2)
    along = (x - 16) * np.cos(angle) + (y - 16) * np.sin(angle)
    across = -(x - 16) * np.sin(angle) + (y - 16) * np.cos(angle)
    assert np.ptp(along) >= 6
    assert np.abs(across).max() < 1.5


def test_a_lower_resolution_loses_detail_but_not_the_mean() -> None:
    image = picture()
    result = filters.lower_resolution(image, 3.0)
    assert result.shape == image.shape
    assert result.std() < 0.6 * image.std()
    assert abs(float(result.mean()) - float(image.mean())) < 2
    np.testing.assert_array_equal(filters.lower_resolution(image, 1.0), image)


def test_jpeg_artefacts_grow_as_quality_falls_and_keep_the_colours_apart() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    assert np.abs(filters.jpeg_artefacts(red, 90).astype(int) - red).max() < 6
    image = np.repeat(np.repeat(picture(8), 4, axis=0), 4, axis=1)
    errors = [np.abs(filters.jpeg_artefacts(image, quality).astype(int) - image).mean() for quality in (95, 50, 10)]
    assert errors[0] < errors[1] < errors[2]


def test_a_field_of_light_scales_and_saturates() -> None:
    image = np.full((32, 32, 3), 100, np.uint8)
    np.testing.assert_array_equal(filters.multiply_smooth_field(image, np.full((4, 4), 0.5)), image // 2)
    assert (filters.multiply_smooth_field(image, np.full((4, 4), 3.0)) == 255).all()
    slope = np.tile(np.linspace(0.5, 1.5, 4), (4, 1))
    row = filters.multiply_smooth_field(image, slope)[10, :, 0].astype(int)
    assert (np.diff(row) >= -2).all(), "cubic interpolation overshoots a little at the ends"
    assert row[0] < 60
    assert row[-1] > 140


def test_filters_leave_their_input_alone() -> None:
    image, kept = picture(), picture()
    filters.gaussian_blur(image, 1.0)
    filters.motion_blur(image, 4.0, 1.0)
    filters.jpeg_artefacts(image, 50)
    filters.multiply_smooth_field(image, np.full((4, 4), 0.5))
    filters.lower_resolution(image, 2.0)
    np.testing.assert_array_equal(image, kept)
