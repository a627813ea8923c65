"""Duplicates: the bucketed search finds exactly what comparing everything with everything finds."""

import numpy as np
import pytest
from jaxtyping import Int64, UInt64

from facskit.datasets.curation import duplicates
from facskit.datasets.curation.duplicates import close_pairs, first_equals, first_neighbours
from facskit.errors import DatasetError

Hashes = UInt64[np.ndarray, "rows 5"]


def clustered(rows: int, seed: int, flips: int = 6) -> Hashes:
    """Hashes of which many lie near each other, as copies do."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2**64, (rows // 4, 5), dtype=np.uint64)
    hashes = centres[rng.integers(0, len(centres), rows)]
    for _ in range(flips):
        chosen = rng.random(rows) < 0.5
        hashes[:, 0] ^= np.where(chosen, np.uint64(1) << rng.integers(0, 64, rows, dtype=np.uint64), np.uint64(0))
        word = rng.integers(1, 5, rows)
        bit = np.uint64(1) << rng.integers(0, 64, rows, dtype=np.uint64)
        hashes[np.arange(rows), word] ^= np.where(rng.random(rows) < 0.8, bit, np.uint64(0))
    return hashes


def similar(hashes: Hashes, one: int, other: int, distance: int) -> bool:
    bits = [int(a ^ b).bit_count() for a, b in zip(hashes[one], hashes[other], strict=True)]
    return bits[0] <= distance and sum(bits[1:]) <= 4 * distance


def by_force(hashes: Hashes, distance: int) -> list[tuple[int, int]]:
    rows = range(len(hashes))
    return [(one, other) for one in rows for other in rows if one < other and similar(hashes, one, other, distance)]


@pytest.mark.parametrize("distance", [1, 2, 3, 4, 6, 8])
def test_pairs_are_those_of_brute_force(distance: int) -> None:
    hashes = clustered(160, seed=distance, flips=distance)
    expected = by_force(hashes, distance)
    assert len(expected) > 5
    assert [tuple(pair) for pair in close_pairs(hashes, distance).tolist()] == expected


def test_the_confirming_bits_count() -> None:
    hashes = np.zeros((2, 5), np.uint64)
    hashes[1, 2] = 2**17 - 1
    assert len(close_pairs(hashes, 4)) == 0
    hashes[1, 2] = 2**16 - 1
    assert close_pairs(hashes, 4).tolist() == [[0, 1]]


@pytest.mark.parametrize("seed", [0, 1])
def test_an_image_is_dropped_for_an_earlier_one_that_stays(seed: int) -> None:
    hashes = clustered(150, seed)
    hashes[40] = hashes[3]
    expected: Int64[np.ndarray, "rows"] = np.arange(150)
    for row in range(150):
        staying = [other for other in range(row) if expected[other] == other]
        expected[row] = next((other for other in staying if similar(hashes, other, row, 3)), row)
    assert (expected != np.arange(150)).sum() > 5
    np.testing.assert_array_equal(first_neighbours(hashes, 3), expected)


def test_chains_are_thinned_not_emptied() -> None:
    """0-1-2-3 differ by two bits from one to the next: 1 goes for 0, so 2 stays, and 3 goes for 2."""
    hashes = np.zeros((4, 5), np.uint64)
    hashes[:, 0] = [0b0, 0b11, 0b1111, 0b111111]
    assert first_neighbours(hashes, 2).tolist() == [0, 0, 2, 2]


def test_first_equals() -> None:
    digests = np.array([[5, 1], [7, 1], [5, 1], [5, 2], [7, 1]], np.uint64)
    assert first_equals(digests).tolist() == [0, 1, 0, 3, 1]
    assert first_equals(np.zeros((0, 2), np.uint64)).tolist() == []


def test_few_rows() -> None:
    assert first_neighbours(np.zeros((0, 5), np.uint64), 4).tolist() == []
    assert first_neighbours(np.zeros((1, 5), np.uint64), 4).tolist() == [0]


@pytest.mark.parametrize("distance", [0, 9])
def test_impossible_distances_are_refused(distance: int) -> None:
    with pytest.raises(ValueError, match=f"distance must be from 1 to 8 bits, got {distance}"):
        close_pairs(np.zeros((3, 5), np.uint64), distance)


def test_too_many_pairs_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_MOST_PAIRS", 2)
    with pytest.raises(
        DatasetError, match="near_duplicates is 4 bits, at which more than 2 pairs of images are similar"
    ):
        close_pairs(np.zeros((9, 5), np.uint64), 4)
