"""Configs to models and to plain values and back."""

import json
from typing import Any, get_args

import pytest
import torch

from facskit.models.attention_network import AttentionConfig, AttentionNetwork
from facskit.models.build import ModelConfig, build_model, config_from_dict, config_to_dict
from facskit.models.compact_network import CompactConfig, CompactNetwork
from facskit.models.layers import AttentiveNetwork
from facskit.models.masked_autoencoder import AutoencoderConfig
from facskit.models.vision_transformer import VisionTransformer, ViTConfig

COMPACT = CompactConfig(image_size=16, widths=(8, 8), depths=(1, 1), places=2, place_dim=2)
VIT = ViTConfig(image_size=16, patch_size=8, dim=8, depth=1, heads=2)
ATTENTION = AttentionConfig(image_size=16, unit_width=1, branch_widths=(2, 3, 4, 5, 6))
MAE = AutoencoderConfig(encoder=VIT, decoder_dim=8, decoder_depth=1, decoder_heads=2)


NETWORKS = [(COMPACT, CompactNetwork), (VIT, VisionTransformer), (ATTENTION, AttentionNetwork)]


@pytest.mark.parametrize(("config", "kind"), NETWORKS)
def test_each_config_builds_its_network(config: ModelConfig, kind: type[object]) -> None:
    model = build_model(config, 3)

    assert isinstance(model, kind)
    assert model.num_outputs == 3
    assert model.head(torch.zeros(2, model.dim)).shape == (2, 3)


@pytest.mark.parametrize("kind", get_args(ModelConfig), ids=lambda kind: kind.kind)
def test_every_network_there_is_keeps_the_contract(kind: type[ModelConfig]) -> None:
    config = kind()
    with torch.device("meta"):
        model = build_model(config, 3)

    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config  # else weights can't be read
    assert (model.num_outputs, model.image_size) == (3, config.image_size)
    assert model.layer_ids().keys() == dict(model.named_parameters()).keys()
    assert isinstance(model, AttentiveNetwork) == config.attentive


@pytest.mark.parametrize("config", [COMPACT, VIT, ATTENTION, MAE])
def test_configs_survive_the_way_through_plain_values(config: ModelConfig | AutoencoderConfig) -> None:
    plain = config_to_dict(config)
    assert config_from_dict(json.loads(json.dumps(plain))) == config


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (config_to_dict(COMPACT), "model field encoder must be of kind vit, got 'compact'"),
        (config_to_dict(VIT) | {"colour": 1}, "a vit model has the fields .*; missing or unknown: colour"),
        ([1], r"model field encoder must be of type dict, got \[1\]"),
    ],
)
def test_an_autoencoder_needs_a_transformer_inside(encoder: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        config_from_dict(config_to_dict(MAE) | {"encoder": encoder})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "resnet"}, "model kind must be one of vit, compact, attention, mae, got 'resnet'"),
        ({"colour": 1}, "a vit model has the fields .*; missing or unknown: colour"),
        ({"dim": "8"}, "model field dim must be of type int, got '8'"),
        ({"dim": True}, "model field dim must be of type int, got True"),
        ({"dim": 6}, "dim must be a multiple of 4 and of heads 2, got 6"),
    ],
)
def test_wrong_values_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        config_from_dict(config_to_dict(VIT) | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"branch_widths": [8, 8]}, r"branch_widths must be five whole numbers from 1, got \(8, 8\)"),
        ({"branch_widths": 8}, "model field branch_widths must be of type list, got 8"),
        ({"branch_widths": [8, 8, 8, 8, 8.0]}, r"model field branch_widths must list whole numbers, got \[8, .*\]"),
        ({"further_norm": 1}, "model field further_norm must be of type bool, got 1"),
        ({"image_size": 100}, "image_size must be a multiple of 16, got 100"),
    ],
)
def test_wrong_values_of_an_attention_network_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        config_from_dict(config_to_dict(ATTENTION) | change)


def test_a_model_without_outputs_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^num_outputs must be at least 1, got 0$"):
        build_model(VIT, 0)
