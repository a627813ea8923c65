"""From a model's config to the model, and the config's plain form that weight files store."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_args

from facskit.models.attention_network import AttentionConfig
from facskit.models.compact_network import CompactConfig
from facskit.models.layers import FaceNetwork
from facskit.models.masked_autoencoder import AutoencoderConfig
from facskit.models.vision_transformer import ViTConfig

__all__ = ["ModelConfig", "build_model", "config_from_dict", "config_to_dict"]

ModelConfig = ViTConfig | CompactConfig | AttentionConfig
"""Every network that recognises; the `kind` field tells which. This is the only place that lists them."""


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
    return config.build(num_outputs)


def config_to_dict(config: ModelConfig | AutoencoderConfig) -> dict[str, object]:
    """Return a config as JSON-ready values, `kind` included; an autoencoder's encoder is a mapping inside."""
    return _plain(asdict(config))


def config_from_dict(values: Mapping[str, object]) -> ModelConfig | AutoencoderConfig:
    """Read back what `config_to_dict` wrote; every field must be there, with its type, and nothing else.

    Raises:
        ValueError: The kind is unknown, a field is missing, unknown, of another type or out of range.
    """
    known: dict[str, type[Any]] = {each.kind: each for each in (*get_args(ModelConfig), AutoencoderConfig)}
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in known:
        raise ValueError(f"model kind must be one of {', '.join(known)}, got {kind!r}")
    _check_fields(kind, values, config_to_dict(known[kind]()))
    config: ModelConfig | AutoencoderConfig = known[kind](**{name: _frozen(value) for name, value in values.items()})
    return config


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
