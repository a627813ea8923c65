"""Eyeballs that turn: where each eye's centre is, which way it looks, and how its picture wraps around it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8

from facskit.synthesis.head import MorphableHead
from facskit.synthesis.looks import Looks

__all__ = ["EYE_TEXTURE_DEGREES", "Eyeball", "axis_degrees", "find_eyeballs", "paint_eyeball"]

EYE_TEXTURE_DEGREES = 80.0
"""Angle from the eye's axis at the edge of its square texture."""


@dataclass(frozen=True, kw_only=True)
class Eyeball:
    """One eye of the average head, at rest."""

    part: str
    """Name of the head's part that holds the sclera."""
    centre_offset: Float32[np.ndarray, "3"]
    """From the mean of the sclera's vertices to the centre of its sphere, centimetres."""
    axis: Float32[np.ndarray, "3"]
    """Unit vector along which the modelled eye looks."""
    texture_coordinates: Float32[np.ndarray, "points 2"]
    """Position of each sclera vertex on the eye's texture: angle from the axis outwards from the middle."""

    def turned(
        self, vertices: Float32[np.ndarray, "points 3"], yaw: float, pitch: float
    ) -> Float32[np.ndarray, "points 3"]:
        """Turn the sclera's vertices about the eye's centre until the eye looks in a direction.

        Args:
            vertices: The sclera's vertices, centimetres.
            yaw: Angle towards the subject's left, degrees.
            pitch: Angle upwards, degrees.

        Returns:
            The turned vertices.
        """
        across, up = np.radians(yaw), np.radians(pitch)
        target = np.array([np.sin(across) * np.cos(up), np.sin(up), np.cos(across) * np.cos(up)])
        centre = vertices.mean(0) + self.centre_offset
        turn = _rotation_between(self.axis, target)
        return ((vertices - centre) @ turn.T + centre).astype(np.float32)


def find_eyeballs(head: MorphableHead) -> tuple[Eyeball, Eyeball]:
    """Measure both eyes of a head.

    Args:
        head: A head with parts `sclera_left` and `sclera_right`.

    Returns:
        The left and the right eyeball.
    """
    left, right = (_measure(head, f"sclera_{side}") for side in ("left", "right"))
    return left, right


def _measure(head: MorphableHead, part: str) -> Eyeball:
    start, stop = head.parts[part]
    vertices = head.vertices[start:stop]
    # The back half is a sphere; the cornea bulges out of the front half.
    centre = _sphere_centre(vertices[vertices[:, 2] < np.median(vertices[:, 2])])
    rays = vertices - centre
    distance = np.linalg.norm(rays, axis=1, keepdims=True)
    bulge = np.argsort(distance[:, 0])[-12:]
    axis = (rays / distance)[bulge].mean(0)
    axis /= np.linalg.norm(axis)
    along = np.clip((rays / distance) @ axis, -1, 1)
    angle = np.degrees(np.arccos(along)) / EYE_TEXTURE_DEGREES
    side = np.cross([0.0, 1.0, 0.0], axis)
    side /= np.linalg.norm(side)
    around = np.stack([rays @ side, rays @ np.cross(axis, side)], axis=1)
    around /= np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-9)
    return Eyeball(
        part=part,
        centre_offset=(centre - vertices.mean(0)).astype(np.float32),
        axis=axis.astype(np.float32),
        texture_coordinates=(0.5 + 0.5 * np.minimum(angle, 1.0)[:, None] * around).astype(np.float32),
    )


def axis_degrees(size: int) -> Float[np.ndarray, "size size"]:
    """Return the angle from the eye's axis at each texel of its texture, degrees.

    Args:
        size: Height and width of the eye's texture in texels.
    """
    line = (np.arange(size) + 0.5) / size * 2 - 1
    return np.hypot(line[:, None], line[None, :]) * EYE_TEXTURE_DEGREES


def paint_eyeball(looks: Looks, angles: Float[np.ndarray, "points"]) -> UInt8[np.ndarray, "points 3"]:
    """Colour an eyeball.

    Args:
        angles: Degrees between each point and the direction of gaze, seen from the eyeball's centre.

    Returns:
        Pupil, iris with a dark rim, and sclera, as RGB.
    """
    iris, sclera = 255 * np.array(looks.iris_rgb), 255 * np.array(looks.sclera_rgb)
    wanders = np.random.default_rng(looks.seed)
    pupil_edge, iris_edge = wanders.uniform(8, 13), wanders.uniform(24, 27)
    ring = np.clip((angles - pupil_edge) / (iris_edge - pupil_edge), 0, 1)[:, None]
    colours = iris * (1.25 - 0.75 * ring**3)
    colours = _mix(np.array((10, 8, 8.0)), colours, _ramp(angles, pupil_edge, 2.0))
    colours = _mix(colours, sclera - np.array((0, 8, 10)) * _ramp(angles, 55.0, 30.0), _ramp(angles, iris_edge, 2.5))
    return np.clip(colours, 0, 255).astype(np.uint8)


def _sphere_centre(points: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "3"]:
    system = np.column_stack([2 * points, np.ones(len(points))])
    return np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0][:3]


def _rotation_between(start: Float[np.ndarray, "3"], target: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Rotate about the axis perpendicular to both vectors (Rodrigues' formula)."""
    cross = np.cross(start, target)
    skew = np.array([[0, -cross[2], cross[1]], [cross[2], 0, -cross[0]], [-cross[1], cross[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1 + start @ target)


def _mix(
    first: Float[np.ndarray, "..."], second: Float[np.ndarray, "..."], share: float | Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    return first * (1 - share) + second * share


def _ramp(angles: Float[np.ndarray, "points"], edge: float, width: float) -> Float[np.ndarray, "points 1"]:
    return np.clip((angles - edge) / width + 0.5, 0, 1)[:, None]
