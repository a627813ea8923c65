"""What this installation can decode."""

import importlib.util

import av
from PIL import features

__all__ = ["photograph_formats", "video_codecs"]

_FORMATS = {"webp": "WebP", "avif": "AVIF", "jpg_2000": "JPEG 2000"}
_CODECS = ("h264", "hevc", "vp9", "av1", "mpeg2video", "mjpeg")


def photograph_formats() -> list[str]:
    """Return the formats of photographs that are read."""
    found = [shown for name, shown in _FORMATS.items() if features.check(name)]
    heic = ["HEIC"] if importlib.util.find_spec("pillow_heif") else []
    return ["JPEG", "PNG", "TIFF", "GIF", *found, *heic]


def video_codecs() -> list[str]:
    """Return the usual codecs of videos that are decoded."""
    return [codec for codec in _CODECS if codec in av.codecs_available]
