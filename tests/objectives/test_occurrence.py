"""Occurrence loss against a loop, and its limit cases."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from facskit.action_units import BP4D, ActionUnitSet
from facskit.datasets.samples import Batch
from facskit.models.build import build_model
from facskit.models.compact_network import CompactConfig
from facskit.objectives.attention_regression import AttentionRegressionConfig
from facskit.objectives.occurrence import (
    Occurrence,
    OccurrenceConfig,
    OccurrenceTerm,
    inverse_rate_weights,
    occurrence_loss,
    positive_weights,
    unit_rates,
)

TINY = CompactConfig(image_size=16, widths=(8, 8), depths=(1, 1), places=2, place_dim=2, dropout=0.0)


def _naive(logits: Tensor, labels: Tensor, weights: Tensor | None, smoothing: float) -> float:
    total, known = 0.0, 0
    for row in range(logits.shape[0]):
        for column in range(logits.shape[1]):
            label = int(labels[row, column])
            if label == -1:
                continue
            probability = 1 / (1 + math.exp(-float(logits[row, column])))
            target = label * (1 - smoothing) + smoothing / 2
            weight = 1.0 if weights is None else float(weights[column])
            total -= weight * target * math.log(probability) + (1 - target) * math.log(1 - probability)
            known += 1
    return total / known


@pytest.fixture
def labels() -> Tensor:
    torch.manual_seed(0)
    return torch.randint(-1, 2, (6, 4), dtype=torch.int8)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_value_equals_a_loop(labels: Tensor, weighted: bool, smoothing: float) -> None:
    logits = torch.randn(6, 4, dtype=torch.float64)
    weights = torch.rand(4, dtype=torch.float64) + 0.5 if weighted else None

    loss = occurrence_loss(logits, labels, weights, smoothing)

    assert float(loss) == pytest.approx(_naive(logits, labels, weights, smoothing), abs=1e-12)


def test_all_known_labels_give_plain_cross_entropy() -> None:
    logits, labels = torch.randn(5, 3), torch.randint(0, 2, (5, 3), dtype=torch.int8)

    plain = functional.binary_cross_entropy_with_logits(logits, labels.float())

    assert torch.allclose(occurrence_loss(logits, labels), plain)


@pytest.mark.parametrize("strange", [50.0, math.inf, -math.inf, math.nan])
def test_unknown_labels_change_neither_value_nor_gradient(labels: Tensor, strange: float) -> None:
    logits = torch.randn(6, 4)
    values, gradients = [], []
    for unknown in (0.0, strange):
        answers = torch.where(labels == -1, unknown, logits).requires_grad_()
        loss = occurrence_loss(answers, labels)
        torch.autograd.backward(loss)
        assert answers.grad is not None
        values.append(loss.detach())
        gradients.append(answers.grad)

    assert torch.equal(values[0], values[1])
    assert torch.equal(gradients[0], gradients[1])
    assert not gradients[1][labels == -1].any()


def test_a_batch_of_unknown_labels_is_zero_with_a_zero_gradient() -> None:
    logits = torch.randn(3, 4, requires_grad=True)

    loss = occurrence_loss(logits, torch.full((3, 4), -1, dtype=torch.int8))
    torch.autograd.backward(loss)

    assert float(loss.detach()) == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_gradcheck(labels: Tensor) -> None:
    logits = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(4, dtype=torch.float64) + 0.5

    assert torch.autograd.gradcheck(lambda answers: occurrence_loss(answers, labels, weights, 0.1), (logits,))


def test_extreme_logits_stay_finite() -> None:
    logits = torch.tensor([[100.0, -100.0], [-100.0, 100.0]], requires_grad=True)

    loss = occurrence_loss(logits, torch.tensor([[1, 1], [0, 0]], dtype=torch.int8))
    torch.autograd.backward(loss)

    assert float(loss.detach()) == pytest.approx(50.0)
    assert logits.grad is not None
    assert bool(logits.grad.isfinite().all())


def test_half_precision_logits_are_averaged_in_float32() -> None:
    logits = torch.randn(64, 12).bfloat16()
    labels = torch.randint(0, 2, (64, 12), dtype=torch.int8)

    loss = occurrence_loss(logits, labels)

    assert loss.dtype == torch.float32
    assert torch.allclose(loss, occurrence_loss(logits.float(), labels))


def test_positive_weights_are_the_odds_of_absence_within_limits() -> None:
    labels = torch.tensor([[1, 0, 1, -1, 0], [0, 0, 1, -1, 1], [0, 0, 1, -1, -1], [0, 0, 1, -1, -1]], dtype=torch.int8)

    assert positive_weights(labels, 10.0).tolist() == pytest.approx([3.0, 10.0, 0.1, 1.0, 1.0])


def test_inverse_rates_come_from_known_labels_alone() -> None:
    labels = torch.tensor([[1, 1, -1], [0, 1, 0], [0, 0, -1], [0, 0, 1]], dtype=torch.int8)
    more = torch.cat([labels, torch.full((9, 3), -1, dtype=torch.int8)])

    weights = inverse_rate_weights(more)

    assert unit_rates(more).tolist() == [0.25, 0.5, 0.5]
    assert weights.unit is not None
    assert weights.unit.tolist() == pytest.approx([3 * 4 / 8, 3 * 2 / 8, 3 * 2 / 8])
    assert weights.positive.tolist() == pytest.approx([3.0, 1.0, 1.0])


@pytest.mark.parametrize("strange", ["never", "always", "unknown"])
def test_an_au_of_one_kind_counts_as_in_the_plain_loss_and_the_others_share_the_rest(strange: str) -> None:
    label = {"never": 0, "always": 1, "unknown": -1}[strange]
    labels = torch.tensor([[1, 1, label], [0, 1, label], [0, 0, label], [0, 0, label]], dtype=torch.int8)

    weights = inverse_rate_weights(labels)

    assert weights.unit is not None
    assert weights.unit.tolist() == pytest.approx([4 / 3, 2 / 3, 1.0])
    assert weights.positive.tolist() == pytest.approx([3.0, 1.0, 1.0])
    alone = inverse_rate_weights(labels[:, 2:])
    assert alone.unit is not None
    assert (alone.unit.tolist(), alone.positive.tolist()) == ([1.0], [1.0])


def test_unit_weights_scale_their_columns_and_not_the_count(labels: Tensor) -> None:
    logits = torch.randn(6, 4, dtype=torch.float64)
    unit = torch.tensor([0.5, 2.0, 1.0, 0.5], dtype=torch.float64)

    loss = occurrence_loss(logits, labels, unit_weights=unit)

    known = (labels != -1).sum()
    columns = [occurrence_loss(logits[:, [j]], labels[:, [j]]) * (labels[:, j] != -1).sum() for j in range(4)]
    assert float(loss) == pytest.approx(
        float(sum(w * c for w, c in zip(unit, columns, strict=True)) / known), abs=1e-12
    )


def test_a_sum_over_aus_is_as_many_times_the_mean_but_for_the_weighted_mean(labels: Tensor) -> None:
    logits, subjects = torch.randn(6, 4), torch.zeros(6, dtype=torch.int64)
    plain = occurrence_loss(logits, labels)

    assert torch.equal(OccurrenceTerm(OccurrenceConfig(reduction="sum"))(logits, labels, subjects), 4 * plain)
    balanced = OccurrenceConfig(balance="inverse-rate")
    losses = [
        OccurrenceTerm(replace(balanced, reduction=reduction), training_labels=labels)(logits, labels, subjects)
        for reduction in ("mean", "sum")
    ]
    assert torch.equal(losses[0], losses[1])
    assert not torch.allclose(losses[0], plain)


def test_attention_needs_units_and_an_attentive_network() -> None:
    config = OccurrenceConfig(attention=AttentionRegressionConfig(weight=2.0))
    with pytest.raises(ValueError, match=r"^units are needed when attention\.weight is above 0, got none$"):
        Occurrence(build_model(TINY, 12), config)
    message = r"^attention\.weight must be 0 for a network without attention maps, got 2\.0 for a CompactNetwork$"
    with pytest.raises(ValueError, match=message):
        Occurrence(build_model(TINY, 12), config, units=BP4D)


def _batch() -> Batch:
    return Batch(
        images=torch.randn(4, 3, 16, 16),
        labels=torch.randint(-1, 2, (4, 12), dtype=torch.int8),
        subjects=torch.zeros(4, dtype=torch.int64),
        indices=torch.arange(4),
        action_units=BP4D,
    )


def test_the_objective_returns_loss_terms_and_logits_and_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    model = build_model(TINY, 12)
    objective, batch = Occurrence(model, OccurrenceConfig()), _batch()

    step = objective(batch)
    torch.autograd.backward(step.loss)

    assert step.terms == {"occurrence": step.loss.detach()}
    assert torch.equal(step.loss, occurrence_loss(model(batch.images), batch.labels))
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert objective.progress == 0.0


def test_balanced_weights_come_from_the_training_fold_and_travel_with_the_objective() -> None:
    config = OccurrenceConfig(balance="positive-rate")
    training_labels = torch.tensor([[1] * 12, [0] * 12, [0] * 12], dtype=torch.int8)
    objective = Occurrence(build_model(TINY, 12), config, training_labels)
    batch = _batch()

    assert objective.state_dict()["occurrence.weights"].tolist() == [2.0] * 12
    weighted = occurrence_loss(objective.model(batch.images), batch.labels, torch.full((12,), 2.0))
    assert torch.equal(objective(batch).loss, weighted)
    with pytest.raises(ValueError, match=r"^training_labels are needed when balance is positive-rate, got none$"):
        Occurrence(build_model(TINY, 12), config)


def test_wrong_configs_name_field_value_and_limit() -> None:
    with pytest.raises(ValueError, match=r"^max_weight must be at least 1, got 0\.5$"):
        OccurrenceConfig(max_weight=0.5)
    with pytest.raises(ValueError, match=r"^label_smoothing must be in \[0, 1\), got 1\.0$"):
        OccurrenceConfig(label_smoothing=1.0)


def test_the_objective_can_overfit_a_batch() -> None:
    torch.manual_seed(0)
    batch = Batch(
        images=torch.randn(8, 3, 16, 16),
        labels=torch.randint(0, 2, (8, 2), dtype=torch.int8),
        subjects=torch.zeros(8, dtype=torch.int64),
        indices=torch.arange(8),
        action_units=ActionUnitSet.parse("1 2"),
    )
    objective = Occurrence(build_model(TINY, 2), OccurrenceConfig())
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.02)
    first = float(objective(batch).loss.detach())
    for _ in range(60):
        optimizer.zero_grad()
        torch.autograd.backward(objective(batch).loss)
        optimizer.step()

    assert float(objective(batch).loss.detach()) < 0.2 * first
