"""Detected faces, and what a face detector is; `detectors` has those there are."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

__all__ = ["STILL_THERE", "CloseDetector", "Face", "FaceDetector", "different_faces", "overlap"]

STILL_THERE = 0.3
"""Least overlap of a face's box with the place where the face was expected."""
_SAME_FACE = 0.4
"""Overlap of two boxes in one picture above which they are of one face."""


@dataclass(frozen=True, eq=False)
class Face:
    """One detected face, in pixels of the image it was found in."""

    box: Float[np.ndarray, "4"]
    """Left, top, right, bottom; may reach beyond the picture."""
    landmarks: Float[np.ndarray, "5 2"]
    """Eye on the image's left, eye on its right, nose tip, mouth corner on its left, on its right; each (x, y)."""
    score: float
    """Confidence from 0 to 1."""
    offsets: Float[np.ndarray, "5 2"] | None = None
    """Where annotators have the five points, seen from where the detector has them, in eye distances along and across
    the line between the eyes; None for a detector that agrees with them."""

    def __post_init__(self) -> None:
        """Refuse boxes without area, positions that are no numbers, and scores outside 0..1."""
        if not (np.isfinite(self.box).all() and np.isfinite(self.landmarks).all()):
            raise ValueError("a face's box and landmarks must be finite numbers")
        if self.box[2] <= self.box[0] or self.box[3] <= self.box[1]:
            raise ValueError(f"box must be left, top, right, bottom with an area, got {self.box.tolist()}")
        if not 0 <= self.score <= 1:
            raise ValueError(f"score must be from 0 to 1, got {self.score}")

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))

    @property
    def annotated(self) -> Float[np.ndarray, "5 2"]:
        """The landmarks where annotators, and so the 68 points, have them."""
        if self.offsets is None:
            return self.landmarks
        along = self.landmarks[1].astype(np.float64) - self.landmarks[0]
        axes = np.array([along, [-along[1], along[0]]])
        moved: Float[np.ndarray, "5 2"] = self.landmarks + self.offsets @ axes
        return moved

    def seen_in(self, shift: Float[np.ndarray, "2"], ratio: float) -> "Face":
        """Return the face in pixels of the picture of which it was found in a window.

        Args:
            shift: Where the picture's origin lies in the window, in pixels of the window.
            ratio: Pixels of the window per pixel of the picture.
        """
        box, landmarks = (self.box - np.tile(shift, 2)) / ratio, (self.landmarks - shift) / ratio
        return replace(self, box=box, landmarks=landmarks)


@runtime_checkable
class FaceDetector(Protocol):
    """Anything that finds faces."""

    def detect(self, image: UInt8[np.ndarray, "height width 3"]) -> list[Face]:
        """Return the faces, largest first; an empty list when there is none."""
        ...


@runtime_checkable
class CloseDetector(FaceDetector, Protocol):
    """A detector that needn't search the whole picture where a face is expected."""

    def look_near(self, image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, "4"]) -> list[Face]:
        """Return the faces around a place; the one that overlaps it most comes first, if any is there."""
        ...


def overlap(first: Float[np.ndarray, "4"], second: Float[np.ndarray, "4"]) -> float:
    """Return the intersection of two boxes over their union, 0 to 1."""
    sides = np.clip(np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]), 0, None)
    shared = float(np.prod(sides))
    areas = [float((box[2] - box[0]) * (box[3] - box[1])) for box in (first, second)]
    return shared / (sum(areas) - shared)


def different_faces(faces: list[Face]) -> list[Face]:
    """Drop each face whose box is that of one before it."""
    kept: list[Face] = []
    for face in faces:
        if all(overlap(face.box, other.box) <= _SAME_FACE for other in kept):
            kept.append(face)
    return kept
