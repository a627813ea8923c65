from pathlib import Path

import numpy as np
import pytest

from facskit.errors import DatasetError
from facskit.evaluation.predictions import Predictions
from facskit.experiments.analysis.trained_networks import find_networks, training_rates
from facskit.experiments.recipe import DataConfig, Recipe
from tests.evaluation.builders import make_predictions


def save(folder: Path, predictions: Predictions) -> Path:
    return predictions.save(folder / "predictions.parquet")


@pytest.fixture
def cross_validation(tmp_path: Path) -> Path:
    """Write the folder of a cross-validation of CIU: three folds, their stages, and nothing joined yet."""
    out = tmp_path / "ciu"
    for name, skill in (("imbalanced", 1.0), ("balanced", 2.0), ("", 3.0)):
        predictions = make_predictions(skill=skill)
        for fold, seed in predictions.runs:
            run = f"fold-{fold}-seed-{seed}"
            save(out / "stages" / run / name if name else out / run, predictions.run(fold, seed))
    return out


def test_a_cross_validation_of_ciu_brings_three_networks(cross_validation: Path) -> None:
    networks = find_networks([str(cross_validation)])
    assert [network.name for network in networks] == ["imbalanced", "balanced", "unbiased"]
    assert [len(network.predictions) for network in networks] == [180] * 3
    f1 = [network.predictions.scores().macro("f1").value for network in networks]
    assert f1 == sorted(f1)


def test_the_stages_can_stay_out(cross_validation: Path) -> None:
    run = cross_validation / "fold-2-seed-0"
    networks = find_networks([str(cross_validation), f"second={run}"], stages=False)
    assert [network.name for network in networks] == ["ciu", "second"]
    assert networks[0].predictions.runs == [(0, 0), (1, 0), (2, 0)]


def test_one_fold_finds_its_stages_beside_it(cross_validation: Path) -> None:
    networks = find_networks([str(cross_validation / "fold-2-seed-0")])
    assert [network.name for network in networks] == ["imbalanced", "balanced", "unbiased"]
    assert {run for network in networks for run in network.predictions.runs} == {(2, 0)}


def test_shared_stages_come_once(cross_validation: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "stages").parent.mkdir()
    (other / "stages").symlink_to(cross_validation / "stages")
    save(other, make_predictions(skill=4.0))
    names = [network.name for network in find_networks([f"first={cross_validation}", str(other)])]
    assert names == ["first imbalanced", "first balanced", "first", "other"]


def test_files_and_runs_are_one_network_each(tmp_path: Path) -> None:
    run, sweep = tmp_path / "plain", tmp_path / "gamma=2"
    file = save(run, make_predictions())
    save(sweep, make_predictions(skill=1.0))
    names = [network.name for network in find_networks([str(file), str(sweep), f"again={run}"])]
    assert names == ["plain", "gamma=2"]  # the third is the first once more


def test_what_is_missing_is_said(cross_validation: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere: found nothing there, expected the folder of a run"):
        find_networks(["name=nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no run here is finished and tested"):
        find_networks([str(tmp_path / "empty")])
    (tmp_path / "begun" / "stages").mkdir(parents=True)
    with pytest.raises(DatasetError, match="its last stage isn't finished"):
        find_networks([str(tmp_path / "begun")])
    (cross_validation / "stages/fold-1-seed-0/balanced/predictions.parquet").unlink()
    with pytest.raises(DatasetError, match="fold-1-seed-0/balanced/predictions.parquet: there is no such"):
        find_networks([str(cross_validation)])
    same = [save(tmp_path / name / "run", make_predictions(skill=skill)) for name, skill in (("a", 1.0), ("b", 2.0))]
    with pytest.raises(DatasetError, match="two networks are called 'run'; give them names, such as first="):
        find_networks([str(path) for path in same])


def test_a_network_without_its_other_stage_is_fine(tmp_path: Path) -> None:
    predictions = make_predictions(folds=1)
    save(tmp_path, predictions)
    save(tmp_path / "stages/fold-0-seed-0/imbalanced", predictions)
    assert [network.name for network in find_networks([str(tmp_path)])] == ["imbalanced", "unbiased"]


def test_training_rates_are_counted_in_the_training_part() -> None:
    rates = training_rates(Recipe(name="r", data=DataConfig(action_units="disfa-8")))
    assert rates.shape == (8,)
    assert np.all((rates > 0) & (rates < 1))
