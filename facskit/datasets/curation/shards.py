"""Shards: millions of encoded images in a few hundred uncompressed tar files, with a table of where each one lies.

Any tar tool and any WebDataset reader can read the shards in sequence; with the table any image can be read by itself.
"""

import hashlib
import io
import os
import tarfile
import threading
from collections import OrderedDict
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int64, UInt8

from facskit.datasets.table_files import collect_table, scan_table
from facskit.errors import DatasetError

__all__ = ["INDEX", "SHARDS", "ShardWriter", "ShardedImages", "shard_name", "shard_offsets"]

INDEX = "index.parquet"
"""Name of the table in the folder of a collection."""
SHARDS = "shards"
"""Name of the folder of the tar files."""
_BLOCK = 512
_OPEN_FILES = 128
_MOST_BYTES = 2**60
"""More than any file has; two of them still make a number of 64 bits."""
_SHARD_NAME = r"^[^/\\\x00]+\.tar$"


def shard_name(number: int) -> str:
    """Return the file name of a shard, such as `faces-000000.tar`."""
    return f"faces-{number:06d}.tar"


class ShardWriter:
    """Writes one tar file whose bytes depend on nothing but names and contents; to be used in `atomic_path`."""

    def __init__(self, path: Path) -> None:
        self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 (closed by __exit__)

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()

    def add(self, name: str, data: bytes) -> int:
        """Append a file, and return where its content begins in the tar file, in bytes.

        Args:
            name: Its name in the archive, at most 100 ASCII characters; up to the first dot it names the sample.
        """
        header = tarfile.TarInfo(name)
        header.size = len(data)
        start = self._tar.offset + _BLOCK
        self._tar.addfile(header, io.BytesIO(data))
        return int(start)


def shard_offsets(lengths: Int64[np.ndarray, "images"]) -> Int64[np.ndarray, "images"]:
    """Return where each content begins in a tar file of contents with these lengths; all in bytes."""
    taken = _BLOCK + -(-lengths // _BLOCK) * _BLOCK
    offsets: Int64[np.ndarray, "images"] = np.cumsum(taken) - taken + _BLOCK
    return offsets


class ShardedImages:
    """The encoded images of a folder that `facskit curate` wrote, by position; safe in worker processes and threads.

    The table becomes plain arrays, which forked processes share; descriptors are opened where they are needed.

    Raises:
        DatasetError: The folder holds no finished collection, or a shard is missing or cut short.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = Path(folder)
        index = self._folder / INDEX
        if not index.is_file():
            raise DatasetError(f"{folder} holds no {INDEX}; expected a folder that facskit curate has finished")
        table = collect_table(scan_table(index), index)
        _check_index(table, index)
        self._names, self._name_ends = _joined(table["name"])
        self._files = table["shard"].unique(maintain_order=True).to_list()
        self._shard = table["shard"].cast(pl.Enum(self._files)).to_physical().cast(pl.Int64).to_numpy()
        self._offset = table["offset"].cast(pl.Int64).to_numpy()
        self._length = table["length"].cast(pl.Int64).to_numpy()
        self._check_shards()
        self._here = threading.local()

    def __len__(self) -> int:
        return len(self._offset)

    def __getstate__(self) -> dict[str, Any]:
        """Leave open files behind when the object is sent to another process."""
        return {name: value for name, value in self.__dict__.items() if name != "_here"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open files anew where the object arrives."""
        self.__dict__.update(state)
        self._here = threading.local()

    def name(self, position: int) -> str:
        """Return the name of an image: its source, a slash, and its path inside the source."""
        end = self._name_ends[position + 1]
        return self._names[self._name_ends[position] : end].tobytes().decode()

    @property
    def digest(self) -> str:
        """Text that is another for other names, another order or other sizes of images."""
        return hashlib.sha256(self._names.tobytes() + self._length.tobytes()).hexdigest()[:16]

    def encoded(self, position: int) -> bytes:
        """Return the bytes of one image, a JPEG file.

        Raises:
            DatasetError: The shard has become shorter than the table says.
        """
        shard = int(self._shard[position])
        length = int(self._length[position])
        data = os.pread(self._descriptor(shard), length, int(self._offset[position]))
        if len(data) != length:
            path = self._folder / SHARDS / self._files[shard]
            raise DatasetError(f"{path}: ends inside image {self.name(position)}; expected the file of {INDEX}")
        return data

    def _descriptor(self, shard: int) -> int:
        """Return an open file of this thread; the one that waited longest is closed when there are many."""
        files: OrderedDict[int, _OpenFile] | None = getattr(self._here, "files", None)
        if files is None:
            files = self._here.files = OrderedDict()
        if shard not in files:
            files[shard] = _OpenFile(self._folder / SHARDS / self._files[shard])
            if len(files) > _OPEN_FILES:
                files.popitem(last=False)
        files.move_to_end(shard)
        return files[shard].descriptor

    def _check_shards(self) -> None:
        ends = np.zeros(len(self._files), np.int64)
        np.maximum.at(ends, self._shard, self._offset + self._length)
        for name, end in zip(self._files, ends.tolist(), strict=True):
            path = self._folder / SHARDS / name
            size = path.stat().st_size if path.is_file() else None
            if size is None or size < end:
                found = "is missing" if size is None else f"has {size} bytes"
                raise DatasetError(f"{path} {found}; expected a shard of at least {end} bytes, as {INDEX} says")


class _OpenFile:
    """A descriptor that is closed when nobody needs it any more."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        """Close it; at exit the module may be gone already."""
        if os is not None and hasattr(self, "descriptor"):
            os.close(self.descriptor)


def _check_index(table: pl.DataFrame, index: Path) -> None:
    """Refuse a table that names no images, or places outside of the folder's shards."""
    expected = "expected what facskit curate writes"
    text, place = pl.String(), pl.col("offset", "length").is_between(0, _MOST_BYTES)
    kinds = {"name": text, "source": text, "shard": text, "offset": pl.Int64(), "length": pl.Int64()}
    for column, kind in kinds.items():
        if column not in table.columns:
            raise DatasetError(f"{index}: column {column} is missing; {expected}")
        if table[column].dtype != kind:
            raise DatasetError(f"{index}: column {column} holds {table[column].dtype}; {expected}")
    if table.is_empty():
        raise DatasetError(f"{index}: holds no image; {expected}")
    right = pl.col("name", "source").is_not_null(), pl.col("shard").str.contains(_SHARD_NAME), place
    verdicts = table.select(*right).fill_null(value=False)
    for verdict in verdicts:
        if not verdict.all():
            row, name = int((~verdict).arg_max() or 0), verdict.name
            raise DatasetError(f"{index}: row {row + 1} has the {name} {table[name][row]!r}; {expected}")


def _joined(texts: pl.Series) -> tuple[UInt8[np.ndarray, "bytes"], Int64[np.ndarray, "ends"]]:
    """Return all texts as one run of UTF-8, and where each ends, beginning with 0."""
    lengths = texts.str.len_bytes().to_numpy()
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    parts = [texts.slice(start, 100_000).str.join("").item() for start in range(0, len(texts), 100_000)]
    return np.frombuffer("".join(parts).encode(), np.uint8), ends
