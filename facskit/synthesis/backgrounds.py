"""Surroundings: what stands behind the rendered head."""

import numpy as np
from jaxtyping import Float32, UInt8

from facskit.faces.drawing import blur, polygon_mask, resize
from facskit.synthesis.scene import Scene

__all__ = ["background"]


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
    grainy = softened + 0.02 * rng.standard_normal((size, size, 1), np.float32)
    return np.clip(np.rint(grainy * 255), 0, 255).astype(np.uint8)


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
