"""Photographs and videos among files: told apart by what is in them, and found in folders."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from facskit.errors import MediaError

__all__ = [
    "CONTENT_BYTES",
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "FoundMedia",
    "MediaKind",
    "content_kind",
    "find_media",
    "is_video",
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


@dataclass(frozen=True, slots=True)
class FoundMedia:
    """What a search found."""

    files: list[Path]
    """Photographs and videos, each once."""
    skipped: list[Path]
    """Other files in the folders searched, but hidden ones."""


def media_kind(path: Path) -> MediaKind | None:
    """Tell by a file's first bytes what it is, whatever its name; None for anything else.

    A file that can't be told, such as one that is empty or damaged at its start, is what its ending says.
    """
    try:
        with path.open("rb") as file:
            head = file.read(CONTENT_BYTES)
    except OSError:
        head = b""
    found = content_kind(head)
    if found is not None:
        return found
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return "video"
    return "photograph" if suffix in IMAGE_SUFFIXES else None


def content_kind(head: bytes) -> MediaKind | None:
    """Tell from the first 400 bytes of a file what it is; None for anything else."""
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
    for path in map(Path, paths):
        if path.is_dir():
            files = _files_below(path, leave_out)
            media = [file for file in files if media_kind(file) is not None]
            if not media:
                raise MediaError(f"{path}: found no photograph or video in this folder, expected at least one")
            found.update(dict.fromkeys(media))
            skipped.update(dict.fromkeys(file for file in files if file not in found))
        elif path.exists():
            found[path] = None
        else:
            raise MediaError(f"{path}: found nothing there, expected a photograph, a video or a folder")
    return FoundMedia(list(found), list(skipped))


def _files_below(folder: Path, leave_out: Sequence[Path]) -> list[Path]:
    """List the files of a folder, but hidden ones and those in folders that are left out."""
    # relative, so that a folder reached by a link and the same one by its own name are the same
    places = [Path(os.path.relpath(other.resolve(), folder.resolve())) for other in leave_out]
    found = []
    for file in folder.rglob("*"):
        within = file.relative_to(folder)
        hidden = any(part.startswith(".") for part in within.parts)
        left_out = any(within.is_relative_to(place) for place in places)
        if not hidden and not left_out and file.is_file():
            found.append(file)
    return sorted(found)
