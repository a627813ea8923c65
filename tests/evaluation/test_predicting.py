from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.progress import Progress
from torch import Tensor, nn

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import Batch
from facskit.evaluation import predicting
from facskit.evaluation.predicting import PredictionSource, predict
from facskit.evaluation.protocols import Protocol
from facskit.models.answer_heads import IntensityScale
from tests.evaluation.builders import TWO

ROWS = 7
SOURCE = PredictionSource(
    subjects=[f"S{row % 3}" for row in range(ROWS)],
    names=[f"{row}.jpg" for row in range(ROWS)],
    fold=2,
    seed=5,
    protocol=Protocol(fixed_threshold=0.4),
    model={"name": "tiny"},
)
IMAGES = torch.randn(ROWS, 3, 4, 4, generator=torch.Generator().manual_seed(0))
LABELS = (torch.arange(ROWS * 2).reshape(ROWS, 2) % 3 - 1).to(torch.int8)


class Tiny(nn.Module):
    """A linear layer behind dropout, which must be off."""

    def __init__(self, outputs: int = 2) -> None:
        super().__init__()
        self.head = nn.Linear(48, outputs)
        self.layers = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), self.head)
        self.grad_was_on = False

    def forward(self, images: Tensor) -> Tensor:
        self.grad_was_on |= torch.is_grad_enabled()
        logits: Tensor = self.layers(images)
        return logits


def batches(order: list[int], size: int = 3, action_units: ActionUnitSet = TWO) -> Iterator[Batch]:
    for start in range(0, len(order), size):
        rows = torch.tensor(order[start : start + size])
        yield Batch(
            images=IMAGES[rows],
            labels=LABELS[rows],
            subjects=torch.full((len(rows),), -1),
            indices=rows,
            action_units=action_units,
        )


def test_rows_come_back_in_the_manifests_order() -> None:
    torch.manual_seed(0)
    model = Tiny().train()
    predictions = predict(model, batches([4, 0, 6, 2, 5]), SOURCE)
    rows = [0, 2, 4, 5, 6]
    assert predictions.names.tolist() == [f"{row}.jpg" for row in rows]
    assert predictions.subjects.tolist() == [f"S{row % 3}" for row in rows]
    np.testing.assert_array_equal(predictions.labels, LABELS[rows].numpy())
    assert predictions.runs == [(2, 5)]
    assert np.unique(predictions.thresholds).tolist() == [np.float32(0.4)]
    assert predictions.model == {"name": "tiny"}
    assert model.training
    assert not model.grad_was_on
    with torch.no_grad():
        expected = model.eval()(IMAGES[rows]).sigmoid().numpy()
    np.testing.assert_allclose(predictions.probabilities, expected, rtol=1e-6)


def test_no_threshold_is_claimed_before_it_is_chosen() -> None:
    planned = replace(SOURCE, protocol=Protocol(threshold="validation-shared", folds="3 folds"))
    predictions = predict(Tiny(), batches([0, 1]), planned)
    assert predictions.protocol == Protocol(threshold="fixed", folds="3 folds")


def test_probabilities_are_32_bit_under_half_precision() -> None:
    torch.manual_seed(0)
    model = Tiny()
    with torch.no_grad():
        model.head.weight.mul_(0.01)
        model.head.bias.fill_(6.0)
    predictions = predict(model, batches(list(range(ROWS))), SOURCE, precision="bf16")
    assert predictions.probabilities.dtype == np.float32
    half = torch.from_numpy(predictions.probabilities).bfloat16().float().numpy()
    assert np.abs(half - predictions.probabilities).max() > 1e-4
    full = predict(model, batches(list(range(ROWS))), SOURCE)
    np.testing.assert_allclose(predictions.probabilities, full.probabilities, atol=1e-3)


def test_the_mode_is_given_back_after_an_error() -> None:
    model = Tiny(outputs=3).train()
    expected = r"logits of shape \(3, 3\) for 3 images and 2 action units \(AU01,AU12\)"
    with pytest.raises(ValueError, match=expected):
        predict(model, batches([0, 1, 2]), SOURCE)
    assert model.training


def test_wrong_loaders_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to predict: the loader gave no batch"):
        predict(Tiny(), [], SOURCE)
    with pytest.raises(ValueError, match=r"row 1 \(1\.jpg\) comes twice; expected every image once"):
        predict(Tiny(), batches([1, 0, 1]), SOURCE)
    mixed = [*batches([0]), *batches([1], action_units=ActionUnitSet.parse("1 2"))]
    with pytest.raises(ValueError, match="batches have different action units: AU01,AU12 and AU01,AU02"):
        predict(Tiny(), mixed, SOURCE)


def test_numbers_that_are_none_are_named() -> None:
    model = Tiny()
    with torch.no_grad():
        model.head.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"AU01 probability of 0\.jpg \(row 0\) is nan"):
        predict(model, batches([0, 1]), SOURCE)


def test_progress_appears_only_when_asked_and_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[Progress] = []

    def start(bar: Progress) -> None:
        started.append(bar)

    monkeypatch.setattr(Progress, "start", start)
    predict(Tiny(), batches([0, 1, 2, 3]), SOURCE, description="Scoring")
    assert not started
    monkeypatch.setattr(predicting, "_PATIENCE", -1.0)
    predict(Tiny(), batches([0, 1, 2, 3]), SOURCE)
    assert not started
    predictions = predict(Tiny(), batches([0, 1, 2, 3]), SOURCE, description="Scoring")
    assert started
    assert len(predictions) == 4
    assert capsys.readouterr().out == ""


def test_intensities_are_kept_where_a_level_is_known() -> None:
    torch.manual_seed(0)
    model, scale = Tiny(), IntensityScale(2)
    levels = torch.randint(0, 6, (7, 2), dtype=torch.int8)

    def graded(known: bool) -> Iterator[Batch]:
        for batch in batches([2, 0, 1]):
            yield replace(batch, levels=levels[batch.indices] if known else torch.full_like(batch.labels, -1))

    found = predict(model, graded(known=True), SOURCE, intensities=scale.intensities)
    assert found.levels is not None
    assert found.intensities is not None
    np.testing.assert_array_equal(found.levels, levels[:3].numpy())
    with torch.no_grad():
        expected = scale(model.eval()(IMAGES[:3])).sigmoid().sum(-1)
    np.testing.assert_allclose(found.intensities, expected.numpy(), rtol=1e-6)
    assert predict(model, graded(known=False), SOURCE, intensities=scale.intensities).intensities is None
    assert predict(model, graded(known=True), SOURCE).levels is None
