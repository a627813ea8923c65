"""Tables from action units to shapes, one per head: which shapes, how strongly, make each action unit visible.

Weights are those at full intensity (FACS level E). Names of `muscle_shapes.BUMPS` are our own shapes, all others are
the head's. Decision 0016 has the reasons.
"""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["AU_SHAPES", "ShapeTable"]


@dataclass(frozen=True, kw_only=True)
class ShapeTable:
    """Shapes of each action unit, by its FACS number."""

    paired: Mapping[int, Mapping[str, float]]
    """Weight of each pair of shapes (`_L`, `_R`)."""
    central: Mapping[int, Mapping[str, float]]
    """Weight of each unpaired shape; the mean of both sides drives it."""
    rest: Mapping[str, float]
    """Weight of each pair of shapes at rest: what lets the average head as modelled look like somebody at rest."""
    lid_clearance: float = 0.0
    """How far lids keep off the eyeball, relative to its radius; 0 where the head's shapes see to it."""


ICT_FACEKIT = ShapeTable(
    paired={
        1: {"browInnerUp": 1.2, "innerBrowLift": 0.7},
        2: {"browOuterUp": 1.1, "outerBrowLift": 0.65},
        4: {"browDown": 1.25, "browSqueeze": 0.8},
        5: {"eyeWide": 1.5},
        6: {"cheekSquint": 0.9, "cheekRaiser": 0.5, "cheekLift": 0.5},
        7: {"eyeSquint": 1.4, "lowerLidLift": 1.1},
        9: {"noseSneer": 0.8, "noseWrinkle": 1.0, "browDown": 0.25},
        10: {"mouthUpperUp": 0.85},
        12: {"mouthSmile": 1.0},
        14: {"mouthDimple": 0.55, "mouthFrown": 0.6, "dimpleDent": 1.0, "mouthPress": 0.3},
        15: {"mouthFrown": 1.6},
        17: {"chinBoss": 1.0},
        20: {"mouthStretch": 0.9, "cornerStretch": 0.8},
        23: {"lipNarrow": 0.9},
        24: {"mouthPress": 1.2, "mouthFrown": 0.2, "lipPressBulge": 1.0},
        25: {"mouthLowerDown": 0.3},
        43: {"eyeBlink": 1.0},
    },
    central={
        17: {"mouthShrugLower": 0.9},
        23: {"mouthRollUpper": 0.5, "mouthRollLower": 0.5},
        24: {"mouthRollUpper": 0.5, "mouthRollLower": 0.55},
        25: {"jawOpen": 0.05},
        26: {"jawOpen": 0.52, "mouthClose": 0.50},
        28: {"mouthRollUpper": 1.0, "mouthRollLower": 1.0},
    },
    rest={"browHeight": -0.15, "mouthFrown": -0.2},
)

MAKEHUMAN = ShapeTable(
    paired={
        1: {"browInnerUp": 1.9, "innerBrowLift": 0.8},
        2: {"browOuterUp": 1.2, "outerBrowLift": 0.4},
        4: {"browDown": 1.0, "browSqueeze": 0.8},
        5: {"eyeWide": 1.0},
        6: {"cheekSquint": 1.0, "eyeSquint": 0.15, "cheekLift": 1.0},
        7: {"eyeSquint": 1.0, "lowerLidLift": 0.25},
        9: {"noseSneer": 1.5, "noseWrinkle": 0.6, "browDown": 0.3, "mouthUpperUp": 0.15, "cheekSquint": 0.2},
        10: {"mouthUpperUp": 1.45},
        12: {"mouthSmile": 0.68, "cheekSquint": 0.15},
        14: {"dimpleDent": 1.2},
        15: {"mouthFrown": 1.2},
        17: {"chinBoss": 1.2, "mouthFrown": 0.15},
        20: {"mouthStretch": 0.9, "cornerStretch": 0.5},
        23: {"lipNarrow": 0.9},
        24: {"lipPressBulge": 1.0, "lipNarrow": 0.3},
        25: {"mouthLowerDown": 0.3, "mouthUpperUp": 0.1},
        43: {"eyeBlink": 1.0},
    },
    central={
        17: {"mouthShrugLower": 0.85, "mouthShrugUpper": 0.6},
        23: {"mouthRollUpper": 0.5, "mouthRollLower": 0.5, "mouthPucker": 0.2},
        24: {"mouthRollUpper": 0.5, "mouthRollLower": 0.45, "mouthShrugLower": 0.45, "mouthShrugUpper": 0.15},
        25: {"jawOpen": 0.05},
        26: {"jawOpen": 0.5, "mouthClose": 0.5},
        28: {"mouthRollUpper": 1.0, "mouthRollLower": 1.0},
    },
    rest={"browHeight": 0.4, "eyeWide": 0.25},
    lid_clearance=0.04,
)

AU_SHAPES: Mapping[str, ShapeTable] = {"ict-facekit": ICT_FACEKIT, "makehuman": MAKEHUMAN}
"""Each head's table by the head's name."""
