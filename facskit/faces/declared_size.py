"""How many pixels a file claims to have, before anything of it is unpacked."""

import warnings
from contextlib import suppress
from pathlib import Path

import av
from PIL import Image

from facskit.faces.images import readable_formats
from facskit.faces.media_files import is_animation, kind_by_content

__all__ = ["declared_size"]


def declared_size(path: Path) -> tuple[int, int] | None:
    """Return width and height in pixels as the header of a photograph or video has them.

    Returns:
        The size before rotation and with pixels as they are stored; None where the header can't be read, which is said
        when the file is.
    """
    if kind_by_content(path) == "video" and not is_animation(path):
        with suppress(av.FFmpegError, OSError, ValueError), av.open(str(path)) as container:
            streams = container.streams.video
            return (streams[0].width, streams[0].height) if streams else None
        return None
    with suppress(OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path, formats=readable_formats()) as picture:
            return picture.size
    return None
