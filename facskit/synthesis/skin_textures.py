"""Photographed skin: what pictures of real skin add to a person's own tone.

MakeHuman's skins (CC0) are laid out on the chart that `facskit.synthesis.skin` paints on, and each is divided by its
own mean colour, in linear light. What remains - the red of cheeks, lips and lids, folds, stains - goes onto skin of any
tone. `tools/package_skins.py` makes the packaged ones; a folder with MakeHuman's own files goes the same way.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from facskit.errors import DatasetError
from facskit.faces.drawing import blur, resize, sample
from facskit.faces.images import read_image
from facskit.synthesis.atlas import TEXTURE_SIZE
from facskit.synthesis.linear_light import to_linear
from facskit.synthesis.looks import Looks

__all__ = ["PACKAGED_SKINS", "SkinDetail", "SkinPhotograph", "choose_skin", "find_skins", "on_chart"]

PACKAGED_SKINS = Path(__file__).parent.parent / "assets" / "skins"
LAYOUT = PACKAGED_SKINS / "layout.npz"

PHOTOGRAPHED = 0.5
"""Share of people with photographed skin; the others' is painted."""
MALE_WITHOUT_BEARD = 1 / 6
"""Share of men's skins among people without a beard, where the head doesn't say its sex."""
_YEARS = {"young": 26.0, "middleage": 48.0, "old": 72.0}
_AGE_SPREAD = 11.0
"""Difference in years at which a skin becomes e times rarer."""
_OTHER_TONE = 0.35
"""How much rarer a skin is on people of the other half of tones; rarer only, as it can be shifted to every tone."""
_FLOOR = 0.015
"""Linear light that is added before dividing, so that the noise of dark pictures stays small."""
_FILE_NAME = re.compile(r"(young|middleage|old)_(light|dark)skinned_(female|male)_diffuse\d*\.(png|jpe?g)")

Detail = Float32[np.ndarray, "512 512 3"]


@dataclass(frozen=True, kw_only=True)
class SkinDetail:
    """Factors on a person's skin tone in linear light, texel by texel; 1 where the photograph says nothing."""

    bare: Detail
    """The skin as if it went on under the lips."""
    lips: Detail
    """Further factors that make the lips; 1 elsewhere."""


@dataclass(frozen=True, kw_only=True)
class SkinPhotograph:
    """One file with the skin of a real person."""

    path: Path
    years: float
    """Age that it shows."""
    male: bool
    dark: bool
    charted: bool
    """Whether it is laid out on the painter's chart already; otherwise as MakeHuman's base mesh has it."""

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    def detail(self) -> SkinDetail:
        """Read what the photograph adds to a skin tone.

        Raises:
            MediaError: The file is no readable picture.
        """
        picture = read_image(self.path)
        if not self.charted:
            picture = on_chart(picture, TEXTURE_SIZE)
        layout = _layout()
        light = to_linear(resize(picture.astype(np.float32), (TEXTURE_SIZE, TEXTURE_SIZE)) / np.float32(255))
        light = _filled(light, layout.openings, 5.0) + np.float32(_FLOOR)
        weight = layout.weight[..., None]
        lipless = _filled(light, layout.lips, 14.0)
        mean = (lipless * weight).sum((0, 1)) / weight.sum()
        bare = 1 + weight * (lipless / mean - 1)
        return SkinDetail(bare=np.maximum(bare, 0), lips=1 + weight * (light / lipless - 1))


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """How MakeHuman's layout and the painter's chart belong together."""

    grid: Float32[np.ndarray, "rows columns 2"]
    """Position on MakeHuman's layout, 0 to 1 with v upwards, for a grid that spans the chart."""
    masks: UInt8[np.ndarray, "3 side side"]

    @cached_property
    def weight(self) -> Float32[np.ndarray, "512 512"]:
        """How far to trust the photograph: 0 at scalp, neck and the chart's edge."""
        return self._mask(0)

    @cached_property
    def openings(self) -> Float32[np.ndarray, "512 512"]:
        """Slits of eyes and mouth, where the photograph shows no skin."""
        return self._mask(1)

    @cached_property
    def lips(self) -> Float32[np.ndarray, "512 512"]:
        """The lips."""
        return self._mask(2)

    def _mask(self, row: int) -> Float32[np.ndarray, "512 512"]:
        side = (TEXTURE_SIZE, TEXTURE_SIZE)
        return np.clip(resize(self.masks[row].astype(np.float32) / np.float32(255), side), 0, 1)


@cache
def _layout() -> _Layout:
    with np.load(LAYOUT, allow_pickle=False) as archive:
        return _Layout(grid=archive["grid"], masks=archive["masks"])


def find_skins(folder: Path | None = None) -> tuple[SkinPhotograph, ...]:
    """List the skins of a folder, in the order of their names.

    Args:
        folder: MakeHuman's data or a part of it, with files such as `young_lightskinned_male_diffuse.png`, anywhere
            below it; the packaged skins by default.

    Raises:
        DatasetError: The folder is missing or has no such file.
    """
    home = PACKAGED_SKINS if folder is None else folder
    if not home.is_dir():
        raise DatasetError(f"{home} is no folder; expected one with MakeHuman's skins")
    found = {}
    for path in sorted(home.rglob("*_diffuse*")):
        match = _FILE_NAME.fullmatch(path.name)
        if match:
            age, tone, sex, _ = match.groups()
            found[path.stem] = SkinPhotograph(
                path=path, years=_YEARS[age], male=sex == "male", dark=tone == "dark", charted=folder is None
            )
    if not found:
        raise DatasetError(
            f"{home} has no skin: no file in it is named like MakeHuman's young_lightskinned_male_diffuse.png"
        )
    return tuple(found[name] for name in sorted(found))


def choose_skin(looks: Looks, male: float, skins: Sequence[SkinPhotograph], rng: np.random.Generator) -> str:
    """Draw whether a person's skin is photographed and, if so, which skin of their sex and about their age it is.

    Args:
        male: 0 for a woman's head to 1 for a man's; 0.5 where the head doesn't say.
        rng: The only source of chance.

    Returns:
        The skin's name; empty for painted skin.
    """
    if not skins:
        return ""
    photographed, unknown_is_man = rng.random() < PHOTOGRAPHED, rng.random() < MALE_WITHOUT_BEARD
    wants_man = male > 0.5 or looks.stubble > 0 or (male == 0.5 and unknown_is_man)
    fitting = [skin for skin in skins if skin.male == wants_man] or list(skins)
    years = np.array([skin.years for skin in fitting])
    shares = np.exp(-np.abs(years - looks.age) / _AGE_SPREAD)
    shares *= [1.0 if skin.dark == (looks.skin_tone > 5) else _OTHER_TONE for skin in fitting]
    chosen = fitting[int(rng.choice(len(fitting), p=shares / shares.sum()))]
    return chosen.name if photographed else ""


def on_chart(picture: UInt8[np.ndarray, "height width 3"], side: int) -> UInt8[np.ndarray, "side side 3"]:
    """Carry a skin from the layout of MakeHuman's base mesh over to the painter's chart.

    Args:
        picture: RGB, the whole body's skin.
        side: Height and width of the chart.
    """
    height, width = picture.shape[:2]
    grid = _layout().grid
    # The grid's points lie on the edges of the chart's cells, pixels are in the middle of theirs.
    cells = ((np.arange(side, dtype=np.float32) + np.float32(0.5)) / side) * np.float32(len(grid) - 1)
    columns, rows = np.meshgrid(cells, cells)
    place = sample(grid, columns, rows)
    return sample(picture, place[..., 0] * width - np.float32(0.5), (1 - place[..., 1]) * height - np.float32(0.5))


def _filled(light: Detail, hole: Float32[np.ndarray, "512 512"], reach: float) -> Detail:
    """Let what surrounds a hole flow into it."""
    keep = 1 - hole
    spread = blur(light * keep[..., None], reach) / np.maximum(blur(keep, reach), np.float32(1e-3))[..., None]
    return light + hole[..., None] * (spread - light)
