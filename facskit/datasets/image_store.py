"""A manifest's images for loader workers: plain arrays that child processes share, and optionally every decoded pixel.

The manifest's own table must not be touched in a forked process (its reader's threads don't survive the fork), and
lists of Python objects would be copied page by page in every worker. So names and encoded images become one buffer
each.
"""

import logging
from collections.abc import Iterable

import numpy as np
from jaxtyping import Int64, UInt8
from rich.console import Console
from rich.progress import track

from facskit.columns import IMAGE, IMAGE_BYTES
from facskit.datasets.manifest import Manifest
from facskit.faces.images import decode_image, read_image

__all__ = ["ImageStore"]

_LOG = logging.getLogger(__name__)
_GIB = 2**30
_BLOCK = 2**26
"""Bytes that decoded pixels are allocated by: many images, and little beside a budget."""


class ImageStore:
    """Images by row; safe to use in worker processes."""

    def __init__(self, manifest: Manifest, rows: Int64[np.ndarray, "rows"], cache_gib: float = 0.0) -> None:
        """Take what is needed from the manifest, and decode images ahead if there is a cache.

        Args:
            cache_gib: How many GiB of decoded pixels to keep in this store; images beyond that are decoded each time.
                Decoding ahead needs no more memory than that, beside the one image in hand.
        """
        self._root = manifest.root
        table = manifest.table[rows]
        self._names = _Blobs(name.encode() for name in table[IMAGE].to_list())
        self._encoded = _Blobs(table[IMAGE_BYTES].to_list()) if manifest.is_packed else None
        self._decoded = _Pixels()
        if cache_gib > 0:
            self._decode_ahead(round(cache_gib * _GIB))

    def __len__(self) -> int:
        return len(self._names)

    def name(self, position: int) -> str:
        """Return what messages call an image: its path, or its name in a packed manifest."""
        name = bytes(self._names[position]).decode()
        return str(self._root / name) if self._encoded is None else name

    def image(self, position: int) -> UInt8[np.ndarray, "height width 3"]:
        """Return an image as RGB pixels; don't write into it.

        Raises:
            MediaError: The image is missing or damaged.
        """
        return self._decoded[position] if position < len(self._decoded) else self._decode(position)

    def _decode(self, position: int) -> UInt8[np.ndarray, "height width 3"]:
        if self._encoded is None:
            return read_image(self._root / bytes(self._names[position]).decode())
        return decode_image(bytes(self._encoded[position]), self.name(position))

    def _decode_ahead(self, limit: int) -> None:
        positions = range(len(self))
        for position in track(
            positions, "Decoding images", console=Console(stderr=True), disable=len(positions) < 10_000
        ):
            image = self._decode(position)
            if self._decoded.nbytes + image.nbytes > limit:
                _LOG.warning(
                    "the image cache of %.1f GiB holds %d of %d images; the others are decoded each time (pack the "
                    "manifest to shrink its images, or raise cache_gib)",
                    limit / _GIB,
                    position,
                    len(self),
                )
                break
            self._decoded.append(image, room=limit - self._decoded.nbytes)
        self._decoded.freeze()


class _Blobs:
    """Byte strings of different lengths in one array."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        chunks = [np.frombuffer(part, np.uint8) for part in parts]
        self._ends = np.cumsum([0, *(len(chunk) for chunk in chunks)])
        self._buffer = np.concatenate(chunks) if chunks else np.zeros(0, np.uint8)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, position: int) -> UInt8[np.ndarray, "length"]:
        part: UInt8[np.ndarray, "length"] = self._buffer[self._ends[position] : self._ends[position + 1]]
        return part


class _Pixels:
    """Decoded images one after another in a few large blocks, so that each pixel exists once while they pile up."""

    def __init__(self) -> None:
        self.nbytes = 0
        self._blocks: list[UInt8[np.ndarray, "bytes"]] = []
        self._filled = 0
        self._entries: list[tuple[int, int, int, int]] = []
        self._table: Int64[np.ndarray, "images 4"] = np.zeros((0, 4), np.int64)

    def append(self, image: UInt8[np.ndarray, "height width 3"], room: int) -> None:
        """Copy an image behind the others; `room` is what the budget still holds, so no block is larger."""
        if not self._blocks or self._filled + image.nbytes > len(self._blocks[-1]):
            self._blocks.append(np.empty(max(image.nbytes, min(_BLOCK, room)), np.uint8))
            self._filled = 0
        start = self._filled
        self._filled += image.nbytes
        self._blocks[-1][start : self._filled] = image.reshape(-1)
        self._entries.append((len(self._blocks) - 1, start, *image.shape[:2]))
        self.nbytes += image.nbytes

    def freeze(self) -> None:
        """Turn the list of places into an array, which worker processes share."""
        self._table = np.array(self._entries, np.int64).reshape(-1, 4)
        self._entries = []

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, position: int) -> UInt8[np.ndarray, "height width 3"]:
        block, start, height, width = self._table[position]
        image: UInt8[np.ndarray, "height width 3"] = self._blocks[block][start : start + height * width * 3]
        return image.reshape(height, width, 3)
