"""Surroundings and flaws: what stands behind the rendered head, and what a camera makes of it."""

import numpy as np
from jaxtyping import Float32, UInt8

from facskit.faces.drawing import blur, convolve, polygon_mask, resize
from facskit.faces.filters import jpeg_artefacts
from facskit.synthesis.scene import Degradation, Scene

__all__ = ["background", "degrade"]

_LUMA = np.array((0.299, 0.587, 0.114), np.float32)


def background(scene: Scene, size: int, rng: np.random.Generator) -> UInt8[np.ndarray, "size size 3"]:
    """Paint what is behind the head.

    Args:
        scene: Gives kind, colours and softness.
        size: Height and width in pixels.

    Returns:
        An RGB picture.
    """
    first, second, third = (np.array(colour, np.float32) for colour in scene.background.colours)
    canvas = np.broadcast_to(first, (size, size, 3)).copy()
    match scene.background.kind:
        case "flat":
            canvas += 0.15 * (_smooth_noise(size, rng, 2) - 0.5)[..., None]
        case "gradient":
            canvas += _ramp(size, rng)[..., None] * (second - first)
        case "clutter":
            for cells, colour in ((4, second), (10, third), (40, second)):
                share = np.clip(3 * _smooth_noise(size, rng, cells) - 1.2, 0, 1)[..., None]
                canvas += share * (colour - canvas)
        case "shapes":
            for colour in (second, third, second, first, third, second):
                canvas += _blob(size, rng)[..., None] * (colour - canvas)
        case "room":
            canvas = _room(canvas, (second, third), rng)
    softened = blur(canvas, scene.background.softness * size * 0.03)
    return _to_bytes(softened + 0.02 * rng.standard_normal((size, size, 1), np.float32))


def degrade(
    image: UInt8[np.ndarray, "height width 3"], scene: Scene, rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """Take the clean rendering through a camera and a file; nothing moves in the picture.

    Args:
        image: RGB pixels.
        scene: Gives the strengths; see `Degradation`.

    Returns:
        A picture of the same size.
    """
    settings = scene.degradation
    light = image.astype(np.float32) / 255
    light = _expose(light, settings)
    light = _defocus(light, settings)
    light = _develop(light, settings)
    light = light + _grain(light.shape, settings, rng)
    return jpeg_artefacts(_to_bytes(light), settings.jpeg_quality)


def _expose(
    light: Float32[np.ndarray, "height width 3"], settings: Degradation
) -> Float32[np.ndarray, "height width 3"]:
    """Meter the middle of the picture as cameras do, where the face is."""
    height, width = light.shape[:2]
    middle = light[height // 4 : -(height // 4) or None, width // 4 : -(width // 4) or None]
    wanted = np.float32(0.45) / max(float((middle @ _LUMA).mean()), 0.02)
    return light * np.float32(np.clip(wanted**settings.auto_exposure, 0.6, 4.0))


def _defocus(
    light: Float32[np.ndarray, "height width 3"], settings: Degradation
) -> Float32[np.ndarray, "height width 3"]:
    height, width = light.shape[:2]
    light = blur(light, settings.blur * width)
    length = settings.motion * width
    if length > 1:
        light = convolve(light, _motion_kernel(length, settings.motion_angle))
    if settings.resolution < 1:
        small = (round(width * settings.resolution), round(height * settings.resolution))
        light = resize(resize(light, small), (width, height))
    return light


def _motion_kernel(length: float, angle: float) -> Float32[np.ndarray, "side side"]:
    side = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((side, side), np.float32)
    for step in np.linspace(-length / 2, length / 2, 4 * side):
        row, column = np.round(side // 2 + step * np.array((np.sin(angle), np.cos(angle)))).astype(int)
        kernel[row, column] += 1
    return kernel / kernel.sum()


def _develop(
    light: Float32[np.ndarray, "height width 3"], settings: Degradation
) -> Float32[np.ndarray, "height width 3"]:
    light = np.clip(light * np.float32(settings.gain) * np.array(settings.white_balance, np.float32), 0, 1)
    light = light ** np.float32(settings.gamma)
    grey = (light @ _LUMA)[..., None]
    light = grey + np.float32(settings.saturation) * (light - grey)
    return np.float32(0.5) + np.float32(settings.contrast) * (light - np.float32(0.5))


def _grain(shape: tuple[int, ...], settings: Degradation, rng: np.random.Generator) -> Float32[np.ndarray, "..."]:
    noise = rng.standard_normal(shape, np.float32) * np.float32(0.6)
    noise += rng.standard_normal(shape[:2], np.float32)[..., None] * np.float32(0.8)
    noise = blur(noise, settings.noise_grain)
    return noise * np.float32(settings.noise / max(float(noise.std()), 1e-6))


def _smooth_noise(size: int, rng: np.random.Generator, cells: int) -> Float32[np.ndarray, "size size"]:
    return resize(rng.random((cells, cells), np.float32), (size, size))


def _ramp(size: int, rng: np.random.Generator) -> Float32[np.ndarray, "size size"]:
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    return (0.5 + (np.cos(angle) * columns + np.sin(angle) * rows) / 1.4).astype(np.float32)


def _blob(size: int, rng: np.random.Generator) -> Float32[np.ndarray, "size size"]:
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 12)))
    radii = rng.uniform(0.08, 0.45) * size * rng.uniform(0.5, 1.2, len(angles))
    centre = rng.uniform(0, size, 2)
    return polygon_mask(centre + radii[:, None] * np.stack((np.cos(angles), np.sin(angles)), -1), (size, size))


def _room(
    canvas: Float32[np.ndarray, "size size 3"], colours: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> Float32[np.ndarray, "size size 3"]:
    """Build a wall with upright boxes: shelves, doors, windows, pictures."""
    size = len(canvas)
    for _ in range(int(rng.integers(3, 10))):
        left, top = rng.integers(-size // 8, size, 2)
        width, height = rng.integers(size // 16, size // 2, 2)
        box = np.s_[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
        canvas[box] = colours[int(rng.integers(2))] * np.float32(rng.uniform(0.4, 1.3))
        if rng.random() < 0.5:
            inner = np.s_[max(top + 3, 0) : max(top + height - 3, 0), max(left + 3, 0) : max(left + width - 3, 0)]
            canvas[inner] = colours[int(rng.integers(2))] * np.float32(rng.uniform(0.4, 1.3))
    return canvas + np.float32(0.25) * (_ramp(size, rng)[..., None] - np.float32(0.5))


def _to_bytes(light: Float32[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    return np.clip(np.rint(light * 255), 0, 255).astype(np.uint8)
