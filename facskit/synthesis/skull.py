"""The skull under the hair: how far the skin is from the middle of the head, in every direction."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from facskit.faces.drawing import blur, resize

__all__ = ["Skull", "direction"]

_CENTRE_ABOVE_BRIDGE = 1.3
_CENTRE_BEHIND_BRIDGE = 10.2
"""The middle of the skull seen from the bridge of the nose, centimetres."""


@dataclass(frozen=True, kw_only=True)
class Skull:
    """A person's skull."""

    centre: Float[np.ndarray, "3"]
    scalp: Float32[np.ndarray, "61 121"]
    """Distance from the centre to the skin, centimetres; rows from straight up to straight down, columns from -180 to
    180 degrees around, 0 being the front."""

    @classmethod
    def of(cls, vertices: Float[np.ndarray, "points 3"], landmarks: Int[np.ndarray, "68"]) -> "Skull":
        """Measure a head.

        Args:
            vertices: The head without expression, centimetres.
            landmarks: Vertex of each of the 68 landmarks.
        """
        centre = vertices[landmarks[27]] + np.array((0, _CENTRE_ABOVE_BRIDGE, -_CENTRE_BEHIND_BRIDGE))
        return cls(centre=centre, scalp=_scalp_distance(vertices - centre))

    def point(
        self, around: Float[np.ndarray, "*any"], above: Float[np.ndarray, "*any"], height: Float[np.ndarray, "*any"]
    ) -> Float[np.ndarray, "*any 3"]:
        """Return points over the skin.

        Args:
            around: Degrees from the front, positive to the subject's left.
            above: Degrees above the horizon.
            height: Centimetres over the skin.
        """
        return self.centre + (self.distance(around, above) + height)[..., None] * direction(around, above)

    def distance(
        self, around: Float[np.ndarray, "*any"], above: Float[np.ndarray, "*any"]
    ) -> Float[np.ndarray, "*any"]:
        """Return how far the skin is from the centre, centimetres; directions as for `point`."""
        rows, columns = self.scalp.shape
        row = np.clip(np.rint((90 - above) / 180 * (rows - 1)), 0, rows - 1).astype(int)
        column = np.clip(np.rint((around + 180) / 360 * (columns - 1)), 0, columns - 1).astype(int)
        return np.asarray(self.scalp[row, column], np.float64)


def direction(around: Float[np.ndarray, "*any"], above: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any 3"]:
    """Return unit vectors by degrees from the front and above the horizon."""
    side, up = np.radians(around), np.radians(above)
    return np.stack((np.sin(side) * np.cos(up), np.sin(up), np.cos(side) * np.cos(up)), axis=-1)


def _scalp_distance(points: Float[np.ndarray, "points 3"]) -> Float32[np.ndarray, "61 121"]:
    """Measures the head from its middle, 3 degrees a cell; cells that no vertex falls into take their neighbours'."""
    rows, columns = 21, 41
    distance = np.linalg.norm(points, axis=1)
    above = np.degrees(np.arcsin(points[:, 1] / distance))
    around = np.degrees(np.arctan2(points[:, 0], points[:, 2]))
    row = np.rint((90 - above) / 180 * (rows - 1)).astype(int)
    column = np.rint((around + 180) / 360 * (columns - 1)).astype(int)
    near = (distance < 17) & ~((np.abs(points[:, 0]) > 7.2) & (points[:, 1] < 0))  # without the ears
    farthest = np.zeros((rows, columns), np.float32)
    np.maximum.at(farthest, (row[near], column[near]), distance[near].astype(np.float32))
    farthest[0] = farthest[:2].max()
    farthest[:, [0, -1]] = farthest[:, [0, -1]].max(1, keepdims=True)
    known = (farthest > 0).astype(np.float32)
    filled = farthest.copy()
    for sigma in (0.7, 1.5, 3.0, 6.0):
        weight = blur(known, sigma)
        spread = blur(farthest * known, sigma) / np.maximum(weight, 1e-3)
        filled = np.where((filled <= 0) & (weight > 0.02), spread, filled)
    return resize(np.ascontiguousarray(np.maximum(filled, 6.0)), (121, 61))
