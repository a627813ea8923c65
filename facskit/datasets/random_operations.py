"""RandAugment: a few of fifteen strong changes, drawn at random for each sample.

Four things differ from the original. Geometric changes always come first, in the order drawn: they join the crop's
matrix, so that pixels are resampled once, from the source image; changes of tone follow in their order. Resampling is
bilinear, not bicubic. What a movement uncovers is more of the source image where there is more, else the crop's own
border colour, not ImageNet's mean (124, 116, 104). And posterizing always leaves a bit; see `change_tones`.

Paper:
    Cubuk, Zoph, Shlens, Le, "RandAugment: Practical automated data augmentation with a reduced search space", 2020,
    arXiv 1909.13719; with the operations and limits that FMAE-IAT's scripts name `rand-m9-mstd0.5-inc1`: all of them
    change more as the magnitude grows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, UInt8

from facskit.datasets.augmentation_config import AugmentationConfig
from facskit.faces import tone_operations

__all__ = ["RandomOperation", "change_tones", "draw_operations", "operations_matrix"]

OperationName = Literal[
    "auto-contrast",
    "equalize",
    "invert",
    "rotate",
    "posterize",
    "solarize",
    "solarize-add",
    "color",
    "contrast",
    "brightness",
    "sharpness",
    "shear-x",
    "shear-y",
    "translate-x",
    "translate-y",
]
_NAMES: tuple[OperationName, ...] = get_args(OperationName)
_FULL = 10.0
_OWN_STREAM = 1


@dataclass(frozen=True, kw_only=True)
class RandomOperation:
    """One drawn change."""

    name: OperationName
    """Which."""
    magnitude: float
    """How much, 0 to 10; `auto-contrast`, `equalize` and `invert` don't look at it."""
    sign: float = 1.0
    """To which side, 1 or -1, for those that have two."""

    @property
    def share(self) -> float:
        """The magnitude from 0 to 1."""
        return self.magnitude / _FULL


def draw_operations(config: AugmentationConfig, rng: np.random.Generator) -> tuple[RandomOperation, ...]:
    """Draw a sample's changes: always the same ones for a sample's key, however much was drawn from its generator.

    They come from a stream of their own beside the generator's, so that geometry and tones, which are changed at
    different moments, see the same draw, and nothing else that is random changes with them.

    Args:
        config: `random_operations` draws with replacement, each kept with `operation_chance`; magnitudes are normal
            around `magnitude` with the deviation `magnitude_spread`, cut to 0 to 10.
        rng: As `sample_generator` makes it; nothing is drawn from it.

    Raises:
        TypeError: The generator wasn't made from a seed.
    """
    if not config.random_operations:
        return ()
    root = rng.bit_generator.seed_seq
    if not isinstance(root, np.random.SeedSequence):
        raise TypeError("rng must be made from a numpy SeedSequence, as sample_generator does")
    own = np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, _OWN_STREAM))
    stream = np.random.Generator(np.random.PCG64(own))
    drawn = [_draw(config, stream) for _ in range(config.random_operations)]
    return tuple(operation for operation in drawn if operation is not None)


def _draw(config: AugmentationConfig, stream: np.random.Generator) -> RandomOperation | None:
    name = _NAMES[int(stream.integers(len(_NAMES)))]
    kept = stream.random() < config.operation_chance
    magnitude = float(np.clip(stream.normal(config.magnitude, config.magnitude_spread), 0, _FULL))
    sign = -1.0 if stream.random() < 0.5 else 1.0
    return RandomOperation(name=name, magnitude=magnitude, sign=sign) if kept else None


def operations_matrix(operations: Sequence[RandomOperation], size: int) -> Float[np.ndarray, "3 3"]:
    """Join the geometric ones among some changes, from crop pixels to changed crop pixels.

    At magnitude 10 a turn about the middle is 30 degrees; a shear, which keeps the upper or the left edge, moves 0.3
    pixels per pixel; a movement is 0.45 of the side.

    Args:
        size: Side of the crop in pixels.
    """
    joined = np.eye(3)
    for operation in operations:
        joined = _step(operation, size) @ joined
    return joined


def _step(operation: RandomOperation, size: int) -> Float[np.ndarray, "3 3"]:
    step, amount = np.eye(3), operation.sign * operation.share
    match operation.name:
        case "rotate":
            angle, middle = np.deg2rad(30 * amount), np.full(2, (size - 1) / 2)
            step[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            step[:2, 2] = middle - step[:2, :2] @ middle
        case "shear-x":
            step[0, 1:] = 0.3 * amount, 0.3 * amount * 0.5  # the upper edge, which stays, lies at -0.5
        case "shear-y":
            step[1, [0, 2]] = 0.3 * amount, 0.3 * amount * 0.5
        case "translate-x":
            step[0, 2] = 0.45 * amount * size
        case "translate-y":
            step[1, 2] = 0.45 * amount * size
        case _:
            pass
    return step


def change_tones(
    operations: Sequence[RandomOperation], crop: UInt8[np.ndarray, "height width 3"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Apply the changes of tone and colour among some changes; the same array if there are none.

    At magnitude 10 `posterize` keeps one bit (the original: none, a black image) and at 0 four; `solarize` turns values
    from 256 - 25.6 times the magnitude on; `solarize-add` adds up to 110 to dark values; the factors of `color`,
    `contrast`, `brightness` and `sharpness` are 1 - 0.09 or 1 + 0.09 times the magnitude.
    """
    for operation in operations:
        crop = _enhance(operation, _remap(operation, crop))
    return crop


def _remap(
    operation: RandomOperation, crop: UInt8[np.ndarray, "height width 3"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Apply one of the operations that replace each value by another."""
    match operation.name:
        case "auto-contrast":
            crop = tone_operations.stretch_contrast(crop)
        case "equalize":
            crop = tone_operations.equalize(crop)
        case "invert":
            crop = tone_operations.invert(crop)
        case "posterize":
            crop = tone_operations.posterize(crop, max(1, 4 - int(4 * operation.share)))
        case "solarize":
            crop = tone_operations.solarize(crop, 256 - int(256 * operation.share))
        case "solarize-add":
            crop = tone_operations.add_to_shadows(crop, int(110 * operation.share))
        case _:
            pass
    return crop


def _enhance(
    operation: RandomOperation, crop: UInt8[np.ndarray, "height width 3"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Apply one of the operations that move the image away from a duller one, or towards it."""
    factor = 1 + 0.9 * operation.sign * operation.share
    match operation.name:
        case "color":
            crop = tone_operations.change_saturation(crop, factor)
        case "contrast":
            crop = tone_operations.change_contrast(crop, factor)
        case "brightness":
            crop = tone_operations.change_brightness(crop, factor)
        case "sharpness":
            crop = tone_operations.change_sharpness(crop, factor)
        case _:
            pass
    return crop
