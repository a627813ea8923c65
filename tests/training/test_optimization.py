import itertools
import json
import math
from pathlib import Path

import pytest
import torch

from facskit.models.build import build_model
from facskit.models.vision_transformer import SIZES
from facskit.objectives.identity_adversarial import IdentityAdversarial, IdentityAdversarialConfig
from facskit.training.optimization import (
    OptimizerConfig,
    build_optimizer,
    parameter_groups,
    set_rates,
)
from tests.training.tiny_run import RandomBatches, tiny_objective

DATA = Path(__file__).parents[1] / "data"
VIT_SMALL = json.loads((DATA / "layer_decay.json").read_text())["vit_small_patch16"]


def _vit_small() -> IdentityAdversarial:
    with torch.device("meta"):
        model = build_model(SIZES["S"], 12)
        return IdentityAdversarial(model, IdentityAdversarialConfig(), [1] * 41)


def _published_name(name: str) -> str:
    return name.removeprefix("model.").replace("identity.subject_head.0", "ID_head")


def test_parameter_groups_equal_the_published_ones() -> None:
    groups = parameter_groups(_vit_small(), weight_decay=0.05, layer_decay=0.65)
    found = {
        _published_name(name): [group["lr_scale"], group["weight_decay"]] for group in groups for name in group["names"]
    }
    assert found == VIT_SMALL


def test_layer_scales_of_one_layer_decay_are_one() -> None:
    groups = parameter_groups(tiny_objective(), weight_decay=0.05, layer_decay=1.0)
    assert {group["lr_scale"] for group in groups} == {1.0}


def test_frozen_parameters_are_left_out() -> None:
    objective = tiny_objective()
    objective.model.requires_grad_(False)
    groups = parameter_groups(objective, weight_decay=0.1, layer_decay=1.0)
    assert {tuple(group["names"]): group["weight_decay"] for group in groups} == {
        ("identity.subject_head.0.weight",): 0.1,
        ("identity.subject_head.0.bias",): 0.0,
    }


def test_schedule_equals_the_published_one() -> None:
    (case,) = json.loads((DATA / "schedule.json").read_text())
    for epoch, expected in case["values"]:
        config = OptimizerConfig(min_lr=case["min_lr"], warmup_epochs=float(case["warmup_epochs"]))
        rate = config.rate(float(epoch), peak=case["lr"], epochs=float(case["epochs"]))
        assert rate == pytest.approx(expected, abs=1e-12, rel=1e-9)


def test_schedule_without_warm_up_starts_at_the_peak_and_ends_at_the_floor() -> None:
    config = OptimizerConfig(min_lr=0.5)
    assert config.rate(0.0, peak=2.0, epochs=4.0) == 2.0
    assert config.rate(4.0, peak=2.0, epochs=4.0) == pytest.approx(0.5)
    assert config.rate(9.0, peak=2.0, epochs=4.0) == pytest.approx(0.5)
    assert OptimizerConfig(min_lr=0.5, warmup_epochs=4.0).rate(4.0, peak=2.0, epochs=4.0) == 2.0


def test_warm_up_longer_than_the_run_is_refused() -> None:
    with pytest.raises(ValueError, match="warmup_epochs must be at most the run's 2 epochs, got 3"):
        OptimizerConfig(warmup_epochs=3.0).rate(0.0, peak=1.0, epochs=2.0)


def test_peak_rate_follows_the_effective_batch() -> None:
    assert OptimizerConfig(base_lr=5e-4).peak_rate(64) == 1.25e-4
    assert OptimizerConfig(base_lr=2e-4).peak_rate(64) == pytest.approx(5e-5)


def test_set_rates_multiplies_by_the_layer_factor_including_the_floor() -> None:
    optimizer = build_optimizer(_vit_small(), OptimizerConfig(layer_decay=0.65, min_lr=1e-6), allow_fused=False)
    set_rates(optimizer.param_groups, 1e-6)
    assert min(group["lr"] for group in optimizer.param_groups) == 1e-6 * 0.65**13
    assert max(group["lr"] for group in optimizer.param_groups) == 1e-6


def test_one_update_equals_adamw_written_out() -> None:
    objective = tiny_objective()
    weight = objective.identity.subject_head.get_parameter("0.weight")
    before = weight.detach().clone()
    optimizer = build_optimizer(objective, OptimizerConfig(base_lr=0.1, weight_decay=0.2))
    set_rates(optimizer.param_groups, 0.1)
    objective(next(RandomBatches().batches(0))).loss.backward()
    assert weight.grad is not None
    gradient = weight.grad.clone()
    optimizer.step()
    expected = before * (1 - 0.1 * 0.2) - 0.1 * gradient / (gradient.abs() + 1e-8)
    assert torch.allclose(weight, expected, atol=1e-6)


@pytest.mark.parametrize("nesterov", [False, True])
def test_two_updates_equal_momentum_written_out(nesterov: bool) -> None:
    objective = tiny_objective()
    weight = objective.identity.subject_head.get_parameter("0.weight")
    config = OptimizerConfig(kind="sgd", base_lr=0.1, momentum=0.8, nesterov=nesterov, weight_decay=0.2)
    optimizer = build_optimizer(objective, config)
    expected, velocity = weight.detach().clone(), torch.zeros_like(weight)
    for batch in itertools.islice(RandomBatches().batches(0), 2):
        set_rates(optimizer.param_groups, 0.1)
        optimizer.zero_grad()
        objective(batch).loss.backward()
        assert weight.grad is not None
        gradient = weight.grad + 0.2 * expected
        velocity = 0.8 * velocity + gradient
        expected = expected - 0.1 * (gradient + 0.8 * velocity if nesterov else velocity)
        optimizer.step()
    assert torch.allclose(weight, expected, atol=1e-6)


def test_sgd_has_the_groups_of_adamw() -> None:
    kinds = [
        build_optimizer(tiny_objective(), OptimizerConfig(kind=kind, weight_decay=0.2)) for kind in ("adamw", "sgd")
    ]
    names = [[(group["names"], group["weight_decay"]) for group in optimizer.param_groups] for optimizer in kinds]
    assert names[0] == names[1]
    assert {decay for _, decay in names[1]} == {0.0, 0.2}


def test_an_unscaled_rate_is_the_same_for_every_batch() -> None:
    config = OptimizerConfig(kind="sgd", base_lr=0.006, scaling="none")
    assert config.peak_rate(48) == config.peak_rate(8) == 0.006
    assert config.describe_rate(48) == "learning rate 0.006"
    assert OptimizerConfig(base_lr=5e-4).describe_rate(64) == "learning rate 0.000125 = 0.0005 x 64 / 256"


def test_a_step_schedule_falls_by_a_factor_every_few_epochs() -> None:
    config = OptimizerConfig(schedule="step", step_epochs=2.0, step_factor=0.3, warmup_epochs=1.0)
    rates = [config.rate(epoch, peak=1.0, epochs=12.0) for epoch in (0.5, 1.0, 1.99, 2.0, 3.99, 4.0, 11.9)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.3, 0.3, 0.09, 0.3**5])
    floored = OptimizerConfig(schedule="step", min_lr=0.05)
    assert floored.rate(11.0, peak=1.0, epochs=12.0) == 0.05


def test_a_constant_schedule_stays_and_a_cosine_falls_to_the_floor() -> None:
    constant = OptimizerConfig(schedule="constant", warmup_epochs=2.0)
    rates = [constant.rate(epoch, peak=1.0, epochs=4.0) for epoch in (1.0, 2.0, 3.9)]
    assert rates == pytest.approx([0.5, 1.0, 1.0])
    cosine = OptimizerConfig(warmup_epochs=1.0, min_lr=0.1)
    rates = [cosine.rate(epoch, peak=2.0, epochs=4.0) for epoch in (0.3, 1.0, 2.5, 4.0)]
    assert rates == pytest.approx([0.6, 2.0, 1.05, 0.1])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("step_factor", 0.0, "step_factor must be above 0 and at most 1, got 0.0"),
        ("step_epochs", 0.0, "step_epochs must be above 0, got 0.0"),
        ("momentum", 1.0, "momentum must be at least 0 and below 1, got 1.0"),
        ("base_lr", 0.0, "base_lr must be above 0, got 0.0"),
        ("base_lr", math.nan, "base_lr must be above 0, got nan"),
        ("weight_decay", -1.0, "weight_decay must be at least 0, got -1.0"),
        ("layer_decay", 1.5, "layer_decay must be above 0 and at most 1, got 1.5"),
        ("betas", (0.9, 1.0), r"betas must be at least 0 and below 1, got \(0.9, 1.0\)"),
    ],
)
def test_bad_values_are_named(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OptimizerConfig(**{field: value})  # type: ignore[arg-type]


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(ValueError, match="nesterov must be false without momentum, got true with momentum 0"):
        OptimizerConfig(kind="sgd", momentum=0.0)
