"""Painted lips: their red with its shades, gloss and lipstick, the dark line where they meet, and their corners."""

import numpy as np
from jaxtyping import Float, Float32

from facskit.faces.drawing import blur, polygon_mask, strokes_mask
from facskit.synthesis.atlas import TEXTURE_SIZE, UVAtlas
from facskit.synthesis.looks import Looks

__all__ = ["lip_mask", "paint_lips", "paint_seam"]

Canvas = Float[np.ndarray, "512 512 3"]
Mask = Float32[np.ndarray, "512 512"]

_SIZE = (TEXTURE_SIZE, TEXTURE_SIZE)
_OUTER = tuple(range(48, 60))
_UPPER_SEAM = tuple(range(60, 65))
_LOWER_SEAM = (60, 67, 66, 65, 64)
_CORNERS = (48, 54, 60, 64)
_SEAM_LOSS = np.array((0.62, 0.75, 0.72), np.float32)
"""Which part of red, green and blue the line between the lips swallows; our choice."""
_WET_LIGHT = np.float32(0.3)


def lip_mask(looks: Looks, atlas: UVAtlas) -> Mask:
    """Draw the red of the lips, by the landmarks' outline, a little fuller or thinner on every person.

    Returns:
        1 on the lips, fading over the person's own width of edge.
    """
    outline = _round_outline(atlas.landmarks[list(_OUTER)].astype(np.float64))
    middle = outline.mean(0)
    wobble = np.random.default_rng((looks.seed, 5)).normal(0, 0.012, (len(outline), 1))
    grown = middle + (outline - middle) * (np.array((0.99, looks.lips.fullness)) + _smooth(wobble))
    return blur(polygon_mask(grown, _SIZE), looks.lips.soft_edge)


def paint_lips(canvas: Canvas, looks: Looks, atlas: UVAtlas, mask: Mask) -> Canvas:
    """Colour the lips: the upper one darker, as it faces down, paler in the middle, glossy where light falls.

    Args:
        mask: From `lip_mask`.
    """
    lips = looks.lips
    rng = np.random.default_rng((looks.seed, 3))
    across, down = _lip_coordinates(atlas)
    shade = 1 - np.float32(lips.upper_shade) * (down < 0) - np.float32(0.25 * lips.rim) * np.abs(down) ** 2
    centre = np.exp(-((across / 0.5) ** 2) - ((down - 0.55) / 0.25) ** 2)
    # Folds of the lips run up and down.
    folds = blur(rng.standard_normal((1, TEXTURE_SIZE), np.float32), 1.0)[..., None] * np.float32(0.05)
    grain = blur(rng.standard_normal(_SIZE, np.float32), 1.2)[..., None] * np.float32(0.12)
    colour = np.array(lips.colour, np.float32) * shade[..., None] * (1 + folds + grain)
    colour += (np.float32(lips.gloss) * _WET_LIGHT * centre)[..., None] * (1 - colour)
    return canvas + (mask * np.float32(lips.strength))[..., None] * (colour - canvas)


def paint_seam(canvas: Canvas, looks: Looks, atlas: UVAtlas) -> Canvas:
    """Darken where no light gets in: along the line at which the lips meet, and in the corners of the mouth.

    It's darkest where the lips touch, so it disappears inside of an opened mouth.
    """
    lips = looks.lips
    seams = [_round_line(atlas.landmarks[list(marks)].astype(np.float64)) for marks in (_UPPER_SEAM, _LOWER_SEAM)]
    line = blur(strokes_mask(seams, [3, 3], _SIZE), 1.1)
    soft = blur(strokes_mask(seams, [6, 6], _SIZE), 3.5)
    dots = [np.stack((point, point + 0.5)) for point in atlas.landmarks[list(_CORNERS)].astype(np.float64)]
    corners = blur(strokes_mask(dots, [7] * len(dots), _SIZE), 3.0)
    loss = np.float32(lips.seam) * line + np.float32(0.25 + 0.3 * lips.seam) * soft
    loss += np.float32(0.6 + 0.6 * lips.corner_shade) * corners
    return canvas * (1 - np.clip(loss, 0, 1)[..., None] * _SEAM_LOSS)


def _lip_coordinates(atlas: UVAtlas) -> tuple[Float32[np.ndarray, "1 512"], Mask]:
    """Return each texel's place: -1 to 1 from corner to corner, -1 (upper edge) over 0 (inside) to 1 (lower edge)."""
    marks = atlas.landmarks.astype(np.float64)
    columns, rows = np.arange(TEXTURE_SIZE), np.arange(TEXTURE_SIZE)[:, None]
    edges = []
    for line in ((48, 49, 50, 51, 52, 53, 54), _UPPER_SEAM, _LOWER_SEAM, (48, 59, 58, 57, 56, 55, 54)):
        points = marks[list(line)]
        edges.append(np.interp(columns, points[:, 0], points[:, 1])[None])
    top, upper, lower, bottom = edges
    above = np.clip((upper - rows) / np.maximum(upper - top, 4), 0, 1)
    below = np.clip((rows - lower) / np.maximum(bottom - lower, 4), 0, 1)
    half = (marks[54, 0] - marks[48, 0]) / 2
    across = (columns[None] - marks[51, 0]) / half
    return across.astype(np.float32), np.where(rows < (upper + lower) / 2, -above, below).astype(np.float32)


def _round_outline(points: Float[np.ndarray, "corners 2"]) -> Float[np.ndarray, "points 2"]:
    """Round a closed outline off by cutting its corners three times, without rounding the mouth's corners away."""
    for _ in range(3):
        following = np.roll(points, -1, axis=0)
        points = np.stack((0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following), axis=1).reshape(-1, 2)
    return points


def _round_line(points: Float[np.ndarray, "corners 2"]) -> Float[np.ndarray, "points 2"]:
    along = np.linspace(0, 1, len(points))
    fine = np.linspace(0, 1, 33)
    return np.stack([np.polyval(np.polyfit(along, points[:, axis], 4), fine) for axis in range(2)], axis=-1)


def _smooth(values: Float[np.ndarray, "points 1"]) -> Float[np.ndarray, "points 1"]:
    """Let neighbours on a closed line differ little."""
    neighbours = [np.roll(values, step, axis=0) for step in range(-6, 7)]
    smooth: Float[np.ndarray, "points 1"] = np.sum(neighbours, axis=0) / 4
    return smooth
