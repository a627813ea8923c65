"""Whether something lies before a face: sunglasses, a mask, a hand, hair, another head.

A small network looks at a face's edges, tones and colours on a coarse grid, and says of both eyes, the nose and the
mouth whether they are covered. `studies/covered_faces.py` trains it on rendered faces with all kinds of shapes and
textures pasted before them; glasses and beards that were rendered count as part of the face, dark lenses as a cover.
"""

from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from safetensors.numpy import load

__all__ = ["ASSET", "PARTS", "covering", "covering_features"]

PARTS = ("left eye", "right eye", "nose", "mouth")
"""What can be covered, left and right as seen in the picture."""
ASSET = "assets/covering/covering.safetensors"
"""The network's numbers, inside the package."""
_GRID = 14
_DIRECTIONS = 4
_LUMA = np.array((0.299, 0.587, 0.114), np.float32)


def covering(crop: UInt8[np.ndarray, "side side 3"]) -> Float32[np.ndarray, "4"]:
    """Return how probably each of `PARTS` is covered, in a crop by the five-point recipe, from 0 to 1."""
    weights = _weights()
    features = (covering_features(crop) - weights["mean"]) / weights["deviation"]
    hidden = np.maximum(weights["hidden"] @ features + weights["hidden_bias"], 0)
    logits = weights["output"] @ hidden + weights["output_bias"]
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def covering_features(crop: UInt8[np.ndarray, "side side 3"]) -> Float32[np.ndarray, " features"]:
    """Return what the network sees of a crop: how strong edges of four directions are, tones, and colours.

    Tones are relative to the crop's mean and contrast, colours to the face's own.
    """
    colours = crop.astype(np.float32)
    grey = colours @ _LUMA
    contrast = max(float(grey.std()), 4.0)
    tones = (grey - grey.mean()) / np.float32(contrast)
    chroma = np.stack([colours[..., 0] - colours[..., 1], colours[..., 2] - colours[..., 1]], -1) / contrast
    grid = _shrink(chroma)
    inside = slice(_GRID // 4, -(_GRID // 4))
    grid -= np.median(grid[inside, inside].reshape(-1, 2), axis=0)
    parts = [_edges(tones).ravel(), _shrink(tones).ravel(), np.clip(grid, -3, 3).ravel()]
    return np.concatenate(parts).astype(np.float32)


def _edges(tones: Float32[np.ndarray, "side side"]) -> Float32[np.ndarray, "directions grid grid"]:
    """Return the strength of edges in each cell, by their direction."""
    smooth = cv2.GaussianBlur(tones, (0, 0), 1.2)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(smooth, cv2.CV_32F, 0, 1) / 8
    strength = np.hypot(across, down)
    turn = np.mod(np.arctan2(down, across), np.pi) * np.float32(_DIRECTIONS / np.pi)
    cells = []
    for direction in range(_DIRECTIONS):
        away = np.abs(turn - direction)
        share = np.maximum(0, 1 - np.minimum(away, _DIRECTIONS - away))
        cells.append(_shrink(share * strength))
    return 2 * np.sqrt(np.stack(cells))


def _shrink(image: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    return np.asarray(cv2.resize(image.astype(np.float32), (_GRID, _GRID), interpolation=cv2.INTER_AREA), np.float32)


@cache
def _weights() -> dict[str, Float32[np.ndarray, "..."]]:
    stored = load(files("facskit").joinpath(ASSET).read_bytes())
    return {name: numbers.astype(np.float32) for name, numbers in stored.items()}
