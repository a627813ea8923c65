"""From a model's config to the model, and the config's plain form that weight files store."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from facskit.models.attention_network import AttentionConfig, AttentionNetwork
from facskit.models.compact_network import CompactConfig, CompactNetwork
from facskit.models.layers import FaceNetwork
from facskit.models.masked_autoencoder import AutoencoderConfig
from facskit.models.vision_transformer import VisionTransformer, ViTConfig

__all__ = ["ModelConfig", "build_model", "config_from_dict", "config_to_dict"]

ModelConfig = ViTConfig | CompactConfig | AttentionConfig
"""Every network that recognises; the `kind` field tells which."""


def build_model(config: ModelConfig, num_outputs: int) -> FaceNetwork:
    """Build a network with fresh weights.

    Args:
        config: Which network, and its shape.
        num_outputs: Logits to return: one per action unit, then one per expression.

    Returns:
        The network in training mode.

    Raises:
        ValueError: `num_outputs` isn't positive.
    """
    if num_outputs < 1:
        raise ValueError(f"num_outputs must be at least 1, got {num_outputs}")
    match config:
        case ViTConfig():
            return VisionTransformer(config, num_outputs)
        case CompactConfig():
            return CompactNetwork(config, num_outputs)
        case AttentionConfig():
            return AttentionNetwork(config, num_outputs)


def config_to_dict(config: ModelConfig | AutoencoderConfig) -> dict[str, object]:
    """Return a config as JSON-ready values, `kind` included; an autoencoder's encoder is a mapping inside."""
    return _plain(asdict(config))


def config_from_dict(values: Mapping[str, object]) -> ModelConfig | AutoencoderConfig:
    """Read back what `config_to_dict` wrote; every field must be there, with its type, and nothing else.

    Raises:
        ValueError: The kind is unknown, a field is missing, unknown, of another type or out of range.
    """
    known: dict[str, ModelConfig | AutoencoderConfig] = {
        "vit": ViTConfig(),
        "compact": CompactConfig(),
        "attention": AttentionConfig(),
        "mae": AutoencoderConfig(encoder=ViTConfig(drop_path=0.0)),
    }
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in known:
        raise ValueError(f"model kind must be one of {', '.join(known)}, got {kind!r}")
    default = known[kind]
    _check_fields(kind, values, config_to_dict(default))
    arguments: dict[str, Any] = {name: _frozen(value) for name, value in values.items()}
    return type(default)(**arguments)


def _check_fields(kind: str, values: Mapping[str, object], defaults: Mapping[str, object]) -> None:
    names = defaults.keys()
    if values.keys() != names:
        different = ", ".join(sorted(values.keys() ^ names))
        raise ValueError(f"a {kind} model has the fields {', '.join(sorted(names))}; missing or unknown: {different}")
    for name, value in values.items():
        expected = type(defaults[name])
        if type(value) is not expected and not (expected is float and type(value) is int):
            raise ValueError(f"model field {name} must be of type {expected.__name__}, got {value!r}")
        if isinstance(value, list) and any(type(entry) is not int for entry in value):
            raise ValueError(f"model field {name} must list whole numbers, got {value!r}")


def _frozen(value: object) -> object:
    match value:
        case list():
            return tuple(value)
        case dict():  # the encoder of an autoencoder
            encoder = config_from_dict(value)
            if not isinstance(encoder, ViTConfig):
                raise ValueError(f"model field encoder must be of kind vit, got {encoder.kind!r}")
            return encoder
    return value


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    plain: dict[str, object] = {}
    for name, value in values.items():
        plain[name] = _plain(value) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value
    return plain
