"""Looks of one person as numbers: skin, brows, lips, eyes, hair and glasses; `casting` draws them."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Brows", "Colour", "Glasses", "Hair", "HairStyle", "Lips", "Looks"]

Colour = tuple[float, float, float]
"""Red, green and blue between 0 and 1 (sRGB)."""
HairStyle = Literal["bald", "receding", "short", "bob", "long", "bun", "cap", "headscarf"]


@dataclass(frozen=True, kw_only=True)
class Brows:
    """Shape and colour of a pair of brows; lengths are in units of the brow's own length."""

    thickness: float
    """Height of the hair band at its thickest place."""
    arch: float
    """How far the outer third rises above the landmarks' own arch; negative is flatter."""
    gap: float
    """How far the inner end moves away from the other brow; negative grows together."""
    lift: float
    """How far the whole brow lies above the landmarks."""
    density: float
    """0 for hardly a hair to 1 for a closed band."""
    colour: Colour
    drawn: int = 0
    """Which of the brows of `facskit.synthesis.drawn_details` gives the hairs, 1 to 12; 0 for strokes of its own."""


@dataclass(frozen=True, kw_only=True)
class Lips:
    """The red of the lips."""

    colour: Colour
    """Of the lower lip."""
    strength: float
    """0 for lips like the skin to 1 for lipstick."""
    upper_shade: float
    """How much darker the upper lip is: 0 to about 0.3."""
    rim: float
    """How much darker the red is along its edge: 0 to 1."""
    fullness: float
    """Height relative to the landmarks' outline: below 1 thin, above 1 full."""
    soft_edge: float
    """Width over which the red fades into the skin, texels."""
    gloss: float
    """Light on the lower lip: 0 dry to 1 wet."""
    seam: float
    """How dark the line between closed lips is: 0 hardly to 1 black."""
    corner_shade: float
    """How dark the corners of the mouth are: 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Hair:
    """Hair on the head, or what covers it."""

    style: HairStyle
    colour: Colour
    """Colour of the hair, or of the cloth for caps and headscarves."""
    thickness: float
    """Height above the scalp in centimetres."""
    length: float
    """0 to 1, from the shortest to the longest of its style."""
    hairline: float
    """How high the forehead is: 0 low, 1 high."""
    parting: float
    """Where the hair parts, -1 at the subject's right to 1 at the left."""
    fringe: float
    """0 none, otherwise how far it comes down the forehead: 1 nearly to the brows."""
    curl: float
    """0 straight to 1 in curls."""
    cards: str = ""
    """Cards that the hair is made of, a name of `facskit.synthesis.hair_cards`; empty for a shell."""


@dataclass(frozen=True, kw_only=True)
class Glasses:
    """A pair of glasses."""

    roundness: float
    """0 for nearly rectangular rims to 1 for circles."""
    width: float
    """Half the width of one rim in centimetres."""
    height: float
    """Half the height of one rim in centimetres."""
    wire: float
    """Radius of the frame's wire in centimetres."""
    colour: Colour
    tint: float
    """How much the lenses darken: 0 clear, 1 opaque."""


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Everything that stays the same on one person from frame to frame."""

    seed: int
    """Starts the private randomness of this person: where the freckles and wrinkles lie."""
    skin_tone: int
    """1 (lightest) to 10 (darkest), as on the Monk scale."""
    skin_rgb: Colour
    skin_photograph: str = ""
    """Photograph whose detail the skin has, a name of `facskit.synthesis.skin_textures`; empty for painted skin."""
    age: float
    """Years, 18 to 80."""
    crease_depth: float
    """How deep skin folds when muscles pull: 0 hardly visible to about 1.5 deep."""
    resting_creases: float
    """How deep the same folds are at rest, as a part of an active fold: 0 to about 0.5."""
    redness: float
    """Of cheeks, nose and ears: 0 to 1."""
    mottling: float
    """Uneven colour in large patches: 0 to 1."""
    freckles: float
    """0 to 1."""
    moles: int
    blemishes: int
    under_eye_shade: float
    """0 to 1."""
    lips: Lips
    eyeliner: float
    """0 none to 1 strong."""
    eye_shadow: float
    """0 none to 1 strong."""
    eye_shadow_colour: Colour
    lash_rgb: Colour
    lash_opacity: float
    """Of the rendered lashes: 0 to 1."""
    drawn_lashes: int = 0
    """Which of the lashes of `facskit.synthesis.drawn_details` they are, 1 to 4; 0 for a shade."""
    stubble: float
    """Beard on cheeks, chin and upper lip: 0 shaved, 1 dark shadow."""
    moustache: float
    """0 none to 1 thick."""
    goatee: float
    """0 none to 1 thick."""
    beard_colour: Colour
    brows: Brows
    iris_rgb: Colour
    drawn_iris: int = 0
    """Which iris of `facskit.synthesis.drawn_details` gives the fibres, 1 to 9; 0 for none."""
    sclera_rgb: Colour
    hair: Hair
    glasses: Glasses | None
    garment_rgb: Colour
    collar: float
    """Height at which the garment begins, on the scale of `atlas.neck_height`."""
    skin_specular: float
    """Specular strength of the skin: 0 matt to 1 oily."""
    teeth_rgb: Colour
    mouth_rgb: Colour
    """Of gums, tongue and the inside of the mouth."""
