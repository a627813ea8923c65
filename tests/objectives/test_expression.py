"""Softmax cross-entropy of expressions, against a loop-written reference."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from facskit.action_units import NO_ACTION_UNITS
from facskit.datasets.samples import Batch
from facskit.models.compact_network import CompactConfig, CompactNetwork
from facskit.objectives.expression import (
    ExpressionClassification,
    ExpressionConfig,
    class_weights,
    expression_loss,
)

CLASSES = 5


def reference(logits: list[list[float]], names: list[int], weights: list[float], smoothing: float) -> float:
    """The formula, one number at a time."""
    total, known = 0.0, 0
    for row, name in zip(logits, names, strict=True):
        if name < 0:
            continue
        highest = max(row)
        log_sum = highest + math.log(sum(math.exp(value - highest) for value in row))
        log_shares = [value - log_sum for value in row]
        target = [(1 - smoothing) * (place == name) + smoothing / len(row) for place in range(len(row))]
        total -= weights[name] * sum(aim * share for aim, share in zip(target, log_shares, strict=True))
        known += 1
    return total / max(known, 1)


def drawn(batch: int = 12, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(batch, CLASSES, generator=generator)
    return logits, torch.randint(-1, CLASSES, (batch,), generator=generator)


@pytest.mark.parametrize("smoothing", [0.0, 0.15])
@pytest.mark.parametrize("weights", [None, [0.5, 1.0, 2.0, 3.0, 0.1]])
def test_the_loss_is_that_of_the_formula(smoothing: float, weights: list[float] | None) -> None:
    for seed in range(5):
        logits, names = drawn(seed=seed)
        expected = reference(logits.tolist(), names.tolist(), weights or [1.0] * CLASSES, smoothing)
        found = expression_loss(logits, names, None if weights is None else torch.tensor(weights), smoothing)
        assert found.item() == pytest.approx(expected, rel=1e-5)


def test_unknown_expressions_change_neither_value_nor_gradient() -> None:
    logits, names = drawn()
    names[2] = -1
    known = names >= 0
    wild = logits.clone()
    wild[2] = torch.tensor([math.inf, -math.inf, math.nan, 1e30, 0.0])
    wild.requires_grad_()
    loss = expression_loss(wild, names)
    alone = logits[known].clone().requires_grad_()
    expected = expression_loss(alone, names[known])
    (gradient,) = torch.autograd.grad(loss, wild)
    (alone_gradient,) = torch.autograd.grad(expected, alone)
    assert loss.item() == pytest.approx(expected.item())
    assert torch.allclose(gradient[known], alone_gradient)
    assert torch.equal(gradient[~known], torch.zeros_like(gradient[~known]))


def test_a_batch_of_unknown_expressions_has_a_zero_gradient() -> None:
    logits = torch.full((3, CLASSES), math.nan, requires_grad=True)
    loss = expression_loss(logits, torch.full((3,), -1))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("smoothing", [0.0, 0.15])
def test_large_logits_are_stable(dtype: torch.dtype, smoothing: float) -> None:
    logits = torch.tensor([[100.0, -100.0, 0.0], [-100.0, 100.0, 100.0]], dtype=dtype, requires_grad=True)
    names = torch.tensor([1, 0])
    loss = expression_loss(logits, names, label_smoothing=smoothing)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(reference(logits.tolist(), names.tolist(), [1.0] * 3, smoothing), rel=1e-3)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_weights_make_expressions_count_alike() -> None:
    names = torch.tensor([0] * 60 + [1] * 30 + [3] * 10 + [-1] * 7)
    weights = class_weights(names, 4, max_weight=10.0)
    counts = torch.tensor([60.0, 30.0, 0.0, 10.0])
    shares = (weights * counts)[counts > 0]
    assert torch.allclose(shares, torch.full_like(shares, 100 / 3))
    assert weights[2] == 1.0  # never seen, so never used
    assert class_weights(names, 4, max_weight=2.0).tolist() == pytest.approx([100 / 180, 100 / 90, 1.0, 2.0])


def batch(names: list[int]) -> Batch:
    generator = torch.Generator().manual_seed(1)
    number = len(names)
    return Batch(
        images=torch.randn(number, 3, 32, 32, generator=generator),
        labels=torch.empty(number, 0, dtype=torch.int8),
        subjects=torch.full((number,), -1),
        indices=torch.arange(number),
        action_units=NO_ACTION_UNITS,
        expressions=torch.tensor(names),
    )


def network() -> CompactNetwork:
    torch.manual_seed(0)
    return CompactNetwork(CompactConfig(image_size=32, widths=(8, 16), depths=(1, 1), places=4, place_dim=4), CLASSES)


def test_the_objective_learns_and_reports_its_accuracy() -> None:
    names = [0, 1, 2, -1, 4, 4]
    objective = ExpressionClassification(network(), ExpressionConfig(label_smoothing=0.1), torch.tensor(names))
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.01)
    for _ in range(60):
        output = objective(batch(names))
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    assert output.terms["expression_accuracy"].item() == 1.0
    assert output.terms["expression"].item() == output.loss.item()
    assert output.loss.item() >= 0.0
    assert objective(batch([-1] * 6)).terms["expression_accuracy"].item() == 0.0


def test_weights_come_from_the_training_fold_and_travel_with_the_objective() -> None:
    training = torch.tensor([0, 0, 0, 1, -1])
    plain = ExpressionClassification(network(), ExpressionConfig(), training)
    weighed = ExpressionClassification(network(), ExpressionConfig(balance="class-rate"), training)
    assert plain.weights is None
    assert "weights" in weighed.state_dict()
    assert weighed.weights is not None
    assert weighed.weights.tolist() == pytest.approx([2 / 3, 2.0, 1.0, 1.0, 1.0])
    weighed.eval()  # no dropout
    found = weighed(batch([0, 1, 1])).loss.item()
    logits = weighed.model(batch([0, 1, 1]).images)
    assert found == pytest.approx(reference(logits.tolist(), [0, 1, 1], weighed.weights.tolist(), 0.0), rel=1e-4)


def test_nothing_to_learn_is_refused() -> None:
    with pytest.raises(ValueError, match="must name some expression, got 3 unknown ones"):
        ExpressionClassification(network(), ExpressionConfig(), torch.full((3,), -1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label_smoothing": 1.0}, r"label_smoothing must be in \[0, 1\), got 1.0"),
        ({"max_weight": 0.5}, "max_weight must be at least 1 and finite, got 0.5"),
    ],
)
def test_impossible_values_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(ExpressionConfig(), **change)  # type: ignore[arg-type]
