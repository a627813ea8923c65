"""Prototypes of facial expressions: the action units that make each, from the literature.

Sources, cited at each prototype:

- EMFACS: Friesen & Ekman, *EMFACS-7: Emotional Facial Action Coding System*, unpublished manual, University of
  California at San Francisco, 1983.
- FACS 2002: Ekman, Friesen & Hager, *Facial Action Coding System: Investigator's Guide*, 2002, its table of emotion
  predictions (prototypes and major variants).
- Du 2014: Du, Tao & Martinez, *Compound facial expressions of emotion*, PNAS 111(15), 2014, Table 1: units seen in more
  than 70 % of 230 people posing an expression, and the share of people for those seen less often.

Units that the head can't draw (11, 16, 22, 27) are left out. A prototype is a convention of posed expressions, not
evidence of what somebody feels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from facskit.expressions import EXPRESSION_NAMES, ExpressionName

__all__ = ["EXPRESSION_PROTOTYPES", "DrawnExpression", "Prototype", "draw_expression"]


@dataclass(frozen=True, kw_only=True)
class Prototype:
    """One way to show an expression."""

    required: tuple[int, ...]
    """FACS numbers of the units that always act, at level 2 or more."""
    optional: Mapping[int, float] = field(default_factory=dict)
    """Chance of each further unit."""
    one_sided: bool = False
    """Whether the units act on one side of the face alone."""
    least_level: int = 2
    """Lowest level of the required units; higher where a weaker action would show nothing."""
    source: str
    """Where it is from."""


EXPRESSION_PROTOTYPES: dict[ExpressionName, tuple[Prototype, ...]] = {
    "neutral": (Prototype(required=(), source="by definition: no unit acts; traces remain"),),
    "happiness": (
        Prototype(required=(12, 25), optional={6: 0.51}, source="Du 2014"),
        Prototype(required=(6, 12), optional={25: 0.5}, source="FACS 2002: 6+12; parted lips are our choice"),
    ),
    "sadness": (
        Prototype(required=(4, 15), optional={1: 0.60, 6: 0.50, 17: 0.67}, source="Du 2014"),
        Prototype(required=(1, 4, 15), optional={17: 0.5}, source="FACS 2002: 1+4+15, 1+4+15+17"),
    ),
    "surprise": (
        Prototype(required=(1, 2, 25, 26), optional={5: 0.66}, source="Du 2014"),
        Prototype(required=(1, 2, 5, 25, 26), source="FACS 2002: 1+2+5+26, where a dropped jaw parts the lips"),
    ),
    "fear": (
        Prototype(required=(1, 4, 20, 25), optional={2: 0.57, 5: 0.63, 26: 0.33}, source="Du 2014"),
        Prototype(required=(1, 2, 4, 5, 20, 25), optional={26: 0.33}, source="FACS 2002: 1+2+4+5+20+25 or 26"),
    ),
    "disgust": (
        Prototype(required=(9, 10, 17), optional={4: 0.31, 24: 0.26}, source="Du 2014"),
        Prototype(required=(9,), optional={17: 0.5}, least_level=3, source="FACS 2002: 9, 9+17"),
        Prototype(required=(10, 17), least_level=3, source="FACS 2002: 10+17"),
    ),
    "anger": (
        Prototype(required=(4, 7, 24), optional={10: 0.26, 17: 0.52, 23: 0.29}, source="Du 2014"),
        Prototype(required=(4, 5, 7, 23), optional={17: 0.5}, source="FACS 2002: 4+5+7+23, 4+5+7+17+23"),
        Prototype(required=(4, 5, 7, 24), optional={17: 0.5}, source="FACS 2002: 4+5+7+24, 4+5+7+17+24"),
        Prototype(required=(4, 5, 7, 10, 23, 25), optional={26: 0.33}, source="FACS 2002: 4+5+7+10+23+25 or 26"),
    ),
    "contempt": (
        Prototype(required=(14,), one_sided=True, least_level=3, source="EMFACS, FACS 2002: 14 on one side"),
        Prototype(required=(12, 14), one_sided=True, least_level=3, source="EMFACS: 12+14 on one side"),
    ),
}
"""The ways to show each expression, each about as often."""

STRENGTHS = {2: 0.2, 3: 0.3, 4: 0.3, 5: 0.2}
"""Our choice: how often an expression as a whole has each FACS level, B to E."""
STRENGTH_SPREAD = {-1: 0.25, 0: 0.5, 1: 0.25}
"""Our choice: how a unit's level differs from the expression's."""
CLOSED_EYES_CHANCE = 0.03
"""Our choice: how often a picture catches a blink, where the upper lids aren't raised."""


@dataclass(frozen=True, kw_only=True)
class DrawnExpression:
    """An expression with the units that show it."""

    name: ExpressionName
    """The expression."""
    levels: Mapping[int, int]
    """FACS level, 2 to 5, by number of each acting unit."""
    one_sided: bool
    """Whether they act on one side alone."""
    eyes_closed: bool
    """Whether the eyes are caught closed."""


def draw_expression(rng: np.random.Generator) -> DrawnExpression:
    """Draw an expression, each as often as the others, one of its prototypes, and how strongly each unit acts.

    Args:
        rng: The only source of chance.
    """
    name = EXPRESSION_NAMES[rng.integers(len(EXPRESSION_NAMES))]
    ways = EXPRESSION_PROTOTYPES[name]
    way = ways[rng.integers(len(ways))]
    acting = [*way.required, *(number for number, chance in way.optional.items() if rng.random() < chance)]
    strength = int(rng.choice(list(STRENGTHS), p=list(STRENGTHS.values())))
    changes = rng.choice(list(STRENGTH_SPREAD), size=len(acting), p=list(STRENGTH_SPREAD.values()))
    levels = {}
    for number, change in zip(acting, changes.tolist(), strict=True):
        least = way.least_level if number in way.required else 2
        levels[number] = min(5, max(least, strength + change))
    return DrawnExpression(
        name=name,
        levels=levels,
        one_sided=way.one_sided,
        eyes_closed=bool(rng.random() < CLOSED_EYES_CHANCE) and 5 not in levels,
    )
