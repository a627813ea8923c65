"""The global step of curation: drop what is there twice, and give every other image its place in the shards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from jaxtyping import Int64, UInt64

from facskit.datasets.curation.duplicates import first_equals, first_neighbours
from facskit.datasets.curation.listing import Listing
from facskit.datasets.curation.reasons import Reason
from facskit.datasets.curation.shards import shard_name, shard_offsets
from facskit.datasets.curation.work import HASHES, Workplace

__all__ = ["Settled", "settle"]

FindFirsts = Callable[[UInt64[np.ndarray, "rows words"]], Int64[np.ndarray, "rows"]]
"""From the bits of rows to the position of the first row that each of them repeats, or its own."""


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
    """Decide about every file, now that all are known; the earlier one of two equal images stays."""
    names = [source.name for source in place.sources]
    table = pl.concat(
        pl.read_parquet(place.chunk_file("table", chunk)).with_columns(pl.lit(chunk, pl.Int32).alias("chunk"))
        for chunk in range(len(listing.chunks))
    ).with_columns(pl.col("source").replace_strict(list(range(len(names))), names, return_dtype=pl.String))
    table = table.with_columns(
        pl.concat_str("source", pl.lit("/"), "key").alias("name"), pl.lit(None, pl.String).alias("duplicate_of")
    )
    table = _drop(table, "same pixels", ("digest_0", "digest_1"), first_equals)
    if place.config.near_duplicates:
        similar = partial(first_neighbours, distance=place.config.near_duplicates)
        table = _drop(table, "near duplicate", HASHES, similar)
    accepted = _give_places(table.filter(pl.col("reason").is_null()), place)
    columns = ("name", "source", "reason", "detail", "width", "height", "duplicate_of")
    rejected = table.filter(pl.col("reason").is_not_null()).select(columns)
    if accepted.height + rejected.height != sum(listing.found):
        raise RuntimeError(
            f"{accepted.height} accepted and {rejected.height} rejected images aren't the {sum(listing.found)} found"
        )
    sizes = dict(table.group_by("source").agg(pl.col("size").sum()).iter_rows())
    return Settled(accepted=accepted, rejected=rejected, seconds=float(table["seconds"].sum()), read_bytes=sizes)


def _drop(table: pl.DataFrame, reason: Reason, columns: Sequence[str], find_firsts: FindFirsts) -> pl.DataFrame:
    """Reject rows that repeat an earlier one in some columns of 64 bits, of those that weren't rejected before."""
    rows = np.flatnonzero(table["reason"].is_null().to_numpy())
    words = np.stack([table[column].gather(rows).to_numpy() for column in columns], axis=1)
    firsts = np.arange(table.height)
    firsts[rows] = rows[find_firsts(words)]
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
    lengths, size = table["length"].to_numpy(), config.shard_images
    shards: list[str] = []
    offsets = np.zeros(table.height, np.int64)
    for number, start in enumerate(range(0, table.height, size)):
        inside = slice(start, start + size)
        offsets[inside] = shard_offsets(lengths[inside])
        shards += [shard_name(number)] * len(lengths[inside])
    places = table.with_columns(shard=pl.Series(shards, dtype=pl.String), offset=pl.Series(offsets))
    return places.select("name", "source", "shard", "offset", "length", "width", "height", "chunk", "start")
