"""Encoded images taken out of sources, wherever their bytes lie; what can't be read is a reason, no crash."""

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb

from facskit.datasets.curation.image_sources import Entry, SourceKind
from facskit.errors import MediaError

__all__ = ["ReadEntry", "open_lmdb", "open_source"]

ReadEntry = Callable[[Entry], bytes]
"""Gives the bytes of an entry, or raises `MediaError`."""

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_MOST_BYTES = 2**30
"""Larger entries are no photographs; reading them would need as much memory."""


@contextmanager
def open_source(kind: SourceKind, place: Path) -> Iterator[ReadEntry]:
    """Open a source for reading, by a function from an entry to its bytes.

    Args:
        place: The folder, the archive (the plain one of a compressed tar), or the LMDB.
    """
    match kind:
        case "folder":
            yield lambda entry: _read_file(place / entry.key)
        case "lmdb":
            with open_lmdb(place) as env, env.begin() as transaction:
                yield lambda entry: _read_lmdb(transaction, entry)
        case "zip" | "tar" | "packed-tar":
            descriptor = os.open(place, os.O_RDONLY)
            try:
                if kind == "zip":
                    yield lambda entry: _read_zip(descriptor, entry)
                else:
                    yield lambda entry: _read_range(descriptor, entry.start, entry.size)
            finally:
                os.close(descriptor)


def open_lmdb(path: Path) -> "lmdb.Environment":
    """Open an LMDB for reading as the published code does, without locks: it may lie on a read-only disk.

    Raises:
        lmdb.Error: It is damaged or no LMDB.
    """
    env = lmdb.open(str(path), subdir=path.is_dir(), readonly=True, lock=False, readahead=False, meminit=False)
    needed = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    size = (path / "data.mdb" if path.is_dir() else path).stat().st_size
    if size < needed:  # reading on would end the process: the missing pages can't be mapped
        env.close()
        raise lmdb.CorruptedError(f"the file has {size} of {needed} bytes")
    return env


def _read_file(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise MediaError(f"larger than {_MOST_BYTES >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise MediaError((error.strerror or "failed").lower()) from error


def _read_lmdb(transaction: "lmdb.Transaction", entry: Entry) -> bytes:
    value = transaction.get(entry.key.encode())
    if value is None:
        raise MediaError("the key is gone")
    return bytes(value)


def _read_zip(descriptor: int, entry: Entry) -> bytes:
    """Read a member without the archive's directory, which would be parsed again by every process."""
    if entry.size > _MOST_BYTES:  # a few megabytes can claim to be terabytes, and would be unpacked into memory
        raise MediaError(f"larger than {_MOST_BYTES >> 20} MiB")
    header = _read_range(descriptor, entry.start, 30)
    signature, name, extra = _LOCAL_HEADER.unpack(header)
    if signature != b"PK\3\4":
        raise MediaError("the archive is damaged at this entry")
    data = _read_range(descriptor, entry.start + 30 + name + extra, entry.packed)
    if entry.method:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = unpacker.decompress(data, entry.size + 1)
        except zlib.error as error:
            raise MediaError("the archive is damaged at this entry") from error
    if len(data) != entry.size or zlib.crc32(data) != entry.stamp:
        raise MediaError("the archive is damaged at this entry (checksum)")
    return data


def _read_range(descriptor: int, start: int, length: int) -> bytes:
    if length > _MOST_BYTES:
        raise MediaError(f"larger than {_MOST_BYTES >> 20} MiB")
    try:
        data = os.pread(descriptor, length, start)
    except OSError as error:
        raise MediaError((error.strerror or "failed").lower()) from error
    if len(data) != length:
        raise MediaError("the archive is cut short at this entry")
    return data
