"""The networks that recognise, and the way from a config to its network."""

from facskit.models.answer_heads import GeometryHead, IntensityScale
from facskit.models.answers import PRESENCE_ALONE, Answers
from facskit.models.attention_network import AttentionConfig
from facskit.models.compact_network import CompactConfig
from facskit.models.layers import FaceNetwork
from facskit.models.vision_transformer import ViTConfig

__all__ = ["ModelConfig", "build_model"]

ModelConfig = ViTConfig | CompactConfig | AttentionConfig
"""Every network that recognises; the `kind` field tells which. This is the only place that lists them."""


def build_model(config: ModelConfig, num_outputs: int, answers: Answers = PRESENCE_ALONE) -> FaceNetwork:
    """Build a network with fresh weights, in training mode.

    Args:
        num_outputs: Logits to return: one per action unit, then one per expression.
        answers: What it answers beside; intensities are of all outputs, so that there must be no expressions then.

    Raises:
        ValueError: `num_outputs` isn't positive.
    """
    if num_outputs < 1:
        raise ValueError(f"num_outputs must be at least 1, got {num_outputs}")
    model = config.build(num_outputs)
    if answers.intensities:
        model.intensity_scale = IntensityScale(num_outputs)
    if answers.geometry:
        model.geometry = GeometryHead(model.dim, config.image_size)
    return model
