"""Numbers of a corpus's image files: from 0 or from 1, and the recordings that count otherwise than the rest."""

import polars as pl

from facskit.columns import FRAME, RECORDING, SUBJECT
from facskit.datasets.corpora.reading.media_files import NUMBER

__all__ = ["count_from", "numbered_otherwise", "with_image"]

_RECORDING = [SUBJECT, RECORDING]


def count_from(images: pl.DataFrame) -> int:
    """Return what image folders count from: 0 if at least half of the recordings have an image 0, otherwise 1."""
    if images.is_empty():
        return 1
    has_zero = _firsts(images)["first"] == 0
    return 0 if 2 * int(has_zero.sum()) >= len(has_zero) else 1


def numbered_otherwise(coded: pl.DataFrame, images: pl.DataFrame, offset: int) -> pl.DataFrame:
    """Find recordings whose images count from 1 where most count from 0, or the other way round.

    A recording that only lacks its image 0 isn't one: its own way to count must give more frames an image.

    Returns:
        Columns `subject`, `recording` and `first`, the number of its first image.
    """
    usual = count_from(images)
    odd = _firsts(images).filter(pl.col("first") != usual)
    shifted = offset + (1 if usual == 0 else -1)
    counts = [
        with_image(coded, images, other).group_by(_RECORDING).len(name)
        for name, other in (("here", offset), ("there", shifted))
    ]
    for count in counts:
        odd = odd.join(count, on=_RECORDING, how="left")
    better = pl.col("there").fill_null(0) > pl.col("here").fill_null(0)
    return odd.filter(better).select(*_RECORDING, "first").sort(_RECORDING)


def _firsts(images: pl.DataFrame) -> pl.DataFrame:
    """Return 0 or 1 for each recording."""
    return images.group_by(_RECORDING).agg((pl.col(NUMBER).min() != 0).cast(pl.Int64).alias("first"))


def with_image(coded: pl.DataFrame, images: pl.DataFrame, offset: int) -> pl.DataFrame:
    """Return the coded frames that have an image when an offset is added to their numbers."""
    numbered = coded.select(*_RECORDING, (pl.col(FRAME) + offset).alias(NUMBER))
    return numbered.join(images, on=[*_RECORDING, NUMBER], how="semi")
