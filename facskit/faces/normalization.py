"""The way from an aligned crop to the numbers a network reads; the same function serves training and recognition."""

from typing import Literal

import numpy as np
from jaxtyping import Float32, UInt8

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "Normalization", "normalize"]

Normalization = Literal["per-image", "imagenet", "symmetric"]
"""`per-image`: zero mean and unit variance over the crop; `imagenet`: fixed statistics per colour; `symmetric`: black
is -1 and white is 1, as JAA-Net and its successors have it."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Mean of red, green and blue over ImageNet, for values in 0..1."""
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Standard deviation of red, green and blue over ImageNet, for values in 0..1."""


def normalize(crop: UInt8[np.ndarray, "height width 3"], kind: Normalization) -> Float32[np.ndarray, "3 height width"]:
    """Scale a crop and put its colours first.

    Args:
        kind: Which statistics to use. A crop of one single colour becomes zeros under `per-image`.
    """
    values = crop.astype(np.float32) / 255
    match kind:
        case "per-image":
            # one grey level is the least contrast an 8-bit picture can show
            mean, deviation = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
            values = (values - np.float32(mean)) / np.float32(max(deviation, 1 / 255))
        case "imagenet":
            values = (values - np.array(IMAGENET_MEAN, np.float32)) / np.array(IMAGENET_STD, np.float32)
        case "symmetric":
            values = values * 2 - 1
        case _:
            raise ValueError(f"normalization must be 'per-image', 'imagenet' or 'symmetric', got {kind!r}")
    return np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)
