"""The global step of curation: drop what is there twice, and give every other image its place in the shards."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Int64

from facskit.datasets.curation.duplicates import first_equals, first_neighbours
from facskit.datasets.curation.listing import Listing
from facskit.datasets.curation.reasons import Reason
from facskit.datasets.curation.shards import shard_name, shard_offsets
from facskit.datasets.curation.work import HASHES, Workplace

__all__ = ["Settled", "settle"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Settled:
    """What became of every file."""

    accepted: pl.DataFrame
    """In the order of the shards: name, source, shard, offset, length, width, height, chunk, start."""
    rejected: pl.DataFrame
    """In the order of the sources: name, source, reason, detail, width, height, duplicate_of."""
    seconds: float
    """Work that the chunks took, added up over processes."""
    read_bytes: dict[str, int]
    """Size of the files of every source."""


def settle(place: Workplace, listing: Listing) -> Settled:
    """Decide about every file, now that all are known; the earlier one of two equal images stays.

    Args:
        place: Where the chunks' tables are.

    Returns:
        Accepted and rejected files; together they are what was found.
    """
    names = [source.name for source in place.sources]
    table = pl.concat(
        pl.read_parquet(place.chunk_file("table", chunk)).with_columns(pl.lit(chunk, pl.Int32).alias("chunk"))
        for chunk in range(len(listing.chunks))
    ).with_columns(pl.col("source").replace_strict(list(range(len(names))), names, return_dtype=pl.String))
    table = table.with_columns(
        pl.concat_str("source", pl.lit("/"), "key").alias("name"), pl.lit(None, pl.String).alias("duplicate_of")
    )
    table = _drop(table, "same pixels", _equal(table, ("digest_0", "digest_1")))
    if place.config.near_duplicates:
        table = _drop(table, "near duplicate", _similar(table, place.config.near_duplicates))
    accepted = _give_places(table.filter(pl.col("reason").is_null()), place)
    columns = ("name", "source", "reason", "detail", "width", "height", "duplicate_of")
    rejected = table.filter(pl.col("reason").is_not_null()).select(columns)
    if accepted.height + rejected.height != sum(listing.found):
        raise RuntimeError(
            f"{accepted.height} accepted and {rejected.height} rejected images aren't the {sum(listing.found)} found"
        )
    sizes = dict(table.group_by("source").agg(pl.col("size").sum()).iter_rows())
    return Settled(accepted=accepted, rejected=rejected, seconds=float(table["seconds"].sum()), read_bytes=sizes)


def _staying(table: pl.DataFrame) -> Int64[np.ndarray, "rows"]:
    return np.flatnonzero(table["reason"].is_null().to_numpy())


def _equal(table: pl.DataFrame, columns: Iterable[str]) -> Int64[np.ndarray, "rows"]:
    """Return for every row of the table the row that it repeats, or itself."""
    rows = _staying(table)
    firsts = np.arange(table.height)
    firsts[rows] = rows[first_equals(_words(table, rows, columns))]
    return firsts


def _similar(table: pl.DataFrame, distance: int) -> Int64[np.ndarray, "rows"]:
    rows = _staying(table)
    firsts = np.arange(table.height)
    firsts[rows] = rows[first_neighbours(_words(table, rows, HASHES), distance)]
    return firsts


def _words(table: pl.DataFrame, rows: Int64[np.ndarray, "rows"], columns: Iterable[str]) -> np.ndarray:
    return np.stack([table[column].gather(rows).to_numpy() for column in columns], axis=1)


def _drop(table: pl.DataFrame, reason: Reason, firsts: Int64[np.ndarray, "rows"]) -> pl.DataFrame:
    """Reject every row that repeats another one."""
    repeats = pl.Series(firsts != np.arange(table.height))
    originals = table["name"].gather(firsts)
    return table.with_columns(
        reason=pl.when(repeats).then(pl.lit(reason)).otherwise("reason"),
        detail=pl.when(repeats).then(pl.lit("")).otherwise("detail"),
        duplicate_of=pl.when(repeats).then(originals).otherwise("duplicate_of"),
    )


def _give_places(table: pl.DataFrame, place: Workplace) -> pl.DataFrame:
    config = place.config
    if config.shuffle:
        table = table[np.random.default_rng(config.seed).permutation(table.height)]
    lengths = table["length"].to_numpy()
    numbers = np.arange(table.height) // config.shard_images
    starts = range(0, table.height, config.shard_images)
    offsets = [shard_offsets(lengths[start : start + config.shard_images]) for start in starts]
    shards = [shard_name(number) for number in range(len(starts))]
    return table.with_columns(
        shard=pl.Series(shards, dtype=pl.String).gather(numbers) if shards else pl.lit(""),
        offset=pl.Series(np.concatenate([np.zeros(0, np.int64), *offsets])),
    ).select("name", "source", "shard", "offset", "length", "width", "height", "chunk", "start")
