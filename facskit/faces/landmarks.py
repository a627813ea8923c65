"""Facial landmarks: the 49- and 66-point schemes of the corpora inside the 68 iBUG points, and what crops need of them.

Everywhere in facskit landmarks are 68 points in pixels (x, y). A corpus with fewer points leaves the others NaN: the 66
points lack the inner mouth corners, 60 and 64 of 68 counted from 0; the 49 lack these and the jaw, 0 to 16.
"""

from itertools import chain

import numpy as np
from jaxtyping import Float

__all__ = [
    "INNER_MOUTH_CORNERS",
    "JAW",
    "MIRRORED_68",
    "OUTER_EYE_CORNERS",
    "POINTS_49",
    "POINTS_66",
    "box_of",
    "five_points",
    "to_49",
    "to_68",
]

JAW = tuple(range(17))
"""Points of 68 along the jaw, which the 49-point scheme lacks."""
OUTER_EYE_CORNERS = (36, 45)
"""Points of 68 at the outer ends of both eyes, whose distance errors of landmarks are measured by."""
INNER_MOUTH_CORNERS = (60, 64)
"""Points of 68 that both smaller schemes lack."""
POINTS_66 = tuple(point for point in range(68) if point not in INNER_MOUTH_CORNERS)
"""Where each of DISFA's 66 points stands among the 68."""
POINTS_49 = tuple(point for point in POINTS_66 if point not in JAW)
"""Where each of BP4D's 49 points stands among the 68; DISFA's points 18 to 66, counted from 1, are the same ones."""

_REFLECTED_RUNS = (
    range(16, -1, -1),  # jaw
    range(26, 16, -1),  # brows
    range(27, 31),  # nose bridge: on the axis
    range(35, 30, -1),  # nostrils
    range(45, 41, -1),  # eye on the image's left: upper lid from the outer to the inner corner,
    range(47, 45, -1),  # and lower lid
    range(39, 35, -1),  # the other eye
    range(41, 39, -1),
    range(54, 47, -1),  # outer lips, upper
    range(59, 54, -1),  # and lower
    range(64, 59, -1),  # inner lips
    range(67, 64, -1),
)
MIRRORED_68 = tuple(chain.from_iterable(_REFLECTED_RUNS))
"""Which of the 68 points takes each point's name in a mirror image: after `mirrored[MIRRORED_68]` point 36 is again the
outer corner of the eye on the image's left. Doing it twice changes nothing."""

_SCHEMES = {49: POINTS_49, 66: POINTS_66, 68: tuple(range(68))}


def to_68(points: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "68 2"]:
    """Put 49, 66 or 68 landmarks into the places of the 68 iBUG points, NaN where their scheme has none.

    Raises:
        ValueError: There is another number of points.
    """
    places = _SCHEMES.get(len(points))
    if places is None:
        raise ValueError(f"landmarks must be 49, 66 or 68 points, got {len(points)}")
    landmarks = np.full((68, 2), np.nan, points.dtype)
    landmarks[list(places)] = points
    return landmarks


def to_49(landmarks68: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, "49 2"]:
    """Return the 49 points that all corpora have: without the jaw and the inner mouth corners."""
    chosen: Float[np.ndarray, "49 2"] = landmarks68[list(POINTS_49)]
    return chosen


def five_points(landmarks68: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, "5 2"]:
    """Reduce the iBUG landmarks to eye centres, nose tip and mouth corners, as a detector gives them."""
    eyes = landmarks68[36:42].mean(axis=0), landmarks68[42:48].mean(axis=0)
    return np.stack([*eyes, landmarks68[30], landmarks68[48], landmarks68[54]])


_BOX_FROM_68 = (1.21, 0.12)
"""Side of the detector's box, and how far above the middle of the landmarks' bounds its centre lies; both in longer
sides of the bounds."""
_BOX_FROM_49 = (1.52, 0.015)
"""The same for landmarks without a jaw."""


def box_of(landmarks68: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, "4"]:
    """Return the box that the detector would draw around a face with these landmarks, forehead included.

    The landmarks end at the brows. Growth and rise were measured with CenterFace on packaged faces, so that crops made
    from landmarks and from detections show about the same: growth 1.21 with a standard deviation of 0.05 on 60 faces
    with all points, 1.52 with 0.08 on 120 faces without the jaw.

    Returns:
        Left, top, right, bottom of a square.
    """
    with_jaw = bool(np.isfinite(landmarks68[list(JAW)]).all())
    growth, rise = _BOX_FROM_68 if with_jaw else _BOX_FROM_49
    points = landmarks68[list(POINTS_66 if with_jaw else POINTS_49)]
    low, high = points.min(axis=0), points.max(axis=0)
    side = (high - low).max()
    middle = (low + high) / 2 - [0, rise * side]
    half = growth * side / 2
    return np.concatenate([middle - half, middle + half])
