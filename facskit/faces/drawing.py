"""Soft shapes and filters on plain arrays: the few drawing operations that synthesis needs.

Positions are pixels, x to the right and y downwards, the centre of the first pixel at (0, 0). Masks are float images
between 0 and 1 with smooth edges.
"""

from collections.abc import Sequence
from typing import TypeVar, cast

import cv2
import numpy as np
from jaxtyping import Float, Float32, Shaped

__all__ = ["blur", "convolve", "edge_preserving_blur", "polygon_mask", "resize", "sample", "strokes_mask"]

_SUBPIXEL_BITS = 4

Image = TypeVar("Image", bound=Shaped[np.ndarray, "..."])


def polygon_mask(points: Float[np.ndarray, "points 2"], size: tuple[int, int]) -> Float32[np.ndarray, "height width"]:
    """Fill a polygon, which closes by itself: 1 inside, 0 outside, in between along the edge.

    Args:
        size: Width and height of the mask.
    """
    mask = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillPoly(mask, [_fixed_point(points)], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    return mask.astype(np.float32) / np.float32(255)


def strokes_mask(
    strokes: Sequence[Float[np.ndarray, "points 2"]],
    widths: Sequence[int],
    size: tuple[int, int],
    strengths: Sequence[float] | None = None,
) -> Float32[np.ndarray, "height width"]:
    """Draw open polylines over each other; later ones cover earlier ones.

    Args:
        widths: Line width of each stroke in pixels, at least 1.
        size: Width and height of the mask.
        strengths: Value of each stroke between 0 and 1; all 1 when left out. It's 0 elsewhere.
    """
    mask = np.zeros((size[1], size[0]), np.uint8)
    values = [1.0] * len(strokes) if strengths is None else strengths
    for stroke, width, value in zip(strokes, widths, values, strict=True):
        shade = round(255 * value)
        cv2.polylines(mask, [_fixed_point(stroke)], False, shade, max(1, int(width)), cv2.LINE_AA, _SUBPIXEL_BITS)
    return mask.astype(np.float32) / np.float32(255)


def blur(image: Image, sigma: float | int) -> Image:
    """Blur by a Gaussian whose standard deviation is in pixels; nothing happens below 0.05."""
    if sigma < 0.05:
        return image
    blurred = cv2.GaussianBlur(image, (0, 0), float(sigma), borderType=cv2.BORDER_REFLECT)
    return cast(Image, blurred)


def edge_preserving_blur(
    image: Float32[np.ndarray, "height width 3"], contrast: float, sigma: float
) -> Float32[np.ndarray, "height width 3"]:
    """Average each pixel with neighbours of about the same colour (bilateral filter).

    Args:
        contrast: Difference in colour at which a neighbour hardly counts any more, in the image's units.
        sigma: Distance in pixels at which it does.
    """
    return np.asarray(cv2.bilateralFilter(image, 0, contrast, sigma), np.float32)


def convolve(image: Image, kernel: Float[np.ndarray, "rows columns"]) -> Image:
    """Correlate each channel with a kernel, the picture mirrored at its border."""
    convolved = cv2.filter2D(image, -1, kernel.astype(np.float32), borderType=cv2.BORDER_REFLECT)
    return cast(Image, convolved)


def resize(image: Image, size: tuple[int, int], smooth: bool = True) -> Image:
    """Resize to (width, height): by area when shrinking, by cubic interpolation (or blocks) when growing."""
    shrinks = size[0] < image.shape[1] or size[1] < image.shape[0]
    grow = cv2.INTER_CUBIC if smooth else cv2.INTER_NEAREST
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else grow)
    return cast(Image, resized)


def sample(
    image: Image, columns: Float32[np.ndarray, "height width"], rows: Float32[np.ndarray, "height width"]
) -> Image:
    """Look a picture up between its pixels, by cubic interpolation; beyond its border it goes on as the border is.

    Args:
        columns: Where to look, pixels.
        rows: Where to look, pixels.
    """
    looked_up = cv2.remap(image, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return cast(Image, looked_up)


def _fixed_point(points: Float[np.ndarray, "points 2"]) -> Shaped[np.ndarray, "points 1 2"]:
    scaled = np.round(np.asarray(points, np.float64) * (1 << _SUBPIXEL_BITS))
    return scaled.astype(np.int32)[:, None, :]
