"""Faces at rest: people differ in them before any muscle acts.

Corners of the mouth point up or down, brows sit high or low, lids hang, and one side is a little unlike the other. All
of it belongs to a person's own neutral head, from which action units are counted: in FACS a unit is a change from the
person's rest, so none of this may say anything about a label.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from facskit.action_units import RENDERED

__all__ = ["RestingFace", "draw_rest"]

MOST = 0.12
"""Largest resting pull as an intensity: 0.6 FACS levels, of which each is 0.2 wide."""
BROW_HEIGHT, MOST_BROW_HEIGHT = 0.2, 0.45
"""Standard deviation and limit of the height at which people's brows lie, centimetres."""
_SPREAD: Mapping[int, float] = {
    1: 0.04,
    2: 0.04,
    4: 0.06,
    5: 0.06,
    6: 0.05,
    7: 0.06,
    9: 0.03,
    10: 0.04,
    14: 0.05,
    17: 0.06,
    20: 0.04,
    23: 0.04,
    24: 0.05,
}
"""Standard deviation of the resting pull of each unit, in both directions; our choice."""
_CORNERS_UP, _CORNERS_DOWN, _LIDS_SHUT = 12, 15, 43
_SIDES_DIFFER = 0.02
"""Standard deviation of what one side pulls more than the other."""
_APART = 0.12
"""Share of people whose lips are a little apart at rest."""


@dataclass(frozen=True, kw_only=True)
class RestingFace:
    """What one person's face does when it does nothing."""

    left: Float[np.ndarray, " aus"]
    """Pull of each rendered action unit's shapes on the subject's left; negative away from the unit."""
    right: Float[np.ndarray, " aus"]
    """The same on the right."""
    brow_height: float
    """How much higher than on the average head the brows lie, centimetres; negative is lower."""
    lip_parting: float
    """Opening between the lips, centimetres at the middle of the mouth."""

    def nuisance(self) -> dict[str, float]:
        """List everything that must have nothing to do with the labels, as numbers by name."""
        mean = (self.left + self.right) / 2
        pulled = {*_SPREAD, _CORNERS_UP, _CORNERS_DOWN, _LIDS_SHUT}
        numbers = {unit.code: float(mean[row]) for row, unit in enumerate(RENDERED) if unit.number in pulled}
        tilt = float(np.abs(self.left - self.right).max())
        return numbers | {"asymmetry": tilt, "brow_height": self.brow_height, "lip_parting": self.lip_parting}


def draw_rest(rng: np.random.Generator) -> RestingFace:
    """Draw how a person's face rests.

    Args:
        rng: The only source of chance.

    Returns:
        Pulls of at most 0.6 FACS levels.
    """
    pull = np.zeros(len(RENDERED))
    for number, spread in _SPREAD.items():
        pull[RENDERED.index(number)] = rng.normal(0, spread)
    brows = float(np.clip(rng.normal(0, BROW_HEIGHT), -MOST_BROW_HEIGHT, MOST_BROW_HEIGHT))
    corners = rng.uniform(-MOST, MOST)
    pull[RENDERED.index(_CORNERS_UP)], pull[RENDERED.index(_CORNERS_DOWN)] = max(corners, 0), max(-corners, 0)
    pull[RENDERED.index(_LIDS_SHUT)] = rng.uniform(0, MOST)
    apart = rng.random() < _APART
    parting = float(rng.uniform(0.04, 0.16))
    lopsided = rng.normal(0, _SIDES_DIFFER, len(RENDERED)) * (pull != 0)
    return RestingFace(
        left=np.clip(pull + lopsided, -MOST, MOST),
        right=np.clip(pull - lopsided, -MOST, MOST),
        brow_height=brows,
        lip_parting=parting if apart else 0.0,
    )
