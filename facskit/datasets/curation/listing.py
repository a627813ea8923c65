"""Listing sources into chunks, and noticing when a source changed before the work was done."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice

import polars as pl

from facskit.datasets.curation.image_sources import ImageSource
from facskit.datasets.curation.source_listing import list_entries, unpack
from facskit.datasets.curation.work import Workplace
from facskit.errors import DatasetError
from facskit.files import atomic_path, write_text

__all__ = ["LISTING", "Listing", "list_sources"]

LISTING = "listing.json"
"""Name of the record among the parts; where it is, every source was listed to its end."""

_SCHEMA = pl.Schema(
    {
        "source": pl.Int32,
        "key": pl.String,
        "size": pl.Int64,
        "start": pl.Int64,
        "packed": pl.Int64,
        "method": pl.Int64,
        "stamp": pl.Int64,
        "refused": pl.String,
    }
)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What the sources hold."""

    found: tuple[int, ...]
    """Files of every source."""
    digests: tuple[str, ...]
    """A digest of every source's listing: names, sizes, checksums or times of change."""
    chunks: tuple[int, ...]
    """How many entries each chunk has."""


def list_sources(place: Workplace, say: Callable[[str], None]) -> Listing:
    """List all sources and write one list per chunk, or check that they still are what was listed before.

    Raises:
        DatasetError: A source is empty, damaged, or another than before.
    """
    record = place.parts / LISTING
    before = None
    if record.is_file():
        lists = json.loads(record.read_text())
        before = Listing(**{name: tuple(values) for name, values in lists.items()})
    found: list[int] = []
    digests: list[str] = []
    chunks: list[int] = []
    for number, source in enumerate(place.sources):
        if source.kind == "packed-tar":
            say(f"unpacking {source.path.name}")
            unpack(source, place.place(number))
        digest, count = hashlib.sha256(_archive_stamp(source)), 0
        entries = list_entries(source, place.place(number))
        while batch := list(islice(entries, place.config.chunk_images)):
            digest.update(repr(batch).encode())
            if before is None:
                rows = [(number, *entry) for entry in batch]
                with atomic_path(place.chunk_file("list", len(chunks))) as part:
                    pl.DataFrame(rows, schema=_SCHEMA, orient="row").write_parquet(part)
            chunks.append(len(batch))
            count += len(batch)
            say(f"listing {source.name}: {count:,} files")
        if count == 0:
            raise DatasetError(f"{source.path}: found no file in it; expected images")
        if before is not None and digest.hexdigest() != before.digests[number]:
            raise DatasetError(
                f"{source.path}: changed since {place.out} was begun ({before.found[number]} files then, {count} now, "
                "or other sizes or times of change); put it back as it was, or curate into another folder"
            )
        found.append(count)
        digests.append(digest.hexdigest())
    listing = Listing(found=tuple(found), digests=tuple(digests), chunks=tuple(chunks))
    if before is None:
        write_text(record, json.dumps(asdict(listing)))
    return listing


def _archive_stamp(source: ImageSource) -> bytes:
    """Tell one state of an archive from another; the entries of a folder have stamps of their own."""
    path = source.path / "data.mdb" if source.kind == "lmdb" and source.path.is_dir() else source.path
    if not path.is_file():
        return b""
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}".encode()
