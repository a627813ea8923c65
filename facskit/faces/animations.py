"""Animated pictures - GIF, WebP, PNG, AVIF - as the videos they are: frame by frame, with the times the file gives.

FFmpeg, which reads other videos, can't read all of them; Pillow can.
"""

import struct
import zlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageSequence

from facskit.errors import MediaError
from facskit.faces.images import check_size, pixels_of_pillow
from facskit.faces.media_files import ANIMATED_FORMATS

__all__ = ["AnimationFrame", "animation_frames"]

_HASTE = 0.010
"""Seconds: a frame that is to last no longer lasts a tenth of a second, as in browsers."""
_FAULTS = (OSError, SyntaxError, ValueError, EOFError, LookupError, MemoryError, struct.error, zlib.error)


@dataclass(frozen=True, slots=True, eq=False)
class AnimationFrame:
    """One picture of an animation."""

    timestamp: float
    """Seconds from the animation's start."""
    lasts: float
    """Seconds for which it is shown."""
    image: UInt8[np.ndarray, "height width 3"]
    """The picture, upright, RGB, transparency on white."""


def animation_frames(path: Path) -> Generator[AnimationFrame]:
    """Decode an animated picture frame by frame; it is played once.

    Raises:
        MediaError: The file is absurdly large, damaged or cut short; the last two may show only after the last good
            frame.
    """
    count, time = 0, 0.0
    try:
        with Image.open(path, formats=ANIMATED_FORMATS) as picture:
            check_size(picture.size, str(path))
            for shown in ImageSequence.Iterator(picture):
                # The picture that programs without animations show needn't belong to it.
                if shown.tell() == 0 and shown.info.get("default_image"):
                    continue
                shown.load()  # some formats know a frame's duration only then
                lasts = float(shown.info.get("duration") or 0) / 1000
                lasts = lasts if lasts > _HASTE else 0.1
                yield AnimationFrame(time, lasts, pixels_of_pillow(shown))
                count, time = count + 1, time + lasts
    except _FAULTS as error:
        raise MediaError(
            f"{path}: found damaged data after {count} good frames; expected a complete animation"
        ) from error
