"""Means over time that never mix people, reach over gaps, or come late."""

import numpy as np
import polars as pl
import pytest

from facskit.action_units import ActionUnitSet
from facskit.inference.smoothing import smooth

SMILE = ActionUnitSet.parse("AU12")


def table(times: list[float], values: list[float], **columns: object) -> pl.DataFrame:
    rows = pl.DataFrame({"timestamp": times, "AU12": values}).with_columns(
        pl.lit("a.mp4").alias("input"),
        pl.lit(0).alias("face_id"),
        pl.lit(1).alias("success"),
        pl.lit(1).alias("reliable"),
    )
    return rows.with_columns(**{name: pl.Series(cells) for name, cells in columns.items()})  # type: ignore[arg-type]


def smoothed(rows: pl.DataFrame, seconds: float) -> list[float | None]:
    return smooth(rows, SMILE, (0.5,), seconds)["AU12_smooth"].to_list()


def test_a_value_is_the_mean_of_its_surroundings() -> None:
    rows = table([0.0, 0.1, 0.2, 0.3, 0.4], [0.0, 0.3, 0.9, 0.3, 0.0])
    # The first and the last frame have no surroundings that lie alike on both sides.
    assert smoothed(rows, 0.2) == pytest.approx([0.0, 0.4, 0.5, 0.4, 0.0])
    found = smooth(rows, SMILE, (0.5,), 0.2)
    assert found["AU12_smooth_c"].to_list() == [0, 0, 1, 0, 0]
    assert found["AU12"].to_list() == rows["AU12"].to_list()
    assert found["smooth_seconds"].to_list() == [0.2] * 5


def test_a_ramp_and_a_peak_stay_where_they_are() -> None:
    """Without lag: a line stays itself to its ends, and what is symmetric keeps its middle."""
    times = np.round(np.cumsum(np.full(50, 0.04)), 4)
    ramp = np.linspace(0, 1, 50)
    assert smoothed(table(times.tolist(), ramp.tolist()), 0.4) == pytest.approx(ramp, abs=1e-4)
    peak = np.exp(-((np.arange(50) - 20) ** 2) / 30)
    found = np.array(smoothed(table(times.tolist(), peak.tolist()), 0.4), float)
    assert found.argmax() == 20
    assert found[20] < 0.95


def test_nothing_crosses_gaps_people_or_unreliable_faces() -> None:
    gap = table([0.0, 0.1, 5.0, 5.1], [0.0, 0.0, 1.0, 1.0])
    assert smoothed(gap, 20.0) == [0.0, 0.0, 1.0, 1.0]
    people = table([0.0, 0.0, 0.1, 0.1, 0.2, 0.2], [0.0, 1.0] * 3, face_id=[0, 1] * 3)
    assert smoothed(people, 0.2) == [0.0, 1.0] * 3
    files = table([0.0, 0.1, 0.0, 0.1], [0.0, 0.0, 1.0, 1.0], input=["a", "a", "b", "b"])
    assert smoothed(files, 0.2) == [0.0, 0.0, 1.0, 1.0]
    doubt = table([0.0, 0.1, 0.2], [0.2, 1.0, 0.4], reliable=[1, 0, 1])
    assert smoothed(doubt, 0.2) == [0.2, None, 0.4]
    nobody = table([0.0], [0.0], success=[0])
    assert smoothed(nobody, 0.2) == [None]
