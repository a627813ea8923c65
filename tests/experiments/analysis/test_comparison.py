"""Comparisons of runs: what the sentences say, and what is refused."""

import json
from pathlib import Path

import pytest

from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.predictions import Predictions
from facskit.evaluation.protocols import Protocol
from facskit.experiments.analysis.comparison import compare_networks
from facskit.experiments.analysis.trained_networks import TrainedNetwork
from tests.evaluation.builders import make_predictions

CONFIG = BootstrapConfig(resamples=200)


def _network(name: str, predictions: Predictions) -> TrainedNetwork:
    return TrainedNetwork(name=name, predictions=predictions, path=Path(name))


def _seeds(skill: float, noise: int = 0) -> Predictions:
    return concat([make_predictions(skill=skill, seed=seed, noise_seed=seed + noise) for seed in (0, 1)])


def test_a_clear_difference_excludes_zero() -> None:
    report = compare_networks([_network("a", _seeds(1.0)), _network("b", _seeds(2.0))], CONFIG)
    (sentence,) = report.sentences
    assert "points of macro F1 better than a: the 95 % interval, +" in sentence
    assert sentence.endswith("excludes zero.")
    worse = compare_networks([_network("b", _seeds(2.0)), _network("a", _seeds(1.0))], CONFIG)
    assert "worse than b" in worse.sentences[0]
    assert "a, seed by seed: -" in worse.to_markdown()
    assert "(0 of 2 above zero)" in worse.to_markdown()


def test_chance_includes_zero() -> None:
    report = compare_networks([_network("a", _seeds(1.0)), _network("b", _seeds(1.0, noise=7))], CONFIG)
    assert "but they can't be told apart: the 95 % interval" in report.sentences[0]
    assert "9 test subjects, the same for both models, and so few of them make intervals too narrow" in (
        report.to_markdown()
    )


def test_all_are_compared_with_the_first() -> None:
    networks = [_network(name, _seeds(skill)) for name, skill in (("a", 1.0), ("b", 2.0), ("c", 3.0))]
    report = compare_networks(networks, CONFIG)
    assert [row[0] for row in report.to_table().rows] == ["a", "b", "c"]
    assert report.to_table().rows[0][-2:] == ("–", "–")
    assert report.to_unit_table().header[-2:] == ("b - a", "c - a")
    assert [row[0] for row in report.to_unit_table().rows] == ["AU01", "AU12"]


def test_other_test_faces_are_refused_by_name() -> None:
    whole = make_predictions()
    networks = [_network("a", whole), _network("b", whole.select(whole.subjects != "S008"))]
    expected = "a and b can't be compared: S008/160.jpg of fold 2 is missing in b or has other labels there"
    with pytest.raises(DatasetError, match=expected):
        compare_networks(networks, CONFIG)
    with pytest.raises(DatasetError, match="b and a can't be compared: S008/160.jpg of fold 2 is missing in b"):
        compare_networks(networks[::-1], CONFIG)
    with pytest.raises(DatasetError, match="a comparison needs two networks, got 1"):
        compare_networks(networks[:1], CONFIG)


def test_two_protocols_are_both_told() -> None:
    other = make_predictions(protocol=Protocol(threshold="test-shared"))
    report = compare_networks([_network("a", make_predictions()), _network("b", other)], CONFIG)
    text = report.to_markdown()
    assert "a: Protocol: last epoch; threshold fixed at 0.5" in text
    assert "b: Protocol: last epoch; OPTIMISTIC" in text


def test_files_hold_every_number(tmp_path: Path) -> None:
    report = compare_networks([_network("a", _seeds(1.0)), _network("b", _seeds(2.0))], CONFIG)
    report.write(tmp_path)
    plain = json.loads((tmp_path / "results.json").read_text())
    (difference,) = plain["differences"]
    assert difference["interval_excludes_zero"] is True
    assert difference["f1"]["estimate"] == report.comparisons[0].f1.estimate
    assert set(difference["f1_per_au"]) == {"AU01", "AU12"}
    assert set(difference["f1_by_seed"]) == {"0", "1"}
    assert plain["models"][0]["runs"] == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]]
    assert report.sentences[0] in (tmp_path / "results.md").read_text()
