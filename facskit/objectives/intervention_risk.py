"""The formulas of causal intervention: how much each teacher is heeded, and the risk that is minimised.

Everything is a pure function of logits and labels, at least in float32. UNKNOWN labels change nothing anywhere: neither
the teachers' losses nor a risk or its gradient, although the balanced teacher has an answer for them too.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int8
from torch import Tensor
from torch.nn import functional

from facskit.datasets.samples import LabelState
from facskit.objectives.known_labels import at_least_float32, known_mean, known_scores

__all__ = ["Granularity", "Intervention", "intervention_weights", "mixed_risk", "risk_terms", "teacher_losses"]

Granularity = Literal["sample", "unit"]
"""Whether all action units of an image share their weights, or each has its own."""

_SMALLEST_LOSS = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Intervention:
    """What the teachers say about a batch; `parts` is 1 where an image's AUs share their weights."""

    imbalanced: Float[Tensor, "batch parts"]
    """Weight of the risk against the labels (paper: w^imba)."""
    balanced: Float[Tensor, "batch parts"]
    """Weight of the risk against the balanced teacher's answers (paper: w^ba)."""
    answers: Float[Tensor, "batch aus"]
    """The balanced teacher's probabilities."""

    def mean_weight(self, labels: Int8[Tensor, "batch aus"]) -> Float[Tensor, ""]:
        """Return the mean of the first weight over the known labels; 0 if there is none."""
        return known_mean(self.imbalanced.expand_as(self.answers), labels != LabelState.UNKNOWN.value)


def teacher_losses(
    logits: Float[Tensor, "batch aus"], labels: Int8[Tensor, "batch aus"], granularity: Granularity
) -> Float[Tensor, "batch parts"]:
    """Return how wrong a teacher is: plain binary cross-entropies, without any weight of labels.

    Args:
        granularity: `sample` gives the mean over an image's known labels, one column; `unit` each label's own loss.

    Returns:
        The losses; 0 where nothing is known.

    Paper:
        X in CIU eq. 5 and 6, extended to several labels as in eq. 13. Whether eq. 13's sum or its mean is taken changes
        no weight.
    """
    known = labels != LabelState.UNKNOWN.value
    scores = known_scores(logits, known)
    targets = (labels == LabelState.PRESENT.value).to(scores.dtype)
    cells = functional.binary_cross_entropy_with_logits(scores, targets, reduction="none")
    cells = torch.where(known, cells, 0.0)
    if granularity == "unit":
        return cells
    return cells.sum(1, keepdim=True) / known.sum(1, keepdim=True).clamp(min=1)


def intervention_weights(
    imbalanced_loss: Float[Tensor, "*shape"], balanced_loss: Float[Tensor, "*shape"], gamma: float
) -> Float[Tensor, "*shape"]:
    """Return the weight of the risk against the labels: the larger, the worse the imbalanced teacher does.

    Args:
        gamma: How sharply the weights follow; 0 gives halves.

    Returns:
        The weights, at least in float32; the balanced risk's are 1 less these.

    Paper:
        CIU eq. 5 and 6: w^imba = X_I^gamma / (X_I^gamma + X_B^gamma), in the form s(gamma (ln X_I - ln X_B)), whose
        powers can't vanish.
    """
    logs = [at_least_float32(loss).clamp(min=_SMALLEST_LOSS).log() for loss in (imbalanced_loss, balanced_loss)]
    return (gamma * (logs[0] - logs[1])).sigmoid()


def risk_terms(
    logits: Float[Tensor, "batch aus"], labels: Int8[Tensor, "batch aus"], intervention: Intervention
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return the weighted cross-entropies against the labels and against the balanced teacher's answers.

    Returns:
        R^imba and R^ba, each a mean over the batch's known labels.

    Paper:
        CIU eq. 7 and 8, with several labels per image.
    """
    known = labels != LabelState.UNKNOWN.value
    targets = (labels == LabelState.PRESENT.value).to(intervention.answers.dtype)
    return (
        _risk(logits, targets, intervention.imbalanced, known),
        _risk(logits, intervention.answers, intervention.balanced, known),
    )


def mixed_risk(
    logits: Float[Tensor, "batch aus"], labels: Int8[Tensor, "batch aus"], intervention: Intervention
) -> Float[Tensor, ""]:
    """Return R, the sum of both `risk_terms`, as one cross-entropy with mixed targets.

    Paper:
        CIU eq. 9: cross-entropy is affine in its target, so R = BCE(f, w^imba p + w^ba p^ba) where the weights add up
        to 1, and their sum times as much where they don't.
    """
    known = labels != LabelState.UNKNOWN.value
    targets = (labels == LabelState.PRESENT.value).to(intervention.answers.dtype)
    total = intervention.imbalanced + intervention.balanced
    mixed = (intervention.imbalanced * targets + intervention.balanced * intervention.answers) / total
    return _risk(logits, mixed, total, known)


def _risk(logits: Tensor, targets: Tensor, weights: Tensor, known: Bool[Tensor, "batch aus"]) -> Float[Tensor, ""]:
    scores = known_scores(logits, known)
    targets = torch.where(known, targets, 0.0)
    cells = functional.binary_cross_entropy_with_logits(scores, targets, reduction="none")
    return known_mean(weights * cells, known)
