"""Details that artists drew: MakeHuman's brows and lashes (CC0), which a part of the people have.

`tools/package_details.py` makes the asset: each detail straightened, so that it goes onto a face of any shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Shaped

from facskit.synthesis.looks import Looks

__all__ = ["ASSET", "BROWS", "BROW_REACH", "LASHES", "DrawnBrow", "choose_details", "drawn_brow", "drawn_lashes"]

ASSET = Path(__file__).parent.parent / "assets" / "details" / "makehuman.npz"
BROWS = 12
LASHES = 4
BROW_REACH = 0.2
"""How far a drawn brow's picture reaches above and below its middle line, in lengths of the brow."""
WITH_DRAWN_BROWS = 0.5
"""Share of people whose brows are drawn by an artist; the others' are painted hair by hair."""

WITH_DRAWN_LASHES = 0.6
"""Share of people whose lashes are drawn; the others' are a shade."""


@dataclass(frozen=True, kw_only=True)
class DrawnBrow:
    """One brow, bent straight."""

    hairs: Float32[np.ndarray, "rows columns"]
    """How solid the hair is, 0 to 1, from the outer end to the inner one; 0 all along the edge."""
    bends: Float32[np.ndarray, "steps"]
    """How much its own middle line rises over the average drawn brow's, from the outer end to the inner, in lengths."""


def choose_details(looks: Looks, rng: np.random.Generator) -> Looks:
    """Draw which drawn details a person has.

    Args:
        rng: The only source of chance.

    Returns:
        The person with them.
    """
    return replace(
        looks,
        brows=replace(looks.brows, drawn=_draw_number(BROWS, WITH_DRAWN_BROWS, rng)),
        drawn_lashes=_draw_number(LASHES, WITH_DRAWN_LASHES, rng),
    )


@cache
def drawn_brow(number: int) -> DrawnBrow:
    """Return one of the drawn brows.

    Args:
        number: 1 to 12.
    """
    arrays = _load()
    hairs = np.pad(arrays["brows"][number - 1].astype(np.float32) / np.float32(255), 1)
    return DrawnBrow(hairs=hairs, bends=arrays["brow_bends"][number - 1].astype(np.float32))


def drawn_lashes(number: int) -> Float32[np.ndarray, "2 rows columns"]:
    """Return how solid drawn lashes are, 0 to 1, from the inner corner of the eye to the outer and from tip to root.

    Args:
        number: 1 to 4.

    Returns:
        Upper and lower ones.
    """
    hairs: Float32[np.ndarray, "2 rows columns"] = _load()["lashes"][number - 1].astype(np.float32) / np.float32(255)
    return hairs


def _draw_number(count: int, share: float, rng: np.random.Generator) -> int:
    """Draw 1 to `count`, or 0 for people who have none; both chances are taken in any case."""
    has, number = rng.random() < share, int(rng.integers(1, count + 1))
    return number if has else 0


@cache
def _load() -> Mapping[str, Shaped[np.ndarray, "..."]]:
    with np.load(ASSET, allow_pickle=False) as archive:
        return dict(archive)
