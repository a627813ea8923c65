"""Teach an attentive network where to look: attention regression on maps drawn around each action unit's centres."""

import math
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import Batch
from facskit.models.attention_targets import attention_targets
from facskit.models.layers import AttentiveNetwork, FaceNetwork
from facskit.objectives.known_labels import at_least_float32

__all__ = ["AttentionRegression", "AttentionRegressionConfig", "Observation", "attention_loss", "taught_attention"]


@dataclass(frozen=True, kw_only=True)
class AttentionRegressionConfig:
    """How strongly attention maps are pulled to the predefined ones; by default not at all."""

    weight: float = 0.0
    """Factor on the attention loss (paper: lambda_a = 2); 0 is off, and then any network will do."""
    spread: float = 3.0
    """Standard deviation of the predefined maps' Gaussians, in map cells (paper: delta); above 0."""
    rounded: bool = True
    """Move each centre to the nearest map cell, so that a map's largest value is exactly 1."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if not (self.weight >= 0.0 and math.isfinite(self.weight)):
            raise ValueError(f"weight must be at least 0 and finite, got {self.weight}")
        if not (self.spread > 0.0 and math.isfinite(self.spread)):
            raise ValueError(f"spread must be above 0 and finite, got {self.spread}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Observation:
    """A network's answers to a batch, and how far its attention is from where it should be."""

    features: Float[Tensor, "batch dim"]
    """What the answers are made of."""
    logits: Float[Tensor, "batch aus"]
    """The answers."""
    loss: Float[Tensor, ""]
    """The attention loss times its weight; zero if it's off."""
    terms: dict[str, Tensor]
    """What to log: `attention`, the loss without its weight; nothing if it's off."""


def taught_attention(config: Any, key: str = "objective") -> tuple[str, AttentionRegressionConfig] | None:  # noqa: ANN401 - any dataclass
    """Find what an objective teaches a network's attention, however deep in its config.

    Args:
        config: The objective's config, or a section of it, which the recipe calls `key`.

    Returns:
        The section's key in the recipe and the section, such as `objective.attention`; None for an objective that never
        teaches attention.
    """
    for entry in fields(config):
        value, inner = getattr(config, entry.name), f"{key}.{entry.name}"
        if isinstance(value, AttentionRegressionConfig):
            return inner, value
        if is_dataclass(value) and (found := taught_attention(value, inner)) is not None:
            return found
    return None


def attention_loss(
    attention: Float[Tensor, "batch aus map map"], targets: Float[Tensor, "batch aus map map"]
) -> Float[Tensor, ""]:
    """Mean squared distance of attention maps from the predefined ones.

    A map whose target holds a NaN, because a landmark is unknown, changes neither value nor gradient.

    Returns:
        The mean over all cells of the maps that have a target, at least in float32; zero if none has.

    Paper:
        CIU eq. 12: L_a = 1 / (B m u^2) sum (M^ - M)^2.
    """
    precise = at_least_float32(attention)
    known = ~targets.isnan().flatten(2).any(2)
    errors = torch.where(known[..., None, None], precise - targets.to(precise.dtype), 0.0).square()
    return errors.sum() / (known.sum() * targets[0, 0].numel()).clamp(min=1)


class AttentionRegression(nn.Module):
    """Looks at a batch with a network and tells how far its attention is from the predefined maps.

    Raises:
        ValueError: `units`, the network's action units, are missing though the loss has a weight.
    """

    def __init__(self, config: AttentionRegressionConfig, units: ActionUnitSet | None) -> None:
        super().__init__()
        if config.weight > 0.0 and units is None:
            raise ValueError("units are needed when attention.weight is above 0, got none")
        self.config, self.units = config, units

    def check(self, model: FaceNetwork) -> None:
        """Refuse a network without attention maps where they should be taught, by a ValueError."""
        if self.config.weight > 0.0 and not isinstance(model, AttentiveNetwork):
            raise ValueError(
                f"attention.weight must be 0 for a network without attention maps, got {self.config.weight}"
                f" for a {type(model).__name__}"
            )

    def observe(self, model: FaceNetwork, batch: Batch) -> Observation:
        """Answer a batch; where the loss has a weight, the network is an attentive one and landmarks are needed."""
        if self.config.weight == 0.0:
            features = model.features(batch.images)
            zero = torch.zeros((), device=features.device)
            return Observation(features=features, logits=model.head(features), loss=zero, terms={})
        assert isinstance(model, AttentiveNetwork)  # `check` has seen it
        assert self.units is not None  # the constructor has
        look = model.look(batch.images)
        size, spread, rounded = model.image_size, self.config.spread, self.config.rounded
        targets = attention_targets(batch.landmarks, self.units, image_size=size, spread=spread, rounded=rounded)
        loss = attention_loss(look.attention, targets)
        return Observation(
            features=look.features,
            logits=model.head(look.features),
            loss=self.config.weight * loss,
            terms={"attention": loss.detach()},
        )
