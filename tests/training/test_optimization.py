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
    layer_scales,
    learning_rate,
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
    return name.removeprefix("model.").replace("subject_head.0", "ID_head")


def test_parameter_groups_equal_the_published_ones() -> None:
    groups = parameter_groups(_vit_small(), weight_decay=0.05, layer_decay=0.65)
    found = {
        _published_name(name): [group["lr_scale"], group["weight_decay"]] for group in groups for name in group["names"]
    }
    assert found == VIT_SMALL


def test_layer_scales_of_one_layer_decay_are_one() -> None:
    assert layer_scales({"low": 0, "middle": 1, "top": 2}, 0.5) == {"low": 0.25, "middle": 0.5, "top": 1.0}
    assert layer_scales({"low": 0, "top": 2}, 1.0) == {"low": 1.0, "top": 1.0}
    assert layer_scales({}, 0.5) == {}


def test_frozen_parameters_are_left_out() -> None:
    objective = tiny_objective()
    objective.model.requires_grad_(False)
    groups = parameter_groups(objective, weight_decay=0.1, layer_decay=1.0)
    assert {tuple(group["names"]): group["weight_decay"] for group in groups} == {
        ("subject_head.0.weight",): 0.1,
        ("subject_head.0.bias",): 0.0,
    }


def test_schedule_equals_the_published_one() -> None:
    (case,) = json.loads((DATA / "schedule.json").read_text())
    for epoch, expected in case["values"]:
        rate = learning_rate(
            float(epoch),
            peak=case["lr"],
            floor=case["min_lr"],
            warmup_epochs=float(case["warmup_epochs"]),
            epochs=float(case["epochs"]),
        )
        assert rate == pytest.approx(expected, abs=1e-12, rel=1e-9)


def test_schedule_without_warm_up_starts_at_the_peak_and_ends_at_the_floor() -> None:
    assert learning_rate(0.0, peak=2.0, floor=0.5, warmup_epochs=0.0, epochs=4.0) == 2.0
    assert learning_rate(4.0, peak=2.0, floor=0.5, warmup_epochs=0.0, epochs=4.0) == pytest.approx(0.5)
    assert learning_rate(9.0, peak=2.0, floor=0.5, warmup_epochs=0.0, epochs=4.0) == pytest.approx(0.5)
    assert learning_rate(4.0, peak=2.0, floor=0.5, warmup_epochs=4.0, epochs=4.0) == 2.0


def test_warm_up_longer_than_the_run_is_refused() -> None:
    with pytest.raises(ValueError, match="warmup_epochs must be at most the run's 2 epochs, got 3"):
        learning_rate(0.0, peak=1.0, floor=0.0, warmup_epochs=3.0, epochs=2.0)


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
    weight = objective.subject_head.get_parameter("0.weight")
    before = weight.detach().clone()
    optimizer = build_optimizer(objective, OptimizerConfig(base_lr=0.1, weight_decay=0.2))
    set_rates(optimizer.param_groups, 0.1)
    objective(next(RandomBatches().batches(0))).loss.backward()
    assert weight.grad is not None
    gradient = weight.grad.clone()
    optimizer.step()
    expected = before * (1 - 0.1 * 0.2) - 0.1 * gradient / (gradient.abs() + 1e-8)
    assert torch.allclose(weight, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
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
