"""Frames as they are meant to be seen: turned and mirrored by the file's display matrix, with square pixels."""

from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from jaxtyping import UInt8

__all__ = ["upright"]

_ODDEST = 4
"""Largest width of a pixel relative to its height, or the other way round, that is believed."""


def upright(picture: av.VideoFrame, pixel_aspect: Fraction | None) -> UInt8[np.ndarray, "height width 3"]:
    """Return a decoded frame as RGB pixels.

    Args:
        picture: The frame; its display matrix says how it was turned or mirrored.
        pixel_aspect: Width of a pixel relative to its height; None for square ones.
    """
    image = picture.to_ndarray(format="rgb24")
    if pixel_aspect and pixel_aspect != 1 and Fraction(1, _ODDEST) <= pixel_aspect <= _ODDEST:
        height, width = image.shape[:2]
        # Wider, never lower, so that no detail is lost; narrow pixels make the picture higher.
        wide, high = (
            (round(width * pixel_aspect), height) if pixel_aspect > 1 else (width, round(height / pixel_aspect))
        )
        image = np.asarray(cv2.resize(image, (wide, high), interpolation=cv2.INTER_LINEAR), np.uint8)
    return np.ascontiguousarray(_turned(image, picture))


def _turned(image: UInt8[np.ndarray, "rows columns 3"], picture: av.VideoFrame) -> UInt8[np.ndarray, "height width 3"]:
    """Apply the display matrix: a column x and row y appear at column a x + c y, row b x + d y."""
    # PyAV's stubs don't say that side data is a buffer.
    data: Any = picture.side_data.get("DISPLAYMATRIX")
    if data is None:
        return image
    matrix = np.frombuffer(memoryview(data), np.int32)
    (a, b), (c, d) = matrix[:2].tolist(), matrix[3:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, across, down = image.transpose(1, 0, 2), c, b
    else:
        across, down = a, d
    if across < 0:
        image = image[:, ::-1]
    return image[::-1] if down < 0 else image
