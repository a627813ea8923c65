"""The animator: moves a person's head by action units, keeps lips shut that are closed, and lets lids follow the eyes.

Intensities run from 0 to 1 and are given per side of the face. Five steps of 0.2 are the FACS letters A to E, see
`level_of`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from facskit.action_units import RENDERED
from facskit.errors import DatasetError
from facskit.synthesis.au_shapes import AU_SHAPES
from facskit.synthesis.eyes import Eyeball, find_eyeballs
from facskit.synthesis.head import MorphableHead
from facskit.synthesis.movement import FULL_MOVEMENT, millimetres
from facskit.synthesis.muscle_shapes import BUMPS, GAP_PROFILE, add_muscle_shapes, lip_contacts
from facskit.synthesis.rest import RestingFace

__all__ = ["LEVEL_EDGES", "PRESENT_LEVEL", "Animator", "FacialAction", "level_of"]

LEVEL_EDGES = (0.06, 0.22, 0.42, 0.62, 0.82)
"""Lowest intensity of the FACS levels 1 to 5 (A to E); below the first there is none."""

PRESENT_LEVEL = 2
"""Lowest level that counts as an occurrence, as in DISFA."""

LIP_GAP = 0.9
"""Opening between the lips at full intensity of AU25, centimetres at the middle of the mouth."""
SHUT_GAP = -0.02
"""Opening between lips that are closed, centimetres: a little overlap, so that no teeth show through."""
SHUT_PROFILE = np.array([4.0, 1.5, 1.0, 1.5, 4.0])
"""The overlap at each station; more towards the corners, where the lips' edges are farther from the stations."""
SUCK_GAP = 0.3
"""How much farther lips close that are sucked in (AU28), as their inner edges then lie behind the outer ones."""
PARTING_INTENSITY = 0.35
"""Intensity of AU25 from which other muscles' pull opens the lips freely; below, the lips hold on to each other."""
PRESSING = (17, 23, 24, 28)
"""Units that close lips which are apart at rest."""
FULLY_PRESSED = 0.3
"""Sum of their intensities at which the lips have met."""
LIDS = (("L", (43, 44), (47, 46)), ("R", (37, 38), (41, 40)))
"""Landmarks of upper and lower lid that meet when an eye closes, by side."""
SHUT_INTENSITY = 0.9
"""Intensity of AU43 from which eyes are closed."""
LID_OVERLAP = 0.02
"""How far closed lids overlap, centimetres."""
LID_REACH = 2.2
"""Distance from an eye's centre within which the face's vertices are lids, centimetres."""
GAZE_RANGE = np.radians(30)
"""Turn of the eyes at which the lids follow with the full shape, radians."""


@dataclass(frozen=True, kw_only=True)
class FacialAction:
    """What the muscles of a face do at one moment."""

    left: Float[np.ndarray, " aus"]
    """Intensity of each rendered action unit on the subject's left, 0 to 1."""
    right: Float[np.ndarray, " aus"]
    """The same on the right."""
    gaze: tuple[float, float] = (0.0, 0.0)
    """Pitch (up) and yaw (to the subject's left) of the eyes in the head, radians; the lids follow."""
    lid_lowering: float = 0.0
    """How far both upper lids hang without any action, as a part of closing."""
    lip_parting: float = 0.0
    """How far the lips are apart without any action, centimetres at the middle of the mouth."""

    def side(self, side: str, number: int) -> float:
        """Return the intensity of an action unit on side `L` or `R`."""
        return float((self.left if side == "L" else self.right)[RENDERED.index(number)])

    def mean(self, number: int) -> float:
        """Return the mean intensity of an action unit over both sides."""
        return (self.side("L", number) + self.side("R", number)) / 2


class Animator:
    """Moves a head's face by action units."""

    def __init__(self, head: MorphableHead) -> None:
        """Prepare the shapes.

        Args:
            head: A head as loaded; `self.head` is the one with our own shapes, for `Renderer` and `neutral`.

        Raises:
            DatasetError: The head is unknown or lacks a shape.
        """
        if head.name not in AU_SHAPES:
            raise DatasetError(f"no table of shapes for the head {head.name!r}; known are {', '.join(AU_SHAPES)}")
        self._table = AU_SHAPES[head.name]
        pairs = [*_asset_shapes(self._table.paired), *_asset_shapes({0: self._table.rest})]
        needed = [f"{name}_{side}" for name in pairs for side in "LR"]
        needed += _asset_shapes(self._table.central)
        for name in needed:
            if name not in head.shape_index:
                raise DatasetError(f"the head has no expression shape {name!r}; action units can't be drawn without it")
        self.head = add_muscle_shapes(head)
        self._row = self.head.shape_index
        self._sides = np.stack([self._shape_matrix("L"), self._shape_matrix("R")])
        self._calibrate()
        self._at_ease = np.zeros(len(self.head.expression))
        for name, weight in self._table.rest.items():
            self._at_ease[[self._row[f"{name}_L"], self._row[f"{name}_R"]]] = weight
        self._contacts = lip_contacts(self.head)
        self._lids = self._find_lids() if self._table.lid_clearance else []
        self._contact_shapes = self.head.expression[:, self._contacts, 1]

    def shape_weights(self, action: "FacialAction") -> Float[np.ndarray, " shapes"]:
        """Return the weight of each shape, before the lips' contact."""
        weights = action.left @ self._sides[0] + action.right @ self._sides[1]
        self._drop_jaw(weights, action)
        self._move_lids(weights, action)
        return weights

    def at_rest(self, neutral: Float32[np.ndarray, "points 3"], rest: RestingFace) -> Float32[np.ndarray, "points 3"]:
        """Return a person's own neutral head, with the pulls of their face at rest.

        Args:
            neutral: The person's head as its identity shapes it, centimetres.
            rest: How their face rests.

        Returns:
            Vertex positions in centimetres, for `animate`.
        """
        pulls = rest.left @ self._sides[0] + rest.right @ self._sides[1]
        weights = self._at_ease + pulls
        weights[[self._row["browHeight_L"], self._row["browHeight_R"]]] += rest.brow_height
        return neutral + self.head.displacement(weights)

    def animate(
        self, neutral: Float32[np.ndarray, "points 3"], action: "FacialAction"
    ) -> Float32[np.ndarray, "points 3"]:
        """Return a person's head with an expression.

        Lips meet exactly when AU25 is absent, whatever else pulls at them, and part as far as AU25 says when it is
        present: the label and the picture can't contradict each other.

        Args:
            neutral: The person's expressionless head, centimetres.

        Returns:
            Vertex positions in centimetres.
        """
        weights = self.shape_weights(action)
        self._close_eyes(weights, neutral, action)
        heights = neutral[self._contacts, 1] + np.tensordot(weights, self._contact_shapes, axes=1)
        opening = heights[0] - heights[1]
        parted = action.mean(25)
        free = np.maximum(opening, 0) * min(1.0, parted / PARTING_INTENSITY)
        shut = SHUT_GAP * SHUT_PROFILE - SUCK_GAP * action.mean(28) * GAP_PROFILE
        shut += action.lip_parting * (1 - _pressed(action)) * GAP_PROFILE
        wanted = np.maximum(LIP_GAP * parted * GAP_PROFILE, free) + shut * (1 - min(1.0, 5 * parted))
        change = wanted - opening
        upper_share = np.where(change < 0, 0.45, 0.25)
        for station, (amount, share) in enumerate(zip(change, upper_share, strict=True)):
            weights[self._row[f"lipUpper{station}"]] = amount * share
            weights[self._row[f"lipLower{station}"]] = amount * (1 - share)
        return self._lids_on_eyes(neutral + self.head.displacement(weights))

    def _close_eyes(
        self, weights: Float[np.ndarray, " shapes"], neutral: Float32[np.ndarray, "points 3"], action: "FacialAction"
    ) -> None:
        """Let lids meet on every person where AU43 says that the eyes are closed: one blink doesn't fit all eyes."""
        for side, upper, lower in LIDS:
            shut = min(1.0, action.side(side, 43) / SHUT_INTENSITY)
            if shut == 0:
                continue
            blink = self._row[f"eyeBlink_{side}"]
            weights[blink] = 0
            lids = self.head.landmarks68[[upper, lower]]
            moved = np.tensordot(weights, self.head.expression[:, lids, 1], axes=1)
            opening = np.subtract(*(neutral[lids, 1] + moved))
            closing = -np.subtract(*self.head.expression[blink, lids, 1])
            weights[blink] = shut * float(((opening + LID_OVERLAP) / closing).max())

    def _lids_on_eyes(self, points: Float32[np.ndarray, "points 3"]) -> Float32[np.ndarray, "points 3"]:
        """Push lids out of the eyeballs, which straight paths of a lid's vertices cut through."""
        for eyeball, lid in self._lids:
            ball = points[slice(*self.head.parts[eyeball.part])]
            centre = ball.mean(0) + eyeball.centre_offset
            least = np.median(np.linalg.norm(ball - centre, axis=1)) * (1 + self._table.lid_clearance)
            rays = points[lid] - centre
            distance = np.linalg.norm(rays, axis=1, keepdims=True)
            pushed = (distance < least) & (rays[:, 2:] > 0)
            points[lid] = np.where(pushed, centre + rays * (least / np.maximum(distance, 1e-6)), points[lid])
        return points

    def _find_lids(self) -> list[tuple[Eyeball, Int[np.ndarray, " lid"]]]:
        """Return each eyeball with the vertices of the face that may come to lie on it."""
        found = []
        face = np.arange(*self.head.parts["face"])
        for eyeball in find_eyeballs(self.head):
            centre = self.head.vertices[slice(*self.head.parts[eyeball.part])].mean(0) + eyeball.centre_offset
            near = np.linalg.norm(self.head.vertices[face] - centre, axis=1) < LID_REACH
            found.append((eyeball, face[near]))
        return found

    def _shape_matrix(self, side: str) -> Float[np.ndarray, "aus shapes"]:
        matrix = np.zeros((len(RENDERED), len(self.head.expression)))
        for number, shapes in self._table.paired.items():
            for name, weight in shapes.items():
                matrix[RENDERED.index(number), self._row[f"{name}_{side}"]] += weight
        for number, shapes in self._table.central.items():
            for name, weight in shapes.items():
                matrix[RENDERED.index(number), self._row[name]] += weight / 2
        return matrix

    def _calibrate(self) -> None:
        """Let each unit at full intensity move its landmarks as far as `FULL_MOVEMENT` says."""
        for number, movement in FULL_MOVEMENT.items():
            row = RENDERED.index(number)
            # Both sides act: in the middle of the face each moves the other's landmarks too.
            both = self.head.displacement(self._sides[:, row].sum(0))
            for side, marks in enumerate((movement.left, movement.right)):
                self._sides[side, row] *= movement.millimetres / millimetres(self.head, both, marks)

    def _drop_jaw(self, weights: Float[np.ndarray, " shapes"], action: "FacialAction") -> None:
        closed = 1 - min(1.0, action.mean(25) / PARTING_INTENSITY)
        weights[self._row["mouthClose"]] *= closed

    def _move_lids(self, weights: Float[np.ndarray, " shapes"], action: "FacialAction") -> None:
        pitch, yaw = action.gaze[0] / GAZE_RANGE, action.gaze[1] / GAZE_RANGE
        look = {"Up": max(pitch, 0.0), "Down": max(-pitch, 0.0)}
        for side, outwards in (("L", yaw), ("R", -yaw)):
            shut = action.side(side, 43)
            droop = action.lid_lowering * (1 - shut) * (1 - 0.7 * action.side(side, 5))
            weights[self._row[f"eyeBlink_{side}"]] += droop
            weights[self._row[f"eyeWide_{side}"]] *= 1 - shut
            weights[self._row[f"eyeSquint_{side}"]] *= 1 - 0.75 * shut
            weights[self._row[f"lowerLidLift_{side}"]] *= 1 - shut
            directions = look | {"Out": max(outwards, 0.0), "In": max(-outwards, 0.0)}
            for name, amount in directions.items():
                weights[self._row[f"eyeLook{name}_{side}"]] += amount * (1 - shut)


def _pressed(action: FacialAction) -> float:
    """Return how far pressing muscles have closed lips that are apart at rest, 0 to 1."""
    return min(1.0, sum(action.mean(number) for number in PRESSING) / FULLY_PRESSED)


def _asset_shapes(table: Mapping[int, Mapping[str, float]]) -> list[str]:
    return [name for shapes in table.values() for name in shapes if name not in BUMPS]


def level_of(intensity: float) -> int:
    """Return the FACS level of an intensity: 0 for none, 1 to 5 for the letters A to E.

    Args:
        intensity: 0 to 1.
    """
    return int(np.searchsorted(LEVEL_EDGES, intensity, side="right"))
