"""Tension of the skin: how strongly it folds where an expression pushes it together.

Across each line of `crease_lines` lie pairs of points of the mesh. What they come closer, relative to the person's
rest, is the compression there; at that of the unit at full intensity on the average head, the folds are deepest. So
folds follow the movement, whichever units make it: a smile deepens crow's feet, a wrinkled nose the furrow between the
brows.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.spatial import Delaunay

from facskit.action_units import RENDERED
from facskit.synthesis.atlas import TEXTURE_SIZE, face_texels
from facskit.synthesis.crease_lines import GROOVES, Groove
from facskit.synthesis.expressions import Animator, FacialAction
from facskit.synthesis.head import MorphableHead

__all__ = ["TENSE", "Folds", "SkinTension", "unit_intensities"]

Folds = Literal["tension", "units"]
"""What folds the skin: its `tension`, or the `units` themselves, each its own folds."""

TENSE = (1, 2, 4, 6, 9, 10, 12)
"""Units whose folds lie across the pull. Folds of the others - a dimple, pressed lips, a raised chin - come from skin
that is drawn in or bulges, which compression doesn't show; these follow the unit's intensity."""
_REACH = 9.0
"""Distance of the measured points from a line, texels."""
_STEPS = 5
"""Pairs of points along a line."""
_DEEPEST = 1.2
"""Largest depth, relative to the unit's own."""


@dataclass(frozen=True, kw_only=True)
class _Points:
    """Places on the mesh: mixtures of three vertices each."""

    vertices: Int[np.ndarray, "places 3"]
    weights: Float[np.ndarray, "places 3"]

    def on(self, mesh: Float32[np.ndarray, "points 3"]) -> Float[np.ndarray, "places 3"]:
        return np.einsum("pk,pkc->pc", self.weights, mesh[self.vertices])


class _Chart:
    """Finds places of the face's texture on the mesh."""

    def __init__(self, head: MorphableHead) -> None:
        texels, self._vertices = face_texels(head)
        self._mesh = Delaunay(texels)

    def find(self, texels: Float[np.ndarray, "places 2"]) -> _Points:
        triangle = self._mesh.find_simplex(texels)
        to_corners = self._mesh.transform[triangle]
        first_two = np.einsum("pij,pj->pi", to_corners[:, :2], texels - to_corners[:, 2])
        weights = np.concatenate((first_two, 1 - first_two.sum(1, keepdims=True)), axis=1)
        return _Points(vertices=self._vertices[self._mesh.simplices[triangle]], weights=weights)


class SkinTension:
    """Measures the compression across the lines in which one head's skin folds."""

    def __init__(self, animator: Animator) -> None:
        """Find the points on both sides of each line, and how far the average head compresses there.

        Args:
            animator: Whose head moves.
        """
        chart = _Chart(animator.head)
        self._pairs: dict[str, tuple[_Points, _Points]] = {}
        for number in TENSE:
            near, far = _both_sides_of([groove for groove in GROOVES if groove.action == number])
            self._pairs[f"AU{number:02d}_R"] = (chart.find(near), chart.find(far))
            self._pairs[f"AU{number:02d}_L"] = (chart.find(_mirrored(near)), chart.find(_mirrored(far)))
        average = animator.head.vertices
        rest = animator.animate(average, _only(None))
        self._full: dict[str, float] = {}
        for number in TENSE:
            compressed = self._compression(rest, animator.animate(average, _only(number)))
            self._full |= {key: compressed[key] for key in (f"AU{number:02d}_L", f"AU{number:02d}_R")}

    def creases(
        self, rest: Float32[np.ndarray, "points 3"], posed: Float32[np.ndarray, "points 3"], action: FacialAction
    ) -> dict[str, float]:
        """Return how deep the folds of each unit and side are, 0 to 1.2, keyed like `AU04_L`.

        Args:
            rest: The person's own rest, centimetres.
            posed: The same head with the action.
            action: What the muscles do; gives the folds that compression doesn't show.
        """
        depths = unit_intensities(action)
        for key, compression in self._compression(rest, posed).items():
            depths[key] = float(np.clip(compression / self._full[key], 0, _DEEPEST))
        return depths

    def _compression(
        self, rest: Float32[np.ndarray, "points 3"], posed: Float32[np.ndarray, "points 3"]
    ) -> dict[str, float]:
        """Return by how much of their distance at rest the points across each unit's lines come closer, on average."""
        found = {}
        for key, (near, far) in self._pairs.items():
            before = np.linalg.norm(near.on(rest) - far.on(rest), axis=1)
            after = np.linalg.norm(near.on(posed) - far.on(posed), axis=1)
            found[key] = float(np.mean(1 - after / before))
        return found


def unit_intensities(action: FacialAction) -> dict[str, float]:
    """Return the intensities by unit and side, keyed like `AU04_L`."""
    return {
        f"{unit.code}_{side}": float(values[row])
        for side, values in (("L", action.left), ("R", action.right))
        for row, unit in enumerate(RENDERED)
    }


def _both_sides_of(grooves: list[Groove]) -> tuple[Float[np.ndarray, "places 2"], Float[np.ndarray, "places 2"]]:
    """Return texels on one side of some lines, and those that face them on the other side."""
    near, far = [], []
    for groove in grooves:
        corners = np.array(groove.points, np.float64)
        along, steps = np.linspace(0, 1, len(corners)), np.linspace(0.1, 0.9, _STEPS)
        points = np.stack([np.interp(steps, along, corners[:, axis]) for axis in range(2)], axis=-1)
        direction = np.gradient(points, axis=0)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        across = _REACH * direction[:, ::-1] * (-1, 1)
        near.append(points - across)
        far.append(points + across)
    return np.concatenate(near), np.concatenate(far)


def _mirrored(texels: Float[np.ndarray, "places 2"]) -> Float[np.ndarray, "places 2"]:
    return np.stack((TEXTURE_SIZE - 1 - texels[:, 0], texels[:, 1]), axis=-1)


def _only(number: int | None) -> FacialAction:
    """Return the action of one unit at full intensity, or of none."""
    units = np.array([float(each == number) for each in RENDERED.numbers])
    return FacialAction(left=units, right=units)
