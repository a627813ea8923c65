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


class ImageStore:
    """Images by row; safe to use in worker processes."""

    def __init__(self, manifest: Manifest, rows: Int64[np.ndarray, "rows"], cache_gib: float = 0.0) -> None:
        """Take what is needed from the manifest, and decode images ahead if there is a cache.

        Args:
            manifest: Where the images are.
            rows: The rows that will be asked for.
            cache_gib: How many GiB of decoded pixels to keep; images beyond that are decoded each time.
        """
        self._root = manifest.root
        table = manifest.table[rows]
        self._names = _Blobs(name.encode() for name in table[IMAGE].to_list())
        self._encoded = _Blobs(table[IMAGE_BYTES].to_list()) if manifest.is_packed else None
        self._shapes = np.zeros((0, 3), np.int64)
        self._pixels = _Blobs([])
        if cache_gib > 0:
            self._decode_ahead(round(cache_gib * _GIB))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._names)

    @property
    def num_cached(self) -> int:
        """How many images, from the first on, are kept decoded."""
        return len(self._pixels)

    def name(self, position: int) -> str:
        """Return what messages call an image.

        Args:
            position: Position in the rows given at the start.

        Returns:
            Its path, or its name in a packed manifest.
        """
        name = bytes(self._names[position]).decode()
        return str(self._root / name) if self._encoded is None else name

    def image(self, position: int) -> UInt8[np.ndarray, "height width 3"]:
        """Return an image as RGB pixels; don't write into it.

        Args:
            position: Position in the rows given at the start.

        Returns:
            The picture.

        Raises:
            MediaError: The image is missing or damaged.
        """
        if position < len(self._pixels):
            return self._pixels[position].reshape(self._shapes[position])
        return self._decode(position)

    def _decode(self, position: int) -> UInt8[np.ndarray, "height width 3"]:
        if self._encoded is None:
            return read_image(self._root / bytes(self._names[position]).decode())
        return decode_image(bytes(self._encoded[position]), self.name(position))

    def _decode_ahead(self, limit: int) -> None:
        images: list[np.ndarray] = []
        used = 0
        positions = range(len(self))
        for position in track(
            positions, "Decoding images", console=Console(stderr=True), disable=len(positions) < 10_000
        ):
            image = self._decode(position)
            if used + image.nbytes > limit:
                _LOG.warning(
                    "the image cache of %.1f GiB holds %d of %d images; the others are decoded each time (pack the "
                    "manifest to shrink its images, or raise cache_gib)",
                    limit / _GIB,
                    position,
                    len(self),
                )
                break
            used += image.nbytes
            images.append(image)
        self._shapes = np.array([image.shape for image in images], np.int64).reshape(-1, 3)
        self._pixels = _Blobs(image.reshape(-1) for image in images)


class _Blobs:
    """Byte strings of different lengths in one array."""

    def __init__(self, parts: "Iterable[bytes | np.ndarray]") -> None:
        chunks = [np.frombuffer(part, np.uint8) if isinstance(part, bytes) else part for part in parts]
        self._ends = np.cumsum([0, *(len(chunk) for chunk in chunks)])
        self._buffer = np.concatenate(chunks) if chunks else np.zeros(0, np.uint8)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, position: int) -> UInt8[np.ndarray, "length"]:
        part: UInt8[np.ndarray, "length"] = self._buffer[self._ends[position] : self._ends[position + 1]]
        return part
