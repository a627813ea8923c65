"""A person's own rest, taken off: resting looks go, movements and other people stay."""

import numpy as np
import polars as pl
import pytest

from facskit.action_units import ActionUnitSet
from facskit.errors import RecipeError
from facskit.inference.own_rest import take_rest_off
from facskit.inference.smoothing import smooth

UNITS = ActionUnitSet.parse("AU04 AU12")
THRESHOLDS = (0.5, 0.3)


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def _table(frames: int = 40, *, reliable: int = 1) -> pl.DataFrame:
    """A frowning-looking person who smiles in the second half, and one whose rest shows nothing."""
    rows = []
    for frame in range(frames):
        smiles = frame >= frames // 2
        rows += [
            {"frame": frame, "face_id": 0, "AU04": 0.8, "AU12": 0.9 if smiles else 0.02},
            {"frame": frame, "face_id": 1, "AU04": 0.9 if smiles else 0.01, "AU12": 0.1},
        ]
    same = {"input": pl.lit("a.mp4"), "success": pl.lit(1), "reliable": pl.lit(reliable)}
    return pl.DataFrame(rows).with_columns(timestamp=pl.col("frame") / 25, **same)


@pytest.mark.parametrize("frame", [None, 3])
def test_resting_looks_go_and_movements_stay(frame: int | None) -> None:
    table = _table()
    found = take_rest_off(table, UNITS, THRESHOLDS, frame)
    assert found.select(table.columns).equals(table)
    frowning, other = found.filter(face_id=0), found.filter(face_id=1)
    # Brought to two logits below the threshold: sigmoid(-2).
    assert frowning["AU04_above_rest"].to_list() == pytest.approx([0.1192] * 40, abs=1e-4)
    assert frowning["AU04_above_rest_c"].to_list() == [0] * 40
    assert frowning["AU12_above_rest"].to_list() == pytest.approx([0.02] * 20 + [0.9] * 20, abs=1e-4)
    assert frowning["AU12_above_rest_c"].to_list() == [0] * 20 + [1] * 20
    assert other["AU04_above_rest_c"].to_list() == [0] * 20 + [1] * 20
    # 0.1 is less than two logits below 0.3: it gives up the difference.
    wanted = _logit(0.3) - 2
    assert [_logit(value) for value in other["AU12_above_rest"]] == pytest.approx([wanted] * 40, abs=5e-3)
    assert found["rest"].unique().to_list() == ["auto" if frame is None else "3"]


def test_smoothing_takes_what_is_above_rest() -> None:
    found = smooth(take_rest_off(_table(), UNITS, THRESHOLDS, None), UNITS, THRESHOLDS, 0.2)
    assert found.filter(face_id=0)["AU04_smooth"].to_list() == pytest.approx([0.1192] * 40, abs=1e-4)


def test_who_cannot_be_corrected_stays_empty() -> None:
    short = _table().filter((pl.col("face_id") == 0) | (pl.col("frame") < 10))
    found = take_rest_off(short, UNITS, THRESHOLDS, None)
    assert found.filter(face_id=1)["AU04_above_rest"].null_count() == 10
    assert found.filter(face_id=0)["AU04_above_rest"].null_count() == 0
    assert found.height == short.height


def test_nobody_at_rest_is_one_sentence() -> None:
    with pytest.raises(RecipeError, match=r"--neutral auto: nobody is seen reliably in 30 frames"):
        take_rest_off(_table(20), UNITS, THRESHOLDS, None)
    with pytest.raises(RecipeError, match=r"--neutral 99: nobody .* faces are seen in frames 0 to 39"):
        take_rest_off(_table(), UNITS, THRESHOLDS, 99)
    with pytest.raises(RecipeError, match=r"--neutral 3: nobody .* faces are seen in no frame"):
        take_rest_off(_table(reliable=0), UNITS, THRESHOLDS, 3)
