"""What a face looks like, in few numbers: enough to tell the people of one recording apart.

Colours and edges on a grid over the aligned face, and of them what differs between people and not between pictures of
one person: a linear discriminant, fitted to rendered people by `tools/package_looks.py`. It knows people of one
recording for a while, and isn't made to find anybody in another one: nothing of it is kept or written.
"""

from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from facskit.faces.alignment import EyeSimilarityCrop, crop_matrix
from facskit.faces.detection import Face
from facskit.faces.images import warp

__all__ = ["Appearance", "appearance", "difference", "measure_look"]

Appearance = Float32[np.ndarray, "48"]

_CROP = EyeSimilarityCrop(size=96, half_side=1.1, drop=0.5)
"""Forehead to chin."""
_CELLS = 12
_DIRECTIONS = 9


def appearance(image: UInt8[np.ndarray, "height width 3"], face: Face) -> Appearance:
    """Describe whose face it is, by a vector of length 1."""
    mean, directions = _discriminant()
    return _of_length_one((measure_look(image, face) - mean) @ directions)


def difference(first: Appearance, second: Appearance) -> float:
    """Say how different two faces look: 0 alike, about 1.4 for two different people, 2 at most."""
    return float(np.linalg.norm(first - second))


def measure_look(image: UInt8[np.ndarray, "height width 3"], face: Face) -> Float32[np.ndarray, "1728"]:
    """Measure a face: logarithms of its colours, brightness aside, and the directions of its edges, half each."""
    height, width = image.shape[:2]
    matrix = crop_matrix(_CROP, landmarks=face.landmarks, box=None, image_size=(width, height))
    crop = warp(image, matrix, _CROP.size)
    parts = [_of_length_one(part - part.mean()) for part in (_colours(crop), _edges(crop))]
    return np.concatenate(parts) / np.float32(np.sqrt(2))


@cache
def _discriminant() -> tuple[Float32[np.ndarray, "1728"], Float32[np.ndarray, "1728 48"]]:
    """Return the mean face and the directions in which people differ."""
    with files("facskit").joinpath("assets/looks/discriminant.npz").open("rb") as file, np.load(file) as stored:
        return stored["mean"].astype(np.float32), stored["directions"].astype(np.float32)


def _colours(crop: UInt8[np.ndarray, "96 96 3"]) -> Float32[np.ndarray, "432"]:
    cells = cv2.resize(crop.astype(np.float32), (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    return np.asarray(np.log(cells + 8), np.float32).reshape(-1)


def _edges(crop: UInt8[np.ndarray, "96 96 3"]) -> Float32[np.ndarray, "1296"]:
    """Sum up in each cell how strong the edges of each direction are, relative to all of the cell."""
    grey = cv2.GaussianBlur(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength = np.hypot(across, down)
    # A direction counts for the two that are nearest, more for the nearer one.
    place = np.mod(np.arctan2(down, across), np.pi) / np.pi * _DIRECTIONS - 0.5
    lower = np.floor(place).astype(np.int64)
    side = _CROP.size // _CELLS
    row, column = np.indices(grey.shape) // side
    cell = (row * _CELLS + column) * _DIRECTIONS
    sums = np.zeros(_CELLS * _CELLS * _DIRECTIONS)
    for step, share in ((0, 1 - (place - lower)), (1, place - lower)):
        index = cell + (lower + step) % _DIRECTIONS
        sums += np.bincount(index.ravel(), (share * strength).ravel(), len(sums))
    cells = sums.reshape(-1, _DIRECTIONS)
    total = np.sqrt((cells**2).sum(axis=1, keepdims=True))
    return np.asarray(cells / (total + 0.1 * np.sqrt((total**2).mean()) + 1e-6), np.float32).reshape(-1)


def _of_length_one(values: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
    return np.asarray(values / (np.linalg.norm(values) + 1e-6), np.float32)
