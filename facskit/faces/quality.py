"""What stands in the way of reading a face: its size, sharpness, light and direction, what covers it or cuts it off.

The head's direction is told by the detector's five points and box, the rest by a crop of the face.
`studies/face_quality.py` measured the limits on rendered faces of which it's known what is wrong with them, and
`docs/studies/face_quality.md` says what can't be seen in this way.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from facskit.faces.alignment import TEMPLATE, crop_matrix, invert, transform_points
from facskit.faces.covering import covering
from facskit.faces.crop_recipes import EyeSimilarityCrop
from facskit.faces.detection import Face
from facskit.faces.images import warp

__all__ = ["FaceQuality", "QualityLimits", "Trouble", "measure_quality"]

Trouble = Literal[
    "too small",
    "turned away",
    "blurred",
    "too dark",
    "cut off",
    "eyes covered",
    "nose covered",
    "mouth covered",
    "hardly detected",
]
"""What makes a face unreliable."""

_CROP = EyeSimilarityCrop()
_DEPTHS = np.array([0.0, 0.0, 0.54, 0.13, 0.13])
"""How far the template's points lie before the eyes, in eye distances: the mean of both heads that facskit renders."""
_PITCH = (36.0, 305.0)
"""Pitch in degrees where the eyes are at the middle of the detector's box, and how much less for each height of the box
that they lie above it."""
_FINE, _COARSE = (0.7, 1.4), (2.8, 11.2)
"""Standard deviations, in pixels of the crop, of the blurs between which details lie: the finest that a sharp picture
has, and those that nearly every picture has."""


@dataclass(frozen=True, kw_only=True)
class FaceQuality:
    """How well one face can be seen."""

    height: float
    """Height of the detector's box in pixels."""
    confidence: float
    """The detector's confidence, 0 to 1."""
    pose: tuple[float, float, float]
    """Pitch, yaw and roll of the head in radians with OpenFace's signs: positive looks down, turns to the subject's
    right, leans towards the picture's right. Coarse; see `docs/studies/face_quality.md`."""
    sharpness: float
    """Fine detail over coarse detail, in the direction that has least: about 0.9 in a sharp picture, below 0.3 in a
    blurred one."""
    brightness: float
    """Grey level, 0 to 255, that 5 % of the face are brighter than."""
    inside: float
    """Part of the face, without hair and ears, that lies inside of the picture, 0 to 1."""
    covered: tuple[float, ...]
    """How probably something lies before each of `covering.PARTS`: left eye, right eye, nose, mouth."""


@dataclass(frozen=True, kw_only=True)
class QualityLimits:
    """Beyond which limits a face is unreliable.

    At each of them, rendered faces get about 2 of 19 decisions otherwise than when they are seen plainly.
    """

    height: float = 36.0
    """Least height of a face in pixels."""
    confidence: float = 0.65
    """Least confidence of the detector."""
    yaw: float = 40.0
    """Most that the head may be turned to a side, in degrees."""
    pitch: float = 25.0
    """Most that it may look up or down, in degrees."""
    sharpness: float = 0.32
    """Least sharpness."""
    brightness: float = 30.0
    """Least brightness."""
    inside: float = 0.85
    """Least part of the face inside of the picture."""
    covered: float = 0.7
    """Most that a part of the face may probably be covered."""

    def troubles(self, quality: FaceQuality) -> tuple[Trouble, ...]:
        """Return what is wrong with a face; nothing for a reliable one.

        Small faces are blurred, too, once they are enlarged, and those that turn away hide a part of themselves: of
        them that isn't said as well.
        """
        pitch, yaw = (abs(float(np.degrees(angle))) for angle in quality.pose[:2])
        small, turned = quality.height < self.height, yaw > self.yaw or pitch > self.pitch
        blurred = quality.sharpness < self.sharpness and not small
        eyes, nose, mouth = max(quality.covered[:2]), quality.covered[2], quality.covered[3]
        clear = not (small or turned or blurred)
        found: dict[Trouble, bool] = {
            "too small": small,
            "turned away": turned,
            "blurred": blurred,
            "too dark": quality.brightness < self.brightness,
            "cut off": quality.inside < self.inside,
            "eyes covered": clear and eyes > self.covered,
            "nose covered": clear and nose > self.covered,
            "mouth covered": clear and mouth > self.covered,
            "hardly detected": quality.confidence < self.confidence,
        }
        return tuple(trouble for trouble, is_so in found.items() if is_so)


def measure_quality(image: UInt8[np.ndarray, "height width 3"], face: Face) -> FaceQuality:
    """Measure how well a face in a picture can be seen; it takes about a millisecond."""
    size = image.shape[1], image.shape[0]
    matrix = crop_matrix(_CROP, landmarks=face.landmarks, box=face.box, image_size=size)
    crop = warp(image, matrix, _CROP.size)
    grey = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.float32)
    return FaceQuality(
        height=float(face.box[3] - face.box[1]),
        confidence=face.score,
        pose=_pose(face),
        sharpness=_sharpness(grey),
        brightness=float(np.percentile(grey[_FACE], 95)),
        inside=_inside(matrix, size),
        covered=tuple(covering(crop).tolist()),
    )


def _ellipse() -> Bool[np.ndarray, "height width"]:
    """Return where a face is in its crop, without hair and background."""
    rows, columns = np.mgrid[: _CROP.size, : _CROP.size] / _CROP.size - 0.5
    return np.asarray((columns / 0.375) ** 2 + ((rows - 0.02) / 0.45) ** 2 < 1)


_FACE = _ellipse()


def _pose(face: Face) -> tuple[float, float, float]:
    """Return pitch, yaw and roll in radians.

    Roll is the slope of the line from the eyes to the mouth, yaw comes from the least-squares fit of a mean head seen
    from far away, and pitch from the height of the eyes in the box: the five points themselves hardly move with it.
    """
    points = face.annotated.astype(np.float64)
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    roll = float(np.arctan2(eyes[0] - mouth[0], mouth[1] - eyes[1]))
    head = np.column_stack([TEMPLATE, -_DEPTHS])
    fitted = np.linalg.lstsq(head - head.mean(0), points - points.mean(0), rcond=None)[0].T
    left, _, right = np.linalg.svd(fitted, full_matrices=False)
    across, down = left @ right
    yaw = float(np.arcsin(np.clip(-np.cross(across, down)[0], -1, 1)))
    middle = (face.box[:2] + face.box[2:]) / 2
    raised = float((middle - eyes) @ (-np.sin(roll), np.cos(roll)) / (face.box[3] - face.box[1]))
    return float(np.radians(_PITCH[0] - _PITCH[1] * raised)), yaw, roll


def _sharpness(grey: Float32[np.ndarray, "size size"]) -> float:
    """Return the least ratio of fine to coarse detail over all directions.

    It's the smallest root of det(fine - ratio^2 coarse) = 0, where both are the mean products of gradients: motion
    blurs in one direction alone.
    """
    fine, coarse = (_gradients(_band(grey, *widths)) for widths in (_FINE, _COARSE))
    if not np.linalg.det(coarse) > 1e-9:
        return 0.0
    ratios = np.linalg.eigvals(np.linalg.solve(coarse, fine)).real
    return float(np.sqrt(max(ratios.min(), 0.0)))


def _band(grey: Float32[np.ndarray, "size size"], narrow: float, wide: float) -> Float32[np.ndarray, "size size"]:
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), narrow) - cv2.GaussianBlur(grey, (0, 0), wide), np.float32)


def _gradients(band: Float32[np.ndarray, "size size"]) -> Float[np.ndarray, "2 2"]:
    across, down = cv2.Sobel(band, cv2.CV_32F, 1, 0)[_FACE], cv2.Sobel(band, cv2.CV_32F, 0, 1)[_FACE]
    return np.cov(np.stack([across, down]).astype(np.float64), bias=True)


def _inside(matrix: Float[np.ndarray, "2 3"], size: tuple[int, int]) -> float:
    """Return the part of a face in its crop that lies inside of the picture."""
    rows, columns = np.nonzero(_FACE)
    places = transform_points(invert(matrix), np.column_stack([columns, rows]).astype(np.float64))
    return float(((places >= -0.5) & (places < np.array(size) - 0.5)).all(axis=1).mean())
