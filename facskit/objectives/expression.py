"""One expression per face: softmax cross-entropy over the images whose expression somebody named."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from facskit.datasets.samples import Batch
from facskit.models.layers import FaceNetwork
from facskit.objectives.config import FaceObjectiveConfig, TrainingPart
from facskit.objectives.known_labels import accuracy, known_mean, known_scores
from facskit.objectives.objective import Objective, StepOutput

__all__ = ["ExpressionClassification", "ExpressionConfig", "class_weights", "expression_loss"]


@dataclass(frozen=True, kw_only=True)
class ExpressionConfig(FaceObjectiveConfig):
    """How expressions are learned; the defaults are the paper's."""

    kind: Literal["expression"] = "expression"
    learns: ClassVar[Literal["action_units", "expressions"]] = "expressions"
    label_smoothing: float = 0.0
    """Share of each target that is spread evenly over all expressions; in [0, 1)."""
    balance: Literal["none", "class-rate"] = "none"
    """`class-rate` weighs each image by the inverse of its expression's rate in the training fold; the paper: none."""
    max_weight: float = 10.0
    """Limit of an expression's weight, and its inverse the lower limit; at least 1."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if not 0.0 <= self.label_smoothing < 1.0:
            raise ValueError(f"label_smoothing must be in [0, 1), got {self.label_smoothing}")
        if self.balance not in {"none", "class-rate"}:
            raise ValueError(f"balance must be none or class-rate, got {self.balance!r}")
        if not (self.max_weight >= 1.0 and math.isfinite(self.max_weight)):
            raise ValueError(f"max_weight must be at least 1 and finite, got {self.max_weight}")

    def build(self, model: FaceNetwork, part: TrainingPart) -> "ExpressionClassification":
        """Join the network with the loss."""
        assert part.expressions is not None  # the recipe was checked
        return ExpressionClassification(model, self, part.expressions)


def expression_loss(
    logits: Float[Tensor, "batch classes"],
    expressions: Int64[Tensor, "batch"],
    weights: Float[Tensor, "classes"] | None = None,
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Softmax cross-entropy, averaged over the images with a known expression.

    An unknown expression changes neither value nor gradient, whatever its logits. A batch of unknown expressions has
    the loss zero with a zero gradient.

    Args:
        expressions: Position of each image's expression; -1 is unknown.
        weights: Weight of each expression's images; 1 if left out. The mean stays one over images, so that an image's
            weight doesn't depend on its batch.

    Returns:
        The mean over the known images of the batch, at least in float32.

    Paper:
        L = - 1 / B sum_b w_y [ (1 - s) log p_y + s / C sum_c log p_c ] with w = 1 and s = 0 (FMAE on RAF-DB and
        AffectNet, the released code's `CrossEntropyLoss`).
    """
    known = expressions >= 0
    scores = known_scores(logits, known.unsqueeze(1))
    names = expressions.clamp(min=0)
    losses = functional.cross_entropy(scores, names, reduction="none", label_smoothing=label_smoothing)
    if weights is not None:
        losses = losses * weights[names]
    return known_mean(losses, known)


def class_weights(expressions: Int64[Tensor, "samples"], classes: int, max_weight: float) -> Float[Tensor, "classes"]:
    """Weigh expressions so that each counts the same over the training fold.

    Args:
        expressions: Those of the training fold alone; -1 is unknown.

    Returns:
        Mean number of images per occurring expression over that of each expression, within [1 / max_weight,
        max_weight]; 1 where none occurs.
    """
    counts = torch.bincount(expressions[expressions >= 0], minlength=classes).float()
    mean = counts.sum() / (counts > 0).sum().clamp(min=1)
    return torch.where(counts > 0, (mean / counts).clamp(1.0 / max_weight, max_weight), 1.0)


class ExpressionClassification(Objective[Batch]):
    """Learn which of several expressions a face shows (FMAE on RAF-DB and AffectNet); see `expression_loss`.

    Args:
        training_expressions: Expressions of the training fold, as positions; -1 is unknown.

    Raises:
        ValueError: No training image has a known expression.
    """

    model: FaceNetwork

    def __init__(
        self, model: FaceNetwork, config: ExpressionConfig, training_expressions: Int64[Tensor, "samples"]
    ) -> None:
        super().__init__(model)
        if not bool((training_expressions >= 0).any()):
            raise ValueError(
                f"training_expressions must name some expression, got {len(training_expressions)} unknown ones"
            )
        self.config = config
        weights = None
        if config.balance == "class-rate":
            weights = class_weights(training_expressions, model.num_outputs, config.max_weight)
        self.weights: Tensor | None
        self.register_buffer("weights", weights)

    def forward(self, batch: Batch) -> StepOutput:
        """Return the masked cross-entropy of the batch.

        Terms: `expression` and `expression_accuracy` (of the images with a known expression; 0 if there is none).
        """
        logits = self.model(batch.images)
        loss = expression_loss(logits, batch.expressions, self.weights, self.config.label_smoothing)
        terms = {"expression": loss.detach(), "expression_accuracy": accuracy(logits, batch.expressions)}
        return StepOutput(loss=loss, terms=terms)
