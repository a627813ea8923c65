import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.action_units import ActionUnitSet
from facskit.errors import DatasetError
from facskit.evaluation.metrics import f1_per_au
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.predictions import Predictions, apply_protocol
from facskit.evaluation.protocols import Protocol, choose_readout
from tests.evaluation.builders import TWO, make_predictions


def assert_same(first: Predictions, second: Predictions) -> None:
    assert first.action_units == second.action_units
    assert first.protocol == second.protocol
    assert first.model == second.model
    for name in ("probabilities", "labels", "subjects", "names", "folds", "seeds", "thresholds"):
        before, after = getattr(first, name), getattr(second, name)
        np.testing.assert_array_equal(before, after)
        assert before.dtype.kind == after.dtype.kind


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    protocol = Protocol(epoch="unknown", threshold="validation-per-au", folds="leave-one-out")
    predictions = make_predictions(protocol=protocol, seed=3)
    path = predictions.save(tmp_path / "deep" / "predictions.parquet")
    assert_same(predictions, Predictions.load(path))
    assert [file.name for file in path.parent.iterdir()] == ["predictions.parquet"]


def test_a_file_is_an_ordinary_table(tmp_path: Path) -> None:
    predictions = make_predictions()
    path = predictions.save(tmp_path / "predictions.parquet")
    table = pl.read_parquet(path)
    au = ["AU01", "AU01_probability", "AU01_threshold", "AU12", "AU12_probability", "AU12_threshold"]
    assert table.columns == ["image", "subject", "fold", "seed", *au]
    assert table["AU01"].null_count() == int((predictions.labels[:, 0] == -1).sum()) > 0
    metadata = json.loads(pl.read_parquet_metadata(path)["facskit.predictions"])
    assert metadata["stamp"] == predictions.protocol.stamp


def test_no_rows_survive_a_round_trip(tmp_path: Path) -> None:
    nothing = make_predictions().select(np.array([], dtype=np.int64))
    assert len(Predictions.load(nothing.save(tmp_path / "empty.parquet"))) == 0


def test_missing_foreign_and_damaged_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    with pytest.raises(DatasetError, match=r"p\.parquet: there is no such predictions file"):
        Predictions.load(path)
    path.write_bytes(b"not parquet at all")
    with pytest.raises(DatasetError, match=r"p\.parquet: not a readable Parquet file"):
        Predictions.load(path)
    pl.DataFrame({"a": [1]}).write_parquet(path)
    with pytest.raises(DatasetError, match="not one of facskit's predictions of action units"):
        Predictions.load(path)


def rewrite(path: Path, table: pl.DataFrame, **changes: object) -> None:
    metadata = json.loads(pl.read_parquet_metadata(path)["facskit.predictions"]) | changes
    table.write_parquet(path, metadata={"facskit.predictions": json.dumps(metadata)})


def test_impossible_contents_are_refused(tmp_path: Path) -> None:
    path = make_predictions().save(tmp_path / "p.parquet")
    table = pl.read_parquet(path)
    rewrite(path, table.with_columns(pl.lit(1.5, pl.Float32).alias("AU12_probability")))
    wrong = r"p\.parquet: damaged .*: AU12 probability of S000/0.jpg \(row 0\) is 1.5; expected a number from 0 to 1"
    with pytest.raises(DatasetError, match=wrong):
        Predictions.load(path)
    rewrite(path, table.drop("AU12"))
    with pytest.raises(DatasetError, match=r"p\.parquet: damaged predictions file: .*AU12"):
        Predictions.load(path)
    rewrite(path, table, format=2)
    with pytest.raises(DatasetError, match=r"p\.parquet: predictions format 2, expected 1"):
        Predictions.load(path)
    rewrite(path, table, format=1, protocol={"fixed_threshold": 2.0})
    with pytest.raises(DatasetError, match=r"fixed_threshold is 2\.0; expected a probability between 0 and 1"):
        Predictions.load(path)


def test_values_are_checked() -> None:
    predictions = make_predictions()
    labels = predictions.labels.copy()
    labels[4, 1] = 9
    with pytest.raises(ValueError, match=r"AU12 label of S000/4.jpg \(row 4\) is 9; expected 1 \(present\), 0"):
        replace(predictions, labels=labels)
    probabilities = predictions.probabilities.copy()
    probabilities[2, 0] = np.nan
    with pytest.raises(ValueError, match=r"AU01 probability of S000/2.jpg \(row 2\) is nan"):
        replace(predictions, probabilities=probabilities)


def test_select_and_run_keep_rows_together() -> None:
    predictions = make_predictions()
    part = predictions.run(1, 0)
    assert set(part.folds.tolist()) == {1}
    assert len(part) == 60
    assert_same(part, predictions.select(np.flatnonzero(predictions.folds == 1)))
    with pytest.raises(ValueError, match=r"no run with fold 7 and seed 0; runs \(fold, seed\) are \[\(0, 0\), "):
        predictions.run(7, 0)


def test_scores_use_thresholds_and_protocol() -> None:
    predictions = make_predictions()
    predictions = replace(predictions, thresholds=np.full_like(predictions.thresholds, 0.3))
    expected = f1_per_au(predictions.labels, predictions.probabilities, 0.3)
    np.testing.assert_allclose(predictions.scores().f1, expected)
    silent = np.zeros((2, 2), dtype=np.float32)
    quiet = replace(predictions.select(np.array([0, 1])), probabilities=silent, labels=silent.astype(np.int8))
    assert np.isnan(quiet.scores().f1).all()
    assert replace(quiet, protocol=Protocol(undefined_f1="zero")).scores().f1.tolist() == [0.0, 0.0]


def test_joining_keeps_rows_and_provenance() -> None:
    parts = [make_predictions(seed=seed, noise_seed=seed) for seed in (0, 1, 2)]
    joined = concat([concat(parts[:2]), parts[2]])
    assert len(joined) == 3 * len(parts[0])
    assert len(joined.runs) == 9
    assert joined.model == {"runs": [dict(part.model) for part in parts]}
    np.testing.assert_array_equal(joined.run(2, 1).probabilities, parts[1].run(2, 1).probabilities)


def test_what_does_not_belong_together_is_not_joined() -> None:
    first = make_predictions()
    with pytest.raises(DatasetError, match="expected at least one part"):
        concat([])
    with pytest.raises(DatasetError, match=r"S000/0\.jpg appears twice in fold 0, seed 0; expected each image once"):
        concat([first, first.select(np.array([0]))])
    with pytest.raises(DatasetError, match="can't join predictions of AU01,AU12 with predictions of AU01,AU02"):
        concat([first, replace(first, action_units=ActionUnitSet.parse("1 2"))])
    with pytest.raises(DatasetError, match="can't join numbers of two protocols"):
        concat([first, make_predictions(seed=1, protocol=Protocol(fixed_threshold=0.4))])


def others_as_validation(test: Predictions) -> Predictions:
    """Return, for each fold, the next fold's subjects as its validation subjects."""
    return replace(test, folds=(test.folds + 2) % 3)


def test_thresholds_come_from_validation_alone() -> None:
    test = make_predictions()
    validation = others_as_validation(test)
    shared = apply_protocol(test, Protocol(threshold="validation-shared"), validation)
    per_au = apply_protocol(test, Protocol(threshold="validation-per-au"), validation)
    for fold in range(3):
        seen = validation.run(fold, 0)
        expected = choose_readout(per_au.protocol, seen.labels, seen.probabilities).thresholds
        np.testing.assert_allclose(per_au.run(fold, 0).thresholds, np.tile(expected, (60, 1)), atol=1e-7)
        assert len(np.unique(shared.run(fold, 0).thresholds)) == 1
    assert len(np.unique(per_au.thresholds)) > 2
    changed = apply_protocol(replace(test, labels=1 - abs(test.labels)), shared.protocol, validation)
    np.testing.assert_array_equal(changed.thresholds, shared.thresholds)


def test_fixed_and_optimistic_rules_need_no_validation() -> None:
    test = make_predictions()
    fixed = apply_protocol(test, Protocol(fixed_threshold=0.25))
    assert np.unique(fixed.thresholds).tolist() == [0.25]
    best = apply_protocol(test, Protocol(threshold="test-shared"))
    for fold in range(3):
        honest, optimistic = (one.run(fold, 0).scores().macro("f1").value for one in (test, best))
        assert optimistic >= honest


def test_leaks_and_missing_validation_are_refused() -> None:
    test = make_predictions()
    rule = Protocol(threshold="validation-shared")
    with pytest.raises(DatasetError, match="needs validation predictions of fold 0, seed 0; none were given"):
        apply_protocol(test, rule)
    with pytest.raises(
        DatasetError, match="subject S000 is in both validation and test of fold 0; thresholds would leak"
    ):
        apply_protocol(test, rule, test)
    with pytest.raises(DatasetError, match=r"fold 0, seed 0; runs \(fold, seed\) are \[\(0, 5\)"):
        apply_protocol(test, rule, make_predictions(seed=5))
    other = replace(others_as_validation(test), action_units=ActionUnitSet.parse("1 2"))
    with pytest.raises(DatasetError, match="validation predictions are of AU01,AU02, expected AU01,AU12"):
        apply_protocol(test, rule, other)


def test_the_stamp_says_everything() -> None:
    stamp = Protocol(folds="3 subject-exclusive folds").stamp
    assert stamp == (
        "Protocol: last epoch; threshold fixed at 0.5; unknown labels left out; undefined scores left out of means; "
        "3 subject-exclusive folds."
    )
    optimistic = Protocol(threshold="test-shared", undefined_f1="zero")
    assert optimistic.optimistic
    assert "OPTIMISTIC" in optimistic.stamp
    assert "undefined F1 counted as 0" in optimistic.stamp
    assert not Protocol(threshold="validation-shared").optimistic
    assert "\n" not in optimistic.stamp


def test_impossible_protocols_are_refused() -> None:
    with pytest.raises(ValueError, match=r"fixed_threshold is 1\.5; expected a probability between 0 and 1"):
        Protocol(fixed_threshold=1.5)


def test_action_units_keep_their_order(tmp_path: Path) -> None:
    swapped = replace(make_predictions(), action_units=ActionUnitSet(tuple(reversed(TWO.units))))
    assert Predictions.load(swapped.save(tmp_path / "p.parquet")).action_units.codes == ("AU12", "AU01")
