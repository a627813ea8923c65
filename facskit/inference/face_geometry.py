"""Landmarks, head pose and gaze of faces in the picture, from what a network says about their crops."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from facskit.faces.alignment import in_plane_turn, invert, transform_points
from facskit.faces.angles import MIRRORED_ANGLES
from facskit.faces.landmarks import MIRRORED_68

__all__ = ["FaceGeometry", "geometry_in_picture", "unmirrored"]

_POINTS = 68


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceGeometry:
    """Where the points of a face are, and how head and eyes are turned."""

    points: Float[np.ndarray, "68 2"]
    """The iBUG landmarks (x, y) in pixels of the picture."""
    deviations: Float[np.ndarray, "68"]
    """Standard deviation of each landmark along each axis, in pixels of the picture, as the network estimates it."""
    pose: Float[np.ndarray, "3"]
    """OpenFace's pitch (down), yaw (to the subject's right) and roll (the top to the picture's right), in degrees."""
    gaze: Float[np.ndarray, "2"]
    """Direction of the eyes relative to the head in degrees: up, and to the subject's left."""


def unmirrored(numbers: Float32[np.ndarray, "faces 209"], side: int) -> Float32[np.ndarray, "faces 209"]:
    """Return what is known of mirrored crops as it is in the crops themselves.

    Args:
        numbers: Points, deviations and angles, as `models.answer_heads.Geometry.numbers` has them.
        side: Side of the crops in pixels.
    """
    points = numbers[:, : 2 * _POINTS].reshape(-1, _POINTS, 2)[:, list(MIRRORED_68)]
    points = points * np.array([-1, 1], np.float32) + np.array([side - 1, 0], np.float32)
    deviations = numbers[:, 2 * _POINTS : 3 * _POINTS][:, list(MIRRORED_68)]
    angles = numbers[:, 3 * _POINTS :] * np.array(MIRRORED_ANGLES, np.float32)
    return np.concatenate([points.reshape(len(numbers), -1), deviations, angles], axis=1)


def geometry_in_picture(numbers: Float[np.ndarray, "209"], matrix: Float[np.ndarray, "2 3"]) -> FaceGeometry:
    """Take a face's geometry from its crop back to the picture.

    Args:
        numbers: Points, deviations and angles, as `models.answer_heads.Geometry.numbers` has them.
        matrix: From the picture's pixels to the crop's.
    """
    angles = numbers[3 * _POINTS :].astype(np.float64)
    # The crop turned the face upright; the picture's roll is the crop's less that turn.
    pose = angles[:3] - [0.0, 0.0, float(in_plane_turn(matrix[None])[0])]
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    return FaceGeometry(
        points=transform_points(invert(matrix), numbers[: 2 * _POINTS].reshape(_POINTS, 2)),
        deviations=numbers[2 * _POINTS : 3 * _POINTS] / zoom,
        pose=pose,
        gaze=angles[3:],
    )
