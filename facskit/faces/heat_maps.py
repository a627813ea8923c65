"""Heat maps over faces: numbers from 0 to 1 as colours, always on the same scale, so that pictures can be compared."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from facskit.faces.drawing import resize

__all__ = ["blend_heat_map", "heat_colours"]


def heat_colours(values: Float[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width 3"]:
    """Colour numbers from blue (0) through green to red (1), the scale called jet; what lies outside is cut off."""
    levels = np.round(255 * np.clip(np.nan_to_num(values), 0, 1)).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_JET)[..., ::-1])


def blend_heat_map(
    image: UInt8[np.ndarray, "height width 3"], values: Float[np.ndarray, "rows columns"], alpha: float | int = 0.5
) -> UInt8[np.ndarray, "height width 3"]:
    """Lay a coarse map over a picture, enlarged by bicubic interpolation.

    Args:
        values: The map, from 0 to 1, over the whole picture.
        alpha: Share of the colours in the result; the rest is the picture.

    Raises:
        ValueError: `alpha` isn't from 0 to 1.

    Paper:
        CIU's figure 5, with the colours, range and share of its group's public code.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be from 0 to 1, got {alpha}")
    height, width = image.shape[:2]
    colours = heat_colours(resize(np.ascontiguousarray(values, np.float32), (width, height)))
    blended = alpha * colours.astype(np.float32) + (1 - alpha) * image.astype(np.float32)
    return np.round(blended).astype(np.uint8)
