"""Configs to models and to plain values and back."""

import json
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, get_args

import pytest
import torch

import facskit.models
from facskit.configurations import keys_left_out, plain_values, read_configuration
from facskit.models.attention_network import AttentionConfig, AttentionNetwork
from facskit.models.build import ModelConfig, build_model
from facskit.models.compact_network import CompactConfig, CompactNetwork
from facskit.models.layers import AttentiveNetwork, NetworkConfig
from facskit.models.masked_autoencoder import AutoencoderConfig
from facskit.models.vision_transformer import VisionTransformer, ViTConfig

COMPACT = CompactConfig(image_size=16, widths=(8, 8), depths=(1, 1), places=2, place_dim=2)
VIT = ViTConfig(image_size=16, patch_size=8, dim=8, depth=1, heads=2)
ATTENTION = AttentionConfig(image_size=16, unit_width=1, branch_widths=(2, 3, 4, 5, 6))
MAE = AutoencoderConfig(encoder=VIT, decoder_dim=8, decoder_depth=1, decoder_heads=2)
ANY = ModelConfig | AutoencoderConfig
KINDS = ", ".join(repr(config.kind) for config in get_args(ANY))


NETWORKS = [(COMPACT, CompactNetwork), (VIT, VisionTransformer), (ATTENTION, AttentionNetwork)]


@pytest.mark.parametrize(("config", "kind"), NETWORKS)
def test_each_config_builds_its_network(config: ModelConfig, kind: type[object]) -> None:
    model = build_model(config, 3)

    assert isinstance(model, kind)
    assert model.num_outputs == 3
    assert model.head(torch.zeros(2, model.dim)).shape == (2, 3)


def test_no_network_is_forgotten() -> None:
    for module in iter_modules(facskit.models.__path__, "facskit.models."):
        import_module(module.name)

    written = {kind for kind in NetworkConfig.__subclasses__() if kind.__module__.startswith("facskit.")}
    assert written == set(get_args(ModelConfig))


@pytest.mark.parametrize("kind", get_args(ModelConfig), ids=lambda kind: kind.kind)
def test_every_network_there_is_keeps_the_contract(kind: type[ModelConfig]) -> None:
    config = kind()
    with torch.device("meta"):
        model = build_model(config, 3)

    assert read_configuration(ANY, json.loads(json.dumps(plain_values(config)))) == config  # else weights can't be read
    assert (model.num_outputs, model.image_size) == (3, config.image_size)
    assert model.layer_ids().keys() == dict(model.named_parameters()).keys()
    assert isinstance(model, AttentiveNetwork) == config.attentive


@pytest.mark.parametrize("config", [COMPACT, VIT, ATTENTION, MAE])
def test_configs_survive_the_way_through_plain_values(config: ModelConfig | AutoencoderConfig) -> None:
    plain = json.loads(json.dumps(plain_values(config)))
    assert read_configuration(ANY, plain) == config
    assert keys_left_out(plain, config) == []


@pytest.mark.parametrize(
    ("config", "change", "message"),
    [
        (MAE, {"encoder": plain_values(COMPACT)}, "unknown key 'encoder.widths'|encoder.kind: found .compact."),
        (MAE, {"encoder": plain_values(VIT) | {"colour": 1}}, "unknown key 'encoder.colour'"),
        (MAE, {"encoder": [1]}, r"encoder: found \[1\], expected a section with keys"),
        (VIT, {"kind": "resnet"}, f"kind: found 'resnet', expected one of {KINDS}"),
        (VIT, {"colour": 1}, "unknown key 'colour'; expected one of .*dim"),
        (VIT, {"dim": "8"}, 'dim: found "8", expected a whole number'),
        (VIT, {"dim": True}, "dim: found true, expected a whole number"),
        (VIT, {"dim": 6}, "dim must be a multiple of 4 .* got 6"),
        (ATTENTION, {"branch_widths": [8, 8]}, r"branch_widths must be five .* got \(8, 8\)"),
        (ATTENTION, {"branch_widths": 8}, "branch_widths: found 8, expected a list"),
        (ATTENTION, {"branch_widths": [8, 8, 8, 8, 8.5]}, r"branch_widths.4: found 8\.5, expected a whole number"),
        (ATTENTION, {"further_norm": 1}, "further_norm: found 1, expected true or false"),
        (ATTENTION, {"image_size": 100}, "image_size must be a multiple of 16, got 100"),
    ],
)
def test_wrong_values_are_refused(
    config: ModelConfig | AutoencoderConfig, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read_configuration(ANY, plain_values(config) | change)


def test_a_model_without_outputs_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^num_outputs must be at least 1, got 0$"):
        build_model(VIT, 0)
