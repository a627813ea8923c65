"""Photographs and videos among files: told apart by what is in them, and found in folders."""

import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from facskit.errors import MediaError

__all__ = [
    "ANIMATED_FORMATS",
    "CONTENT_BYTES",
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "FoundMedia",
    "MediaKind",
    "content_kind",
    "find_media",
    "is_animation",
    "is_video",
    "kind_by_content",
    "media_kind",
]

MediaKind = Literal["photograph", "video"]

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}
    | {".avif", ".jp2", ".heic", ".heif"}
)
"""Usual file endings of photographs."""
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv"}
    | {".mts", ".m2ts", ".ts", ".3gp", ".flv", ".ogv", ".asf", ".vob"}
)
"""Usual file endings of videos."""

CONTENT_BYTES = 400
"""Bytes that are read to tell what a file is: two packets of a transport stream."""
_PHOTOGRAPHS = (
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG\r\n\x1a\n",
    b"GIF8",
    b"II*\0",  # TIFF, Intel's byte order
    b"MM\0*",  # TIFF, Motorola's
    b"\0\0\0\x0cjP  ",  # JPEG 2000
    b"\xff\x4f\xff\x51",  # its bare code stream
)
_VIDEOS = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"\x30\x26\xb2\x75",  # ASF: WMV
    b"FLV\x01",
    b"OggS",
    b"\0\0\x01\xba",  # MPEG programme stream
    b"\0\0\x01\xb3",  # MPEG elementary stream
)
_STILL_BRANDS = frozenset({b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"})
"""What the ISO base media format calls photographs; its other brands are videos."""
_TRANSPORT_PACKETS = ((0, 188), (4, 192))
"""First synchronisation byte and length of a packet, of transport streams and of cameras' M2TS."""
ANIMATED_FORMATS = ("GIF", "PNG", "WEBP", "AVIF")
"""Pillow's names of formats that hold one picture or an animation."""
_ADDRESS = re.compile(r"^([a-z][a-z0-9+.-]+):/+(?=[^/])", re.IGNORECASE)
"""How an address begins; a path that is made of it has lost a slash. Windows' drives have a single letter."""
_MAY_MOVE = (b"GIF8", b"\x89PNG", b"RIFF")


@dataclass(frozen=True, slots=True)
class FoundMedia:
    """What a search found."""

    files: list[Path]
    """Photographs and videos, each once."""
    skipped: list[Path]
    """Other files in the folders searched, but hidden ones."""
    links: list[Path]
    """Links in the folders searched that weren't followed: to folders, which may lead in a circle, or to nothing."""


def media_kind(path: Path) -> MediaKind | None:
    """Tell by a file's first bytes what it is, whatever its name; None for anything else.

    An animated picture is a video. A file that can't be told, such as one that is empty or damaged at its start, is
    what its ending says.
    """
    found = kind_by_content(path)
    if found is not None:
        return found
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return "video"
    return "photograph" if suffix in IMAGE_SUFFIXES else None


def kind_by_content(path: Path) -> MediaKind | None:
    """Tell what a file is as `media_kind` does, but never by its name."""
    head = _head(path)
    return "video" if _moves(path, head) else content_kind(head)


def is_animation(path: Path) -> bool:
    """Tell whether a file is a picture with several frames that follow each other: a GIF, WebP, PNG or AVIF."""
    return _moves(path, _head(path))


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(CONTENT_BYTES)
    except OSError:
        return b""


def _moves(path: Path, head: bytes) -> bool:
    if not head.startswith(_MAY_MOVE) and head[8:12] != b"avis":
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, which are refused when they are read
            with Image.open(path, formats=ANIMATED_FORMATS) as picture:
                return bool(getattr(picture, "is_animated", False))
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return False  # what is wrong with it is said when it is read


def content_kind(head: bytes) -> MediaKind | None:
    """Tell from the first 400 bytes of a file what it is, animated pictures aside; None for anything else."""
    if head[4:8] == b"ftyp":
        return "photograph" if head[8:12] in _STILL_BRANDS else "video"
    if head[:4] == b"RIFF":
        return {b"WEBP": "photograph", b"AVI ": "video"}.get(head[8:12])  # type: ignore[return-value]
    if head.startswith(_VIDEOS) or head[4:8] in (b"moov", b"mdat"):
        return "video"
    if any(
        head[first : first + 1] == head[first + step : first + step + 1] == b"G" for first, step in _TRANSPORT_PACKETS
    ):
        return "video"
    # BMP and PPM begin with letters that a text may begin with too.
    picture = head.startswith(_PHOTOGRAPHS) or (head[:2] == b"BM" and head[6:10] == bytes(4))
    return "photograph" if picture or head[:3] in (b"P5\n", b"P6\n") else None


def is_video(path: Path) -> bool:
    """Tell whether a file is a video, by what is in it."""
    return media_kind(path) == "video"


def find_media(paths: Sequence[Path], leave_out: Sequence[Path] = ()) -> FoundMedia:
    """List photographs and videos: files as given, folders searched to the bottom in sorted order.

    Args:
        paths: Files and folders. A file given by name is taken whatever it is.
        leave_out: Folders inside searched folders that are not searched.

    Returns:
        The files in the order of `paths`.

    Raises:
        MediaError: A path doesn't exist, or a folder holds no photograph or video.
    """
    found: dict[Path, None] = {}
    skipped: dict[Path, None] = {}
    links: dict[Path, None] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            _check_there(path)
            found[path] = None
            continue
        files, unfollowed = _files_below(path, leave_out)
        media = [file for file in files if media_kind(file) is not None]
        if not media:
            hint = f"; {unfollowed[0].name} in it is a link, which isn't followed" if unfollowed else ""
            raise MediaError(f"{path}: found no photograph or video in this folder, expected at least one{hint}")
        found.update(dict.fromkeys(media))
        skipped.update(dict.fromkeys(file for file in files if file not in found))
        links.update(dict.fromkeys(unfollowed))
    return FoundMedia(list(found), list(skipped), list(links))


def _check_there(path: Path) -> None:
    """Say what is wrong with a path that is no folder and no file."""
    expected = "expected a photograph, a video or a folder"
    if path.is_file():
        return
    if _ADDRESS.match(str(path)):
        address = _ADDRESS.sub(r"\1://", str(path))
        raise MediaError(f"{address}: addresses aren't opened, {expected}; download it first")
    if path.exists():
        raise MediaError(f"{path}: found a pipe or a device, {expected}, or - for standard input")
    if path.is_symlink():
        raise MediaError(f"{path}: found a link to {path.readlink()}, where nothing is; {expected}")
    raise MediaError(f"{path}: found nothing there, {expected}")


def _files_below(folder: Path, leave_out: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """List the files of a folder, but hidden ones and those in folders that are left out; and links to no file."""
    # relative, so that a folder reached by a link and the same one by its own name are the same
    places = [Path(os.path.relpath(other.resolve(), folder.resolve())) for other in leave_out]
    found, links = [], []
    for file in folder.rglob("*"):
        within = file.relative_to(folder)
        hidden = any(part.startswith(".") for part in within.parts)
        left_out = any(within.is_relative_to(place) for place in places)
        if hidden or left_out:
            continue
        if file.is_file():
            found.append(file)
        elif file.is_symlink():
            links.append(file)
    return sorted(found), sorted(links)
