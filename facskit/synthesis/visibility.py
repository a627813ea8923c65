"""Which action units a picture can't show, and why: outside of the picture, turned away, or covered."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from facskit.synthesis.looks import Looks

__all__ = ["hidden_units"]

_PLACES: Mapping[tuple[int, ...], tuple[int, ...]] = {
    (1, 2, 4): (17, 18, 19, 20, 21, 22, 23, 24, 25, 26),
    (5, 6, 7, 43): (36, 39, 42, 45),
    (9,): (27, 31, 35),
    (10, 12, 14, 15, 20, 23, 24, 25, 28): (48, 51, 54, 57),
    (17, 26): (6, 8, 10),
}
"""The landmarks that a group of units moves."""
_DARK = 0.35
"""Tint of the lenses from which eyes can't be seen."""
_THICK = 0.6
"""Moustache and beard from which lips and chin can't be seen."""
_TURNED = np.radians(60)
"""Turn of the head from which half of the face is hidden."""


def hidden_units(
    looks: Looks, landmarks: Float[np.ndarray, "68 2"], pose: Float[np.ndarray, "3"], size: int
) -> dict[int, str]:
    """Say which action units can't be seen.

    Args:
        looks: Glasses and beard.
        landmarks: Columns and rows on the picture, pixels.
        pose: Pitch, yaw and roll, radians.
        size: Height and width of the picture in pixels.

    Returns:
        The reason by the unit's number: `turned`, `outside`, `glasses` or `beard`.
    """
    hidden: dict[int, str] = {}
    if looks.glasses is not None and looks.glasses.tint >= _DARK:
        hidden |= dict.fromkeys((5, 6, 7, 43), "glasses")
    if looks.goatee >= _THICK:
        hidden[17] = "beard"
    if looks.moustache >= _THICK:
        hidden |= dict.fromkeys((23, 24, 28), "beard")
    for units, marks in _PLACES.items():
        places = landmarks[list(marks)]
        inside = ((places >= 0) & (places < size)).all(1)
        if inside.mean() < 0.5:
            hidden |= dict.fromkeys(units, "outside")
        if abs(pose[1]) > _TURNED:
            hidden |= dict.fromkeys(units, "turned")
    return dict(sorted(hidden.items()))
