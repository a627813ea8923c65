"""People's heads: draws one person's identity coefficients, whatever kind of modes the head has."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from facskit.synthesis.head import IdentityTargets, MorphableHead
from facskit.synthesis.looks import Looks

__all__ = ["Identity", "draw_identity"]

SCAN_SPREAD = 0.9
"""Standard deviation of the coefficients of scanned people's modes; a little less than the scans' own, as extremes look
unreal."""

ANCESTRIES = ("caucasian", "african", "asian")
TARGET_AGES = (25.0, 90.0)
"""Years that the targets `young` and `old` show."""
MALE_WITHOUT_BEARD = 1 / 6
"""Share of men among people without a beard: with the 40 % bearded ones, half of all people are men, in every group of
skin tones."""
SIDES_DIFFER = 0.1
"""Standard deviation of a target's weight from side to side, relative to the weight."""
MOST = 0.9
"""Largest weight of a target."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The shape of one person's head."""

    coefficients: Float[np.ndarray, " modes"]
    """One per identity mode of the head."""
    male: float
    """0 for a woman's head to 1 for a man's; 0.5 where the head's modes don't say."""


def draw_identity(head: MorphableHead, looks: Looks, rng: np.random.Generator) -> Identity:
    """Draw a head that fits a person's age, skin tone and beard.

    Args:
        rng: The only source of chance.
    """
    if head.targets is None:
        return Identity(coefficients=SCAN_SPREAD * rng.standard_normal(head.num_modes), male=0.5)
    shares, male = _mixture(looks, rng)
    return Identity(coefficients=_weights(head.targets, shares, rng) - head.targets.average, male=male)


def _mixture(looks: Looks, rng: np.random.Generator) -> tuple[dict[str, float], float]:
    """Draw ancestry, sex and weight, and return the share of each word in the targets' names, and how male the head is.

    Ancestry follows the skin tone loosely, so that most shapes of head occur with most tones.
    """
    dark = (looks.skin_tone - 1) / 9
    ancestry = rng.dirichlet(
        0.35 * np.array((0.1 + 2 * (1 - dark) ** 2, 0.1 + 3 * dark**2, 0.3 + 2 * dark * (1 - dark)))
    )
    is_male = looks.stubble > 0 or rng.random() < MALE_WITHOUT_BEARD
    male = abs(float(is_male) - min(abs(rng.normal(0, 0.12)), 0.4))
    old = float(np.clip((looks.age - TARGET_AGES[0]) / (TARGET_AGES[1] - TARGET_AGES[0]), 0, 1))
    heavy = float(np.clip(rng.normal(-0.1, 0.4), -1, 1))
    shares = dict(zip(ANCESTRIES, ancestry.tolist(), strict=True))
    shares |= {"male": male, "female": 1 - male, "old": old, "young": 1 - old}
    return shares | {"minweight": max(-heavy, 0), "averageweight": 1 - abs(heavy), "maxweight": max(heavy, 0)}, male


def _weights(
    targets: IdentityTargets, shares: dict[str, float], rng: np.random.Generator
) -> Float[np.ndarray, " modes"]:
    """Return the weight of each target: products of shares for the mixed ones, chance for the others."""
    mixed = np.zeros(len(targets.names))
    for row in np.flatnonzero(targets.mode < 0):
        mixed[row] = np.prod([shares.get(word, 1.0) for word in targets.names[row].split("-")])
    own = rng.standard_normal(int(targets.mode.max()) + 1)[targets.mode] * targets.spread * targets.sign
    sides = 1 + SIDES_DIFFER * rng.standard_normal(len(own))
    return np.where(targets.mode < 0, mixed, np.clip(own, 0, MOST) * sides)
