"""Hair, caps and headscarves: cards with strands for some people, for others a shell around the head.

The shell is a grid of meridians that start at the crown and run down all around the head: along the scalp as far as
the hairline, then, for long styles, hanging down behind the temples. Colours vary from meridian to meridian like
strands. No style covers the eyes, and hardly any hair the brows.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from facskit.faces.drawing import blur, resize
from facskit.synthesis.hair_cards import build_cards
from facskit.synthesis.looks import Hair, Looks
from facskit.synthesis.skull import Skull, direction
from facskit.synthesis.solids import SolidMesh

__all__ = ["build_hair"]

_MERIDIANS = 193
_SCALP_ROWS = 28
_HANGING_ROWS = 16

# Our choice, by look, here and in the two tables below.
_AROUND = (0, 25, 40, 50, 58, 64, 70, 80, 92, 105, 180)
"""Degrees from the front at which the hairlines below are given."""
_HAIRLINES: dict[str, tuple[float, ...]] = {
    "receding": (62, 60, 56, 44, 14, -6, -8, 4, -4, -26, -42),
    "short": (34, 34, 33, 27, 8, -8, -10, 3, -4, -26, -42),
    "bob": (33, 32, 28, 18, 2, 0, 0, 0, 0, 0, 0),
    "long": (36, 34, 28, 18, 2, 0, 0, 0, 0, 0, 0),
    "bun": (35, 34, 33, 28, 14, -2, -4, 4, -4, -26, -40),
    "cap": (27, 26, 24, 22, 18, 14, 11, 8, 4, 0, -10),
    "headscarf": (28, 26, 21, 10, 0, 0, 0, 0, 0, 0, 0),
}
"""Degrees above the horizon where the style ends, at each angle of `_AROUND`."""
_HANGS_FROM = {"bob": 57.0, "long": 57.0, "headscarf": 54.0}
"""Degrees from the front behind which the style hangs down."""


def build_hair(
    looks: Looks, vertices: Float[np.ndarray, "points 3"], landmarks: Int[np.ndarray, "68"]
) -> list[SolidMesh]:
    """Put hair (or a cap, or a headscarf) on a head.

    Args:
        vertices: The person's head without expression, centimetres.
        landmarks: Vertex of each of the 68 landmarks.

    Returns:
        Meshes in the head's coordinates; none for a bald head.
    """
    hair = looks.hair
    if hair.style == "bald":
        return []
    if hair.cards:
        return [build_cards(looks, vertices, landmarks)]
    rng = np.random.default_rng((looks.seed, 6))
    skull = Skull.of(vertices, landmarks)
    around = np.linspace(-180, 180, _MERIDIANS)
    shell = _scalp_rows(hair, skull, around, rng)
    hangs = np.abs(around) >= _HANGS_FROM.get(hair.style, 999.0)
    if hangs.any():
        shell = np.concatenate((shell, _hanging_rows(hair, shell[-1], skull.centre, rng)))
    elif hair.style == "cap":
        hangs = np.abs(around) <= 48
        shell = np.concatenate((shell, _visor(shell[-1], around)))
    meshes = [_mesh(shell, hangs, _colours(looks, shell.shape[:2], rng), hair)]
    if hair.style == "bun":
        meshes.append(_bun(looks, skull, rng))
    return meshes


def _scalp_rows(
    hair: Hair, skull: Skull, around: Float[np.ndarray, "meridians"], rng: np.random.Generator
) -> Float[np.ndarray, "rows meridians 3"]:
    ends = np.interp(np.abs(around), _AROUND, _HAIRLINES[hair.style])
    front = np.clip(1 - np.abs(around) / 60, 0, 1)
    if hair.style not in ("cap", "headscarf"):
        ends = ends + front**0.5 * (12 * (hair.hairline - 0.75)) + (_waves(rng, 2.4) + _waves(rng, 0.5)) * front
        if hair.fringe > 0 and hair.style in ("short", "bob", "long"):
            low = 27 - 10 * hair.fringe + 1.5 * _waves(rng, 0.8) + 4 * (around / 45 + hair.parting) ** 2 / 4
            ends = np.where(np.abs(around) < 52, np.minimum(ends, low), ends)
        ends = np.maximum(ends, np.where(np.abs(around) < 45, 16, -90))
    share = np.linspace(0, 1, _SCALP_ROWS)[:, None]
    above = 90 + (ends - 90)[None] * share
    height = _height(hair, share, around, rng)
    everywhere = np.broadcast_to(around, above.shape)
    return skull.point(everywhere, above, height)


def _height(
    hair: Hair, share: Float[np.ndarray, "rows 1"], around: Float[np.ndarray, "meridians"], rng: np.random.Generator
) -> Float[np.ndarray, "rows meridians"]:
    """Centimetres above the skin: full on top, thin at the edge where nothing hangs."""
    side = np.clip((np.abs(around) - 40) / 40, 0, 1)[None]
    if hair.style in ("cap", "headscarf"):
        return 0.7 + 0.5 * np.sin(np.pi * share) + 0.0 * side
    full = hair.thickness * (0.45 if hair.style == "bun" else 1.0)
    edge = np.clip((1 - share) / 0.22, 0, 1) ** 0.6
    hanging = (np.abs(around) >= _HANGS_FROM.get(hair.style, 999.0))[None]
    edge = np.where(hanging, np.maximum(edge, 0.9), edge)
    cut = 1 - (0.6 * side if hair.style in ("short", "receding") else 0.0)
    strands = 1 + (0.04 + 0.12 * hair.curl) * _waves(rng, 2.0)[None]
    lumps = resize(rng.standard_normal((8, 20), np.float32), (_MERIDIANS, _SCALP_ROWS)) * (0.08 + 0.35 * hair.curl)
    lumps[:, -1] = lumps[:, 0]
    return 0.12 + full * edge * cut * strands + np.minimum(full, 1.0) * lumps * edge * share


def _hanging_rows(
    hair: Hair, edge: Float[np.ndarray, "meridians 3"], centre: Float[np.ndarray, "3"], rng: np.random.Generator
) -> Float[np.ndarray, "rows meridians 3"]:
    """Continues every meridian straight down; only those behind the temples are drawn later."""
    tip = {"bob": -6 - 6 * hair.length, "long": -13 - 9 * hair.length, "headscarf": -20.0}[hair.style] - 3
    share = np.linspace(0, 1, _HANGING_ROWS + 1)[1:, None]
    rows = np.repeat(edge[None], _HANGING_ROWS, 0)
    ragged = 1 + 0.05 * _waves(rng, 1.0)
    rows[..., 1] += (centre[1] + tip * ragged - edge[:, 1])[None] * share
    swing = 1 + (0.02 + 0.05 * hair.curl) * np.sin(2 * np.pi * share * (0.7 + hair.curl) + rng.uniform(0, 6))
    taper = swing - (0.22 * share if hair.style == "bob" else 0.06 * share)
    if hair.style == "headscarf":
        taper = 1 - 0.35 * np.sin(np.pi * np.clip(share * 1.3, 0, 1))
    rows[..., [0, 2]] = centre[[0, 2]] + (rows[..., [0, 2]] - centre[[0, 2]]) * taper[..., None]
    return rows


def _visor(
    edge: Float[np.ndarray, "meridians 3"], around: Float[np.ndarray, "meridians"]
) -> Float[np.ndarray, "rows meridians 3"]:
    reach = 4.5 * np.clip(np.cos(np.radians(around * 90 / 48)), 0, 1) ** 0.5
    share = np.linspace(0, 1, _HANGING_ROWS + 1)[1:, None, None]
    forward = np.stack((np.zeros_like(reach), -0.12 * reach, reach), axis=-1)
    return edge[None] + share * forward[None]


def _colours(looks: Looks, shape: tuple[int, int], rng: np.random.Generator) -> UInt8[np.ndarray, "rows meridians 3"]:
    hair = looks.hair
    strands = np.float32(0.1) * _waves(rng, 0.7)[None] + np.float32(0.08) * _waves(rng, 3.0)[None]
    if hair.style in ("cap", "headscarf"):
        strands = strands * 0.25
    patches = resize(rng.standard_normal((10, 40), np.float32), (shape[1], shape[0])) * 0.1
    shade = np.clip(1 + strands + patches, 0.4, 1.8)[..., None]
    colours = np.array(hair.colour) * shade
    if hair.style not in ("cap", "headscarf"):
        # the last rows thin out into the skin, otherwise the hairline looks cut with a knife
        edge = np.clip((np.arange(shape[0]) - _SCALP_ROWS + 4) / 4, 0, 1) * (np.arange(shape[0]) < _SCALP_ROWS)
        front = np.abs(np.linspace(-180, 180, shape[1])) < _HANGS_FROM.get(hair.style, 999.0)
        thin = edge[:, None, None] * front[:, None] * rng.uniform(0.3, 1.0, shape[1])[:, None] * 0.85
        thin = thin * (0.4 if hair.fringe > 0 else 1.0)
        colours = colours * (1 - thin) + np.array(looks.skin_rgb) * thin
    return np.clip(255 * colours, 0, 255).astype(np.uint8)


def _mesh(
    shell: Float[np.ndarray, "rows meridians 3"],
    hangs: Bool[np.ndarray, "meridians"],
    colours: UInt8[np.ndarray, "rows meridians 3"],
    hair: Hair,
) -> SolidMesh:
    rows, columns = shell.shape[:2]
    row, column = np.mgrid[0 : rows - 1, 0 : columns - 1].reshape(2, -1)
    keep = (row < _SCALP_ROWS - 1) | (hangs[column] & hangs[column + 1])
    first = (row * columns + column)[keep]
    corners = np.stack((first, first + columns, first + 1, first + 1, first + columns, first + columns + 1), -1)
    return SolidMesh(
        vertices=shell.reshape(-1, 3).astype(np.float32),
        triangles=corners.reshape(-1, 3).astype(np.int32),
        colours=colours.reshape(-1, 3),
        specular=0.05 if hair.style in ("cap", "headscarf") else 0.1,
    )


def _bun(looks: Looks, skull: Skull, rng: np.random.Generator) -> SolidMesh:
    radius = 2.0 + 1.8 * looks.hair.length
    above = np.array(rng.uniform(35, 80))
    middle = skull.point(np.array(180.0), above, np.array(0.7 * radius))
    up, across = np.meshgrid(np.linspace(-90, 90, 14), np.linspace(-180, 180, 29), indexing="ij")
    bumps = radius * (1 + 0.05 * rng.standard_normal(up.shape))
    bumps[:, -1] = bumps[:, 0]
    points = middle + bumps[..., None] * direction(across, up)
    first = (np.arange(13)[:, None] * 29 + np.arange(28)).ravel()
    triangles = np.stack((first, first + 1, first + 29, first + 1, first + 30, first + 29), -1).reshape(-1, 3)
    shade = 1 + 0.15 * rng.standard_normal(29)
    colours = np.broadcast_to(np.array(looks.hair.colour) * shade[:, None], (14, 29, 3)).reshape(-1, 3)
    return SolidMesh(
        vertices=points.reshape(-1, 3).astype(np.float32),
        triangles=triangles.astype(np.int32),
        colours=np.clip(255 * colours, 0, 255).astype(np.uint8),
        specular=0.1,
    )


def _waves(rng: np.random.Generator, width: float) -> Float[np.ndarray, "meridians"]:
    """Noise from strand to strand, the same at both ends of the round."""
    noise = blur(rng.standard_normal((1, _MERIDIANS)).astype(np.float32), width)[0]
    noise[-1] = noise[0]
    return noise / max(float(noise.std()), 1e-6)
