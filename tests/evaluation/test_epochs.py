"""Protocols choose among a run's epochs: each looks at its own labels, and the optimistic ones are never worse."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from facskit.errors import DatasetError
from facskit.evaluation.epochs import EpochPredictions, epoch_file
from facskit.evaluation.predictions import Predictions
from facskit.evaluation.protocol_scores import score_protocols
from facskit.evaluation.protocols import PROTOCOLS, Protocol, ProtocolName
from tests.evaluation.builders import make_predictions


def _said(skill: float, noise_seed: int, *, test: bool) -> Predictions:
    """What a network of some skill says of the first four people, who test, or of the five others."""
    everyone = make_predictions(skill=skill, noise_seed=noise_seed, folds=1)
    first_four = np.isin(everyone.subjects, [f"S{number:03d}" for number in range(4)])
    return everyone.select(first_four == test)


def _epochs(test_skills: tuple[float, ...], validation_skills: tuple[float, ...]) -> EpochPredictions:
    return EpochPredictions(
        test={epoch: _said(skill, epoch, test=True) for epoch, skill in enumerate(test_skills, start=1)},
        validation={epoch: _said(skill, 9 + epoch, test=False) for epoch, skill in enumerate(validation_skills, 1)},
    )


@pytest.mark.parametrize(
    ("name", "epoch"), [("fixed", 3), ("validation", 2), ("published-fmae", 1), ("published-jaa", 1)]
)
def test_each_protocol_looks_at_its_own_labels(name: ProtocolName, epoch: int) -> None:
    chosen = _epochs((6.0, 2.0, 1.0), (1.0, 6.0, 2.0)).under(PROTOCOLS[name])
    assert chosen.epoch == epoch
    assert chosen.predictions.protocol.name == name
    assert chosen.predictions.protocol.optimistic == name.startswith("published")


def test_published_fmae_is_the_best_epoch_at_the_best_threshold() -> None:
    epochs = _epochs((1.0, 1.5, 1.2), ())
    grid = [
        replace(said, thresholds=np.full_like(said.thresholds, cut), protocol=Protocol(undefined_f1="zero")).macro_f1()
        for said in epochs.test.values()
        for cut in np.arange(1, 100) / 100
    ]
    assert epochs.under(PROTOCOLS["published-fmae"]).predictions.macro_f1() == pytest.approx(max(grid), abs=1e-12)


def test_test_labels_choose_nothing_in_honest_protocols() -> None:
    epochs = _epochs((6.0, 2.0), (1.0, 6.0))
    turned = replace(
        epochs, test={epoch: replace(said, labels=1 - abs(said.labels)) for epoch, said in epochs.test.items()}
    )
    for name in ("fixed", "validation"):
        before, after = epochs.under(PROTOCOLS[name]), turned.under(PROTOCOLS[name])
        assert before.epoch == after.epoch
        np.testing.assert_array_equal(before.predictions.decisions, after.predictions.decisions)


def test_calibrated_protocols_change_probabilities_but_no_order() -> None:
    epochs = _epochs((2.0,), (2.0,))
    raw, calibrated = epochs.test[1], epochs.under(PROTOCOLS["validation"]).predictions
    assert not np.allclose(raw.probabilities, calibrated.probabilities, atol=0.01)
    for before, after in zip(raw.probabilities.T, calibrated.probabilities.T, strict=True):
        assert (np.diff(after[np.argsort(before)]) >= 0).all()


def test_missing_epochs_and_leaks_are_named() -> None:
    with pytest.raises(DatasetError, match="no predictions of single epochs on test subjects"):
        _epochs((), ()).under(PROTOCOLS["fixed"])
    with pytest.raises(DatasetError, match="no predictions of single epochs on validation subjects"):
        _epochs((1.0,), ()).under(PROTOCOLS["validation"])
    leaking = EpochPredictions(test={1: make_predictions(folds=1)}, validation={1: make_predictions(folds=1)})
    with pytest.raises(DatasetError, match="in both validation and test"):
        leaking.under(PROTOCOLS["validation"])


def test_runs_are_scored_by_every_protocol_without_training(tmp_path: Path) -> None:
    for part, skills in (("test", (1.0, 3.0, 2.0)), ("validation", (1.0, 2.0, 3.0))):
        for epoch, skill in enumerate(skills, start=1):
            said = _said(skill, epoch, test=part == "test")
            said.save(epoch_file(tmp_path / "fold-0-seed-0", epoch, "test" if part == "test" else "validation"))
    scores = score_protocols([tmp_path / "fold-0-seed-0"])
    by_name = {score.name: score for score in scores.scores}
    assert tuple(by_name) == get_args(ProtocolName)
    assert {name: score.epochs for name, score in by_name.items()} == {
        "fixed": (3,),
        "validation": (3,),
        "published-fmae": (2,),
        "published-jaa": (2,),
    }
    for name, score in by_name.items():
        assert (score.optimism is not None) == name.startswith("published")
        if score.optimism is not None:
            assert score.honest is not None
            gain = score.result.macro("f1").mean.value - score.honest.macro("f1").mean.value
            assert gain > 0
            assert score.optimism.estimate == pytest.approx(gain)
    scores.write(tmp_path)
    text = (tmp_path / "protocols.md").read_text()
    assert "published-jaa (optimistic)" in text
    assert "OPTIMISTIC: epoch chosen on the test labels themselves; threshold fixed at 0.5" in text
    assert not score_protocols([tmp_path / "gone"]).scores


def test_names_of_protocols_survive_folds_and_counting() -> None:
    assert replace(PROTOCOLS["validation"], folds="3 folds", undefined_f1="zero").name == "validation"
    assert Protocol(fixed_threshold=0.4).name is None
    assert PROTOCOLS["published-fmae"].honest == Protocol(
        epoch="validation", threshold="validation-shared", undefined_f1="zero"
    )
