"""Places of frames' pictures: a file, a file inside a zip archive, or a frame of a video.

`CorpusIndex.table` names pictures relative to the corpus's folder. BP4D+ comes as one zip archive per subject, so a
name may continue inside one: `2D+3D/F001.zip!/F001/T1/0001.jpg`.
"""

import os
import zipfile
from functools import lru_cache
from pathlib import Path

from facskit.errors import MediaError

__all__ = ["MEMBER", "read_media_bytes"]

MEMBER = "!/"
"""What stands between an archive and the name of a file in it."""


def read_media_bytes(root: Path, media: str) -> bytes:
    """Read an encoded image, from its file or from inside a zip archive; archives stay open between calls.

    Args:
        media: A value of the column `media` that names an image.

    Returns:
        The encoded image; `facskit.faces.images.decode_image` reads it.

    Raises:
        MediaError: The file or the member is missing or damaged.
    """
    archive, is_archive, member = media.partition(f".zip{MEMBER}")
    name = f"{archive}.zip" if is_archive else media
    try:
        if not is_archive:
            return (root / name).read_bytes()
        return _archive(str(root / name), os.getpid()).read(member)
    except KeyError as error:
        raise MediaError(f"{root / name}: found no {member} in this archive; read the corpus's folder again") from error
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise MediaError(f"{root / media}: can't read it ({error}); copy it again from the release") from error


@lru_cache(maxsize=4)
def _archive(path: str, process: int) -> zipfile.ZipFile:
    """Open an archive once per process: a file position must not be shared with a forked worker."""
    return zipfile.ZipFile(path)
