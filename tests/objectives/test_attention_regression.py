"""Attention regression: against a loop, with unknown landmarks, and as part of an objective."""

import math

import pytest
import torch
from torch import Tensor

from facskit.action_units import BP4D
from facskit.models.attention_targets import attention_targets
from facskit.models.layers import AttentiveNetwork
from facskit.objectives.attention_regression import AttentionRegression, AttentionRegressionConfig, attention_loss
from facskit.objectives.occurrence import Occurrence, OccurrenceConfig, occurrence_loss
from tests.objectives.small_ciu import ATTENTIVE, batch, network


def _naive(attention: Tensor, targets: Tensor) -> float:
    total, cells = 0.0, 0
    for maps, wanted in zip(attention.flatten(0, 1), targets.flatten(0, 1), strict=True):
        if bool(wanted.isnan().any()):
            continue
        for cell, truth in zip(maps.flatten().tolist(), wanted.flatten().tolist(), strict=True):
            total += (cell - truth) ** 2
            cells += 1
    return total / cells


def test_the_loss_equals_a_loop_and_leaves_out_maps_without_a_target() -> None:
    torch.manual_seed(0)
    attention, targets = torch.rand(2, 3, 4, 5, 5, dtype=torch.float64)
    targets[1, 2] = math.nan
    targets[0, 3, 0, 0] = math.nan
    attention.requires_grad_()

    loss = attention_loss(attention, targets)
    torch.autograd.backward(loss)

    assert float(loss.detach()) == pytest.approx(_naive(attention.detach(), targets), abs=1e-12)
    assert attention.grad is not None
    assert not attention.grad[1, 2].any()
    assert not attention.grad[0, 3].any()
    assert bool(attention.grad[1, 1].all())


def test_all_targets_known_give_the_plain_mean_square() -> None:
    attention, targets = torch.rand(2, 3, 4, 5, 5)

    plain = torch.nn.functional.mse_loss(attention, targets)
    torch.testing.assert_close(attention_loss(attention, targets), plain)
    half = attention_loss(attention.bfloat16(), targets)
    assert half.dtype == torch.float32
    assert float(half) == pytest.approx(float(plain), rel=0.05)


def test_without_any_landmark_the_loss_is_zero_with_a_zero_gradient() -> None:
    attention = torch.rand(2, 3, 4, 4, requires_grad=True)

    loss = attention_loss(attention, torch.full((2, 3, 4, 4), math.nan))
    torch.autograd.backward(loss)

    assert float(loss.detach()) == 0.0
    assert attention.grad is not None
    assert not attention.grad.any()


def test_gradients_are_those_of_finite_differences() -> None:
    attention, targets = torch.rand(2, 2, 2, 3, 3, dtype=torch.float64)
    targets[0, 1] = math.nan

    assert torch.autograd.gradcheck(lambda maps: attention_loss(maps, targets), (attention.requires_grad_(),))


def test_an_attentive_network_is_taught_with_the_weight_and_the_maps_asked_for() -> None:
    config = AttentionRegressionConfig(weight=2.0, spread=1.5, rounded=False)
    model, given = network(ATTENTIVE), batch()
    objective = Occurrence(model, OccurrenceConfig(attention=config), units=BP4D)
    assert isinstance(model, AttentiveNetwork)

    step = objective(given)

    look = model.look(given.images)
    targets = attention_targets(given.landmarks, BP4D, image_size=16, spread=1.5, rounded=False)
    expected = attention_loss(look.attention, targets)
    occurrence = occurrence_loss(model.head(look.features), given.labels)
    torch.testing.assert_close(step.terms, {"occurrence": occurrence.detach(), "attention": expected.detach()})
    torch.testing.assert_close(step.loss, occurrence + 2.0 * expected)
    assert float(expected.detach()) > 0.0


def test_without_a_weight_the_network_is_left_to_look_where_it_likes() -> None:
    model, given = network(ATTENTIVE), batch()

    seen = AttentionRegression(AttentionRegressionConfig(), None).observe(model, given)

    assert float(seen.loss) == 0.0
    assert seen.terms == {}
    torch.testing.assert_close(seen.logits, model(given.images))


def test_wrong_configs_name_field_value_and_limit() -> None:
    with pytest.raises(ValueError, match=r"^weight must be at least 0 and finite, got -1\.0$"):
        AttentionRegressionConfig(weight=-1.0)
    with pytest.raises(ValueError, match=r"^spread must be above 0 and finite, got 0\.0$"):
        AttentionRegressionConfig(spread=0.0)
