"""The places where action units show on a face, and the attention maps that an attentive network is taught.

A rule takes two of the 68 landmarks, for most units the image's left and right one, and an offset up or down in rulers;
a ruler is the horizontal distance of the inner eye corners. No rule needs the jaw or the inner mouth corners, which the
smaller schemes of landmarks lack.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from facskit.action_units import ActionUnitSet
from facskit.models.attention_network import MAP_SCALE

__all__ = ["CENTRE_RULES", "CentreRule", "attention_targets", "unit_centres"]

_INNER_EYE_CORNERS = (39, 42)


@dataclass(frozen=True)
class CentreRule:
    """Where an action unit's two centres lie."""

    points: tuple[int, int]
    """Two of the 68 landmarks, counted from 0."""
    offset: float = 0.0
    """How far below them the centres lie, in rulers; negative above."""
    published: bool = True
    """Whether the rule is the one that CIU and its group's earlier networks share, rather than ours."""


_INNER_BROWS, _OUTER_BROWS, _MIDDLE_BROWS = (21, 22), (18, 25), (19, 24)
_UPPER_LIDS, _LOWER_LIDS, _NOSTRILS = (38, 43), (41, 46), (32, 34)
_UPPER_LIP, _MOUTH_CORNERS, _LIP_TOP_AND_BOTTOM, _LOWER_LIP = (61, 63), (48, 54), (51, 57), (56, 58)

CENTRE_RULES: Mapping[int, CentreRule] = MappingProxyType(
    {
        1: CentreRule(_INNER_BROWS, -1 / 2),
        2: CentreRule(_OUTER_BROWS, -1 / 3),
        4: CentreRule(_MIDDLE_BROWS, 1 / 3),
        5: CentreRule(_UPPER_LIDS, published=False),
        6: CentreRule(_LOWER_LIDS, 1.0),
        7: CentreRule(_UPPER_LIDS),
        9: CentreRule(_NOSTRILS, -1 / 2),
        10: CentreRule(_UPPER_LIP),
        12: CentreRule(_MOUTH_CORNERS),
        14: CentreRule(_MOUTH_CORNERS),
        15: CentreRule(_MOUTH_CORNERS),
        16: CentreRule(_LOWER_LIP, published=False),
        17: CentreRule(_LOWER_LIP, 1 / 2),
        18: CentreRule(_LIP_TOP_AND_BOTTOM, published=False),
        20: CentreRule(_MOUTH_CORNERS, published=False),
        22: CentreRule(_LIP_TOP_AND_BOTTOM, published=False),
        23: CentreRule(_LIP_TOP_AND_BOTTOM),
        24: CentreRule(_LIP_TOP_AND_BOTTOM),
        25: CentreRule(_LIP_TOP_AND_BOTTOM),
        26: CentreRule(_LOWER_LIP, 1 / 2),
        27: CentreRule(_LOWER_LIP, 1 / 2, published=False),
        28: CentreRule(_LIP_TOP_AND_BOTTOM, published=False),
        43: CentreRule(_UPPER_LIDS, published=False),
        45: CentreRule(_UPPER_LIDS, published=False),
    }
)
"""Number of an action unit -> its rule. Ours are those of the published unit that shows at the same place."""


def unit_centres(landmarks: Float[Tensor, "batch 68 2"], units: ActionUnitSet) -> Float[Tensor, "batch aus 2 2"]:
    """Return the two centres (x, y) of each action unit, in the landmarks' pixels.

    Args:
        landmarks: The 68 landmarks (x, y), in pixels with the first pixel's centre at 0; NaN where unknown.

    Returns:
        Two centres per face and unit; NaN where a landmark that the rule needs is.

    Raises:
        ValueError: There is no rule for a unit.
    """
    places, offsets = _tables(units, landmarks.device)
    centres = landmarks[:, places]
    left, right = _INNER_EYE_CORNERS
    rulers = (landmarks[:, left, 0] - landmarks[:, right, 0]).abs().unsqueeze(1)
    # A unit without an offset doesn't need the ruler: nothing times an unknown ruler would be unknown.
    shifts = torch.where(offsets == 0, 0, offsets * rulers)
    return torch.stack([centres[..., 0], centres[..., 1] + shifts.unsqueeze(2)], dim=-1)


def attention_targets(
    landmarks: Float[Tensor, "batch 68 2"],
    units: ActionUnitSet,
    *,
    image_size: int,
    spread: float = 3.0,
    rounded: bool = True,
) -> Float[Tensor, "batch aus map map"]:
    """Return the predefined attention map of each action unit: a Gaussian around either centre, the larger of both.

    Args:
        landmarks: The 68 landmarks (x, y), in pixels of the crop as the network sees it; NaN where unknown.
        image_size: Side of the crop in pixels; a map has a fourth as many cells (CIU: 176 and 44).
        spread: Standard deviation of the Gaussians, in cells of the map (paper: delta).
        rounded: Whether each centre moves to the middle of the nearest cell, as in the public code of CIU's group.

    Returns:
        Maps in [0, 1], row by row from the top; a unit with an unknown centre has a map of NaN.

    Raises:
        ValueError: There is no rule for a unit.

    Paper:
        CIU equations 10 and 11: M = max over both centres of exp(-((a - a')^2 + (b - b')^2) / (2 delta^2)).
    """
    centres = unit_centres(landmarks.float(), units) / MAP_SCALE
    if rounded:
        centres = torch.floor(centres + 0.5)
    cells = torch.arange(image_size // MAP_SCALE, dtype=centres.dtype, device=centres.device)
    # The Gaussian of a distance is the product of those of its parts: 2 x 44 exponentials rather than 44 x 44.
    parts = torch.exp(-((cells - centres.unsqueeze(-1)) ** 2) / (2 * spread**2))
    columns, rows = parts.unbind(dim=3)
    maps = rows.unsqueeze(-1) * columns.unsqueeze(-2)
    return torch.maximum(maps[:, :, 0], maps[:, :, 1])


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _tables(units: ActionUnitSet, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return what is kept; torch.compile looks through a cache into what fills it, and mustn't here."""
    return _kept_tables(units, device)


@lru_cache(maxsize=64)
def _kept_tables(units: ActionUnitSet, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the rules' landmarks and offsets, kept on the device: copying them would stop every step."""
    rules = []
    for unit in units:
        if unit.number not in CENTRE_RULES:
            known = ", ".join(f"AU{number:02d}" for number in CENTRE_RULES)
            raise ValueError(f"there is no rule where {unit.code} shows on a face; there are rules for {known}")
        rules.append(CENTRE_RULES[unit.number])
    with torch.inference_mode(mode=False):  # the cache outlives the caller's mode
        places = torch.tensor([rule.points for rule in rules], dtype=torch.long, device=device)
        offsets = torch.tensor([rule.offset for rule in rules], dtype=torch.float32, device=device)
    return places.view(-1, 2), offsets
