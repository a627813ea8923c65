"""Changes of tone and colour with a strength, on uint8 RGB images: the pixel operations that RandAugment draws from.

Pure functions that return a new image, like `filters`. All but `add_to_shadows` are Pillow's, since published results
were trained with it: an enhancement blends the image with a duller one, and factor 1 gives the image back.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageEnhance, ImageOps

from facskit.faces.filters import apply_curves

__all__ = [
    "add_to_shadows",
    "change_brightness",
    "change_contrast",
    "change_saturation",
    "change_sharpness",
    "equalize",
    "invert",
    "posterize",
    "solarize",
    "stretch_contrast",
]


def stretch_contrast(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """Spread each colour that has several values from its darkest to its brightest over 0 to 255 (AutoContrast)."""
    return _through_pillow(image, ImageOps.autocontrast)


def equalize(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """Make all values of each colour about equally frequent."""
    return _through_pillow(image, ImageOps.equalize)


def invert(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """Turn a picture into its negative."""
    return _through_pillow(image, ImageOps.invert)


def posterize(image: UInt8[np.ndarray, "height width 3"], bits: int) -> UInt8[np.ndarray, "height width 3"]:
    """Keep some of the 8 bits of each value, the upper ones, at least 1."""
    return _through_pillow(image, lambda picture: ImageOps.posterize(picture, bits))


def solarize(image: UInt8[np.ndarray, "height width 3"], threshold: int) -> UInt8[np.ndarray, "height width 3"]:
    """Turn values from a threshold on, 0 to 256, into their negative."""
    return _through_pillow(image, lambda picture: ImageOps.solarize(picture, threshold))


def add_to_shadows(image: UInt8[np.ndarray, "height width 3"], amount: int) -> UInt8[np.ndarray, "height width 3"]:
    """Brighten the values below 128 by some grey levels (SolarizeAdd)."""
    levels = np.arange(256)
    curve = np.where(levels < 128, np.minimum(levels + amount, 255), levels).astype(np.uint8)
    return apply_curves(image, np.repeat(curve[:, None], 3, axis=1))


def change_saturation(image: UInt8[np.ndarray, "height width 3"], factor: float) -> UInt8[np.ndarray, "height width 3"]:
    """Move colours away from grey, which factor 0 gives, or towards it."""
    return _through_pillow(image, lambda picture: ImageEnhance.Color(picture).enhance(factor))


def change_contrast(image: UInt8[np.ndarray, "height width 3"], factor: float) -> UInt8[np.ndarray, "height width 3"]:
    """Move values away from the image's mean luma, which factor 0 gives, or towards it."""
    return _through_pillow(image, lambda picture: ImageEnhance.Contrast(picture).enhance(factor))


def change_brightness(image: UInt8[np.ndarray, "height width 3"], factor: float) -> UInt8[np.ndarray, "height width 3"]:
    """Multiply all values."""
    return _through_pillow(image, lambda picture: ImageEnhance.Brightness(picture).enhance(factor))


def change_sharpness(image: UInt8[np.ndarray, "height width 3"], factor: float) -> UInt8[np.ndarray, "height width 3"]:
    """Move values away from their neighbourhood's mean, or towards it: 0 is a slight blur, 2 sharper."""
    return _through_pillow(image, lambda picture: ImageEnhance.Sharpness(picture).enhance(factor))


def _through_pillow(
    image: UInt8[np.ndarray, "height width 3"], change: Callable[[Image.Image], Image.Image]
) -> UInt8[np.ndarray, "height width 3"]:
    return np.array(change(Image.fromarray(np.ascontiguousarray(image))), dtype=np.uint8)
