"""Eyeballs that turn: where each eye's centre is, which way it looks, and how its picture wraps around it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8

from facskit.faces.drawing import sample
from facskit.synthesis.drawn_details import drawn_iris
from facskit.synthesis.head import MorphableHead
from facskit.synthesis.linear_light import toned
from facskit.synthesis.looks import Looks

__all__ = ["EYE_TEXTURE_DEGREES", "Eyeball", "find_eyeballs", "paint_eyeball"]

EYE_TEXTURE_DEGREES = 80.0
"""Angle from the eye's axis at the edge of its square texture."""
_SCLERA_DEGREES = 56.0
"""As far as drawn veins of the sclera reach."""


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


def paint_eyeball(looks: Looks, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """Colour an eyeball: pupil, iris with a dark rim or drawn fibres, and sclera.

    Args:
        size: Height and width of the texture in texels; its middle is on the eye's axis.

    Returns:
        RGB.
    """
    across = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    degrees = np.hypot(across[:, None], across) * EYE_TEXTURE_DEGREES
    wanders = np.random.default_rng(looks.seed)
    pupil_edge, iris_edge = wanders.uniform(8, 13), wanders.uniform(24, 27)
    from_pupil = np.clip((degrees - pupil_edge) / (iris_edge - pupil_edge), 0, 1)
    from_iris = np.clip((degrees - iris_edge) / (_SCLERA_DEGREES - iris_edge), 0, 1)
    iris, sclera = (np.full((size, size, 3), rgb, np.float32) for rgb in (looks.iris_rgb, looks.sclera_rgb))
    if looks.drawn_iris:
        turn = np.arctan2(across[:, None], across) / (2 * np.pi) + wanders.uniform(0, 1)
        fibres, veins = drawn_iris(looks.drawn_iris)
        iris = toned(iris, _around(fibres, from_pupil, turn))
        sclera = toned(sclera, _around(veins, from_iris, turn))
    else:
        iris *= (1.25 - 0.75 * from_pupil[..., None] ** 3).astype(np.float32)
    yellowed = sclera - np.array((0, 8, 10)) / 255 * _ramp(degrees, 55.0, 30.0)
    colours = _mix(np.array((10, 8, 8)) / 255, iris, _ramp(degrees, pupil_edge, 2.0))
    return np.clip(255 * _mix(colours, yellowed, _ramp(degrees, iris_edge, 2.5)), 0, 255).astype(np.uint8)


def _around(
    factors: Float32[np.ndarray, "rows columns 3"],
    outwards: Float[np.ndarray, "size size"],
    turn: Float[np.ndarray, "size size"],
) -> Float32[np.ndarray, "size size 3"]:
    """Look up factors on colour by distance, 0 to 1, and direction, in turns."""
    rows, columns = factors.shape[:2]
    wrapped = np.concatenate([factors[:, -2:], factors, factors[:, :3]], axis=1)
    places = (turn % 1) * columns + 2
    return sample(wrapped, places.astype(np.float32), (outwards * (rows - 1)).astype(np.float32))


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


def _ramp(degrees: Float[np.ndarray, "size size"], edge: float, width: float) -> Float[np.ndarray, "size size 1"]:
    return np.clip((degrees - edge) / width + 0.5, 0, 1)[..., None]
