"""Multi-label occurrence of action units: binary cross-entropy that skips what nobody coded."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int8
from torch import Tensor
from torch.nn import functional

from facskit.datasets.samples import Batch, LabelState
from facskit.models.layers import FaceNetwork
from facskit.objectives.objective import Objective, StepOutput

__all__ = ["Occurrence", "OccurrenceConfig", "label_weights", "occurrence_loss", "positive_weights"]


@dataclass(frozen=True, kw_only=True)
class OccurrenceConfig:
    """How occurrence is learned; the defaults are the paper's."""

    kind: Literal["occurrence"] = "occurrence"
    balance: Literal["none", "positive-rate"] = "none"
    """`positive-rate` weighs each AU's positives by negatives / positives of the training fold; the paper: none."""
    max_weight: float = 10.0
    """Limit of a positive's weight, and its inverse the lower limit; at least 1."""
    label_smoothing: float = 0.0
    """Pulls targets 0 and 1 towards a half: s / 2 and 1 - s / 2; in [0, 1)."""

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: A field is out of range; the message names it.
        """
        if self.balance not in {"none", "positive-rate"}:
            raise ValueError(f"balance must be none or positive-rate, got {self.balance!r}")
        if not self.max_weight >= 1.0:
            raise ValueError(f"max_weight must be at least 1, got {self.max_weight}")
        if not 0.0 <= self.label_smoothing < 1.0:
            raise ValueError(f"label_smoothing must be in [0, 1), got {self.label_smoothing}")


def occurrence_loss(
    logits: Float[Tensor, "batch aus"],
    labels: Int8[Tensor, "batch aus"],
    weights: Float[Tensor, "aus"] | None = None,
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Binary cross-entropy, averaged over the known labels.

    An UNKNOWN label changes neither value nor gradient, whatever its logit. A batch of UNKNOWN labels has the loss zero
    with a zero gradient.

    Args:
        logits: The model's answers.
        labels: `LabelState` values.
        weights: Weight of each AU's positive labels; 1 if left out.
        label_smoothing: Pulls targets towards a half.

    Returns:
        The mean over all known cells of the batch, at least in float32.

    Paper:
        L_AU = - 1 / (B A) sum_b sum_a [ w_a y log s(z) + (1 - y) log(1 - s(z)) ] with w_a = 1 (FMAE-IAT); here the mean
        runs over known labels alone, which is the same when all are known.
    """
    # Plain numbers, since torch.compile can't compare a tensor with an enumeration's member.
    known = labels != LabelState.UNKNOWN.value
    # Replacing unknown logits first keeps even an infinite one out of the gradient.
    scores = torch.where(known, _at_least_float32(logits), 0.0)
    targets = (labels == LabelState.PRESENT.value).to(scores.dtype)
    targets = targets * (1.0 - label_smoothing) + 0.5 * label_smoothing
    cells = functional.binary_cross_entropy_with_logits(scores, targets, pos_weight=weights, reduction="none")
    return torch.where(known, cells, 0.0).sum() / known.sum().clamp(min=1)


def positive_weights(labels: Int8[Tensor, "samples aus"], max_weight: float) -> Float[Tensor, "aus"]:
    """Weigh each AU's positives so that they count as much as its negatives.

    Args:
        labels: Labels of the training fold alone.
        max_weight: Limit; weights lie in [1 / max_weight, max_weight].

    Returns:
        Negatives / positives per AU, limited; 1 for an AU without any known label.
    """
    positives = (labels == LabelState.PRESENT).sum(0).float()
    negatives = (labels == LabelState.ABSENT).sum(0).float()
    weights = (negatives / positives).clamp(1.0 / max_weight, max_weight)
    return torch.where(positives + negatives > 0, weights, 1.0)


def label_weights(
    config: OccurrenceConfig, training_labels: Int8[Tensor, "samples aus"] | None
) -> Float[Tensor, "aus"] | None:
    """Return the weights of positives that a config asks for, or None for none.

    Args:
        config: How to weigh the labels.
        training_labels: Labels of the training fold.

    Raises:
        ValueError: `training_labels` are needed and missing.
    """
    if config.balance == "none":
        return None
    if training_labels is None:
        raise ValueError("training_labels are needed when balance is positive-rate, got none")
    return positive_weights(training_labels, config.max_weight)


class Occurrence(Objective[Batch]):
    """Learn which AUs occur, each on its own (FMAE).

    Args:
        model: The network to train.
        config: How to weigh the labels.
        training_labels: Labels of the training fold; needed when `config.balance` is `positive-rate`.

    Raises:
        ValueError: `training_labels` are needed and missing.
    """

    model: FaceNetwork

    def __init__(
        self,
        model: FaceNetwork,
        config: OccurrenceConfig,
        training_labels: Int8[Tensor, "samples aus"] | None = None,
    ) -> None:
        super().__init__(model)
        self.config = config
        self.weights: Tensor | None
        self.register_buffer("weights", label_weights(config, training_labels))

    def forward(self, batch: Batch) -> StepOutput:
        """Return the masked binary cross-entropy of the batch."""
        logits = self.model(batch.images)
        loss = occurrence_loss(logits, batch.labels, self.weights, self.config.label_smoothing)
        return StepOutput(loss=loss, terms={"occurrence": loss.detach()}, logits=logits.detach())


def _at_least_float32(values: Tensor) -> Tensor:
    return values.float() if values.dtype in {torch.float16, torch.bfloat16} else values
