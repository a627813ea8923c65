"""What each person of a recognition table does: shares, peaks and episodes of every action unit.

Only frames in which nothing makes the face unreliable count. An episode is an unbroken run of them in which an action
unit is present; where there is none for longer than `GAP`, it ends. Frames are `timestamp` apart, so a lower rate or a
varying one does no harm.
"""

from dataclasses import dataclass

import polars as pl

from facskit.action_units import ActionUnit, ActionUnitSet
from facskit.inference.derived_columns import ABOVE_REST, SMOOTH_SECONDS, best_column
from facskit.inference.smoothing import GAP, reliable_faces

__all__ = ["PeopleTables", "keep_person", "summarise_bins", "summarise_people"]

_PERSON = ["input", "face_id"]


@dataclass(frozen=True, slots=True)
class PeopleTables:
    """Two views of a recognition table."""

    people: pl.DataFrame
    """A row per input, person and action unit: `frames` and `seconds` with a face, `reliable_share` of them; of the
    reliable ones, `present_share`, `mean_probability`, `peak_probability` and `peak_at` (seconds); `episodes`,
    `episodes_per_minute` and `longest_episode` (seconds); `smooth_seconds`, the window of smoothing, 0 for none; and
    `rest`, where the person's rest was found that was taken off, empty if it wasn't."""
    episodes: pl.DataFrame
    """A row per episode: `start`, `end` and `length` in seconds, and `peak_probability`."""


def summarise_people(table: pl.DataFrame, action_units: ActionUnitSet) -> PeopleTables:
    """Summarise a table of `facskit recognize`; where it has smoothed probabilities, these.

    Args:
        table: Rows as recognition writes them; those without a face are passed over.
        action_units: Which columns to look at.
    """
    faces = _faces(table)
    people, episodes = [], []
    for unit in action_units:
        values = _values(faces, unit)
        own = _episodes(values)
        people.append(_people(values, own, unit))
        episodes.append(own.with_columns(pl.lit(unit.code).alias("action_unit")))
    order = [*_PERSON, "action_unit", "start", "end", "length", "peak_probability"]
    return PeopleTables(
        people=pl.concat(people).sort(*_PERSON, "action_unit").with_columns(_made_from(table)),
        episodes=pl.concat(episodes).select(order).sort(*_PERSON, "action_unit", "start"),
    )


def summarise_bins(table: pl.DataFrame, action_units: ActionUnitSet, seconds: float) -> pl.DataFrame:
    """Summarise a table of `facskit recognize` over time, in bins of equal length from the start of each file.

    Args:
        seconds: Length of a bin.

    Returns:
        A row per input, person, bin and action unit: the bin's `start` and `end` in seconds, `frames` with a face,
        `reliable_share` of them; of the reliable ones `present_share`, `mean_probability` and `peak_probability`. A bin
        in which the person isn't seen has 0 frames and empty cells.
    """
    faces = _faces(table)
    number = (pl.col("timestamp") / seconds).floor().cast(pl.Int64).alias("bin")
    bins = table.select("input", number).unique().join(faces.select(_PERSON).unique(), on="input")
    parts = []
    for unit in action_units:
        found = _values(faces, unit).group_by(*_PERSON, number).agg(_shares())
        whole = bins.join(found, on=[*_PERSON, "bin"], how="left").with_columns(pl.col("frames").fill_null(0))
        parts.append(whole.with_columns(pl.lit(unit.code).alias("action_unit")))
    start, end = (pl.col("bin") * seconds).alias("start"), ((pl.col("bin") + 1) * seconds).alias("end")
    shares = ("frames", "reliable_share", "present_share", "mean_probability", "peak_probability")
    ordered = pl.concat(parts).sort(*_PERSON, "action_unit", "bin")
    return ordered.select(*_PERSON, "action_unit", start, end, *shares, *_made_from(table))


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


def _made_from(table: pl.DataFrame) -> list[pl.Expr]:
    """Return what a summary says of the probabilities that it is made of."""
    window = float(table[SMOOTH_SECONDS].max() or 0.0) if SMOOTH_SECONDS in table.columns else 0.0  # type: ignore[arg-type]
    rest = table[ABOVE_REST][0] if ABOVE_REST in table.columns and table.height else None
    return [pl.lit(window).alias(SMOOTH_SECONDS), pl.lit(rest, pl.String).alias(ABOVE_REST)]


def _faces(table: pl.DataFrame) -> pl.DataFrame:
    """Return the faces in order of time, and how long each frame lasts."""
    known = table if "reliable" in table.columns else table.with_columns(pl.lit(1).alias("reliable"))
    faces = known.filter(pl.col("success") == 1).sort(*_PERSON, "timestamp")
    usual = pl.col("timestamp").diff().over(_PERSON).median().over(_PERSON).fill_null(0.0)
    # A frame lasts until the next one; the last one, and one before a gap, as long as the person's frames usually do.
    until = pl.col("timestamp").shift(-1).over(_PERSON) - pl.col("timestamp")
    lasts = pl.when(until <= GAP).then(until).otherwise(usual).fill_null(usual)
    return faces.with_columns(lasts.alias("lasts"), reliable_faces().alias("counts"))


def _values(faces: pl.DataFrame, unit: ActionUnit) -> pl.DataFrame:
    """Return one action unit's `value` and whether it's `present`, both empty where the face is unreliable."""
    code = best_column(unit.code, faces.columns)
    return faces.select(
        *_PERSON,
        "timestamp",
        "lasts",
        "counts",
        pl.when("counts").then(pl.col(code)).alias("value"),
        pl.when("counts").then(pl.col(f"{code}_c") == 1).alias("present"),
    )


def _shares() -> list[pl.Expr]:
    return [
        pl.len().alias("frames"),
        pl.col("counts").mean().alias("reliable_share"),
        pl.col("present").mean().alias("present_share"),
        pl.col("value").mean().alias("mean_probability"),
        pl.col("value").max().alias("peak_probability"),
    ]


def _episodes(values: pl.DataFrame) -> pl.DataFrame:
    """Return start, end, length and peak of each episode of one action unit."""
    counted = values.filter("counts")
    since = pl.col("timestamp").diff().over(_PERSON)
    present = pl.col("present")
    begins = present & (~present.shift(1, fill_value=False).over(_PERSON) | (since > GAP))
    numbered = counted.with_columns(begins.cum_sum().over(_PERSON).alias("episode")).filter(present)
    found = numbered.group_by(*_PERSON, "episode").agg(
        pl.col("timestamp").min().alias("start"),
        (pl.col("timestamp") + pl.col("lasts")).max().alias("end"),
        pl.col("value").max().alias("peak_probability"),
    )
    return found.drop("episode").with_columns((pl.col("end") - pl.col("start")).alias("length"))


def _people(values: pl.DataFrame, episodes: pl.DataFrame, unit: ActionUnit) -> pl.DataFrame:
    """Return what each person does with one action unit."""
    frames, *shares = _shares()
    people = values.group_by(_PERSON).agg(
        pl.lit(unit.code).alias("action_unit"),
        pl.lit(unit.name).alias("name"),
        frames,
        pl.col("lasts").sum().alias("seconds"),
        *shares,
        pl.col("timestamp")
        .sort_by("value", descending=True, nulls_last=True, maintain_order=True)
        .first()
        .alias("peak_at"),
        pl.col("lasts").filter("counts").sum().alias("reliable_seconds"),
    )
    counted = episodes.group_by(_PERSON).agg(
        pl.len().alias("episodes"), pl.col("length").max().alias("longest_episode")
    )
    joined = people.join(counted, on=_PERSON, how="left")
    known = pl.col("reliable_share") > 0
    count = pl.when(known).then(pl.col("episodes").fill_null(0)).alias("episodes")
    longest = pl.when(known).then(pl.col("longest_episode").fill_null(0.0)).alias("longest_episode")
    peak_at = pl.when(known).then("peak_at").alias("peak_at")
    rate = pl.when(pl.col("reliable_seconds") > 0).then(60 * pl.col("episodes") / pl.col("reliable_seconds"))
    ordered = joined.with_columns(count, longest, peak_at).with_columns(rate.alias("episodes_per_minute"))
    return ordered.select(
        *(name for name in people.columns if name != "reliable_seconds"),
        "episodes",
        "episodes_per_minute",
        "longest_episode",
    )
