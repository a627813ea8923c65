"""Hair of cards: strips with pictures of strands and holes between them, from MakeHuman (CC0).

`tools/package_hair.py` puts them onto the packaged head; on other heads and people they keep their height over the
skin.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int, Int32, UInt8

from facskit.synthesis.head import load_head
from facskit.synthesis.looks import HairStyle, Looks
from facskit.synthesis.skull import Skull
from facskit.synthesis.solids import SolidMesh

__all__ = ["ASSET", "STYLES", "build_cards", "choose_cards"]

ASSET = Path(__file__).parent.parent / "assets" / "hair" / "makehuman.npz"
STYLES: Mapping[str, tuple[HairStyle, ...]] = {
    "afro01": ("short", "bob"),
    "bob01": ("bob",),
    "bob02": ("bob",),
    "braid01": ("long", "bun"),
    "long01": ("long",),
    "ponytail01": ("long", "bun"),
    "short01": ("short",),
    "short02": ("short",),
    "short03": ("short",),
    "short04": ("short",),
}
"""Each of MakeHuman's styles, and which of ours it may stand for."""
WITH_CARDS = 0.6
"""Share of people whose hair is made of cards, where their style allows it."""
_LEAST_ABOVE = -10.0
"""Degrees above the horizon below which hair hangs, and no longer follows the shape of what is under it."""
_FACE_AROUND, _FACE_ABOVE = 56.0, 19.0
"""Where the face is free of hair: degrees from the front, and degrees above the horizon as far as the brows."""
_LIFT = 0.15
"""How much farther from the skin than modelled, centimetres: coarse maps of the skull must not let it through."""


@dataclass(frozen=True, kw_only=True)
class _Cards:
    points: Float32[np.ndarray, "points 3"]
    """On the packaged head's average, centimetres."""
    triangles: Int32[np.ndarray, "faces 3"]
    uv: Float32[np.ndarray, "points 2"]
    strands: UInt8[np.ndarray, "side side 2"]
    """Brightness, and how solid."""


def choose_cards(looks: Looks, rng: np.random.Generator) -> str:
    """Draw whether a person's hair is made of cards and, if so, which.

    Args:
        rng: The only source of chance.

    Returns:
        The name of the cards; empty for a shell.
    """
    fitting = [name for name, styles in STYLES.items() if looks.hair.style in styles]
    # Both are drawn in any case, so that a choice more for one person changes nobody else.
    with_cards, chosen = rng.random() < WITH_CARDS, int(rng.integers(max(len(fitting), 1)))
    return fitting[chosen] if with_cards and fitting else ""


def build_cards(looks: Looks, vertices: Float[np.ndarray, "points 3"], landmarks: Int[np.ndarray, "68"]) -> SolidMesh:
    """Put a person's hair of cards on their head.

    Args:
        looks: Names the cards, and gives the hair's colour.
        vertices: The person's head without expression, centimetres.
        landmarks: Vertex of each of the 68 landmarks.
    """
    cards, average = _load(looks.hair.cards), _average_skull()
    skull = Skull.of(vertices, landmarks)
    offset = cards.points - average.centre
    length = np.linalg.norm(offset, axis=1)
    around = np.degrees(np.arctan2(offset[:, 0], offset[:, 2]))
    above = np.maximum(np.degrees(np.arcsin(offset[:, 1] / length)), _LEAST_ABOVE)
    grown = length + skull.distance(around, above) - average.distance(around, above) + _LIFT
    brightness = cards.strands[..., :1].astype(np.float32)
    solid = cards.strands[..., 1:]
    shade = brightness / max(float(np.average(brightness, weights=solid)), 1.0)
    colour = np.clip(255 * np.array(looks.hair.colour, np.float32) * shade, 0, 255).astype(np.uint8)
    # Styles part on the subject's left as modelled.
    mirror = np.array((-1.0 if looks.hair.parting < 0 else 1.0, 1.0, 1.0))
    return SolidMesh(
        vertices=(skull.centre + mirror * offset * (grown / length)[:, None]).astype(np.float32),
        triangles=_cut_free(cards.triangles, around, above),
        colours=np.full((len(cards.points), 3), 255, np.uint8),
        strands=np.concatenate([colour, solid], axis=-1),
        strands_uv=cards.uv,
        specular=0.15,
    )


def _cut_free(
    triangles: Int32[np.ndarray, "faces 3"], around: Float[np.ndarray, " points"], above: Float[np.ndarray, " points"]
) -> Int32[np.ndarray, "kept 3"]:
    """Cut a fringe that would cover brows and eyes: what can't be seen can't be labelled."""
    covers = (np.abs(around[triangles]).mean(1) < _FACE_AROUND) & (above[triangles].mean(1) < _FACE_ABOVE)
    return triangles[~covers]


@cache
def _load(name: str) -> _Cards:
    with np.load(ASSET, allow_pickle=False) as archive:
        return _Cards(
            points=archive[f"{name}_points"].astype(np.float32),
            triangles=archive[f"{name}_triangles"].astype(np.int32),
            uv=archive[f"{name}_uv"].astype(np.float32),
            strands=archive[f"{name}_strands"],
        )


@cache
def _average_skull() -> Skull:
    head = load_head()
    return Skull.of(head.vertices, head.landmarks68)
