"""Crops become numbers the way the checkpoint says."""

import numpy as np
import pytest

from facskit.faces.normalization import IMAGENET_MEAN, IMAGENET_STD, normalize


def test_per_image_has_zero_mean_and_unit_variance() -> None:
    crop = np.random.default_rng(0).integers(30, 200, (16, 12, 3), np.uint8)
    values = normalize(crop, "per-image")
    assert values.shape == (3, 16, 12)
    assert values.dtype == np.float32
    assert abs(values.mean()) < 1e-5
    assert abs(values.std() - 1) < 1e-5


def test_per_image_forgives_brightness_and_contrast() -> None:
    crop = np.random.default_rng(1).integers(0, 100, (8, 8, 3), np.uint8)
    np.testing.assert_allclose(normalize(crop * 2 + 10, "per-image"), normalize(crop, "per-image"), atol=1e-5)


def test_one_colour_becomes_zeros() -> None:
    assert not normalize(np.full((8, 8, 3), 77, np.uint8), "per-image").any()


def test_imagenet_equals_loops() -> None:
    crop = np.random.default_rng(2).integers(0, 256, (5, 4, 3), np.uint8)
    values = normalize(crop, "imagenet")
    for y in range(5):
        for x in range(4):
            for colour in range(3):
                wanted = (crop[y, x, colour] / 255 - IMAGENET_MEAN[colour]) / IMAGENET_STD[colour]
                assert abs(values[colour, y, x] - wanted) < 1e-5


def test_symmetric_goes_from_black_at_minus_one_to_white_at_one() -> None:
    crop = np.arange(256, dtype=np.uint8).reshape(16, 16)[..., None].repeat(3, axis=2)
    values = normalize(crop, "symmetric")
    assert (values.min(), values.max()) == (-1, 1)
    for level in (0, 64, 200, 255):
        assert values[1, level // 16, level % 16] == pytest.approx((level / 255 - 0.5) / 0.5, abs=1e-6)


def test_unknown_kind_is_refused() -> None:
    with pytest.raises((ValueError, TypeError)):  # the type checker of the test run may be first
        normalize(np.zeros((8, 8, 3), np.uint8), "zscore")  # type: ignore[arg-type]
