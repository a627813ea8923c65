"""Settings of augmentation: all random changes of training crops; recipes have the numbers."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["AugmentationConfig"]

_LIMITS = {
    "rotation": (0.0, 180.0),
    "stretch": (0.0, 1.0),
    "shift": (0.0, 0.5),
    "shift_pixels": (0, 1024),
    "random_operations": (0, 10),
    "magnitude": (0.0, 10.0),
    "magnitude_spread": (0.0, 10.0),
    "brightness": (0.0, 1.0),
    "contrast": (0.0, 2.0),
    "gamma": (0.0, 2.0),
    "colour_gain": (0.0, 2.0),
    "shade": (0.0, 1.0),
    "shrink": (1.0, 20.0),
    "noise": (0.0, 128.0),
    "erase_count": (0, 20),
}
_RANGE_LIMITS = {
    "scale": (0.1, 10.0),
    "window_area": (0.01, 1.0),
    "blur": (0.0005, 0.2),
    "jpeg_quality": (1, 100),
    "erase_area": (0.0001, 0.9),
}


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """How much training crops vary; the defaults change nothing.

    Lengths are fractions of the crop's side, so that one setting means the same at 112 and at 224 pixels; only
    `shift_pixels` isn't. Fields with two numbers are ranges; a field that ends in `_chance` is a probability, and the
    field beside it is how strong the change then is.
    """

    flip_chance: float = 0.0
    """Probability of a mirror image."""
    rotation: float = 0.0
    """Largest turn in the image plane, degrees to either side."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Range of enlargements, uniform in the logarithm."""
    stretch: float = 0.0
    """Largest change of width against height, as a logarithm: 0.1 makes the face up to 10 % wider or narrower."""
    shift: float = 0.0
    """Largest movement across and down, as a fraction of the side."""
    shift_pixels: int = 0
    """Largest movement across and down in pixels, a whole number drawn for each: with 12, a window of 176 takes each of
    the 25 x 25 places in an aligned picture of 200, equally often. Images prepared in that size aren't resampled."""
    window_area: tuple[float, float] | None = None
    """Range of areas for a random window inside the crop (`RandomResizedCrop`); None takes the whole crop. Its aspect
    lies between 3:4 and 4:3, uniform in the logarithm, and it is stretched to the whole side. Unlike in FMAE-IAT's
    scripts, it is resampled bilinearly, not bicubically, and one that doesn't fit only has its longer side cut."""
    random_operations: int = 0
    """How many of RandAugment's 15 operations are drawn, with replacement; FMAE-IAT's scripts draw 2. Unlike there,
    geometric ones always come first and are resampled with the crop, bilinearly and with its border colour."""
    magnitude: float = 9.0
    """Mean magnitude of those operations, 0 to 10: at 10 a turn is 30 degrees and a movement 0.45 of the side."""
    magnitude_spread: float = 0.5
    """Standard deviation of the magnitude, which is cut to 0 to 10."""
    operation_chance: float = 0.5
    """Probability that a drawn operation is applied."""
    brightness: float = 0.0
    """Largest amount added to all colours, as a fraction of white, to either side."""
    contrast: float = 0.0
    """Largest logarithm of the factor around mid grey, to either side."""
    gamma: float = 0.0
    """Largest logarithm of the exponent of the tone curve, to either side."""
    colour_gain: float = 0.0
    """Largest logarithm of each colour's own factor, to either side: the tint of the light."""
    grey_chance: float = 0.0
    """Probability of losing the colours."""
    shade_chance: float = 0.0
    """Probability of a smooth light and shadow across the face."""
    shade: float = 0.5
    """Depth of that shadow: factors are drawn from 1 - shade to 1 + shade / 2."""
    blur_chance: float = 0.0
    """Probability of a blur, half of them out of focus and half in motion."""
    blur: tuple[float, float] = (0.004, 0.015)
    """Range of the standard deviation out of focus, fraction of the side; a motion is four times as long."""
    shrink_chance: float = 0.0
    """Probability of a lower resolution."""
    shrink: float = 3.0
    """Largest factor of that loss of resolution."""
    noise_chance: float = 0.0
    """Probability of sensor noise."""
    noise: float = 12.0
    """Largest standard deviation of that noise, in grey levels of 255."""
    jpeg_chance: float = 0.0
    """Probability of JPEG artefacts."""
    jpeg_quality: tuple[int, int] = (30, 90)
    """Range of JPEG qualities, 1 to 100."""
    erase_chance: float = 0.0
    """Probability of each of `erase_count` covered rectangles."""
    erase_count: int = 1
    """How many rectangles may be covered."""
    erase_area: tuple[float, float] = (0.02, 0.2)
    """Range of a rectangle's area, as a fraction of the crop; its aspect lies between 0.3 and 3.3."""
    erase_fill: Literal["noise", "normal", "blocks"] = "noise"
    """What covers: `noise` with the crop's mean and spread; `normal`, standard normal noise after the crop is
    normalised, as timm's RandomErasing has it; or `blocks`, one of the first, a plain colour, or another part of the
    crop."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name.endswith("_chance"):
                _check(name, value, 0, 1)
        for name, limit in _LIMITS.items():
            _check(name, getattr(self, name), *limit)
        for name, limit in _RANGE_LIMITS.items():
            pair = getattr(self, name)
            if pair is None:
                continue
            if pair[0] > pair[1]:
                raise ValueError(f"{name} must be a range from low to high, got {pair}")
            _check(name, pair[0], *limit)
            _check(name, pair[1], *limit)


def _check(name: str, value: float | int, low: float | int, high: float | int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low:g} to {high:g}, got {value}")
