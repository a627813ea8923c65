"""Probabilities smoothed over time, beside the raw ones: a mean over a window around each frame, so without lag.

The window is cut alike on both sides where a person comes, goes, or can't be relied on, so that it always lies around
its frame and never holds another person or what is beyond a gap.
"""

import numpy as np
import polars as pl
from jaxtyping import Float

from facskit.action_units import ActionUnitSet
from facskit.inference.derived_columns import SMOOTH_SECONDS, best_column, smoothed

__all__ = ["GAP", "reliable_faces", "smooth"]

GAP = 1.0
"""Seconds without a face after which a person's frames don't belong together any more."""


def reliable_faces() -> pl.Expr:
    """Return which rows of a recognition table show a face that nothing is known to make unreliable.

    Tables of others, and those written before there was a column `reliable`, don't say: their faces count.
    """
    return (pl.col("success") == 1) & (pl.col("reliable").fill_null(1) == 1)


def smooth(
    table: pl.DataFrame, action_units: ActionUnitSet, thresholds: tuple[float, ...], seconds: float
) -> pl.DataFrame:
    """Add smoothed probabilities (`AU12_smooth`), and what they decide (`AU12_smooth_c`), to a recognition table.

    Args:
        table: Rows as recognition writes them; where they have probabilities above rest, these are smoothed.
        thresholds: From which probability on each action unit counts as present.
        seconds: Width of the window; a frame's value is the mean of the frames up to half of it before and after.

    Returns:
        The rows in their order; smoothed cells of unreliable faces are empty.
    """
    faces = table.with_row_index("row").filter(reliable_faces())
    names = [smoothed(code) for code in action_units.codes]
    sources = [best_column(code, table.columns) for code in action_units.codes]
    parts = [pl.DataFrame(schema={"row": pl.get_index_type(), **dict.fromkeys(names, pl.Float64)})]
    for person in faces.sort("timestamp", "row").partition_by("input", "face_id", maintain_order=True):
        means = _means(person["timestamp"].to_numpy(), person.select(sources).to_numpy(), seconds / 2)
        parts.append(pl.DataFrame(np.round(means, 4), names).with_columns(person["row"]).select("row", *names))
    decided = [
        (pl.col(name) >= threshold).cast(pl.Int64).alias(f"{name}_c")
        for name, threshold in zip(names, thresholds, strict=True)
    ]
    found = pl.concat(parts).with_columns(decided)
    joined = table.with_row_index("row").join(found, on="row", how="left", maintain_order="left").drop("row")
    return joined.with_columns(pl.lit(float(seconds)).alias(SMOOTH_SECONDS))


def _means(
    times: Float[np.ndarray, " frames"], values: Float[np.ndarray, "frames aus"], reach: float
) -> Float[np.ndarray, "frames aus"]:
    """Return the mean of each frame's surroundings, up to `reach` seconds to both sides."""
    starts = np.flatnonzero(np.diff(times, prepend=-np.inf) > GAP)
    ends = np.append(starts[1:], len(times)) - 1
    run = np.searchsorted(starts, np.arange(len(times)), side="right") - 1
    first, last = times[starts][run], times[ends][run]
    # As far to one side as to the other; a nanosecond more, so that frames at the edge count in spite of rounding.
    half = np.minimum(reach, np.minimum(times - first, last - times)) + 1e-9
    low, high = np.searchsorted(times, times - half, side="left"), np.searchsorted(times, times + half, side="right")
    sums = np.concatenate([np.zeros((1, values.shape[1])), values.cumsum(axis=0)])
    return (sums[high] - sums[low]) / (high - low)[:, None]
