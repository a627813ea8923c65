"""Collections of encoded images: folders, zip and tar archives, and LMDB in the published format.

A source is listed once, in an order that is always the same, and every entry says where its bytes lie, so that any
process can read any part of it. Nothing is unpacked but compressed tar archives, which can't be read from the middle.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from facskit.datasets.curation.reasons import Reason
from facskit.errors import DatasetError

__all__ = ["Entry", "ImageSource", "SourceKind", "name_sources", "source_kind"]

SourceKind = Literal["folder", "zip", "tar", "packed-tar", "lmdb"]
"""What a source is; `packed-tar` is a compressed tar archive."""

_PACKED = frozenset({".gz", ".tgz", ".bz2", ".xz"})


@dataclass(frozen=True, kw_only=True)
class ImageSource:
    """One collection."""

    name: str
    """What its images' names begin with; no two sources share it."""
    kind: SourceKind
    """How it is read."""
    path: Path
    """Absolute path of the folder or file."""


class Entry(NamedTuple):
    """Where the bytes of one file of a source lie."""

    key: str
    """Path inside the source, with slashes."""
    size: int = 0
    """Length of the encoded image in bytes."""
    start: int = 0
    """In archives: where the stored bytes begin; in zip archives, where their local header begins."""
    packed: int = 0
    """In zip archives: length of the stored bytes."""
    method: int = 0
    """In zip archives: 0 stored, 8 deflated."""
    stamp: int = 0
    """In zip archives the CRC-32 of the bytes; in folders the time of the last change in nanoseconds."""
    refused: Reason | Literal[""] = ""
    """Why it isn't even opened; empty for an image."""


def source_kind(path: Path) -> SourceKind:
    """Tell how a source is to be read.

    Raises:
        DatasetError: There is nothing at the path, or a file of an unknown kind.
    """
    if path.is_dir():
        return "lmdb" if (path / "data.mdb").is_file() else "folder"
    if not path.is_file():
        raise DatasetError(f"{path}: found nothing there; expected a folder, a zip or tar archive, or an LMDB")
    suffix = path.suffix.lower()
    if suffix == ".mdb":
        return "lmdb"
    if suffix == ".zip" or (suffix != ".tar" and zipfile.is_zipfile(path)):
        return "zip"
    if suffix in _PACKED and (suffix == ".tgz" or Path(path.stem).suffix.lower() == ".tar"):
        return "packed-tar"
    if suffix == ".tar":
        return "tar"
    raise DatasetError(
        f"{path}: found a file with the ending {path.suffix!r}; "
        "expected a folder, .zip, .tar, .tar.gz, .tgz, .tar.bz2, .tar.xz, or an LMDB"
    )


def name_sources(paths: list[Path]) -> list[ImageSource]:
    """Give every source a name of its own: its file name without ending, and a number where two would share it.

    Raises:
        DatasetError: A source is missing, of an unknown kind, or given twice.
    """
    sources: list[ImageSource] = []
    for given in paths:
        path, kind = given.resolve(), source_kind(given)
        if any(path == other.path for other in sources):
            raise DatasetError(f"{given}: the source is given twice; expected each once")
        named = path.parent if path.name == "data.mdb" else path
        stem = named.name if kind == "folder" or named.is_dir() else named.name.split(".")[0]
        taken, name, number = {other.name for other in sources}, stem or "source", 2
        while name in taken:
            name, number = f"{stem or 'source'}-{number}", number + 1
        sources.append(ImageSource(name=name, kind=kind, path=path))
    return sources
