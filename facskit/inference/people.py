"""What each person of a recognition table does: shares, peaks and episodes of every action unit.

An episode is an unbroken run of frames in which an action unit is present; where a face is missing for longer than
`GAP`, it ends. Frames are `timestamp` apart, so a lower rate or a varying one does no harm.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facskit.action_units import ActionUnitSet
from facskit.files import atomic_path

__all__ = ["PeopleTables", "finish_table", "keep_person", "summarise_people"]

GAP = 1.0
"""Seconds without a face after which an episode has ended."""
_PERSON = ["input", "face_id"]


@dataclass(frozen=True, slots=True)
class PeopleTables:
    """Two views of a recognition table."""

    people: pl.DataFrame
    """A row per input, person and action unit: `frames` and `seconds` with a face, `present_share` of them,
    `mean_probability`, `peak_probability` and `peak_at` (seconds), `episodes`, `episodes_per_minute` and
    `longest_episode` (seconds)."""
    episodes: pl.DataFrame
    """A row per episode: `start`, `end` and `length` in seconds, and `peak_probability`."""


def summarise_people(table: pl.DataFrame, action_units: ActionUnitSet) -> PeopleTables:
    """Summarise a table of `facskit recognize`.

    Args:
        table: Rows as recognition writes them; those without a face are passed over.
        action_units: Which columns to look at.
    """
    faces = table.filter(pl.col("success") == 1).sort(*_PERSON, "timestamp")
    step = pl.col("timestamp").diff().over(_PERSON)
    # A frame lasts until the next one; the last one, and one before a gap, as long as the person's frames usually do.
    faces = faces.with_columns(step.median().over(_PERSON).fill_null(0.0).alias("usual"), step.alias("since"))
    until = pl.col("timestamp").shift(-1).over(_PERSON) - pl.col("timestamp")
    lasts = pl.when(until <= GAP).then(until).otherwise(pl.col("usual"))
    faces = faces.with_columns(lasts.fill_null(pl.col("usual")).alias("lasts"))
    people, episodes = [], []
    for unit in action_units:
        own = _episodes(faces, unit.code)
        people.append(_people(faces, own, unit.code, unit.name))
        episodes.append(own.with_columns(pl.lit(unit.code).alias("action_unit")))
    order = [*_PERSON, "action_unit", "start", "end", "length", "peak_probability"]
    return PeopleTables(
        people=pl.concat(people).sort(*_PERSON, "action_unit"),
        episodes=pl.concat(episodes).select(order).sort(*_PERSON, "action_unit", "start"),
    )


def keep_person(table: pl.DataFrame, which: str) -> pl.DataFrame:
    """Leave one person of each input in a recognition table; frames without them are frames without a face.

    Args:
        which: `longest`, who is seen on most frames; `largest`, whose face is largest on average; or a `face_id`.

    Returns:
        A row per frame.
    """
    faces = table.filter(pl.col("success") == 1)
    seen = faces.group_by(_PERSON).agg(
        pl.len().alias("frames"), (pl.col("FaceRectWidth") * pl.col("FaceRectHeight")).mean().alias("size")
    )
    match which:
        case "longest":
            seen = seen.sort("frames", "size", "face_id", descending=[True, True, False])
        case "largest":
            seen = seen.sort("size", "frames", "face_id", descending=[True, True, False])
        case _:
            seen = seen.filter(pl.col("face_id") == int(which))
    chosen = seen.unique("input", keep="first", maintain_order=True).select(_PERSON)
    own = faces.join(chosen, on=_PERSON).drop("timestamp")
    frames = table.select("input", "frame", "timestamp").unique(["input", "frame"], keep="first", maintain_order=True)
    kept = frames.join(own, on=["input", "frame"], how="left", maintain_order="left")
    return kept.with_columns(pl.col("success").fill_null(0)).select(table.columns)


def finish_table(table: Path, action_units: ActionUnitSet, *, person: str = "all", summary: Path | None = None) -> None:
    """Do what can only be done when a table is complete.

    Args:
        table: What `facskit recognize` wrote, in its own columns.
        person: Whom to leave in it, see `keep_person`; `all` for everybody.
        summary: CSV for what each person does; the episodes' has `_episodes` before the ending.
    """
    rows = _read(table)
    if person != "all":
        rows = keep_person(rows, person)
        with atomic_path(table) as part:
            _write(rows, part)
    if summary is not None:
        found = summarise_people(rows, action_units)
        for view, target in (
            (found.people, summary),
            (found.episodes, summary.with_name(f"{summary.stem}_episodes.csv")),
        ):
            with atomic_path(target) as part:
                view.write_csv(part, float_precision=4)


def _read(table: Path) -> pl.DataFrame:
    match table.suffix.lower():
        case ".parquet":
            return pl.read_parquet(table)
        case ".jsonl":
            return pl.read_ndjson(table)
        case _:
            return pl.read_csv(table, infer_schema_length=None)


def _write(rows: pl.DataFrame, path: Path) -> None:
    match path.suffix.lower():
        case ".parquet":
            rows.write_parquet(path)
        case ".jsonl":
            rows.write_ndjson(path)
        case _:
            rows.write_csv(path)


def _episodes(faces: pl.DataFrame, code: str) -> pl.DataFrame:
    """Return start, end, length and peak of each episode of one action unit."""
    present = pl.col(f"{code}_c") == 1
    begins = present & (~present.shift(1, fill_value=False).over(_PERSON) | (pl.col("since") > GAP))
    numbered = faces.with_columns(begins.cum_sum().over(_PERSON).alias("episode")).filter(present)
    found = numbered.group_by(*_PERSON, "episode").agg(
        pl.col("timestamp").min().alias("start"),
        (pl.col("timestamp") + pl.col("lasts")).max().alias("end"),
        pl.col(code).max().alias("peak_probability"),
    )
    return found.drop("episode").with_columns((pl.col("end") - pl.col("start")).alias("length"))


def _people(faces: pl.DataFrame, episodes: pl.DataFrame, code: str, name: str) -> pl.DataFrame:
    people = faces.group_by(_PERSON).agg(
        pl.lit(code).alias("action_unit"),
        pl.lit(name).alias("name"),
        pl.len().alias("frames"),
        pl.col("lasts").sum().alias("seconds"),
        (pl.col(f"{code}_c") == 1).mean().alias("present_share"),
        pl.col(code).mean().alias("mean_probability"),
        pl.col(code).max().alias("peak_probability"),
        pl.col("timestamp").get(pl.col(code).arg_max()).alias("peak_at"),
    )
    counted = episodes.group_by(_PERSON).agg(
        pl.len().alias("episodes"), pl.col("length").max().alias("longest_episode")
    )
    joined = people.join(counted, on=_PERSON, how="left").with_columns(
        pl.col("episodes").fill_null(0), pl.col("longest_episode").fill_null(0.0)
    )
    rate = pl.when(pl.col("seconds") > 0).then(60 * pl.col("episodes") / pl.col("seconds"))
    ordered = joined.with_columns(rate.alias("episodes_per_minute"))
    return ordered.select(*people.columns, "episodes", "episodes_per_minute", "longest_episode")
