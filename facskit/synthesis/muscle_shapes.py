"""Expression shapes of our own, for muscles that the head asset's shapes hardly show, and for the contact of the lips.

Each is a smooth bump of displacement around a place that the average head's landmarks give, so that it fits any head
with the 68 landmarks. Lengths are centimetres on the average head; the tables describe the subject's left side.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from facskit.synthesis.head import MorphableHead

__all__ = ["GAP_PROFILE", "add_muscle_shapes", "lip_contacts"]

Vector = tuple[float | int, float | int, float | int]

GAP_PROFILE = np.array([0.35, 0.8, 1.0, 0.8, 0.35])
"""The opening of parted lips at each station along the mouth, relative to the middle."""

_MOVING_PARTS = ("face", "eyelash_left", "eyelash_right")


@dataclass(frozen=True, kw_only=True)
class Bump:
    """A displacement that fades like a Gaussian bell around a point."""

    landmarks: tuple[int, ...]
    """The bell's centre is the mean of these landmarks..."""
    offset: Vector = (0.0, 0.0, 0.0)
    """...moved by this."""
    move: Vector
    """Displacement at the centre."""
    radius: Vector
    """Standard deviation of the bell along x, y and z."""


BUMPS: dict[str, tuple[Bump, ...]] = {
    "innerBrowLift": (
        Bump(landmarks=(22, 23), offset=(-0.2, 0.1, 0), move=(-0.02, 0.55, 0.02), radius=(0.9, 0.8, 2)),
        Bump(landmarks=(22, 23), offset=(-0.2, 1.4, 0), move=(0, 0.3, 0), radius=(1.1, 0.9, 2)),
    ),
    "outerBrowLift": (
        Bump(landmarks=(24, 25), offset=(0.5, 0.1, 0), move=(0.0, 0.45, -0.03), radius=(1.1, 0.75, 2)),
        Bump(landmarks=(24, 25), offset=(0.5, 1.3, 0), move=(0, 0.25, 0), radius=(1.2, 0.9, 2)),
    ),
    "browHeight": (Bump(landmarks=(24,), offset=(0, 0.35, 0), move=(0, 1.2, -0.1), radius=(3.5, 0.7, 5)),),
    "browSqueeze": (
        Bump(landmarks=(22, 23), offset=(-0.1, 0.0, 0), move=(-0.28, -0.32, 0.12), radius=(0.8, 0.7, 2)),
        Bump(landmarks=(22,), offset=(-0.75, -0.3, 0), move=(0.0, -0.15, 0.18), radius=(0.35, 0.8, 2)),
    ),
    "noseWrinkle": (
        Bump(landmarks=(35,), offset=(0.15, 0.35, -0.2), move=(0.10, 0.38, 0.05), radius=(0.55, 0.55, 1)),
        Bump(landmarks=(28,), offset=(0.5, 0.3, -0.4), move=(0.0, 0.25, 0.2), radius=(0.4, 0.7, 1)),
        Bump(landmarks=(27,), offset=(0.55, 0.9, 0), move=(-0.15, -0.3, 0.12), radius=(0.7, 0.6, 1.5)),
    ),
    "lowerLidLift": (Bump(landmarks=(46, 47), offset=(0, -0.1, 0), move=(0, 0.24, 0.03), radius=(1.0, 0.38, 2)),),
    "cheekLift": (
        Bump(landmarks=(46,), offset=(0.3, -1.5, 0), move=(-0.05, 0.5, 0.3), radius=(1.3, 0.8, 2)),
        Bump(landmarks=(45,), offset=(0.5, 0.0, 0), move=(-0.15, 0.05, 0.0), radius=(0.6, 0.8, 2)),
    ),
    "dimpleDent": (
        Bump(landmarks=(54,), offset=(0.55, 0.12, -0.2), move=(0.0, 0.0, -0.45), radius=(0.4, 0.7, 1.5)),
        Bump(landmarks=(54,), offset=(1.5, 0.2, -0.5), move=(0.05, 0.05, 0.25), radius=(0.5, 0.9, 1.5)),
        Bump(landmarks=(54,), move=(0.25, 0.0, -0.25), radius=(0.6, 0.5, 1.5)),
    ),
    "cornerStretch": (Bump(landmarks=(54,), move=(0.55, 0.0, -0.25), radius=(1.0, 0.9, 2)),),
    "lipNarrow": (
        Bump(landmarks=(54,), move=(-0.45, 0.0, 0.12), radius=(1.0, 0.8, 1.5)),
        Bump(landmarks=(51, 57), move=(0.0, 0.0, 0.12), radius=(1.3, 0.7, 1.5)),
    ),
    "lipPressBulge": (
        Bump(landmarks=(52,), offset=(-0.2, 0.35, 0), move=(0.0, 0.0, 0.2), radius=(1.2, 0.3, 1.5)),
        Bump(landmarks=(56,), offset=(-0.2, -0.4, 0), move=(0.0, 0.05, 0.22), radius=(1.2, 0.3, 1.5)),
        Bump(landmarks=(54,), offset=(0.3, 0, 0), move=(0.0, 0.0, 0.15), radius=(0.4, 0.6, 1.5)),
    ),
    "chinBoss": (
        Bump(landmarks=(8, 57), offset=(0.4, -0.2, 0), move=(0.0, 0.3, 0.25), radius=(0.7, 0.6, 2)),
        Bump(landmarks=(57,), offset=(0.3, -0.6, 0), move=(0.0, 0.15, -0.15), radius=(1.2, 0.3, 2)),
    ),
}
"""The shapes, each for the subject's left; their mirror images make the right."""


def add_muscle_shapes(head: MorphableHead) -> MorphableHead:
    """Append the shapes above, `_L` and `_R`, and those that open the lips, `lipUpper0`.. and `lipLower0`...

    A lip shape moves one lip by one centimetre, away from the other, at one of five
    stations along the mouth.

    Args:
        head: A head with the 68 landmarks and a `jawOpen` shape.

    Returns:
        The head with the additional expression shapes.
    """
    moving = _part_mask(head, _MOVING_PARTS)[:, None]
    shapes: dict[str, Float32[np.ndarray, "points 3"]] = {}
    for name, bumps in BUMPS.items():
        for side, mirror in (("L", np.array([1.0, 1, 1])), ("R", np.array([-1.0, 1, 1]))):
            offsets = sum(_bump(head, bump, mirror) for bump in bumps)
            shapes[f"{name}_{side}"] = (offsets * moving).astype(np.float32)
    return head.with_shapes(shapes | _lip_shapes(head))


def _bump(head: MorphableHead, bump: Bump, mirror: Float[np.ndarray, "3"]) -> Float[np.ndarray, "points 3"]:
    centre = head.vertices[head.landmarks68[list(bump.landmarks)]].mean(0) + np.array(bump.offset)
    distance = (head.vertices - centre * mirror) / np.array(bump.radius)
    return np.exp(-0.5 * (distance**2).sum(1, keepdims=True)) * np.array(bump.move) * mirror


def lip_contacts(head: MorphableHead) -> Int[np.ndarray, "2 stations"]:
    """Return the vertices of upper and lower lip whose opening is measured, from the subject's right to the left.

    Three are landmarks; between those and the mouth's corners lies one more on each side.

    Args:
        head: A head with the 68 landmarks and a `jawOpen` shape.
    """
    points = head.vertices[head.landmarks68]
    lower = _jaw_share(head) > 0.25
    contacts = np.empty((2, len(GAP_PROFILE)), dtype=np.int64)
    contacts[:, 1:4] = head.landmarks68[[[61, 62, 63], [67, 66, 65]]]
    for station, corner, upper_mark, lower_mark in ((0, 60, 61, 67), (4, 64, 63, 65)):
        for lip, mark in enumerate((upper_mark, lower_mark)):
            distance = np.linalg.norm(head.vertices - (points[corner] + points[mark]) / 2, axis=1)
            distance[lower != bool(lip)] = np.inf
            distance[: head.parts["face"][0]] = distance[head.parts["face"][1] :] = np.inf
            contacts[lip, station] = int(distance.argmin())
    return contacts


def _jaw_share(head: MorphableHead) -> Float[np.ndarray, " points"]:
    """Return how much vertices drop with the jaw: 1 as much as the middle of the lower lip, 0 not at all."""
    jaw = head.expression[head.shape_index["jawOpen"]][:, 1]
    return np.clip(jaw / jaw[head.landmarks68[66]], 0, 1)


def _lip_shapes(head: MorphableHead) -> dict[str, Float32[np.ndarray, "points 3"]]:
    """Build the vertical movement of each lip at each station: hats along the mouth, fading away from the lip."""
    points = head.vertices[head.landmarks68]
    contacts = lip_contacts(head)
    x, y, z = head.vertices.T
    near = _part_mask(head, ("face", "mouth_socket")) * np.clip((z - points[60, 2] + 2.0) / 1.5, 0, 1)
    middle = head.vertices[contacts].mean(0)
    edges = np.array([points[60, 0], *middle[:, 0], points[64, 0]])
    line = np.interp(x, edges, [points[60, 1], *middle[:, 1], points[64, 1]])
    # Towards the corners the lower lip drops less with the jaw; it is still the lower lip.
    jaw = _jaw_share(head)
    lower = np.clip(jaw / np.interp(x, edges[1:-1], jaw[contacts[1]]), 0, 1)
    shapes = {}
    for index in range(len(middle)):
        hat = np.interp(x, edges, np.eye(len(edges))[index + 1])
        for lip, share, thickness, sign in (("Upper", 1 - lower, 0.8, 1.0), ("Lower", lower, 1.0, -1.0)):
            beyond = np.maximum(sign * (y - line) - thickness, 0)
            fade = np.exp(-0.5 * (beyond / 0.7) ** 2)
            offsets = np.zeros_like(head.vertices)
            offsets[:, 1] = sign * hat * share * fade * near
            shapes[f"lip{lip}{index}"] = offsets
    return shapes


def _part_mask(head: MorphableHead, parts: tuple[str, ...]) -> Float32[np.ndarray, " points"]:
    mask: Bool[np.ndarray, " points"] = np.zeros(len(head.vertices), dtype=bool)
    for part in parts:
        if part in head.parts:
            mask[slice(*head.parts[part])] = True
    return mask.astype(np.float32)
