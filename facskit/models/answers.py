"""What a network may answer beside presence, in words: for recipes, weight files and tables."""

from dataclasses import dataclass

__all__ = ["LEVELS", "PRESENCE_ALONE", "PRESENCE_LEVEL", "Answers"]

LEVELS = 5
"""FACS levels above "absent": A to E."""
PRESENCE_LEVEL = 2
"""The level from which an action unit counts as present: B."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Which answers a network gives beside presence; a recipe's objective and a weight file say so."""

    intensities: bool = False
    """An intensity from 0 to 5 of each action unit, from `answer_heads.IntensityScale`."""
    geometry: bool = False
    """Landmarks, head pose and gaze, from `answer_heads.GeometryHead`."""


PRESENCE_ALONE = Answers()
"""Nothing beside presence, or expressions."""
