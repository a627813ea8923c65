"""The networks that recognise, and the way from a config to its network."""

from facskit.models.attention_network import AttentionConfig
from facskit.models.compact_network import CompactConfig
from facskit.models.layers import FaceNetwork
from facskit.models.vision_transformer import ViTConfig

__all__ = ["ModelConfig", "build_model"]

ModelConfig = ViTConfig | CompactConfig | AttentionConfig
"""Every network that recognises; the `kind` field tells which. This is the only place that lists them."""


def build_model(config: ModelConfig, num_outputs: int) -> FaceNetwork:
    """Build a network with fresh weights, in training mode.

    Args:
        num_outputs: Logits to return: one per action unit, then one per expression.

    Raises:
        ValueError: `num_outputs` isn't positive.
    """
    if num_outputs < 1:
        raise ValueError(f"num_outputs must be at least 1, got {num_outputs}")
    return config.build(num_outputs)
