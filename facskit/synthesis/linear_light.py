"""Linear light: where colours are multiplied as light and pigment do it, instead of sRGB's bent scale."""

import numpy as np
from jaxtyping import Float32

__all__ = ["to_linear", "toned"]


def to_linear(colours: Float32[np.ndarray, "*texels 3"]) -> Float32[np.ndarray, "*texels 3"]:
    """Turn sRGB values, 0 to 1, into linear light."""
    return np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4).astype(np.float32)


def toned(
    colours: Float32[np.ndarray, "*texels 3"], factors: Float32[np.ndarray, "*texels 3"]
) -> Float32[np.ndarray, "*texels 3"]:
    """Multiply colours in linear light.

    Args:
        colours: sRGB, 0 to 1.
        factors: 1 leaves a colour as it is.

    Returns:
        sRGB, 0 to 1.
    """
    light = np.clip(to_linear(np.maximum(colours, 0)) * factors, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** np.float32(1 / 2.4) - 0.055).astype(np.float32)
