"""Folds of the skin as relief maps on the face texture, one per action unit and side.

A relief is a signed map that multiplies the skin colour by `1 + relief`. It covers only the rectangle in which its
folds lie, so that a frame with several active units is painted in a few milliseconds. The lines of `crease_lines` are
bent, left out and scaled for each person.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, UInt8

from facskit.faces.drawing import blur, resize, strokes_mask
from facskit.synthesis.crease_lines import BULGES, GROOVES, Bulge, Groove
from facskit.synthesis.looks import Looks

__all__ = ["Relief", "add_creases", "resting_intensities", "subject_creases"]

_TABLE_SIZE = 512
_MIDDLE = 255.5
_GROOVE_SHADE = 0.34
"""Darkening of a groove of depth 1 on a person with `crease_depth` 1."""
_BULGE_SHADE = 0.22
_CHANNELS = np.array((0.85, 1.0, 1.08), np.float32)
"""Blood shines through where skin folds: red darkens least."""
_SIDES = ("L", "R")
_RESTING_ACTIONS = (1, 2, 4, 6, 7, 9, 10, 12, 14, 15, 17, 20)


@dataclass(frozen=True, kw_only=True)
class Relief:
    """A signed map on a rectangle of the texture."""

    rows: slice
    columns: slice
    values: Float32[np.ndarray, "rows columns"]


def subject_creases(looks: Looks, size: int = _TABLE_SIZE) -> dict[str, Relief]:
    """Draw the folds of one person at full strength.

    Args:
        looks: Gives seed and depth; the same person has the same folds in every picture.
        size: Height and width of the texture.

    Returns:
        A relief per action unit and side, keyed like `AU04_L` (the subject's left).
    """
    rng = np.random.default_rng((looks.seed, 1))
    reliefs = {}
    for action in sorted({groove.action for groove in GROOVES} | {bulge.action for bulge in BULGES}):
        grooves = [_personal_groove(groove, rng) for groove in GROOVES if groove.action == action]
        kept = [groove for groove in grooves if rng.random() >= groove.optional]
        bulges = [_personal_bulge(bulge, rng) for bulge in BULGES if bulge.action == action]
        depth = looks.crease_depth * float(rng.uniform(0.6, 1.4))
        for side in _SIDES:
            own = [_jitter(groove, rng, 1.0) for groove in kept]
            canvas = _draw(own, bulges, depth, looks.crease_depth)
            if action == 17:
                canvas += _pebbles(rng, depth)
            reliefs[f"AU{action:02d}_{side}"] = _crop(canvas[:, ::-1] if side == "L" else canvas, size)
    return reliefs


def resting_intensities(looks: Looks) -> dict[str, float]:
    """Say how much of each fold stays when nothing moves: the wrinkles of age.

    Returns:
        Intensity per key of `subject_creases`, weak and different for each group of folds.
    """
    rng = np.random.default_rng((looks.seed, 2))
    resting = {}
    for action in _RESTING_ACTIONS:
        level = looks.resting_creases * float(rng.uniform(0, 1.6))
        for side in _SIDES:
            resting[f"AU{action:02d}_{side}"] = float(np.clip(level * rng.uniform(0.85, 1.15), 0, 0.6))
    return resting


def add_creases(
    base: UInt8[np.ndarray, "size size 3"], reliefs: Mapping[str, Relief], intensities: Mapping[str, float]
) -> UInt8[np.ndarray, "size size 3"]:
    """Fold painted skin.

    Args:
        base: The texture without these folds.
        reliefs: From `subject_creases`, for the same texture size.
        intensities: 0 to 1 per key such as `AU04_L`; a missing key is 0 and a key without folds is passed over.

    Returns:
        A new texture.
    """
    active = {key: value for key, value in intensities.items() if value > 0.01 and key in reliefs}
    folded = base.copy()
    if not active:
        return folded
    chosen = [reliefs[key] for key in active]
    top, left = min(relief.rows.start for relief in chosen), min(relief.columns.start for relief in chosen)
    bottom, right = max(relief.rows.stop for relief in chosen), max(relief.columns.stop for relief in chosen)
    total = np.zeros((bottom - top, right - left), np.float32)
    for key, intensity in active.items():
        relief = reliefs[key]
        rows = slice(relief.rows.start - top, relief.rows.stop - top)
        columns = slice(relief.columns.start - left, relief.columns.stop - left)
        total[rows, columns] += np.float32(intensity) * relief.values
    np.clip(total, -0.6, 0.35, out=total)
    touched = folded[top:bottom, left:right]
    for channel, share in enumerate(_CHANNELS):
        shaded = touched[..., channel] * (1 + share * total)
        np.clip(shaded, 0, 255, out=shaded)
        touched[..., channel] = shaded
    return folded


def _personal_groove(groove: Groove, rng: np.random.Generator) -> Groove:
    """Both sides of a face share most of what makes a person's folds their own."""
    bent = _jitter(groove, rng, 3.0)
    return replace(bent, depth=groove.depth * rng.uniform(0.5, 1.3), sigma=groove.sigma * rng.uniform(0.8, 1.35))


def _jitter(groove: Groove, rng: np.random.Generator, texels: float) -> Groove:
    """Move the points of a line; points in the middle of the face only up and down, to meet the other half."""
    points = np.array(groove.points)
    drift = rng.normal(0, texels, 2) + rng.normal(0, texels / 3, points.shape)
    free = np.clip((_MIDDLE - points[:, :1]) / 25, 0, 1)
    moved = points + drift * np.concatenate((free, free if texels < 2 else np.maximum(free, 0.8)), axis=1)
    return replace(groove, points=tuple((float(x), float(y)) for x, y in moved))


def _personal_bulge(bulge: Bulge, rng: np.random.Generator) -> Bulge:
    return replace(bulge, strength=bulge.strength * rng.uniform(0.6, 1.3))


def _draw(grooves: list[Groove], bulges: list[Bulge], depth: float, fullness: float) -> Float32[np.ndarray, "512 512"]:
    canvas = np.zeros((_TABLE_SIZE, _TABLE_SIZE), np.float32)
    for groove in grooves:
        path = _smooth_path(np.array(groove.points))
        shade = _GROOVE_SHADE * depth * groove.depth
        _add_soft_line(canvas, path, groove.sigma, -shade)
        _add_soft_line(canvas, path + np.array(groove.ridge), 1.6 * groove.sigma, 0.55 * shade)
    for bulge in bulges:
        canvas += _bulge_relief(bulge) * np.float32(_BULGE_SHADE * (0.35 + 0.65 * min(fullness, 1.2)))
    columns = np.arange(_TABLE_SIZE, dtype=np.float32)
    return canvas * np.clip((np.float32(_MIDDLE) - columns) / 6 + np.float32(0.5), 0, 1)


def _add_soft_line(
    canvas: Float32[np.ndarray, "512 512"], path: Float[np.ndarray, "points 2"], sigma: float, shade: float
) -> None:
    """Add a blurred line that fades out at its free ends and reaches `shade` at its strongest place."""
    margin = int(np.ceil(5 * sigma)) + 2
    low = np.clip(np.floor(path.min(0)).astype(int) - margin, 0, _TABLE_SIZE - 1)
    high = np.clip(np.ceil(path.max(0)).astype(int) + margin, 1, _TABLE_SIZE)
    along = np.linspace(0, 1, len(path) - 1)
    ends_in_middle = path[-1, 0] > _MIDDLE - 3
    fade = np.clip(np.minimum(along, np.ones_like(along) if ends_in_middle else 1 - along) / 0.35, 0.15, 1)
    pieces = [path[index : index + 2] - low for index in range(len(path) - 1)]
    mask = strokes_mask(pieces, [2] * len(pieces), (int(high[0] - low[0]), int(high[1] - low[1])), list(fade))
    soft = blur(mask, sigma)
    canvas[low[1] : high[1], low[0] : high[0]] += soft * np.float32(shade / max(float(soft.max()), 1e-6))


def _smooth_path(points: Float[np.ndarray, "corners 2"]) -> Float[np.ndarray, "points 2"]:
    """A polynomial through (or close to) the corners, sampled at 24 points."""
    corners = np.linspace(0, 1, len(points))
    degree = min(3, len(points) - 1)
    along = np.linspace(0, 1, 24)
    return np.stack([np.polyval(np.polyfit(corners, points[:, axis], degree), along) for axis in range(2)], axis=-1)


def _bulge_relief(bulge: Bulge) -> Float32[np.ndarray, "512 512"]:
    columns, rows = np.arange(_TABLE_SIZE, dtype=np.float32), np.arange(_TABLE_SIZE, dtype=np.float32)
    across = np.exp(-0.5 * ((columns - bulge.centre[0]) / bulge.radii[0]) ** 2)
    down = np.exp(-0.5 * ((rows - bulge.centre[1]) / bulge.radii[1]) ** 2)
    return (bulge.strength * down[:, None] * across).astype(np.float32)


def _pebbles(rng: np.random.Generator, depth: float) -> Float32[np.ndarray, "512 512"]:
    """The dimpled chin of AU17."""
    # The chart is squeezed from top to bottom there: round pebbles are flat on it.
    tall = blur(rng.standard_normal((3 * _TABLE_SIZE, _TABLE_SIZE), np.float32), 2.4)
    noise = resize(tall, (_TABLE_SIZE, _TABLE_SIZE))
    chin = _bulge_relief(Bulge(action=17, centre=(244, 358), radii=(20, 10), strength=1.0))
    columns = np.arange(_TABLE_SIZE, dtype=np.float32)
    half = np.clip((np.float32(_MIDDLE) - columns) / 6 + np.float32(0.5), 0, 1)
    return chin * half * noise * np.float32(0.1 * depth / float(noise.std()))


def _crop(canvas: Float32[np.ndarray, "512 512"], size: int) -> Relief:
    """Keeps the rectangle in which the relief can be seen."""
    if size != _TABLE_SIZE:
        raise ValueError(f"size must be {_TABLE_SIZE}, the texture that crease_lines is drawn on, not {size}")
    visible = np.abs(canvas) > 0.002
    rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
    if not len(rows):
        return Relief(rows=slice(0, 0), columns=slice(0, 0), values=np.zeros((0, 0), np.float32))
    box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    return Relief(rows=box[0], columns=box[1], values=np.ascontiguousarray(canvas[box]))
