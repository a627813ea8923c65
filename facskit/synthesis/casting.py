"""The casting: draws skin, brows, lips, eyes, hair and glasses of one invented person.

Every property is drawn without looking at any action unit, so that no property of a person can give a label away. The
spread is wider than in any one population on purpose: a network that has seen everything treats a photograph as one
more case.
"""

import numpy as np
from jaxtyping import Float

from facskit.synthesis.looks import Brows, Colour, Glasses, Hair, HairStyle, Lips, Looks

__all__ = ["sample_looks"]

_SKIN_TONES = (
    (243, 212, 196),
    (238, 202, 182),
    (231, 192, 166),
    (222, 180, 148),
    (205, 160, 124),
    (176, 128, 92),
    (148, 102, 72),
    (122, 83, 60),
    (100, 67, 50),
    (80, 54, 43),
)
"""Lightest to darkest, in the order of the ten-step Monk scale; redder than its swatches, as lit skin is."""

# Our choice, here and below: natural colours from black to fair and red, 0 to 255.
_HAIR_COLOURS = (
    (22, 18, 17),
    (38, 28, 24),
    (62, 42, 30),
    (92, 62, 40),
    (128, 88, 52),
    (172, 132, 84),
    (206, 172, 120),
    (120, 54, 28),
)
_IRIS_COLOURS = ((58, 36, 22), (84, 54, 30), (104, 80, 44), (92, 104, 70), (92, 120, 140), (128, 150, 164))
_THICKNESS = {"receding": (0.25, 0.8), "bob": (1.0, 2.4), "long": (0.9, 2.4)}
"""Centimetres, least and most; other styles between 0.4 and 2.2."""
# Our choice: lipsticks from nude over pink, red and berry to nearly black, 0 to 255.
_LIPSTICKS = (
    (196, 140, 122),
    (168, 104, 92),
    (206, 110, 118),
    (190, 60, 84),
    (172, 26, 38),
    (196, 52, 42),
    (126, 18, 40),
    (92, 22, 44),
    (70, 28, 34),
    (44, 16, 24),
    (120, 70, 58),
    (150, 70, 110),
)
# Our choice: cloth of caps and headscarves, 0 to 255.
_FABRICS = ((30, 32, 44), (120, 28, 34), (40, 74, 110), (180, 172, 160), (60, 92, 66), (214, 190, 140), (90, 60, 110))


def sample_looks(rng: np.random.Generator) -> Looks:
    """Invent a person.

    Args:
        rng: The only source of chance; the same state gives the same person.

    Returns:
        Looks whose skin tones cover the ten groups equally often.
    """
    tone = int(rng.integers(1, 11))
    skin = _skin_colour(rng, tone)
    age = float(rng.uniform(18, 80))
    natural = _natural_hair_colour(rng, tone, age)
    bearded = rng.random() < 0.4
    # Beards are men's; a few men paint their lips too.
    painted = rng.random() < (0.03 if bearded else 0.45)
    smooth = rng.random() < 0.08
    folds = float(rng.uniform(0, 0.2) if smooth else np.clip(rng.lognormal(0.1, 0.4), 0.3, 1.8))
    return Looks(
        seed=int(rng.integers(2**31)),
        skin_tone=tone,
        skin_rgb=skin,
        age=age,
        crease_depth=folds * (0.65 + 0.6 * (age - 18) / 62),
        resting_creases=float(rng.uniform(0.0, 0.12) + max(0.0, age - 30) / 50 * rng.uniform(0.05, 0.5)),
        redness=float(rng.beta(1.5, 3)),
        mottling=float(rng.beta(2, 4)),
        freckles=float(rng.beta(2, 3)) if rng.random() < 0.25 else 0.0,
        moles=int(rng.poisson(1.5)),
        blemishes=int(rng.poisson(6)) if rng.random() < 0.4 else 0,
        under_eye_shade=float(rng.beta(1.5, 3)),
        lips=_sample_lips(rng, skin, painted),
        eyeliner=float(rng.uniform(0.3, 1.0) if rng.random() < 0.3 else rng.uniform(0.0, 0.25)),
        eye_shadow=float(rng.uniform(0.1, 0.8)) if rng.random() < 0.15 else 0.0,
        eye_shadow_colour=_colour(rng.uniform((40, 20, 20), (150, 110, 150))),
        lash_rgb=_colour(np.array(natural) * 255 * rng.uniform(0.1, 0.8)),
        lash_opacity=float(rng.uniform(0.0, 0.9)),
        stubble=float(rng.uniform(0.1, 0.9)) if bearded else 0.0,
        moustache=float(rng.uniform(0.3, 1.0)) if bearded and rng.random() < 0.35 else 0.0,
        goatee=float(rng.uniform(0.3, 1.0)) if bearded and rng.random() < 0.3 else 0.0,
        beard_colour=_colour(255 * np.array(natural) * rng.uniform(0.6, 1.1)),
        brows=_sample_brows(rng, natural, skin),
        iris_rgb=_iris_colour(rng, tone),
        sclera_rgb=_colour(np.array((196, 187, 180)) + rng.normal(0, 5, 3) - rng.uniform(0, 30)),
        hair=_sample_hair(rng, natural, age),
        glasses=_sample_glasses(rng) if rng.random() < 0.2 else None,
        garment_rgb=_colour(255 * rng.beta(0.9, 1.1) + rng.normal(0, 30, 3)),
        collar=float(rng.uniform(-14.5, -9.5)),
        skin_specular=float(rng.beta(2, 4)),
        teeth_rgb=_colour(np.array((228, 218, 196)) + rng.normal(0, 8, 3) - rng.uniform(0, 30)),
        mouth_rgb=_colour(np.array((138, 66, 64)) * rng.uniform(0.5, 1.05)),
    )


def _skin_colour(rng: np.random.Generator, tone: int) -> Colour:
    anchors = np.array(_SKIN_TONES, np.float64)
    position = float(np.clip(tone - 1 + rng.uniform(-0.5, 0.5), 0, 9))
    colour = np.array([np.interp(position, np.arange(10), anchors[:, channel]) for channel in range(3)])
    warmth, pinkness = rng.normal(0, 0.035), rng.normal(0.015, 0.018)
    return _colour(colour * (1 + warmth * np.array((0.3, 0, -1)) + pinkness * np.array((0.5, -1, 0.3))))


def _natural_hair_colour(rng: np.random.Generator, tone: int, age: float) -> Colour:
    darkest = tone >= 6 and rng.random() < 0.9
    base = np.array(_HAIR_COLOURS[int(rng.integers(0, 3 if darkest else len(_HAIR_COLOURS)))], np.float64)
    grey = np.clip((age - 40) / 35 + rng.normal(0, 0.25), 0, 1) * rng.uniform(0.3, 1)
    return _colour(_mix(base, np.full(3, rng.uniform(130, 220)), grey) * rng.uniform(0.8, 1.2))


def _sample_lips(rng: np.random.Generator, skin: Colour, painted: bool) -> Lips:
    return Lips(
        colour=_lipstick(rng) if painted else _natural_lips(rng, skin),
        strength=float(rng.uniform(0.55, 1.0) if painted else rng.uniform(0.25, 0.9)),
        upper_shade=float(rng.uniform(0, 0.15) if painted else rng.uniform(0.03, 0.3)),
        rim=float(rng.beta(1.5, 2)),
        fullness=float(np.clip(rng.normal(1.0, 0.1), 0.72, 1.22)),
        soft_edge=float(rng.uniform(0.9, 2.0) if painted else rng.uniform(1.5, 4.0)),
        gloss=float(rng.beta(1, 1.5) if painted else rng.beta(1, 3)),
        seam=float(rng.uniform(0.15, 1.0)),
        corner_shade=float(rng.random()),
    )


def _lipstick(rng: np.random.Generator) -> Colour:
    """Draw a colour between two shades of the palette, darker or lighter."""
    first, second = rng.choice(len(_LIPSTICKS), 2, replace=False)
    palette = np.array(_LIPSTICKS, np.float64)
    mixed = _mix(palette[first], palette[second], rng.uniform(0, 0.6))
    return _colour(mixed * rng.uniform(0.7, 1.15))


def _natural_lips(rng: np.random.Generator, skin: Colour) -> Colour:
    """Redder and mostly darker than the skin; on dark skin sometimes paler."""
    share = rng.uniform((0.72, 0.48, 0.5), (1.0, 0.76, 0.8))
    darkness = 1 - float(np.mean(skin))
    return _colour(255 * np.array(skin) * share * (1 + 0.35 * darkness * rng.random()))


def _sample_brows(rng: np.random.Generator, hair: Colour, skin: Colour) -> Brows:
    darkness = rng.uniform(0.35, 0.9)
    return Brows(
        thickness=float(rng.uniform(0.07, 0.22)),
        arch=float(rng.normal(0, 0.05)),
        gap=float(rng.normal(0.02, 0.05)),
        lift=float(rng.normal(0.0, 0.04)),
        density=float(rng.beta(2.5, 1.6)),
        colour=_colour(255 * _mix(np.array(skin) * 0.5, np.array(hair) * darkness, rng.uniform(0.7, 1.0))),
    )


def _iris_colour(rng: np.random.Generator, tone: int) -> Colour:
    index = int(rng.integers(0, 2 if tone >= 6 and rng.random() < 0.9 else len(_IRIS_COLOURS)))
    return _colour(np.array(_IRIS_COLOURS[index]) * rng.uniform(0.7, 1.25) + rng.normal(0, 5, 3))


def _sample_hair(rng: np.random.Generator, natural: Colour, age: float) -> Hair:
    styles: tuple[HairStyle, ...] = ("bald", "receding", "short", "bob", "long", "bun", "cap", "headscarf")
    weights = np.array((0.04, 0.05 + 0.1 * (age > 45), 0.38, 0.18, 0.2, 0.08, 0.015, 0.04))
    style = styles[int(rng.choice(len(styles), p=weights / weights.sum()))]
    cloth = style in ("cap", "headscarf")
    fabric = np.array(_FABRICS[int(rng.integers(len(_FABRICS)))]) * rng.uniform(0.6, 1.15)
    dyed = rng.random() < 0.04
    return Hair(
        style=style,
        colour=_colour(fabric) if cloth else _colour(rng.uniform(20, 200, 3)) if dyed else natural,
        thickness=float(rng.uniform(*_THICKNESS.get(style, (0.4, 2.2)))),
        length=float(rng.random()),
        hairline=float(rng.beta(2, 2)),
        parting=float(rng.uniform(-1, 1)),
        fringe=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.35 else 0.0,
        curl=float(rng.beta(1, 2)),
    )


def _sample_glasses(rng: np.random.Generator) -> Glasses:
    dark = rng.random() < 0.6
    return Glasses(
        roundness=float(rng.random()),
        width=float(rng.uniform(2.1, 2.75)),
        height=float(rng.uniform(1.5, 2.3)),
        wire=float(rng.uniform(0.05, 0.2)),
        colour=_colour(rng.uniform(5, 60, 3) if dark else rng.uniform(60, 220, 3)),
        tint=float(rng.uniform(0.0, 0.08) if rng.random() < 0.85 else rng.uniform(0.15, 0.5)),
    )


def _colour(values: Float[np.ndarray, "3"]) -> Colour:
    """Put 0..255 values, as the tables above have them, into the range 0..1."""
    red, green, blue = (float(value) for value in np.clip(np.asarray(values) / 255, 0, 1))
    return red, green, blue


def _mix(
    first: Float[np.ndarray, "..."], second: Float[np.ndarray, "..."], share: float | Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    return first * (1 - share) + second * share
