"""Pixel filters on uint8 RGB images: blur, tone curves, resampling, JPEG artefacts.

Pure functions that return a new image; whoever calls them brings the random numbers. They are made for augmentation,
which must be quick. Synthesis shares the JPEG artefacts alone: its own blurs work on light as float, before anything is
rounded to bytes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
from jaxtyping import Float, UInt8

__all__ = [
    "apply_curves",
    "gaussian_blur",
    "greyscale",
    "jpeg_artefacts",
    "lower_resolution",
    "motion_blur",
    "multiply_smooth_field",
    "one_thread",
]


@contextmanager
def one_thread() -> Iterator[None]:
    """Stop OpenCV's threads while worker processes are forked; they then inherit a library without threads.

    A forked process has lost the threads of its parent. Asking OpenCV there to do without them waits for them for ever,
    so it must be asked before.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def apply_curves(
    image: UInt8[np.ndarray, "height width 3"], curves: UInt8[np.ndarray, "256 3"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Replace each colour value by its entry in that colour's tone curve.

    Args:
        curves: New value of each of the 256 levels of red, green and blue.
    """
    return np.asarray(cv2.LUT(image, curves[None]), dtype=np.uint8)


def greyscale(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """Take the colour away but keep three channels, all of them the luma of ITU-R BT.601."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), dtype=np.uint8)


def gaussian_blur(image: UInt8[np.ndarray, "height width 3"], sigma: float) -> UInt8[np.ndarray, "height width 3"]:
    """Blur nearly as a lens out of focus does; `sigma` is the standard deviation in pixels, above 0."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), dtype=np.uint8)


def motion_blur(
    image: UInt8[np.ndarray, "height width 3"], length: float, angle: float
) -> UInt8[np.ndarray, "height width 3"]:
    """Blur along a straight line, as a moving head or camera does.

    Args:
        length: Length of the line in pixels, at least 1.
        angle: Direction of the line in radians.
    """
    reach = int(np.ceil(length / 2))
    middle = np.full(2, reach, np.float64)
    half = np.array([np.cos(angle), np.sin(angle)]) * (length - 1) / 2
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for step in np.linspace(-1, 1, 4 * reach + 1):
        x, y = middle + step * half
        left, top = int(x), int(y)
        across, down = x - left, y - top
        for row, column, weight in (
            (top, left, (1 - across) * (1 - down)),
            (top, left + 1, across * (1 - down)),
            (top + 1, left, (1 - across) * down),
            (top + 1, left + 1, across * down),
        ):
            if weight > 0:
                kernel[row, column] += weight
    kernel /= kernel.sum()
    return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE), dtype=np.uint8)


def lower_resolution(image: UInt8[np.ndarray, "height width 3"], factor: float) -> UInt8[np.ndarray, "height width 3"]:
    """Shrink an image and enlarge it again: what a face that is small in its picture looks like.

    Args:
        factor: How many times smaller, at least 1.
    """
    height, width = image.shape[:2]
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    shrunk = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def jpeg_artefacts(image: UInt8[np.ndarray, "height width 3"], quality: int) -> UInt8[np.ndarray, "height width 3"]:
    """Send an image through JPEG of a quality from 1 to 100, in memory."""
    # JPEG treats its three colours differently, so the order matters.
    _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])


def multiply_smooth_field(
    image: UInt8[np.ndarray, "height width 3"], field: Float[np.ndarray, "rows columns"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Brighten and darken parts of an image smoothly, as a lamp to the side or a soft shadow does.

    Args:
        field: A coarse grid of factors over the image; it is stretched over the image with cubic interpolation.
    """
    height, width = image.shape[:2]
    factors = cv2.resize(field.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    lit = cv2.multiply(image, cv2.merge([factors] * 3), dtype=cv2.CV_8U)
    return np.asarray(lit, dtype=np.uint8)
