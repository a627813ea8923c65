"""Glasses made of thin tubes: two rims, a bridge and two temples, with clear or tinted lenses."""

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from facskit.synthesis.looks import Glasses, Looks
from facskit.synthesis.solids import SolidMesh

__all__ = ["build_glasses"]

_RIM_STEPS = 40
_TUBE_SIDES = 8
# Our choice, by look, for frames as opticians sell them; centimetres.
_RIM_BEFORE_BRIDGE = 0.35
"""How far the rims stand in front of the bridge of the nose."""
_RIM_BELOW_EYE = 0.25
"""How far the rims' middle lies below the middle of the eye."""
_LEAST_GAP = 0.55
"""Half of the least distance between the rims."""
_BRIDGE_RISE = 0.35
"""How far the bridge arches above the rims."""
_TEMPLE_BESIDE_EAR = 0.5
"""How far the temples stand off the sides of the head."""
_EYES = ((range(36, 42), -1.0), (range(42, 48), 1.0))
"""Landmarks of each eye, and the direction of its temple along x."""


def build_glasses(
    looks: Looks, vertices: Float[np.ndarray, "points 3"], landmarks: Int[np.ndarray, "68"]
) -> list[SolidMesh]:
    """Put glasses on a head.

    Args:
        vertices: The person's head without expression, centimetres.
        landmarks: Vertex of each of the 68 landmarks.

    Returns:
        The frame, and the lenses if one can see them; nothing for people without glasses.
    """
    glasses = looks.glasses
    if glasses is None:
        return []
    marks = vertices[landmarks].astype(np.float64)
    rims = [_rim(glasses, marks, marks[list(eye)].mean(0), outward) for eye, outward in _EYES]
    paths = [(rim, True) for rim in rims] + [(_bridge(rims, marks), False)]
    paths += [(_temple(rim, marks, outward), False) for rim, (_, outward) in zip(rims, _EYES, strict=True)]
    tubes = [_tube(path, glasses.wire, closed) for path, closed in paths]
    meshes = [_joined(tubes, glasses.colour)]
    if glasses.tint > 0.02:
        meshes.append(_lenses(rims, glasses))
    return meshes


def _rim(
    glasses: Glasses, marks: Float[np.ndarray, "68 3"], eye: Float[np.ndarray, "3"], outward: float
) -> Float[np.ndarray, "steps 3"]:
    """A superellipse around the eye, in front of the bridge of the nose, bent back at the temple."""
    exponent = 4.5 - 2.5 * glasses.roundness
    turn = np.linspace(0, 2 * np.pi, _RIM_STEPS, endpoint=False)
    across = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / exponent) * glasses.width
    up = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** (2 / exponent) * glasses.height
    up = np.minimum(up, glasses.height * 0.95)
    middle = max(abs(eye[0]), glasses.width + _LEAST_GAP)
    front = marks[27, 2] + _RIM_BEFORE_BRIDGE
    bend = 0.05 * np.maximum(0, across + glasses.width) ** 2 * 0.6
    return np.stack((outward * (middle + across), eye[1] - _RIM_BELOW_EYE + up, front - bend), axis=-1)


def _bridge(
    rims: list[Float[np.ndarray, "steps 3"]], marks: Float[np.ndarray, "68 3"]
) -> Float[np.ndarray, "points 3"]:
    ends = [rim[np.argmin(np.abs(rim[:, 0]) + np.where(rim[:, 1] > rim[:, 1].mean(), 0, 9))] for rim in rims]
    along = np.linspace(0, 1, 9)[:, None]
    arch = np.sin(np.pi * along) * np.array((0.0, _BRIDGE_RISE, max(0.45, marks[27, 2] + 0.8 - ends[0][2])))
    return ends[0] * (1 - along) + ends[1] * along + arch


def _temple(
    rim: Float[np.ndarray, "steps 3"], marks: Float[np.ndarray, "68 3"], outward: float
) -> Float[np.ndarray, "points 3"]:
    start = rim[np.argmax(outward * rim[:, 0] + 0.5 * rim[:, 1])]
    ear = marks[16 if outward > 0 else 0]
    width = max(abs(ear[0]) + _TEMPLE_BESIDE_EAR, abs(start[0]) + 0.2)
    corners = np.stack(
        (
            start,
            (outward * (0.4 * abs(start[0]) + 0.6 * width), start[1], start[2] - 1.4),
            (outward * width, start[1] - 0.1, ear[2] + 1.5),
            (outward * width, start[1] - 0.6, ear[2] - 3.5),
        )
    )
    along = np.linspace(0, 3, 20)
    return np.stack([np.interp(along, np.arange(4), corners[:, axis]) for axis in range(3)], axis=-1)


def _tube(
    path: Float[np.ndarray, "steps 3"], radius: float, closed: bool
) -> tuple[Float[np.ndarray, "points 3"], Int[np.ndarray, "faces 3"]]:
    if closed:
        ahead, behind = np.roll(path, -1, 0), np.roll(path, 1, 0)
    else:
        ahead, behind = np.concatenate((path[1:], path[-1:])), np.concatenate((path[:1], path[:-1]))
    forward = ahead - behind
    forward /= np.maximum(np.linalg.norm(forward, axis=1, keepdims=True), 1e-9)
    helper = np.where(np.abs(forward[:, 2:]) > 0.8, np.array((0.0, 1.0, 0.0)), np.array((0.0, 0.0, 1.0)))
    first = np.cross(forward, helper)
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
    second = np.cross(forward, first)
    turn = np.linspace(0, 2 * np.pi, _TUBE_SIDES, endpoint=False)
    ring = np.cos(turn)[None, :, None] * first[:, None] + np.sin(turn)[None, :, None] * second[:, None]
    points = (path[:, None] + radius * ring).reshape(-1, 3)
    steps = len(path)
    step, side = np.mgrid[0 : steps if closed else steps - 1, 0:_TUBE_SIDES].reshape(2, -1)
    here, there = step * _TUBE_SIDES, (step + 1) % steps * _TUBE_SIDES
    following = (side + 1) % _TUBE_SIDES
    corners = np.stack(
        (here + side, here + following, there + side, here + following, there + following, there + side), -1
    )
    return points, corners.reshape(-1, 3)


def _joined(
    tubes: list[tuple[Float[np.ndarray, "_ 3"], Int[np.ndarray, "_ 3"]]], colour: tuple[float, float, float]
) -> SolidMesh:
    starts = np.cumsum([0] + [len(points) for points, _ in tubes[:-1]])
    vertices = np.concatenate([points for points, _ in tubes]).astype(np.float32)
    triangles = np.concatenate([faces + start for (_, faces), start in zip(tubes, starts, strict=True)])
    return SolidMesh(
        vertices=vertices, triangles=triangles.astype(np.int32), colours=_plain(colour, len(vertices)), specular=0.6
    )


def _lenses(rims: list[Float[np.ndarray, "steps 3"]], glasses: Glasses) -> SolidMesh:
    fans, faces = [], []
    for index, rim in enumerate(rims):
        fans.append(np.concatenate((rim.mean(0, keepdims=True), rim)))
        around = np.arange(_RIM_STEPS)
        fan = np.stack((np.zeros_like(around), 1 + around, 1 + (around + 1) % _RIM_STEPS), -1)
        faces.append(fan + index * (_RIM_STEPS + 1))
    vertices: Float32[np.ndarray, "points 3"] = np.concatenate(fans).astype(np.float32)
    return SolidMesh(
        vertices=vertices,
        triangles=np.concatenate(faces).astype(np.int32),
        colours=_plain((0.1, 0.1, 0.1), len(vertices)),
        opacity=glasses.tint,
        specular=0.8,
    )


def _plain(colour: tuple[float, float, float], count: int) -> UInt8[np.ndarray, "points 3"]:
    return np.broadcast_to(np.round(255 * np.array(colour)).astype(np.uint8), (count, 3)).copy()
