"""Hair painted on the skin: brows, the rims of the lids, stubble, moustache and goatee."""

import numpy as np
from jaxtyping import Float, Float32

from facskit.faces.drawing import blur, sample, strokes_mask
from facskit.synthesis.atlas import TEXTURE_SIZE, UVAtlas
from facskit.synthesis.drawn_details import BROW_REACH, drawn_brow
from facskit.synthesis.looks import Looks

__all__ = ["beard_mask", "brow_mask", "lash_line_mask"]

_SIZE = (TEXTURE_SIZE, TEXTURE_SIZE)
_BROWS = (tuple(range(17, 22)), tuple(range(26, 21, -1)))
_DRAWN_THICKNESS = 0.145
"""Thickness of brows at which a drawn one is as thick as drawn; from there it changes by the square root."""
_UPPER_LIDS = ((36, 37, 38, 39), (45, 44, 43, 42))
_LOWER_LIDS = ((36, 41, 40, 39), (45, 46, 47, 42))


def brow_mask(looks: Looks, atlas: UVAtlas, rng: np.random.Generator) -> Float[np.ndarray, "512 512"]:
    """Draw both brows along the landmarks: as short strokes over a faint band, or as an artist drew them.

    Args:
        looks: Shape and density of the brows.

    Returns:
        How much of each texel is hair.
    """
    brows = looks.brows
    spines = [_brow_spine(looks, atlas.landmarks[list(indices)].astype(np.float64)) for indices in _BROWS]
    if brows.drawn:
        fine = np.maximum(*(_drawn_hairs(looks, spine) for spine, _ in spines))
        band = blur(fine, 1.8) * np.float32(0.1 + 0.4 * brows.density**2)
        return np.clip(band + fine * np.float32(0.5 + 0.5 * brows.density), 0, 1)
    strokes: list[np.ndarray] = []
    strengths: list[float] = []
    pieces: list[np.ndarray] = []
    heights: list[int] = []
    for spine, thickness in spines:
        pieces += [spine[step : step + 2] for step in range(len(spine) - 1)]
        heights += [max(1, round(0.8 * height)) for height in thickness[:-1]]
        hairs = _brow_hairs(spine, thickness, round(60 + 260 * brows.density), rng)
        strokes += hairs
        strengths += list(rng.uniform(0.35, 0.95, len(hairs)))
    fine = strokes_mask(strokes, [1] * len(strokes), _SIZE, strengths)
    band = blur(strokes_mask(pieces, heights, _SIZE), 1.8) * np.float32(0.1 + 0.6 * brows.density**2)
    return np.clip(band + blur(fine, 0.6) * np.float32(0.4 + 0.5 * brows.density), 0, 1)


def lash_line_mask(looks: Looks, atlas: UVAtlas) -> Float[np.ndarray, "512 512"]:
    """Darkens the rims of the lids: lashes on everyone, eyeliner on some.

    Returns:
        How much of each texel is lash or liner.
    """
    upper = [_through(atlas.landmarks[list(indices)]) for indices in _UPPER_LIDS]
    lower = [_through(atlas.landmarks[list(indices)]) for indices in _LOWER_LIDS]
    width = 2 + round(2 * looks.eyeliner)
    mask = strokes_mask(upper, [width] * 2, _SIZE, [0.55 + 0.45 * looks.eyeliner] * 2)
    under = strokes_mask(lower, [1 + round(looks.eyeliner)] * 2, _SIZE, [0.25 + 0.6 * looks.eyeliner] * 2)
    return blur(np.maximum(mask, under), 0.8)


def beard_mask(looks: Looks, atlas: UVAtlas, rng: np.random.Generator) -> Float[np.ndarray, "512 512"]:
    """Shades cheeks, chin and upper lip with stubble, and draws moustache and goatee.

    Args:
        atlas: Gives the shape of the face.

    Returns:
        How much of each texel is hair.
    """
    if looks.stubble <= 0:
        return np.zeros((TEXTURE_SIZE, TEXTURE_SIZE), np.float32)
    speckle = 0.75 + 0.25 * blur(rng.standard_normal((TEXTURE_SIZE, TEXTURE_SIZE), np.float32), 0.7) / 0.4
    patchy = 1 + 0.35 * blur(rng.standard_normal((TEXTURE_SIZE, TEXTURE_SIZE), np.float32), 14) * 50 / 2
    shade = _beard_region(atlas, rng) * np.float32(0.62 * looks.stubble) * np.clip(patchy, 0.4, 1.5)
    moustache = _near_upper_lip(atlas) * np.float32(0.85 * looks.moustache)
    goatee = _near_chin(atlas) * np.float32(0.85 * looks.goatee)
    return np.clip(np.maximum(shade, np.maximum(moustache, goatee)) * speckle, 0, 0.95) * atlas.covered


def _brow_spine(
    looks: Looks, points: Float[np.ndarray, "5 2"]
) -> tuple[Float[np.ndarray, "steps 2"], Float[np.ndarray, "steps"]]:
    """The middle line from the outer to the inner end, and the height of the hair along it in texels."""
    brows = looks.brows
    length = float(np.linalg.norm(points[-1] - points[0]))
    inward = np.sign(points[-1, 0] - points[0, 0])
    along = np.linspace(0, 1, 24)
    corners = np.linspace(0, 1, 5)
    spine = np.stack([np.interp(along, corners, points[:, axis]) for axis in range(2)], axis=-1)
    smooth = np.stack([np.polyval(np.polyfit(along, spine[:, axis], 3), along) for axis in range(2)], axis=-1)
    smooth[:, 0] -= inward * brows.gap * length * along
    smooth[:, 1] -= length * (brows.lift - 0.03 + brows.arch * np.exp(-(((along - 0.35) / 0.25) ** 2)))
    heavy = np.interp(along, (0, 0.12, 0.5, 0.9, 1), (0.15, 0.45, 0.9, 1.0, 0.7))
    return smooth, heavy * brows.thickness * length


def _drawn_hairs(looks: Looks, spine: Float[np.ndarray, "steps 2"]) -> Float32[np.ndarray, "512 512"]:
    """Bend a drawn brow along a middle line, plus its own curve."""
    brow = drawn_brow(looks.brows.drawn)
    length = abs(spine[-1, 0] - spine[0, 0])
    outwards = np.argsort(spine[:, 0])
    columns = np.arange(TEXTURE_SIZE)
    along = np.interp(columns, spine[outwards, 0], np.linspace(0, 1, len(spine))[outwards])
    middle = np.interp(columns, spine[outwards, 0], (spine[:, 1] - length * brow.bends)[outwards])
    reach = BROW_REACH * length * np.sqrt(looks.brows.thickness / _DRAWN_THICKNESS)
    below = (columns[:, None] - middle) / reach
    rows, steps = brow.hairs.shape
    places = np.broadcast_to(along * (steps - 1), below.shape).astype(np.float32)
    return np.clip(sample(brow.hairs, places, ((below + 1) / 2 * (rows - 1)).astype(np.float32)), 0, 1)


def _brow_hairs(
    spine: Float[np.ndarray, "steps 2"], thickness: Float[np.ndarray, "steps"], count: int, rng: np.random.Generator
) -> list[Float[np.ndarray, "2 2"]]:
    steps = rng.integers(0, len(spine) - 1, count)
    outward = spine[0] - spine[-1]
    outward = outward / np.linalg.norm(outward)
    up = np.array((0.0, -1.0))
    rise = np.interp(steps / len(spine), (0, 0.6, 1), (0.05, 0.35, 1.2)) + rng.normal(0, 0.15, count)
    direction = outward + rise[:, None] * up
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    roots = spine[steps] + np.stack((rng.normal(0, 1.5, count), rng.uniform(-0.5, 0.5, count) * thickness[steps]), -1)
    lengths = rng.uniform(0.5, 1.0, count) * np.maximum(thickness[steps], 5)
    return list(np.stack((roots, roots + direction * lengths[:, None]), axis=1))


def _through(points: Float32[np.ndarray, "4 2"]) -> Float[np.ndarray, "steps 2"]:
    along = np.linspace(0, 1, 16)
    return np.stack([np.interp(along, np.linspace(0, 1, 4), points[:, axis]) for axis in range(2)], axis=-1)


def _beard_region(atlas: UVAtlas, rng: np.random.Generator) -> Float[np.ndarray, "512 512"]:
    """Below a line from the ears to the wings of the nose, above the throat, not on the lips' surroundings."""
    x, y, z = (atlas.position[..., axis] for axis in range(3))
    cheek_line = np.interp(np.abs(x), (0, 2.2, 4, 6.2, 7.6), (-1.3, -1.6, -3.2, -2.0, 1.5)) + rng.normal(0, 0.4)
    below = _step((cheek_line - y) / 0.8)
    throat = _step((y + 8.6 + rng.normal(0, 0.3)) / 1.2)
    under_lip = 1 - 0.7 * np.exp(-((((np.abs(x) - 1.6) / 0.7) ** 2) + ((y + 4.7) / 0.5) ** 2))
    not_ears = _step((7.9 - np.abs(x)) / 0.3)
    front = _step((z - 1.5) / 0.8)
    return (below * throat * under_lip * not_ears * front).astype(np.float32)


def _near_upper_lip(atlas: UVAtlas) -> Float[np.ndarray, "512 512"]:
    x, y, z = (atlas.position[..., axis] for axis in range(3))
    middle = np.interp(np.abs(x), (0, 1.0, 2.6, 3.2), (-1.95, -1.9, -2.9, -3.6))
    band = np.exp(-(((y - middle) / 0.5) ** 4))
    return (band * _step((3.1 - np.abs(x)) / 0.3) * _step((z - 8) / 0.5)).astype(np.float32)


def _near_chin(atlas: UVAtlas) -> Float[np.ndarray, "512 512"]:
    x, y, z = (atlas.position[..., axis] for axis in range(3))
    ring = np.exp(-(((np.abs(x) - 2.9) / 0.5) ** 2)) * _step((-2.9 - y) / 0.3)
    chin = _step((2.6 - np.abs(x)) / 0.4) * _step((-5.3 - y) / 0.25)
    soul = np.exp(-((x / 0.45) ** 2)) * _step((-4.6 - y) / 0.2)
    return (np.maximum(np.maximum(ring, chin), soul) * _step((y + 8.2) / 0.5) * _step((z - 6) / 0.5)).astype(np.float32)


def _step(values: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    return 1 / (1 + np.exp(-np.clip(4 * values, -40, 40)))
