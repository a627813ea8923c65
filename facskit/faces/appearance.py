"""What a face looks like, in few numbers: enough to tell the people of one recording apart for a moment.

Colours and edges on a grid over the aligned face. They say who is who only as long as light and pose stay nearly the
same, and are no identity: they aren't kept, and can't find a person again in another recording.
"""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from facskit.faces.alignment import EyeSimilarityCrop, crop_matrix
from facskit.faces.detection import Face
from facskit.faces.images import warp

__all__ = ["Appearance", "appearance", "difference"]

Appearance = Float32[np.ndarray, "768"]

_CROP = EyeSimilarityCrop(size=64, half_side=1.1, drop=0.5)
"""Forehead to chin."""
_CELLS = 8
_DIRECTIONS = 9


def appearance(image: UInt8[np.ndarray, "height width 3"], face: Face) -> Appearance:
    """Describe a face: logarithms of its colours, brightness aside, and the directions of its edges, half each."""
    height, width = image.shape[:2]
    matrix = crop_matrix(_CROP, landmarks=face.landmarks, box=None, image_size=(width, height))
    crop = warp(image, matrix, _CROP.size)
    return np.concatenate([_unit(_colours(crop)), _unit(_edges(crop))]) / np.float32(np.sqrt(2))


def difference(first: Appearance, second: Appearance) -> float:
    """Say how different two faces look: 0 alike, about 1 for two different people, 2 at most."""
    return float(np.linalg.norm(first - second))


def _colours(crop: UInt8[np.ndarray, "64 64 3"]) -> Float32[np.ndarray, "192"]:
    cells = cv2.resize(crop.astype(np.float32), (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    return np.asarray(np.log(cells + 8), np.float32).reshape(-1)


def _edges(crop: UInt8[np.ndarray, "64 64 3"]) -> Float32[np.ndarray, "576"]:
    """Sum up in each cell how strong the edges of each direction are, relative to all of the cell."""
    grey = cv2.GaussianBlur(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength = np.hypot(across, down)
    direction = np.mod(np.arctan2(down, across), np.pi) / np.pi * _DIRECTIONS
    away = np.abs(direction[..., None] - np.arange(_DIRECTIONS) - 0.5)
    share = np.clip(1 - np.minimum(away, _DIRECTIONS - away), 0, 1) * strength[..., None]
    side = _CROP.size // _CELLS
    cells = share.reshape(_CELLS, side, _CELLS, side, _DIRECTIONS).sum(axis=(1, 3))
    total = np.sqrt((cells**2).sum(axis=2, keepdims=True))
    return np.asarray(cells / (total + 0.1 * np.sqrt((total**2).mean()) + 1e-6), np.float32).reshape(-1)


def _unit(values: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
    """Take the mean away and make the length 1."""
    centred = values - values.mean()
    return np.asarray(centred / (np.linalg.norm(centred) + 1e-6), np.float32)
