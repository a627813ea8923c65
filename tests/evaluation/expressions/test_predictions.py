from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from facskit.action_units import NO_ACTION_UNITS
from facskit.datasets.samples import Batch
from facskit.errors import DatasetError
from facskit.evaluation.expressions.predictions import ExpressionPredictions
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.predicting import PredictionSource, predict_expressions
from facskit.evaluation.protocols import Protocol
from facskit.expressions import RAF_DB, ExpressionSet
from tests.evaluation.builders_of_expressions import predictions

PAIR = ExpressionSet(("neutral", "happiness"))


def test_a_file_holds_everything(tmp_path: Path) -> None:
    found = predictions(40, epoch="unknown", held_out="a test", model={"recipe": "r"})
    again = ExpressionPredictions.load(found.save(tmp_path / "deep" / "predictions.parquet"))
    assert again.expressions == RAF_DB
    assert (again.stamp, again.model) == (found.stamp, {"recipe": "r"})
    assert "epoch chosen in an unknown way; the most probable expression; unknown labels left out; a te" in again.stamp
    for name in ("probabilities", "labels", "subjects", "names", "folds", "seeds"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    table = pl.read_parquet(tmp_path / "deep" / "predictions.parquet")
    unknown = int((found.labels == -1).argmax())
    known = int((found.labels >= 0).argmax())
    assert table["expression"][unknown] is None
    assert table["expression"][known] == RAF_DB.names[found.labels[known]]
    assert table["predicted"][known] == RAF_DB.names[found.predicted[known]]
    assert table["expression_happiness"][0] == found.probabilities[0, 3]


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    with pytest.raises(DatasetError, match="there is no such predictions file"):
        ExpressionPredictions.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(DatasetError, match="not a readable Parquet file"):
        ExpressionPredictions.load(path)
    pl.DataFrame({"a": [1]}).write_parquet(path)
    with pytest.raises(DatasetError, match="not one of facskit's predictions of expressions"):
        ExpressionPredictions.load(path)
    found = predictions(5)
    metadata = pl.read_parquet_metadata(found.save(path))
    pl.read_parquet(path).drop("expression_fear").write_parquet(
        path, metadata={key: value for key, value in metadata.items() if key.startswith("facskit")}
    )
    with pytest.raises(DatasetError, match="damaged predictions file"):
        ExpressionPredictions.load(path)


def test_impossible_values_are_named() -> None:
    labels = predictions(4).labels.copy()
    labels[2] = 7
    with pytest.raises(ValueError, match=r"expression of 2.jpg \(row 2\) is 7; expected -1 to 6"):
        predictions(4, labels=labels)
    shares = predictions(4).probabilities.copy()
    shares[1] *= 2
    with pytest.raises(ValueError, match=r"probabilities of 1.jpg \(row 1\) sum to 2.0000; expected 1"):
        predictions(4, probabilities=shares)
    found = predictions(4)
    object.__setattr__(
        found, "folds", np.ones(3, np.int64)
    )  # the annotations, which tests check, would refuse it first
    with pytest.raises(ValueError, match=r"folds has shape \(3,\); expected \(4,\)"):
        found.__post_init__()


def test_runs_are_joined_once_and_by_one_protocol() -> None:
    first = predictions(6, model={"recipe": "a"})
    other = predictions(6, seed=1, seeds=np.ones(6, np.int64), model={"recipe": "b"})
    joined = concat([first, other])
    assert joined.runs == [(1, 0), (1, 1)]
    assert joined.model == {"runs": [{"recipe": "a"}, {"recipe": "b"}]}
    with pytest.raises(DatasetError, match=r"0\.jpg appears twice in fold 1, seed 0; expected each image once per run"):
        concat([first, first])
    with pytest.raises(DatasetError, match="can't join numbers of two protocols"):
        concat([first, predictions(6, held_out="else")])
    with pytest.raises(DatasetError, match="there are no predictions to join"):
        concat([])


class _Sides(nn.Module):
    """Tells bright from dark."""

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 2"]:
        brightness = images.mean(dim=(1, 2, 3))
        return torch.stack([-brightness, brightness], dim=1)


def batches(rows: list[int]) -> Iterator[Batch]:
    for start in range(0, len(rows), 2):
        chosen = torch.tensor(rows[start : start + 2])
        yield Batch(
            images=(chosen - 1).float().view(-1, 1, 1, 1).expand(-1, 3, 2, 2),
            labels=torch.empty(len(chosen), 0, dtype=torch.int8),
            subjects=torch.full_like(chosen, -1),
            indices=chosen,
            action_units=NO_ACTION_UNITS,
            expressions=torch.where(chosen == 3, -1, chosen % 2),
        )


def test_predictions_come_in_the_manifests_order() -> None:
    source = PredictionSource(
        subjects=["a", "b", "c", "d"],
        names=["0", "1", "2", "3"],
        fold=2,
        seed=5,
        protocol=Protocol(epoch="unknown", folds="these"),
        model={"recipe": "x"},
    )
    model = _Sides().train()
    found = predict_expressions(model, batches([2, 0, 3, 1]), PAIR, source)
    assert model.training
    assert found.names.tolist() == ["0", "1", "2", "3"]
    assert found.labels.tolist() == [0, 1, 0, -1]
    assert found.predicted.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(found.probabilities[3], [1 / (1 + np.exp(4)), 1 / (1 + np.exp(-4))], rtol=1e-5)
    assert (found.folds[0], found.seeds[0], found.epoch, found.held_out) == (2, 5, "unknown", "these")
    with pytest.raises(ValueError, match=r"row 0 \(0\) comes twice"):
        predict_expressions(model, batches([0, 1, 0]), PAIR, source)
    with pytest.raises(ValueError, match=r"logits of shape \(2, 2\) for 2 images and 7 expressions"):
        predict_expressions(model, batches([0, 1]), RAF_DB, source)
    with pytest.raises(ValueError, match="the loader gave no batch"):
        predict_expressions(model, [], PAIR, source)
