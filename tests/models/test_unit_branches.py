"""Branches side by side: what the switches change, and that units don't touch each other."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from facskit.models.unit_branches import BranchConfig, MeanConvolution, UnitBranches, UnitHeads

SMALL = BranchConfig(branch_widths=(3, 4, 5, 6, 7))
UNITS = 2


def _branches(**changes: object) -> tuple[UnitBranches, Tensor]:
    torch.manual_seed(0)
    return UnitBranches(replace(SMALL, **changes), 8, UNITS), torch.randn(3, 8, 6, 6)  # type: ignore[arg-type]


def _described(branches: UnitBranches, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the fourth convolution's output, unit by unit, and the raw attention."""
    body = branches.body(maps)
    return branches.fourth(body).unflatten(1, (UNITS, -1)), branches.attention(body)


def test_attention_multiplies_before_the_norm_by_default() -> None:
    branches, maps = _branches()
    described, scores = _described(branches, maps)
    product = (described * scores.sigmoid().unsqueeze(2)).flatten(1, 2)
    last = branches.further[0]
    assert isinstance(last, MeanConvolution)
    expected = functional.conv2d(branches.norm(product).relu(), last.weight, last.bias, padding=1, groups=UNITS)

    features, attention = branches(maps)

    torch.testing.assert_close(attention, scores.sigmoid())
    torch.testing.assert_close(features, expected.mean(dim=(2, 3)))


def test_attention_may_multiply_after_the_norm() -> None:
    branches, maps = _branches(product="after-relu")
    described, scores = _described(branches, maps)
    product = branches.norm(described.flatten(1, 2)).relu().unflatten(1, (UNITS, -1)) * scores.sigmoid().unsqueeze(2)

    torch.testing.assert_close(branches(maps)[0], branches.further(product.flatten(1, 2)))


@pytest.mark.parametrize(("activation", "function"), [("relu", functional.relu), ("identity", nn.Identity())])
def test_attention_may_be_something_else_than_a_sigmoid(activation: str, function: nn.Module) -> None:
    branches, maps = _branches(activation=activation)

    torch.testing.assert_close(branches(maps)[1], function(_described(branches, maps)[1]))


def test_the_initial_bias_decides_how_much_a_branch_looks_at() -> None:
    averages = [_branches(attention_bias=bias)[0](torch.randn(3, 8, 6, 6))[1].mean().item() for bias in (0.0, -4.0)]

    assert 0.3 < averages[0] < 0.7
    assert averages[1] < 0.1


def test_more_convolutions_may_follow() -> None:
    kinds = {
        (1, False): ["MeanConvolution"],
        (1, True): ["Conv2d", "BatchNorm2d", "ReLU", "_PlaceMean"],
        (2, False): ["Conv2d", "BatchNorm2d", "ReLU", "MeanConvolution"],
    }
    for (further, further_norm), expected in kinds.items():
        branches, maps = _branches(further=further, further_norm=further_norm)
        assert [type(layer).__name__ for layer in branches.further] == expected
        features = branches(maps)[0]
        assert features.shape == (3, UNITS * 7)
        if further_norm:
            assert (features >= 0).all()


@pytest.mark.parametrize("size", [(6, 4), (1, 1), (2, 5)])
def test_the_mean_of_a_convolution_without_the_convolution(size: tuple[int, int]) -> None:
    layer = MeanConvolution(3, 5, 7).double()
    maps = torch.randn(2, 15, *size, dtype=torch.float64, requires_grad=True)
    expected = functional.conv2d(maps, layer.weight, layer.bias, padding=1, groups=3).mean(dim=(2, 3))

    torch.testing.assert_close(layer(maps), expected)
    weights = torch.randn_like(expected)
    ours, theirs = (torch.autograd.grad((output * weights).sum(), maps)[0] for output in (layer(maps), expected))
    torch.testing.assert_close(ours, theirs)


def test_a_unit_is_deaf_to_the_others() -> None:
    branches, maps = _branches()
    heads = UnitHeads(UNITS, 7)
    branches.eval()
    before, looks = branches(maps)
    with torch.no_grad():
        for name, value in branches.named_parameters():
            value.chunk(UNITS)[1].add_(0.5)
            assert value.shape[0] % UNITS == 0, name
        heads.weight[1].add_(1.0)
    after, new_looks = branches(maps)

    assert torch.equal(before[:, :7], after[:, :7])
    assert torch.equal(looks[:, 0], new_looks[:, 0])
    assert not torch.allclose(before[:, 7:], after[:, 7:])
    torch.testing.assert_close(heads(after)[:, 0], after[:, :7] @ heads.weight[0] + heads.bias[0])


def test_operations_are_counted_as_torch_counts_convolutions() -> None:
    branches, _ = _branches(further_norm=True)
    per_place = 8 * 3 + 3 * 4 + 4 * 5 + 5 * 1 + 5 * 6 + 6 * 7

    assert branches.flops(6) == 2 * 9 * UNITS * per_place * 36
    assert _branches()[0].flops(6) == 2 * 9 * UNITS * ((per_place - 42) * 36 + 42)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"branch_widths": (3, 4, 5, 6)}, r"branch_widths must be five whole numbers from 1, got \(3, 4, 5, 6\)"),
        ({"branch_widths": (3, 4, 5, 6, 0)}, r"branch_widths must be five whole numbers from 1, got \(3, 4, 5, 6, 0\)"),
        ({"further": 0}, "further must be at least 1, got 0"),
    ],
)
def test_wrong_shapes_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(SMALL, **change)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("activation", "activation must be one of sigmoid, relu, identity, got 'never'"),
        ("product", "product must be one of before-norm, after-relu, got 'never'"),
    ],
)
def test_unknown_names_are_refused_without_a_type_checker_too(field: str, message: str) -> None:
    config = replace(SMALL)
    object.__setattr__(config, field, "never")
    with pytest.raises(ValueError, match=f"^{message}$"):
        config.__post_init__()
