"""How far action units move a face, in millimetres: what an intensity means, on every head.

Heads bring shapes of the same names and different strengths. A unit at full intensity (FACS level E) moves its
landmarks as far as `FULL_MOVEMENT` says, so that an intensity is a movement from the person's own rest, and a level on
one head is the same level on another. Decision 0018 has the reasons.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from facskit.synthesis.head import MorphableHead

__all__ = ["FULL_MOVEMENT", "Movement", "millimetres"]

EYE_DISTANCE = 62.0
"""Millimetres between the eyes of the face that movements are given for."""


@dataclass(frozen=True, kw_only=True)
class Movement:
    """Where and how far a unit moves the face."""

    right: tuple[int, ...]
    """Landmarks on the subject's right."""
    left: tuple[int, ...]
    """The same on the left."""
    millimetres: float
    """How far they move at full intensity, seen from the front."""


FULL_MOVEMENT: Mapping[int, Movement] = {
    1: Movement(right=(21,), left=(22,), millimetres=9.3),
    2: Movement(right=(18,), left=(25,), millimetres=10.5),
    4: Movement(right=(20, 21), left=(22, 23), millimetres=6.8),
    5: Movement(right=(37, 38), left=(43, 44), millimetres=3.9),
    6: Movement(right=(40, 41), left=(46, 47), millimetres=2.8),
    7: Movement(right=(40, 41), left=(46, 47), millimetres=4.2),
    9: Movement(right=(31,), left=(35,), millimetres=7.0),
    10: Movement(right=(50,), left=(52,), millimetres=4.6),
    12: Movement(right=(48,), left=(54,), millimetres=11.0),
    15: Movement(right=(48,), left=(54,), millimetres=7.0),
    20: Movement(right=(48,), left=(54,), millimetres=9.0),
}
"""Our choice, between the two heads' own: units that pull landmarks along the face. Others draw skin in (14), press or
roll lips (17, 23, 24, 28), or have a size of their own: AU25 opens the lips by `expressions.LIP_GAP`, AU43 closes the
eyes, AU26 takes half of the jaw's way."""


def millimetres(head: MorphableHead, displacement: Float[np.ndarray, "points 3"], landmarks: tuple[int, ...]) -> float:
    """Return how far landmarks move on average, seen from the front, on a face with eyes 62 mm apart.

    Args:
        head: Whose average face says how large the head is.
        displacement: How far each vertex moves, centimetres.
        landmarks: Numbers of iBUG landmarks.
    """
    marks = head.vertices[head.landmarks68]
    between_eyes = float(np.linalg.norm(marks[36:42].mean(0) - marks[42:48].mean(0)))
    moved = displacement[head.landmarks68[list(landmarks)], :2].mean(0)
    return float(np.linalg.norm(moved)) / between_eyes * EYE_DISTANCE
