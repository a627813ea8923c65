"""Text files that label lists are kept in, read so that each bad line has a sentence."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int8

from facskit.datasets.corpora.reading.label_files import MISSING_CODE
from facskit.errors import DatasetError
from facskit.files import atomic_path

__all__ = ["label_codes", "read_lines", "read_numbers", "refuse_repeated", "write_exactly", "write_rows"]


def read_lines(path: Path) -> list[str]:
    """Read the lines of a list without their ends, whichever system wrote them.

    Raises:
        DatasetError: The file is missing, empty, no text, or has an empty line amid others.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DatasetError(f"{path}: can't open it ({(error.strerror or 'unreadable').lower()})") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: found bytes that are no text at position {error.start}") from error
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise DatasetError(f"{path}: the file is empty; expected one line per image")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            raise DatasetError(f"{path}: line {number} is empty; expected one line per image")
    return [line.strip() for line in lines]


def read_numbers(path: Path, rows: int) -> Float[np.ndarray, "rows columns"]:
    """Read a table of numbers separated by spaces or tabs.

    Args:
        rows: Number of lines it must have, that of the list of paths.

    Raises:
        DatasetError: There is another number of lines, a line of another length, or a word that is no number.
    """
    lines = read_lines(path)
    if len(lines) != rows:
        raise DatasetError(f"{path}: found {len(lines):,} lines, expected {rows:,} as in the list of paths")
    try:
        numbers: Float[np.ndarray, "rows columns"] = np.loadtxt(lines, comments=None, ndmin=2)
    except ValueError:
        _find_fault(lines, path)
        raise
    return numbers


def _find_fault(lines: Sequence[str], path: Path) -> None:
    """Name the line that isn't like the others or has a word that is no number."""
    width = len(lines[0].split())
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if len(words) != width:
            raise DatasetError(f"{path}: line {number}: found {len(words)} numbers, expected {width} as in line 1")
        for word in words:
            try:
                float(word)
            except ValueError:
                raise DatasetError(f"{path}: line {number}: found {word!r}, expected a number") from None


def label_codes(numbers: Float[np.ndarray, "rows aus"], path: Path) -> Int8[np.ndarray, "rows aus"]:
    """Turn 1, 0 and 9 into label states: 9 is unknown.

    Raises:
        DatasetError: There is another code.
    """
    bad = ~np.isin(numbers, (0, 1, MISSING_CODE))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DatasetError(
            f"{path}: line {row + 1}, column {column + 1}: found {numbers[row, column]:g}, "
            "expected 1 (present), 0 (absent) or 9 (can't be coded)"
        )
    return np.where(numbers == MISSING_CODE, -1, numbers).astype(np.int8)


def refuse_repeated(images: Iterable[str], path: Path) -> None:
    """Refuse a list that names an image twice: one of its labels would be lost.

    Raises:
        DatasetError: The second line of the first image that stands there twice.
    """
    first: dict[str, int] = {}
    for number, image in enumerate(images, start=1):
        if first.setdefault(image, number) != number:
            raise DatasetError(f"{path}: line {number}: found {image!r} again, first in line {first[image]}")


def write_exactly(path: Path, text: str) -> None:
    """Write text with the line ends it has, whichever system this is."""
    with atomic_path(path) as part:
        part.write_bytes(text.encode())


def write_rows(path: Path, numbers: Int8[np.ndarray, "rows columns"]) -> None:
    """Write one line per row, its numbers separated by spaces."""
    write_exactly(path, "".join(" ".join(map(str, row)) + "\n" for row in numbers.tolist()))
