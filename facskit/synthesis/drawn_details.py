"""Details that artists drew: MakeHuman's brows, lashes and irises (CC0), which a part of the people have.

`tools/package_details.py` makes the asset: each detail straightened, so that it goes onto a face of any shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Shaped

from facskit.synthesis.linear_light import to_linear
from facskit.synthesis.looks import Looks

__all__ = [
    "ASSET",
    "BROWS",
    "BROW_REACH",
    "IRISES",
    "LASHES",
    "DrawnBrow",
    "choose_details",
    "drawn_brow",
    "drawn_iris",
    "drawn_lashes",
]

ASSET = Path(__file__).parent.parent / "assets" / "details" / "makehuman.npz"
BROWS = 12
LASHES = 4
IRISES = 9
BROW_REACH = 0.2
"""How far a drawn brow's picture reaches above and below its middle line, in lengths of the brow."""
WITH_DRAWN_BROWS = 0.5
"""Share of people whose brows are drawn by an artist; the others' are painted hair by hair."""
WITH_DRAWN_LASHES = 0.6
"""Share of people whose lashes are drawn; the others' are a shade."""
WITH_DRAWN_IRIS = 0.6
"""Share of people whose irises have drawn fibres; the others' have a dark rim only."""
_BRIGHTEST = 3.0
"""Largest factor on the colour of an iris."""
_FLOOR = 0.01
"""Linear light that is added before dividing, so that nearly black channels of dark irises stay calm."""


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
        drawn_iris=_draw_number(IRISES, WITH_DRAWN_IRIS, rng),
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


@cache
def drawn_iris(number: int) -> tuple[Float32[np.ndarray, "rows columns 3"], Float32[np.ndarray, "rows columns 3"]]:
    """Return factors on the colour of an iris and on that of the sclera around it, in linear light.

    Args:
        number: 1 to 9.

    Returns:
        For the iris, from the pupil's edge to its own, and for the sclera from there on: a row for each distance, a
        column for each direction; the first and the last columns follow each other around the eye.
    """
    iris, sclera = (
        to_linear(picture.astype(np.float32) / np.float32(255)) + np.float32(_FLOOR)
        for picture in (_load()["irises"][number - 1], _load()["sclera"])
    )
    # Veins only: an eyeball is shaded by the lamps. They fade out, as beyond the last ring nothing is known.
    fading = np.linspace(1, 0, len(sclera), dtype=np.float32)[:, None, None]
    return np.minimum(iris / iris.mean((0, 1)), _BRIGHTEST), 1 + fading * (sclera / sclera.mean(1, keepdims=True) - 1)


def _draw_number(count: int, share: float, rng: np.random.Generator) -> int:
    """Draw 1 to `count`, or 0 for people who have none; both chances are taken in any case."""
    has, number = rng.random() < share, int(rng.integers(1, count + 1))
    return number if has else 0


@cache
def _load() -> Mapping[str, Shaped[np.ndarray, "..."]]:
    with np.load(ASSET, allow_pickle=False) as archive:
        return dict(archive)
