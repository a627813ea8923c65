"""CIU's network: its size, its interface, and that it computes what a loop over patches and units does."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.looped_attention_network import LoopedAttentionNetwork
from facskit.models.attention_network import AttentionConfig, AttentionNetwork

SMALL = AttentionConfig(image_size=32, unit_width=2, branch_widths=(6, 5, 6, 7, 8))
PARAMETERS: dict[tuple[int, ...], dict[int, int]] = {
    (96, 96, 96, 96, 96): {12: 6_286_776, 8: 4_729_648},
    (64, 64, 64, 64, 96): {12: 4_066_872, 8: 3_249_712},
    (64, 64, 64, 64, 64): {12: 3_844_920, 8: 3_101_744},
}
"""Widths of the branches -> action units -> parameters, counted with another implementation."""


def _network(**changes: object) -> AttentionNetwork:
    torch.manual_seed(0)
    return AttentionNetwork(replace(SMALL, **changes), 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("widths", PARAMETERS)
def test_parameters_are_those_of_the_paper(widths: tuple[int, ...]) -> None:
    for units, expected in PARAMETERS[widths].items():
        with torch.device("meta"):
            network = AttentionNetwork(AttentionConfig(branch_widths=widths), units)
        assert sum(value.numel() for value in network.parameters()) == expected


def test_operations_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        network = AttentionNetwork(AttentionConfig(further_norm=True), 12)
        cheaper = AttentionNetwork(AttentionConfig(), 12)
    pixels = 2 * network.get_parameter("regions.0.convolution.weight").numel() * 176**2

    assert (network.flops_per_image() + pixels) / 6e9 == pytest.approx(9.57, abs=0.01)  # 6: three passes, 2 per MAC
    assert cheaper.flops_per_image() < 0.81 * network.flops_per_image()  # the mean comes before the last convolution


def test_shapes_are_those_of_the_paper() -> None:
    network = AttentionNetwork(AttentionConfig(unit_width=1), 12).eval()
    images = torch.randn(1, 3, 176, 176)

    with torch.inference_mode():
        look, logits = network.look(images), network(images)

    assert logits.shape == (1, 12)
    assert look.attention.shape == (1, 12, 44, 44)
    assert look.features.shape == (1, 12 * 96) == (1, network.dim)
    assert network.map_size == network.config.map_size == 44
    assert torch.equal(logits, network.head(network.features(images)))
    assert ((look.attention > 0) & (look.attention < 1)).all()


@pytest.mark.parametrize("training", [True, False])
def test_it_computes_what_the_loop_does(training: bool) -> None:
    network = _network().double().train(training)
    loop = LoopedAttentionNetwork(network).double().train(training)
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)

    look = network.look(images)
    logits, attention = loop(images)

    torch.testing.assert_close(network.head(look.features), logits)
    torch.testing.assert_close(look.attention, attention)


@pytest.mark.parametrize(
    "changes",
    [
        {"further": 2, "further_norm": True, "activation": "relu"},
        {"product": "after-relu", "patch_norm": "map", "activation": "identity"},
    ],
)
def test_every_parameter_gets_a_gradient(changes: dict[str, Any]) -> None:
    network = _network(**changes)

    network(torch.randn(4, 3, 32, 32)).square().sum().backward()

    assert all(parameter.grad is not None for parameter in network.parameters())


def test_answers_teach_where_to_look() -> None:
    network = _network()
    network(torch.randn(4, 3, 32, 32)).sum().backward()

    assert network.branches.attention.weight.grad is not None
    assert network.branches.attention.weight.grad.abs().sum() > 0


def test_it_runs_in_bfloat16() -> None:
    network = _network()
    images = torch.randn(4, 3, 32, 32)
    expected = network.look(images)
    with torch.autocast("cpu", torch.bfloat16):
        look = network.look(images)
        loss = network.head(look.features).float().sum() + look.attention.float().sum()
    loss.backward()

    torch.testing.assert_close(look.features.float(), expected.features, atol=0.05, rtol=0.05)
    torch.testing.assert_close(look.attention.float(), expected.attention, atol=0.02, rtol=0)
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters() if parameter.grad is not None)


@pytest.mark.slow
def test_it_can_be_compiled() -> None:
    command = [sys.executable, "-m", "tests.models.compiled_attention_network"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("is the same compiled") == 2


def test_layers_are_numbered_from_the_pixels() -> None:
    ids = _network().layer_ids()

    assert ids["regions.0.convolution.weight"] == 0
    assert ids["regions.1.levels.2.norm.bias"] == 1
    assert ids["branches.body.0.weight"] == ids["branches.further.0.bias"] == 2
    assert ids["head.weight"] == 3
    assert ids.keys() == dict(_network().named_parameters()).keys()


def test_crops_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^this network takes crops of 32 x 32 px, got 48 x 32 px$"):
        _network()(torch.randn(1, 3, 32, 48))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 40}, "image_size must be a multiple of 16, got 40"),
        ({"image_size": 0}, "image_size must be a multiple of 16, got 0"),
        ({"unit_width": 0}, "unit_width must be at least 1, got 0"),
        ({"further": 0}, "further must be at least 1, got 0"),
    ],
)
def test_wrong_shapes_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(SMALL, **change)


def test_an_unknown_norm_is_refused_without_a_type_checker_too() -> None:
    config = replace(SMALL)
    object.__setattr__(config, "patch_norm", "never")
    with pytest.raises(ValueError, match=r"^patch_norm must be one of patch, map, got 'never'$"):
        config.__post_init__()
