"""Agreement of two tools: kappa, correlation and lag, where they are known."""

import math

import numpy as np
import polars as pl
import pytest

from facskit.evaluation.agreement import cohen_kappa, find_lag, rank_correlation


def test_kappa_is_agreement_beyond_chance() -> None:
    # 20 faces: both yes 4, first alone 2, second alone 6, both no 8. Observed 12/20; by chance 0.3 x 0.5 + 0.7 x 0.5.
    first = np.array([1] * 4 + [1] * 2 + [0] * 6 + [0] * 8 + [-1, 1], np.int8)
    second = np.array([1] * 4 + [0] * 2 + [1] * 6 + [0] * 8 + [1, -1], np.int8)
    assert cohen_kappa(first, second) == pytest.approx((0.6 - 0.5) / (1 - 0.5))
    assert cohen_kappa(first, first) == pytest.approx(1.0)


@pytest.mark.parametrize("states", [[0, 0, 0], [1, 1], [-1, -1], []])
def test_kappa_of_tools_that_always_say_the_same_is_undefined(states: list[int]) -> None:
    said = np.array(states, np.int8)
    assert math.isnan(cohen_kappa(said, said))


def test_correlation_is_of_ranks_and_skips_what_is_missing() -> None:
    probability = np.array([0.1, 0.5, np.nan, 0.9, 0.95, 0.2])
    intensity = np.array([0.0, 1.0, 4.0, 3.0, 5.0, np.nan])
    assert rank_correlation(probability, intensity) == pytest.approx(1.0)
    assert rank_correlation(probability, -intensity) == pytest.approx(-1.0)
    assert math.isnan(rank_correlation(probability, np.zeros(6)))
    assert math.isnan(rank_correlation(probability[:2], intensity[:2]))


def _followed(frames: int, lag: int) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    drawn = np.convolve(rng.normal(size=frames + 40), np.ones(5) / 5, mode="valid")
    places = np.arange(frames)
    return pl.DataFrame(
        {
            "video": ["a"] * frames,
            "person": [0] * frames,
            "frame": places,
            "first": drawn[places + 18],
            "second": 3 * drawn[places + 18 - lag] + 1,
        }
    )


@pytest.mark.parametrize("lag", [0, 4, -7])
def test_the_lag_is_found(lag: int) -> None:
    found = find_lag(_followed(150, lag))
    assert found is not None
    assert found.frames == lag
    assert found.correlation == pytest.approx(1.0)


def test_people_arent_mixed_and_gaps_are_skipped() -> None:
    one = _followed(150, 3)
    resting_elsewhere = _followed(150, 3).with_columns(person=pl.lit(1, pl.Int64), second=pl.col("second") + 50)
    found = find_lag(pl.concat([one, resting_elsewhere]).filter(pl.col("frame") != 70))
    assert found is not None
    assert found.frames == 3
    assert found.correlation == pytest.approx(1.0)


def test_a_lag_needs_a_stretch_of_video() -> None:
    assert find_lag(_followed(40, 2)) is None
    assert find_lag(_followed(150, 0).with_columns(second=pl.lit(0.5))) is None
