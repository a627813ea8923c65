"""The camera: the head's place in front of it, and where the head's points land in the picture."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

__all__ = ["View", "head_rotation", "openface_pose"]

PIVOT = np.array([0.0, -0.5, 4.0])
"""Point of the head, centimetres, that stays in place when the head turns: inside, between the ears."""
FACE_CENTRE = np.array([0.0, -0.2, 10.0])
"""Point of the head that an unturned, unshifted picture is centred on, centimetres."""
FACE_HEIGHT = 13.5
"""Centimetres from the chin to the brows of the average head, which `face_fill` of the picture's height shows."""


@dataclass(frozen=True, kw_only=True)
class View:
    """A perspective camera on the z axis, looking along -z at the head."""

    matrix: Float[np.ndarray, "4 4"]
    """From the head's coordinates to the camera's frame of reference (z towards the camera, centimetres)."""
    distance: float
    """Camera's distance from the frame's origin, centimetres."""
    degrees: float
    """Vertical angle of view."""
    size: int
    """Height and width of the picture in pixels."""

    def project(self, points: Float[np.ndarray, "points 3"]) -> Float32[np.ndarray, "points 2"]:
        """Return the pixel position (column, row) of each point; (0, 0) is the corner of the top left pixel.

        Args:
            points: Positions in the head's coordinates, centimetres.
        """
        placed = points @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        scale = self.size / 2 / np.tan(np.radians(self.degrees) / 2) / (self.distance - placed[:, 2])
        return np.stack([self.size / 2 + placed[:, 0] * scale, self.size / 2 - placed[:, 1] * scale], axis=1).astype(
            np.float32
        )


def head_rotation(yaw: float, pitch: float, roll: float) -> Float[np.ndarray, "3 3"]:
    """Return the head's rotation.

    Args:
        yaw: Degrees towards the subject's left.
        pitch: Degrees upwards.
        roll: Degrees of the head's top towards the picture's right.

    Returns:
        The matrix that pitches, then yaws, then rolls.
    """
    across, up, tilt = np.radians([yaw, -pitch, -roll])
    turn_x = np.array([[1, 0, 0], [0, np.cos(up), -np.sin(up)], [0, np.sin(up), np.cos(up)]])
    turn_y = np.array([[np.cos(across), 0, np.sin(across)], [0, 1, 0], [-np.sin(across), 0, np.cos(across)]])
    turn_z = np.array([[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]])
    return turn_z @ turn_y @ turn_x


def openface_pose(yaw: float, pitch: float, roll: float) -> Float32[np.ndarray, "3"]:
    """Convert head angles to OpenFace's `pose_Rx`, `pose_Ry`, `pose_Rz` in radians.

    OpenFace's axes point right, down and away from the camera, so that a positive `pose_Rx` looks down and a positive
    `pose_Ry` turns to the subject's right.

    Args:
        yaw: Degrees towards the subject's left.
        pitch: Degrees upwards.
        roll: Degrees of the head's top towards the picture's right.
    """
    return np.radians([-pitch, -yaw, roll]).astype(np.float32)


def head_matrix(rotation: Float[np.ndarray, "3 3"], shift: Float[np.ndarray, "2"]) -> Float[np.ndarray, "4 4"]:
    """Return the transformation that turns the head about its pivot and moves its face to the picture's centre.

    Args:
        shift: Additional movement to the right and up, centimetres.
    """
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = PIVOT - rotation @ PIVOT - FACE_CENTRE + [*shift, 0.0]
    return matrix
