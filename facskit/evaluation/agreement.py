"""How far two tools agree about the same faces: on decisions, on how scores rise and fall, and on when they do."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Int8
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from facskit.datasets.samples import LabelState

__all__ = ["LONGEST_LAG", "Lag", "cohen_kappa", "find_lag", "rank_correlation"]

LONGEST_LAG = 15
"""Frames by which one tool may be later than the other, when the lag is looked for: half a second of most videos."""
_LEAST_FRAMES = 60
"""Frames in a row that a lag is told from, at the least."""


@dataclass(frozen=True, kw_only=True)
class Lag:
    """How much later a tool's scores rise and fall."""

    frames: int
    """Frames by which the second tool follows the first; negative where it's ahead."""
    correlation: float
    """Pearson's correlation once the lag is taken out."""


def cohen_kappa(first: Int8[np.ndarray, "faces"], second: Int8[np.ndarray, "faces"]) -> float:
    """Return Cohen's kappa of two tools' decisions (`LabelState` values): agreement beyond chance, 1 is complete.

    Faces that either leaves unknown don't count. NaN where there is none, or where both say the same one thing of all
    faces, so that chance alone explains it.
    """
    known = (first != LabelState.UNKNOWN) & (second != LabelState.UNKNOWN)
    here, there = first[known], second[known]
    if not here.size or (np.unique(np.concatenate([here, there])).size == 1):
        return float("nan")
    return float(cohen_kappa_score(here, there))


def rank_correlation(first: Float[np.ndarray, "faces"], second: Float[np.ndarray, "faces"]) -> float:
    """Return Spearman's correlation of two tools' scores, -1 to 1; a probability and an intensity may be compared.

    Faces without a score (NaN) don't count. NaN where a tool says the same of all faces, or there are fewer than three.
    """
    known = ~(np.isnan(first) | np.isnan(second))
    here, there = first[known], second[known]
    if len(here) < 3 or not np.ptp(here) or not np.ptp(there):
        return float("nan")
    return float(spearmanr(here, there).statistic)


def find_lag(scores: pl.DataFrame, longest: int = LONGEST_LAG) -> Lag | None:
    """Find by how many frames the second tool follows the first: where their scores correlate most.

    Args:
        scores: `video`, `person`, `frame`, and the scores `first` and `second` of each frame, null where missing.
        longest: Most frames looked at, either way.

    Returns:
        None where nobody is seen in 60 frames of a video, or scores don't change.
    """
    seen = scores.drop_nulls(["first", "second"])
    if not (seen.group_by("video", "person").len()["len"] >= _LEAST_FRAMES).any():
        return None
    best: Lag | None = None
    for frames in sorted(range(-longest, longest + 1), key=abs):  # of equally good ones the smallest
        later = seen.select("video", "person", pl.col("frame") - frames, pl.col("second").alias("later"))
        both = seen.join(later, on=["video", "person", "frame"], how="inner")
        if both.height < _LEAST_FRAMES:
            continue
        scored = pl.col("first", "later")
        own = scored - scored.mean().over("video", "person")  # people's faces rest differently
        correlation = both.with_columns(own).select(pl.corr("first", "later")).item()
        if correlation is None or np.isnan(correlation):
            continue
        if best is None or correlation > best.correlation + 1e-9:
            best = Lag(frames=frames, correlation=float(correlation))
    return best
