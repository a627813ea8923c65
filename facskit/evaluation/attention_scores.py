"""Attention in numbers, whether a network looks at the right place: its maps against the predefined ones, per AU.

A predefined map is a bump around each of an action unit's (AU's) two centres. Its **region** is where it's at least
half as high as a bump can be. Three numbers say how a predicted map fits:

- the share of its **mass** inside the region; the region's share of the **area** is what a map without preference gets,
  the **fixed** share what the mean predefined map gets, drawn at the same place on every face without looking at it,
  and the predefined map's own share is what a **perfect** copy gets;
- the **pointing game**: how often its highest place lies in the region.

A map that is 0 everywhere has no preference: its mass counts as spread evenly and its highest place as a miss.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from facskit.action_units import ActionUnitSet
from facskit.evaluation.confusion_counts import PerAU, divide
from facskit.tables import MISSING, TextTable, percent_cell

__all__ = ["AttentionScores", "AttentionTally", "attention_table"]

_HALF = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class AttentionScores:
    """How predicted attention maps fit the predefined ones, the mean over faces; NaN for an AU without any."""

    action_units: ActionUnitSet
    """What the entries of the arrays mean."""
    num_faces: Int64[np.ndarray, "aus"]
    """Faces whose landmarks say where the AU shows, inside the crop."""
    mass: PerAU
    """Share of the predicted map's mass inside the region."""
    area: PerAU
    """Share of the crop that is the region: the mass of a map without preference."""
    fixed: PerAU
    """Share of the mean predefined map's mass inside the region: what looking at the face must beat."""
    perfect: PerAU
    """Share of the predefined map's own mass inside the region."""
    pointing: PerAU
    """Share of the faces whose predicted map is highest inside the region."""


class AttentionTally:
    """Adds up how maps fit, batch by batch, on the maps' device."""

    def __init__(self, action_units: ActionUnitSet) -> None:
        self.action_units = action_units
        self._sums: Float64[Tensor, "numbers aus"] = torch.zeros(5, len(action_units), dtype=torch.float64)
        self._maps: Float64[Tensor, "kinds aus cells"] = torch.zeros(2, len(action_units), 1, dtype=torch.float64)

    def add(self, predicted: Float[Tensor, "batch aus map map"], targets: Float[Tensor, "batch aus map map"]) -> None:
        """Count a batch.

        Args:
            predicted: What the network's maps are; what is below 0 counts as 0.
            targets: The predefined maps, from 0 to 1; NaN where it isn't known where the AU shows.
        """
        maps, wanted = predicted.float().clamp(min=0).flatten(2), targets.float().flatten(2)
        region = wanted >= _HALF  # False for NaN
        counted = region.any(dim=2)
        wanted = torch.where(counted.unsqueeze(2), wanted, 0)
        area = region.float().mean(dim=2)
        total = maps.sum(dim=2)
        inside = (maps * region).sum(dim=2)
        mass = torch.where(total > 0, inside / total.clamp(min=1e-12), area)
        perfect = (wanted * region).sum(dim=2) / wanted.sum(dim=2).clamp(min=1e-12)
        highest = maps.argmax(dim=2, keepdim=True)
        pointing = region.gather(2, highest).squeeze(2) & (total > 0)
        numbers = torch.stack([torch.ones_like(mass), mass, area, perfect, pointing.float()])
        # Sums in 64 bits on the CPU: millions of faces would lose digits in 32, and not every device has 64.
        self._sums += (numbers * counted).cpu().double().sum(dim=1)
        self._maps = self._maps + torch.stack([wanted, region.float()]).cpu().double().sum(dim=1)

    def scores(self) -> AttentionScores:
        """Return the means over all faces so far."""
        faces, *sums = self._sums.numpy()
        mass, area, perfect, pointing = (divide(values, faces) for values in sums)
        wanted, region = self._maps.numpy()
        return AttentionScores(
            action_units=self.action_units,
            num_faces=faces.astype(np.int64),
            mass=mass,
            area=area,
            fixed=divide((wanted * region).sum(axis=1), wanted.sum(axis=1) * faces),
            perfect=perfect,
            pointing=pointing,
        )


def attention_table(scores: AttentionScores, title: str) -> TextTable:
    """Return the numbers as a table, their means in the last row."""
    columns = (scores.mass, scores.area, scores.fixed, scores.perfect, scores.pointing)
    rows = []
    for place, unit in enumerate(scores.action_units):
        shares = [percent_cell(column[place]) for column in columns]
        rows.append((unit.code, unit.name, f"{scores.num_faces[place]:,}", *shares))
    defined = scores.num_faces > 0
    means = [MISSING] * len(columns)
    if defined.any():
        means = [percent_cell(float(column[defined].mean())) for column in columns]
    return TextTable(
        title=title,
        header=("AU", "Name", "Faces", "Mass inside %", "Area %", "Fixed %", "Perfect %", "Pointing %"),
        rows=(*rows, ("Mean", "", "", *means)),
        num_text=2,
        strong_rows={len(rows)},
        notes=(
            "Mass inside: share of the attention within the half-height region of the predefined map. A map without "
            "preference gets its area, the mean predefined map at the same place on every face gets fixed, a copy of "
            "the predefined map gets perfect.",
            "Pointing: faces on which the map is highest inside that region.",
        ),
    )
