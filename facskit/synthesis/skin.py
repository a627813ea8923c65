"""The painter of a person's skin on the texture of the head."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, UInt8

from facskit.faces.drawing import blur, polygon_mask, resize, strokes_mask
from facskit.synthesis.atlas import NECK_BLOCK, PATCHES, TEXTURE_SIZE, UVAtlas, neck_block_heights, neck_height
from facskit.synthesis.creases import add_creases, resting_intensities, subject_creases
from facskit.synthesis.facial_hair import beard_mask, brow_mask, lash_line_mask
from facskit.synthesis.linear_light import toned
from facskit.synthesis.lips import lip_mask, paint_lips, paint_seam
from facskit.synthesis.looks import Looks
from facskit.synthesis.skin_textures import SkinDetail

__all__ = ["SkinPainter"]

Canvas = Float[np.ndarray, "512 512 3"]
Mask = Float[np.ndarray, "512 512"]

_SIZE = (TEXTURE_SIZE, TEXTURE_SIZE)
_INNER_LIPS = tuple(range(60, 68))
_LIP_PRESS = {"AU23": 0.45, "AU24": 0.6, "AU28": 1.0}
"""How much of the lips' red disappears at full intensity."""

# Our choice, by look: which part of red, green and blue is lost at full strength.
_BLOOD = np.array((0.02, 0.26, 0.24), np.float32)
_TIRED = np.array((0.26, 0.3, 0.22), np.float32)
_UNLIT = np.array((0.5, 0.58, 0.58), np.float32)

_ON_PHOTOGRAPH = 0.35
"""How much of painted blood and shade goes onto photographed skin."""


class SkinPainter:
    """The skin of one person: painted once, folded anew for each picture."""

    def __init__(self, looks: Looks, atlas: UVAtlas, detail: SkinDetail | None = None) -> None:
        """Paint the resting face.

        Args:
            atlas: Where the face lies on the texture.
            detail: What a photograph adds to the person's tone; None for skin that is painted wholly.
        """
        self._reliefs = subject_creases(looks)
        bare = _paint_bare(looks, atlas, detail)
        self._lips = lip_mask(looks, atlas)
        lipped = bare if detail is None else toned(bare, detail.lips)
        painted = _finish(paint_lips(lipped, looks, atlas, self._lips), looks, atlas)
        resting = resting_intensities(looks)
        self.base: UInt8[np.ndarray, "512 512 3"] = add_creases(_to_bytes(painted), self._reliefs, resting)
        self._box = _bounding_box(self._lips > 0.01)
        self._lipless = add_creases(_to_bytes(_finish(bare, looks, atlas)), self._reliefs, resting)[self._box]

    def paint(self, creases: Mapping[str, float]) -> UInt8[np.ndarray, "512 512 3"]:
        """Fold the skin for one picture.

        Args:
            creases: Intensity 0 to 1 of each action unit and side, keyed like `AU04_L` (the subject's left); what is
                missing is 0.

        Returns:
            The texture.
        """
        return add_creases(self._press_lips(creases), self._reliefs, creases)

    def _press_lips(self, creases: Mapping[str, float]) -> UInt8[np.ndarray, "512 512 3"]:
        """Let the lips' red go where they are pressed together or rolled in."""
        strengths = [
            max(share * creases.get(f"{code}_{side}", 0.0) for code, share in _LIP_PRESS.items()) for side in ("R", "L")
        ]
        if max(strengths) < 0.01:
            return self.base
        columns = np.arange(TEXTURE_SIZE, dtype=np.float32)[None, self._box[1]]
        across = np.clip((columns - np.float32(TEXTURE_SIZE / 2)) / 8 + np.float32(0.5), 0, 1)
        strength = np.float32(strengths[0]) * (1 - across) + np.float32(strengths[1]) * across
        faded = self.base.copy()
        red = self.base[self._box].astype(np.float32)
        faded[self._box] = red + strength[..., None] * (self._lipless.astype(np.float32) - red)
        return faded


def _paint_bare(looks: Looks, atlas: UVAtlas, detail: SkinDetail | None) -> Canvas:
    """Skin with its colour variations, without lips, lids and hair.

    A photograph brings its own blood and shade, so that little of the painted is added to it.
    """
    rng = np.random.default_rng((looks.seed, 0))
    skin = np.array(looks.skin_rgb, np.float32)
    canvas = np.broadcast_to(skin, (TEXTURE_SIZE, TEXTURE_SIZE, 3)).copy()
    canvas *= _mottling(looks, rng)
    painted = np.float32(1.0 if detail is None else _ON_PHOTOGRAPH)
    canvas *= 1 - _redness(looks, atlas)[..., None] * painted * _BLOOD
    shade = _under_eyes(atlas)[..., None] * painted * np.float32(looks.under_eye_shade)
    canvas *= 1 - shade * _TIRED
    canvas *= 1 - _cavities(atlas)[..., None] * painted * _UNLIT
    if detail is not None:
        canvas = toned(canvas, detail.bare)
    lids = _lid_mask(atlas)[..., None] * np.float32(0.75 * looks.eye_shadow)
    canvas += lids * (np.array(looks.eye_shadow_colour, np.float32) - canvas)
    return _spots(canvas, looks, atlas, rng)


def _finish(canvas: Canvas, looks: Looks, atlas: UVAtlas) -> Canvas:
    """Add what lies on top of the skin, and the uniform patches for the other parts of the head."""
    rng = np.random.default_rng((looks.seed, 4))
    canvas = _blend(canvas, _inner_mouth(atlas) * np.float32(0.8), np.array(looks.mouth_rgb) * 0.6)
    canvas = paint_seam(canvas, looks, atlas)
    canvas = _blend(canvas, beard_mask(looks, atlas, rng), _beard_colour(looks))
    canvas = _blend(canvas, brow_mask(looks, atlas, rng), np.array(looks.brows.colour))
    canvas = _blend(canvas, lash_line_mask(looks, atlas), np.array(looks.lash_rgb) * 0.6)
    canvas = _blend(canvas, _border(atlas), np.array(looks.skin_rgb))
    canvas = _dress(canvas, looks, atlas)
    patches = {
        "socket": tuple(0.7 * value for value in looks.skin_rgb),
        "mouth": tuple(0.5 * value for value in looks.mouth_rgb),
    }
    for name, (column, row) in PATCHES.items():
        canvas[row - 6 : row + 7, max(column - 6, 0) : column + 7] = patches[name]
    return canvas


def _dress(canvas: Canvas, looks: Looks, atlas: UVAtlas) -> Canvas:
    """Covers everything below the collar, on the face's tile and on the block for the rest."""
    beyond_neck = np.arange(TEXTURE_SIZE)[:, None] > 440  # filtering must not pull skin in from outside the tile
    below = np.where(atlas.covered, np.clip((looks.collar - neck_height(atlas.position)) * 4, 0, 1), beyond_neck)
    canvas = _blend(canvas, below.astype(np.float32), np.array(looks.garment_rgb))
    rows = np.clip((looks.collar - neck_block_heights()) * 4, 0, 1)[:, None, None]
    canvas[NECK_BLOCK] = (1 - rows) * np.array(looks.skin_rgb) + rows * np.array(looks.garment_rgb)
    return canvas


def _mottling(looks: Looks, rng: np.random.Generator) -> Canvas:
    """Uneven colour: large patches, fine grain."""
    field = np.ones((TEXTURE_SIZE, TEXTURE_SIZE, 3), np.float32)
    for cells, amount in ((5, 0.05), (14, 0.05), (48, 0.04)):
        brightness = resize(rng.standard_normal((cells, cells), np.float32), _SIZE)[..., None]
        pinkness = resize(rng.standard_normal((cells, cells), np.float32), _SIZE)[..., None]
        field += np.float32(amount * looks.mottling) * brightness
        field += np.float32(amount * looks.mottling) * pinkness * np.array((0.3, -0.6, -0.4), np.float32)
    pores = blur(rng.standard_normal((TEXTURE_SIZE, TEXTURE_SIZE), np.float32), 0.8)[..., None]
    return field + np.float32(0.03 + 0.04 * looks.mottling) * pores


def _redness(looks: Looks, atlas: UVAtlas) -> Mask:
    """Cheeks, tip of the nose, chin and ears carry more blood."""
    places = ((-4.4, 0.3, 8.6, 1.9), (4.4, 0.3, 8.6, 1.9), (0, 0.3, 12.6, 1.1), (0, -6.4, 10.6, 1.2))
    total = np.zeros((TEXTURE_SIZE, TEXTURE_SIZE), np.float32)
    for x, y, z, radius in places:
        distance = ((atlas.position - np.array((x, y, z), np.float32)) ** 2).sum(-1)
        total += np.exp(-distance / np.float32(2 * radius**2))
    ears = np.clip(np.abs(atlas.position[..., 0]) - np.float32(7.6), 0, 1) * np.float32(0.7)
    return np.clip(total + ears, 0, 1) * np.float32(0.25 + 0.9 * looks.redness)


def _under_eyes(atlas: UVAtlas) -> Mask:
    total = np.zeros((TEXTURE_SIZE, TEXTURE_SIZE), np.float32)
    for lids in ((36, 41, 40, 39), (42, 47, 46, 45)):
        points = atlas.landmarks[list(lids)] + np.array((0, 10), np.float32)
        total += blur(strokes_mask([points], [8], _SIZE), 4.5)
    inner = strokes_mask([atlas.landmarks[[39, 27]], atlas.landmarks[[42, 27]]], [6, 6], _SIZE)
    return np.clip(total + np.float32(0.4) * blur(inner, 5), 0, 1)


def _cavities(atlas: UVAtlas) -> Mask:
    """Where little light gets in on every face: nostrils, the wings' edge, the lids' fold, below the lip."""
    middle = float(atlas.landmarks[27, 0])
    nostrils = [_mirrored(side, middle, ((17, 227), (26, 228))) for side in (-1, 1)]
    holes = blur(strokes_mask(nostrils, [7, 7], _SIZE), 2)
    wing = [_mirrored(side, middle, ((47, 198), (52, 214), (48, 230))) for side in (-1, 1)]
    fold = [_mirrored(side, middle, ((52, 137), (72, 131), (92, 134), (101, 140))) for side in (-1, 1)]
    under_lip = [np.array(((middle - 24, 336), (middle, 334), (middle + 24, 336)))]
    lines = blur(strokes_mask(wing, [2, 2], _SIZE), 2.2) * np.float32(0.7)
    lines += blur(strokes_mask(fold, [2, 2], _SIZE), 1.3) * np.float32(0.8)
    lines += blur(strokes_mask(under_lip, [5], _SIZE), 4) * np.float32(0.35)
    return np.clip(np.float32(1.5) * holes + lines, 0, 1)


def _lid_mask(atlas: UVAtlas) -> Mask:
    total = np.zeros((TEXTURE_SIZE, TEXTURE_SIZE), np.float32)
    for lids in ((36, 37, 38, 39), (42, 43, 44, 45)):
        points = atlas.landmarks[list(lids)]
        total += polygon_mask(np.concatenate((points, points[::-1] - np.array((0, 16), np.float32))), _SIZE)
    return blur(total, 3)


def _spots(canvas: Canvas, looks: Looks, atlas: UVAtlas, rng: np.random.Generator) -> Canvas:
    """Freckles, moles and blemishes."""
    skin = np.array(looks.skin_rgb)
    freckles = _scatter(rng, round(260 * looks.freckles), ((255, 190), (70, 26)), 2)
    canvas = _blend(canvas, blur(freckles, 0.8) * np.float32(0.9), skin * (0.72, 0.55, 0.45))
    moles = _scatter(rng, looks.moles, ((255, 230), (90, 80)), 4)
    canvas = _blend(canvas, blur(moles, 0.8) * np.float32(0.9), skin * (0.4, 0.3, 0.28))
    blemishes = _scatter(rng, looks.blemishes, ((255, 240), (80, 80)), 5)
    return _blend(canvas, blur(blemishes, 1.8) * np.float32(0.7), skin * (0.92, 0.62, 0.6))


def _scatter(rng: np.random.Generator, count: int, place: tuple[tuple[int, int], tuple[int, int]], width: int) -> Mask:
    """Dots with normally distributed positions (centre, spread in texels)."""
    centres = rng.normal(place[0], place[1], (count, 2))
    dots = [np.stack((centre, centre + rng.uniform(-0.7, 0.7, 2))) for centre in centres]
    widths = [int(rng.integers(1, width + 1)) for _ in dots]
    return strokes_mask(dots, widths, _SIZE, list(rng.uniform(0.3, 1, count)))


def _inner_mouth(atlas: UVAtlas) -> Mask:
    inner = atlas.landmarks[list(_INNER_LIPS)].astype(np.float64)
    return blur(polygon_mask(inner.mean(0) + (inner - inner.mean(0)) * (0.98, 0.8), _SIZE), 3)


def _beard_colour(looks: Looks) -> Float[np.ndarray, "3"]:
    return 0.75 * np.array(looks.beard_colour) + 0.25 * np.array(looks.skin_rgb) * 0.5


def _border(atlas: UVAtlas) -> Mask:
    """1 along the edge of the face's tile, where the neck and the back of the head begin in plain skin."""
    columns = np.arange(TEXTURE_SIZE, dtype=np.float32)
    inset = np.minimum(np.minimum(columns, TEXTURE_SIZE - 1 - columns)[None], (TEXTURE_SIZE - 1 - columns)[:, None])
    inset = np.minimum(inset, columns[:, None])
    return np.where(atlas.covered, np.clip(1 - (inset - 6) / np.float32(24), 0, 1), np.float32(1))


def _mirrored(side: int, middle: float, points: Sequence[tuple[int, int]]) -> Float[np.ndarray, "points 2"]:
    """Put points, given by their distance from the middle of the face and their row, on one side."""
    return np.array([(middle + side * across, row) for across, row in points])


def _blend(canvas: Canvas, mask: Mask, colour: Float[np.ndarray, "3"]) -> Canvas:
    blended = np.empty_like(canvas)
    for channel, value in enumerate(np.asarray(colour, np.float32)):  # three times as fast as all at once
        blended[..., channel] = canvas[..., channel] + mask * (value - canvas[..., channel])
    return blended


def _bounding_box(mask: np.ndarray) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _to_bytes(canvas: Canvas) -> UInt8[np.ndarray, "512 512 3"]:
    return np.clip(np.rint(canvas * 255), 0, 255).astype(np.uint8)
