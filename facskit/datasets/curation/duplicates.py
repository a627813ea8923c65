"""Finding pictures that are there twice: equal ones by a digest, similar ones by the bits of a perceptual hash.

Everything works on whole columns, so that 9 million hashes are compared in minutes. In both cases the earlier picture
of the given order stays.
"""

from itertools import combinations
from math import log2

import numpy as np
from jaxtyping import Int64, UInt64

from facskit.errors import DatasetError
from facskit.faces.fingerprints import COARSE_BITS, FINE_BITS

__all__ = ["MAX_DISTANCE", "close_pairs", "first_equals", "first_neighbours"]

MAX_DISTANCE = 8
"""Largest number of differing bits that can be asked for; beyond it, more and more keys would have to be sorted."""
_MOST_PAIRS = 200_000_000


def first_equals(digests: UInt64[np.ndarray, "rows words"]) -> Int64[np.ndarray, "rows"]:
    """Find for every row the first row with the same digest, which may be itself."""
    order = np.lexsort(digests.T)  # stable: among equal rows the earlier one comes first
    ordered = digests[order]
    starts = np.ones(len(order), bool)
    starts[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    firsts = np.empty(len(order), np.int64)
    firsts[order] = order[np.flatnonzero(starts)[np.cumsum(starts) - 1]]
    return firsts


def first_neighbours(hashes: UInt64[np.ndarray, "rows 5"], distance: int) -> Int64[np.ndarray, "rows"]:
    """Decide for every row, in order, whether an earlier row that stays is too similar to it.

    A row that was dropped drops nobody itself, so chains of slowly changing pictures are thinned out and not emptied.

    Args:
        hashes: What `perceptual_hashes` gives, one per row.
        distance: Rows are similar if at most this many of the 64 coarse bits differ, and at most as large a share of
            the 256 fine ones.

    Returns:
        Position of the first staying row that is similar; a row's own position if it stays.

    Raises:
        ValueError: The distance is out of range.
        DatasetError: So many rows are similar that they can't be held in memory.
    """
    firsts = first_equals(hashes)
    # Rows with equal hashes share their fate, so each hash is looked at once.
    unique = np.flatnonzero(firsts == np.arange(len(hashes)))
    pairs = unique[close_pairs(hashes[unique], distance)]
    fate = np.arange(len(hashes))
    for earlier, later in pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))].tolist():
        if fate[earlier] == earlier and fate[later] == later:
            fate[later] = earlier
    return fate[firsts]


def close_pairs(hashes: UInt64[np.ndarray, "rows 5"], distance: int) -> Int64[np.ndarray, "pairs 2"]:
    """Find all pairs of hashes that differ in few bits, without comparing everything with everything.

    The 64 coarse bits are dealt into d + k bands. Hashes that differ in d bits agree in at least k whole bands, so
    sorting by every choice of k bands brings each similar pair together at least once. k grows with the number of
    hashes, so that few others come together with them.

    Args:
        distance: Most coarse bits in which a pair differs, 1 to `MAX_DISTANCE`.

    Returns:
        Each pair once, the smaller position first, sorted.

    Raises:
        ValueError: The distance is out of range.
        DatasetError: There are too many pairs to be held in memory.

    Paper:
        Manku, Jain, Das Sarma: *Detecting near-duplicates for web crawling* (WWW 2007), section 3.
    """
    if not 1 <= distance <= MAX_DISTANCE:
        raise ValueError(f"distance must be from 1 to {MAX_DISTANCE} bits, got {distance}")
    # Bits of faces are far from independent, so a key needs more of them than the logarithm of the number of rows.
    wanted = min(1.4 * log2(max(2, len(hashes))), COARSE_BITS / 2)
    kept = next(k for k in range(1, COARSE_BITS) if k * COARSE_BITS / (k + distance) >= wanted)
    bands = [0] * (kept + distance)
    for bit in range(COARSE_BITS):
        # In turn: neighbouring bits of a perceptual hash are alike in all pictures of faces.
        bands[bit % len(bands)] |= 1 << bit
    found = np.zeros((0, 2), np.int64)
    for choice in combinations(bands, kept):
        mask = np.uint64(sum(choice))
        found = np.unique(np.concatenate([found, _pairs_that_agree(hashes, mask, distance)]), axis=0)
        if len(found) > _MOST_PAIRS:
            raise DatasetError(
                f"near_duplicates is {distance} bits, at which more than {_MOST_PAIRS:,} pairs of images are similar; "
                "choose fewer bits"
            )
    return found


def _pairs_that_agree(
    hashes: UInt64[np.ndarray, "rows 5"], mask: np.uint64, distance: int
) -> Int64[np.ndarray, "pairs 2"]:
    """Compare every hash with those behind it that have the same masked bits."""
    coarse = np.ascontiguousarray(hashes[:, 0])
    order = np.argsort(coarse & mask)
    coarse = coarse[order]
    keys = coarse & mask
    found = [np.zeros((0, 2), np.int64)]
    place, step = np.arange(len(keys)), 1
    while len(place):
        place = place[place + step < len(keys)]
        place = place[keys[place] == keys[place + step]]
        near = place[np.bitwise_count(coarse[place] ^ coarse[place + step]) <= distance]
        pairs = np.sort(np.stack([order[near], order[near + step]], axis=1), axis=1)
        differing = np.bitwise_count(hashes[pairs[:, 0], 1:] ^ hashes[pairs[:, 1], 1:]).sum(axis=1)
        found.append(pairs[differing <= distance * FINE_BITS // COARSE_BITS])
        step += 1
    return np.concatenate(found)
