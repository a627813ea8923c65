"""Finished crops kept in memory that worker processes share: the first epoch fills it, the later ones only read."""

import mmap

import numpy as np
from jaxtyping import UInt8

__all__ = ["CropCache"]

_GIB = 2**30


class CropCache:
    """Square crops by position; safe to fill and read from forked workers, since each only ever writes the same pixels.

    Args:
        gib: GiB of memory to use at most, taken only as crops arrive; crops beyond that are never kept.
    """

    def __init__(self, count: int, size: int, gib: float) -> None:
        self._kept = min(count, int(gib * _GIB) // (3 * size * size))
        # An anonymous mapping stays shared across a fork, and unlike /dev/shm no container limits it.
        self._crops: UInt8[np.ndarray, "kept size size 3"] = _shared(self._kept, size, size, 3)
        self._known: UInt8[np.ndarray, "kept"] = _shared(self._kept)

    def get(self, position: int) -> UInt8[np.ndarray, "size size 3"] | None:
        """Return a crop, not to be written into, or None if nobody has put it there."""
        return self._crops[position] if position < self._kept and self._known[position] else None

    def put(self, position: int, crop: UInt8[np.ndarray, "size size 3"]) -> None:
        """Keep a crop if there is room for it."""
        if position < self._kept:
            self._crops[position] = crop
            self._known[position] = 1


def _shared(*shape: int) -> UInt8[np.ndarray, "..."]:
    length = int(np.prod(shape))
    return np.frombuffer(mmap.mmap(-1, max(1, length)), np.uint8, count=length).reshape(shape)
