"""Stored results verified from stored predictions: the same numbers, and a sentence for each that isn't."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facskit.errors import DatasetError
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.predictions import Predictions
from facskit.evaluation.reports import build_report
from facskit.experiments.analysis.verification import verify
from facskit.experiments.run_tree import run_name
from facskit.interfaces import cli
from facskit.models.build import build_model
from facskit.models.checkpoints import save_checkpoint, weights_digest
from facskit.models.compact_network import CompactConfig
from tests.evaluation.builders import TWO, make_predictions
from tests.inference.fakes import info


def _graded() -> Predictions:
    plain = make_predictions()
    levels = np.where(plain.labels == 1, 3, plain.labels).astype(np.int8)
    return replace(plain, levels=levels, intensities=5 * plain.probabilities)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    predictions = _graded()
    build_report(predictions, title="a run").write(tmp_path)
    return predictions.save(tmp_path / "predictions.parquet")


def test_the_same_numbers_come_out(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = verify(stored)

    assert found.differences == ()
    assert found.compared > 100
    assert found.report.result.mean("icc")[0] > 0.5  # type: ignore[union-attr]
    assert cli.main(["evaluate", str(stored)]) == 0
    assert f"Verified: the same {found.compared} numbers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("place", "value"), [(("macro_f1_pooled",), 0.99), (("per_au", "roc_auc", "AU12"), None), (("runs", 0, "seed"), 3)]
)
def test_a_changed_number_is_named(
    stored: Path, place: tuple[str | int, ...], value: float | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = stored.with_name("results.json")
    results = json.loads(file.read_text())
    inner = results
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    file.write_text(json.dumps(results))

    (difference,) = verify(stored).differences

    assert ".".join(map(str, place)) in difference
    assert cli.main(["evaluate", str(stored)]) == 1
    assert "different:" in capsys.readouterr().out


def test_predictions_that_were_changed_show(stored: Path) -> None:
    predictions = _graded()
    replace(predictions, probabilities=1 - predictions.probabilities).save(stored)
    assert len(verify(stored).differences) > 50


def test_without_results_there_is_nothing_to_compare(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored.with_name("results.json").unlink()
    assert cli.main(["evaluate", str(stored)]) == 0
    assert "there is no results.json beside it" in capsys.readouterr().out


def test_damaged_results_are_one_sentence(stored: Path) -> None:
    stored.with_name("results.json").write_text("{")
    with pytest.raises(DatasetError, match=r"results.json: can't be read as JSON"):
        verify(stored)


def test_intensities_survive_the_file(stored: Path) -> None:
    loaded, graded = Predictions.load(stored), _graded()
    assert loaded.levels is not None
    assert np.array_equal(loaded.levels, graded.levels)  # type: ignore[arg-type]
    assert np.array_equal(loaded.intensities, graded.intensities)  # type: ignore[arg-type]


def test_each_fold_s_weights_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    config, parts = CompactConfig(image_size=32), []
    described = replace(info(), model=config, action_units=TWO, thresholds=(0.5, 0.5))
    for fold in (0, 1):
        folder = tmp_path / run_name(fold, 0)
        folder.mkdir()
        network = build_model(config, 2)
        save_checkpoint(folder / "weights.safetensors", network, described)
        made = {"weights": weights_digest(network.state_dict()), "facskit": "0.0.1"}
        parts.append(replace(make_predictions(folds=1), folds=np.full(180, fold), model=made))
    stored = concat(parts).save(tmp_path / "predictions.parquet")

    assert verify(stored).differences == ()
    assert any("by facskit 0.0.1" in note for note in verify(stored).report.notes)
    assert cli.main(["evaluate", str(stored)]) == 0
    assert capsys.readouterr().out.count("facskit 0.0.1") >= 2

    other = build_model(config, 2)
    save_checkpoint(tmp_path / run_name(1, 0) / "weights.safetensors", other, described)
    (difference,) = verify(stored).differences
    assert run_name(1, 0) in difference
    assert cli.main(["evaluate", str(stored), "packaged"]) == 1
