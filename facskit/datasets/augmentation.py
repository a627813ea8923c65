"""Random changes of training crops: where the face lies, how it is lit, and what a poor camera does to it.

The geometric part is a matrix that joins the crop's own, so that pixels are resampled once, from the source image. All
random numbers of a sample come from (seed, epoch, row): the same sample looks the same whatever process prepares it.
Mirroring swaps left and right; labels don't tell the sides apart, so they stay.
"""

import numpy as np
from jaxtyping import Float, Float32, UInt8

from facskit.datasets.augmentation_config import AugmentationConfig
from facskit.datasets.random_operations import change_tones, draw_operations, operations_matrix
from facskit.faces import filters

__all__ = ["AugmentationConfig", "augment_matrix", "augment_pixels", "sample_generator"]


def sample_generator(seed: int, epoch: int, row: int) -> np.random.Generator:
    """Return the source of all random numbers of one sample in one epoch, counted from zero."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, epoch, row))))


def augment_matrix(
    config: AugmentationConfig, matrix: Float[np.ndarray, "2 3"], size: int, rng: np.random.Generator
) -> Float[np.ndarray, "2 3"]:
    """Add a random mirror, turn, enlargement, stretch and shift, or a random window, to a crop's matrix.

    RandAugment's geometric operations come last; see `random_operations` for how they differ from the original.

    Args:
        matrix: Source pixels to crop pixels, as what is returned.
        size: Side of the crop in pixels.
    """
    change = np.eye(3)
    middle = (size - 1) / 2
    if config.window_area is not None:
        change = _window(config.window_area, size, rng) @ change
    angle, lengthen, across, down = rng.uniform(-1, 1, 4)
    angle *= np.deg2rad(config.rotation)
    zoom = np.exp(rng.uniform(*np.log(config.scale)))
    wide = zoom * np.exp(lengthen * config.stretch / 2)
    tall = zoom * np.exp(-lengthen * config.stretch / 2)
    mirror = -1.0 if rng.random() < config.flip_chance else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([mirror * wide, tall])
    shift = np.array([across, down]) * config.shift * size
    if config.shift_pixels:
        shift += rng.integers(-config.shift_pixels, config.shift_pixels + 1, 2)
    centred = np.eye(3)
    centred[:2, :2] = linear
    centred[:2, 2] = shift + middle - linear @ np.full(2, middle)
    whole = centred @ change @ np.vstack([matrix, [0, 0, 1]])
    if operations := draw_operations(config, rng):
        whole = operations_matrix(operations, size) @ whole
    joined: Float[np.ndarray, "2 3"] = whole[:2]
    return joined


def augment_pixels(
    config: AugmentationConfig, crop: UInt8[np.ndarray, "height width 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """Change tones, light, colours and camera of a crop at random, and cover parts; the same array if nothing changes.

    Args:
        rng: Source of random numbers, the one that `augment_matrix` had: RandAugment's operations are drawn once.
    """
    crop = change_tones(draw_operations(config, rng), crop)
    crop = _camera(config, _light(config, crop, rng), rng)
    if config.erase_fill != "normal":
        for _ in range(config.erase_count):
            if rng.random() < config.erase_chance:
                crop = _erase(config, crop, rng)
    return crop


def augment_normalised(
    config: AugmentationConfig, image: Float32[np.ndarray, "3 height width"], rng: np.random.Generator
) -> Float32[np.ndarray, "3 height width"]:
    """Cover parts of a normalised crop with standard normal noise, where `erase_fill` asks for it; in place.

    Args:
        rng: Source of random numbers, after `augment_pixels` had it.
    """
    if config.erase_fill == "normal":
        for _ in range(config.erase_count):
            if rng.random() < config.erase_chance:
                rows, columns = _rectangle(config, image.shape[1], image.shape[2], rng)
                part = image[:, rows, columns]
                part[:] = rng.standard_normal(part.shape, dtype=np.float32)
    return image


def _light(
    config: AugmentationConfig, crop: UInt8[np.ndarray, "height width 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    if rng.random() < config.shade_chance:
        crop = filters.multiply_smooth_field(crop, _shade(config.shade, rng))
    if config.brightness or config.contrast or config.gamma or config.colour_gain:
        crop = filters.apply_curves(crop, _curves(config, rng))
    return filters.greyscale(crop) if rng.random() < config.grey_chance else crop


def _camera(
    config: AugmentationConfig, crop: UInt8[np.ndarray, "height width 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    if rng.random() < config.blur_chance:
        sigma = len(crop) * float(np.exp(rng.uniform(*np.log(config.blur))))
        if rng.random() < 0.5:
            crop = filters.gaussian_blur(crop, sigma)
        else:
            crop = filters.motion_blur(crop, max(1.5, 4 * sigma), rng.uniform(0, np.pi))
    if rng.random() < config.shrink_chance:
        crop = filters.lower_resolution(crop, float(np.exp(rng.uniform(0, np.log(config.shrink)))))
    if rng.random() < config.noise_chance:
        grain = rng.standard_normal(crop.shape, dtype=np.float32)
        grain *= rng.uniform(0, config.noise)
        crop = np.clip(np.rint(crop + grain), 0, 255).astype(np.uint8)
    if rng.random() < config.jpeg_chance:
        crop = filters.jpeg_artefacts(crop, int(rng.integers(config.jpeg_quality[0], config.jpeg_quality[1] + 1)))
    return crop


def _window(area: tuple[float, float], size: int, rng: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    part = rng.uniform(*area)
    aspect = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
    width, height = min(1.0, np.sqrt(part * aspect)), min(1.0, np.sqrt(part / aspect))
    left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
    # Pixel centres lie at whole numbers, so the crop's edges are at -0.5 and size - 0.5.
    return np.array(
        [
            [1 / width, 0, -0.5 - (left * size - 0.5) / width],
            [0, 1 / height, -0.5 - (top * size - 0.5) / height],
            [0, 0, 1],
        ]
    )


def _shade(depth: float, rng: np.random.Generator) -> Float[np.ndarray, "4 4"]:
    """Draw factors over the crop: a straight slope of light plus soft patches."""
    across, down = np.meshgrid(np.linspace(-1, 1, 4), np.linspace(-1, 1, 4))
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * across + np.sin(angle) * down
    field = 0.6 * rng.uniform(0, 1) * slope / 1.42 + 0.4 * rng.uniform(-1, 1, (4, 4))
    factors: Float[np.ndarray, "4 4"] = 1 + depth * np.where(field < 0, field, field / 2)
    return factors


def _curves(config: AugmentationConfig, rng: np.random.Generator) -> UInt8[np.ndarray, "256 3"]:
    draw = rng.uniform(-1, 1, 6)
    level = np.linspace(0, 1, 256)
    level = level ** np.exp(draw[0] * config.gamma)
    level = (level - 0.5) * np.exp(draw[1] * config.contrast) + 0.5 + draw[2] * config.brightness
    curves = level[:, None] * np.exp(draw[3:] * config.colour_gain)
    levels: UInt8[np.ndarray, "256 3"] = np.clip(np.rint(255 * curves), 0, 255).astype(np.uint8)
    return levels


def _erase(
    config: AugmentationConfig, crop: UInt8[np.ndarray, "height width 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    height, width = crop.shape[:2]
    rows, columns = _rectangle(config, height, width, rng)
    tall, wide = rows.stop - rows.start, columns.stop - columns.start
    fill = 0 if config.erase_fill == "noise" else int(rng.integers(0, 3))
    patch: np.ndarray
    if fill == 0:
        grain = rng.standard_normal((tall, wide, 3), dtype=np.float32) * float(crop.std()) + float(crop.mean())
        patch = np.clip(grain, 0, 255).astype(np.uint8)
    elif fill == 1:
        patch = rng.integers(0, 256, 3, dtype=np.uint8)
    else:
        from_top, from_left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
        patch = crop[from_top : from_top + tall, from_left : from_left + wide].copy()
    covered = crop.copy()
    covered[rows, columns] = patch
    return covered


def _rectangle(config: AugmentationConfig, height: int, width: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """Draw which rows and columns are covered."""
    area = rng.uniform(*config.erase_area) * height * width
    aspect = np.exp(rng.uniform(np.log(0.3), np.log(1 / 0.3)))
    tall = int(np.clip(round(np.sqrt(area * aspect)), 1, height - 1))
    wide = int(np.clip(round(np.sqrt(area / aspect)), 1, width - 1))
    top, left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
    return slice(top, top + tall), slice(left, left + wide)
