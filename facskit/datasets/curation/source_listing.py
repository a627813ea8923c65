"""Listing the files of a source in an order that is always the same, with a reason for each that is no image."""

import bz2
import gzip
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

import lmdb

from facskit.datasets.curation.image_bytes import open_lmdb
from facskit.datasets.curation.image_sources import Entry, ImageSource
from facskit.datasets.curation.reasons import Reason
from facskit.errors import DatasetError
from facskit.faces.media_files import IMAGE_SUFFIXES
from facskit.files import atomic_path

__all__ = ["list_entries", "unpack"]

_ARCHIVES = frozenset({".zip", ".tar", ".mdb", ".gz", ".tgz", ".bz2", ".xz"})
_OPENERS: Mapping[str, Callable[[Path], IO[Any]]] = {".bz2": bz2.open, ".xz": lzma.open}
_BLOCK = 512
_ENCRYPTED = 1


def unpack(source: ImageSource, out: Path) -> None:
    """Unpack a compressed tar archive into a plain one, complete or not at all, unless that was done before.

    Raises:
        DatasetError: The archive is damaged or cut short.
    """
    if out.is_file() and out.stat().st_mtime >= source.path.stat().st_mtime:
        return
    try:
        open_packed = _OPENERS.get(source.path.suffix.lower(), gzip.open)
        with open_packed(source.path) as packed, atomic_path(out) as part, part.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 2**20)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise _damaged(source, f"it can't be unpacked ({str(error).rstrip('.')})") from error
    except OSError as error:
        if error.errno is not None:  # the disk is full, or the like
            raise
        raise _damaged(source, f"it can't be unpacked ({error})") from error


def list_entries(source: ImageSource, place: Path) -> Iterator[Entry]:
    """List every file of a source, sorted by folder and name; images and what is refused unopened.

    Args:
        place: Where its bytes are: the source's path, or what `unpack` wrote.

    Raises:
        DatasetError: An archive is damaged or cut short: which of its images are lost can't be told.
    """
    match source.kind:
        case "folder":
            yield from _list_folder(place, "")
        case "zip":
            yield from _in_order(_list_zip(source))
        case "tar" | "packed-tar":
            yield from _in_order(_list_tar(source, place))
        case "lmdb":
            yield from _list_lmdb(source)


def _list_folder(root: Path, inside: str) -> Iterator[Entry]:
    """Walk in sorted order; only one folder's names are held at a time."""
    with os.scandir(root / inside if inside else root) as found:
        things = sorted(found, key=lambda thing: thing.name)
    for thing in things:
        key = f"{inside}/{thing.name}" if inside else thing.name
        if thing.is_dir(follow_symlinks=False):
            if (Path(thing.path) / "data.mdb").is_file():
                yield Entry(_readable(key), refused="archive inside a source")
            else:
                yield from _list_folder(root, key)
        elif thing.is_dir():
            yield Entry(_readable(key), refused="link to a folder")
        else:
            try:
                status = thing.stat()
            except OSError:  # a link that leads nowhere
                yield Entry(_readable(key), refused="can't be read")
                continue
            refused = _refusal(key, is_file=thing.is_file())
            yield Entry(_readable(key), status.st_size, stamp=status.st_mtime_ns, refused=refused)


def _list_zip(source: ImageSource) -> Iterator[Entry]:
    try:
        with zipfile.ZipFile(source.path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise _damaged(source, f"its directory can't be read ({error})") from error
    for member in members:
        if member.is_dir():
            continue
        refused = _refusal(member.filename)
        readable = member.compress_type in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
        if not refused and (member.flag_bits & _ENCRYPTED or not readable):
            refused = "can't be read"
        yield Entry(
            _readable(member.filename),
            member.file_size,
            member.header_offset,
            member.compress_size,
            member.compress_type,
            member.CRC,
            refused,
        )


def _list_tar(source: ImageSource, place: Path) -> Iterator[Entry]:
    count = 0
    try:
        with tarfile.open(place, "r:") as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined] # it would keep every header of the archive
                count += 1
                if not member.isdir():
                    refused = _refusal(member.name, is_file=member.isreg() and not member.issparse())
                    yield Entry(_readable(member.name), member.size, member.offset_data, refused=refused)
            end = archive.offset
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise _damaged(source, f"it breaks off or is damaged after {count} entries ({error})") from error
    _check_end(source, place, count, end)


def _check_end(source: ImageSource, place: Path, count: int, end: int) -> None:
    """Make sure that the archive ends in zeros: tarfile takes a damaged header for the end without a word."""
    with place.open("rb") as file:
        file.seek(end)
        if file.read(_BLOCK) != bytes(_BLOCK):
            raise _damaged(source, f"it breaks off or is damaged after {count} entries (no end mark)")
        while block := file.read(2**20):
            if block.strip(b"\0"):
                raise _damaged(source, f"there are more bytes behind its end mark after {count} entries")


def _list_lmdb(source: ImageSource) -> Iterator[Entry]:
    try:
        with open_lmdb(source.path) as env, env.begin(buffers=True) as transaction:
            for key, value in transaction.cursor():
                name = bytes(key).decode("utf-8", "surrogateescape")
                yield Entry(_readable(name), len(value), refused=_refusal(name, suffixes=False))
    except lmdb.Error as error:
        raise _damaged(source, f"LMDB says: {error}") from error


def _in_order(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Sort as a folder is walked; of entries with one name only the first is an image."""
    before = None
    for entry in sorted(entries, key=lambda entry: (entry.key.split("/"), entry.start)):
        twice = entry.key == before and not entry.refused
        before = entry.key
        yield entry._replace(refused="name given twice") if twice else entry


def _refusal(key: str, *, is_file: bool = True, suffixes: bool = True) -> Reason | Literal[""]:
    path = PurePosixPath(key.replace("\\", "/"))
    if _readable(key) != key:
        return "name is no UTF-8"
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in key:
        return "unsafe name"
    if not is_file:
        return "no regular file"
    if not suffixes or path.suffix.lower() in IMAGE_SUFFIXES:
        return ""
    if path.suffix.lower() in _ARCHIVES:
        return "archive inside a source"
    return "no image by its ending"


def _readable(key: str) -> str:
    """Return the name with bytes that are no UTF-8 replaced, so that tables can hold it."""
    return key.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _damaged(source: ImageSource, what: str) -> DatasetError:
    return DatasetError(
        f"{source.path}: {what}; expected a complete archive (fetch it again, or leave it out of the sources)"
    )
