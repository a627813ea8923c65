"""Multi-label occurrence of action units: binary cross-entropy that skips what nobody coded."""

from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int8, Int64
from torch import Tensor, nn
from torch.nn import functional

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import Batch, LabelState
from facskit.models.layers import FaceNetwork
from facskit.objectives.attention_regression import AttentionRegression, AttentionRegressionConfig, Observation
from facskit.objectives.config import FaceObjectiveConfig, TrainingPart
from facskit.objectives.known_labels import known_mean, known_scores
from facskit.objectives.objective import Objective, StepOutput
from facskit.objectives.person_weights import label_weights, person_weights

__all__ = [
    "LabelWeights",
    "Occurrence",
    "OccurrenceConfig",
    "OccurrenceTerm",
    "inverse_rate_weights",
    "occurrence_loss",
    "positive_weights",
    "rate_weights",
    "unit_rates",
]


Balance = Literal["none", "positive-rate", "inverse-rate", "person-rate"]
"""How labels are weighed; `OccurrenceConfig.balance` says what each means."""


@dataclass(frozen=True, kw_only=True)
class OccurrenceConfig(FaceObjectiveConfig):
    """How occurrence is learned; the defaults are FMAE's."""

    kind: Literal["occurrence"] = "occurrence"
    balance: Balance = "none"
    """`positive-rate` weighs each AU's positives by negatives / positives of the training fold, within `max_weight`.
    `inverse-rate` does so without a limit, and also weighs AUs by the inverse of their rates (CIU's balanced network).
    `person-rate` weighs each person's labels so that everybody shows an AU as often as all together, within
    `max_weight`: our choice, beside the reversal of identity; FMAE: none."""
    max_weight: float = 10.0
    """Limit of a weight under `positive-rate` and `person-rate`, and its inverse the lower limit; at least 1."""
    label_smoothing: float = 0.0
    """Pulls targets 0 and 1 towards a half: s / 2 and 1 - s / 2; in [0, 1)."""
    reduction: Literal["mean", "sum"] = "mean"
    """How the cross-entropies of an image's AUs are joined; under `inverse-rate` it's always the weighted mean. `sum`
    is the mean over the labels that are known times the number of AUs: in an image with unknown labels the known ones
    stand for all."""
    attention: AttentionRegressionConfig = field(default_factory=AttentionRegressionConfig)
    """Where an attentive network should look."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.balance not in get_args(Balance):
            raise ValueError(f"balance must be one of {', '.join(get_args(Balance))}, got {self.balance!r}")
        if not self.max_weight >= 1.0:
            raise ValueError(f"max_weight must be at least 1, got {self.max_weight}")
        if not 0.0 <= self.label_smoothing < 1.0:
            raise ValueError(f"label_smoothing must be in [0, 1), got {self.label_smoothing}")
        if self.reduction not in {"mean", "sum"}:
            raise ValueError(f"reduction must be mean or sum, got {self.reduction!r}")

    @property
    def teaches_attention(self) -> bool:
        """Whether attention has a weight."""
        return self.attention.weight > 0

    def build(self, model: FaceNetwork, part: TrainingPart) -> "Occurrence":
        """Join the network with the loss."""
        return Occurrence(model, self, part.labels, part.units, part.subjects)


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelWeights:
    """What each action unit's labels count."""

    positive: Float[Tensor, "aus"]
    """Weight of an AU's positive labels; its negative ones have 1."""
    unit: Float[Tensor, "aus"] | None = None
    """Weight of all of an AU's labels, with the mean 1; 1 if left out."""


def occurrence_loss(
    logits: Float[Tensor, "batch aus"],
    labels: Int8[Tensor, "batch aus"],
    weights: Float[Tensor, "aus"] | None = None,
    label_smoothing: float = 0.0,
    unit_weights: Float[Tensor, "*each aus"] | None = None,
) -> Float[Tensor, ""]:
    """Binary cross-entropy, averaged over the known labels.

    An UNKNOWN label changes neither value nor gradient, whatever its logit. A batch of UNKNOWN labels has the loss zero
    with a zero gradient.

    Args:
        weights: Weight of each AU's positive labels; 1 if left out.
        label_smoothing: Pulls targets towards a half.
        unit_weights: Weight of all of an AU's labels, or of each single label; 1 if left out. What is divided by stays
            the number of labels.

    Returns:
        The mean over all known cells of the batch, at least in float32.

    Paper:
        L_AU = - 1 / (B A) sum_b sum_a [ w_a y log s(z) + (1 - y) log(1 - s(z)) ] with w_a = 1 (FMAE-IAT); here the mean
        runs over known labels alone, which is the same when all are known. CIU eq. 14 has the positives' weight v_a and
        an AU's weight w_a with the sum 1, so that A w_a is given here.
    """
    # Plain numbers, since torch.compile can't compare a tensor with an enumeration's member.
    known = labels != LabelState.UNKNOWN.value
    scores = known_scores(logits, known)
    targets = (labels == LabelState.PRESENT.value).to(scores.dtype)
    targets = targets * (1.0 - label_smoothing) + 0.5 * label_smoothing
    cells = functional.binary_cross_entropy_with_logits(
        scores, targets, weight=unit_weights, pos_weight=weights, reduction="none"
    )
    return known_mean(cells, known)


def positive_weights(labels: Int8[Tensor, "samples aus"], max_weight: float) -> Float[Tensor, "aus"]:
    """Weigh each AU's positives in a training fold so that they count as much as its negatives.

    Returns:
        Negatives / positives per AU, within [1 / max_weight, max_weight]; 1 for an AU without any known label.
    """
    positives = (labels == LabelState.PRESENT).sum(0).float()
    negatives = (labels == LabelState.ABSENT).sum(0).float()
    weights = (negatives / positives).clamp(1.0 / max_weight, max_weight)
    return torch.where(positives + negatives > 0, weights, 1.0)


def unit_rates(labels: Int8[Tensor, "samples aus"]) -> Float[Tensor, "aus"]:
    """Return how often each AU is present among the images of a training fold where it's known; NaN where it never is.

    Paper:
        CIU eq. 15: r_j = n_j / n; an unknown label counts in neither.
    """
    present = (labels == LabelState.PRESENT).sum(0).double()
    return present / (labels != LabelState.UNKNOWN).sum(0)


def rate_weights(rates: Float[Tensor, "aus"]) -> LabelWeights:
    """Weigh AUs and their positives by the inverse of how often they occur.

    An AU that is never present, always present or never known has no such weight: its inverse rate would be infinite
    and drown all others, or its only labels would count nothing. It counts as in the plain loss, and the others share
    what is left.

    Returns:
        Weights of the positives and of the AUs, the latter with the mean 1, in float32.

    Paper:
        CIU eq. 15: w_j = (1 / r_j) / sum_k (1 / r_k), times the number of AUs here; v_j = (1 - r_j) / r_j.
    """
    ordinary = (rates > 0.0) & (rates < 1.0)
    inverse = torch.where(ordinary, 1.0 / rates, 0.0)
    unit = torch.where(ordinary, inverse * (ordinary.sum() / inverse.sum()), 1.0)
    return LabelWeights(positive=torch.where(ordinary, (1.0 - rates) / rates, 1.0).float(), unit=unit.float())


def inverse_rate_weights(labels: Int8[Tensor, "samples aus"]) -> LabelWeights:
    """Return the weights of `rate_weights` for a training fold."""
    return rate_weights(unit_rates(labels))


class OccurrenceTerm(nn.Module):
    """The occurrence loss with its weights, and the look at a batch that comes before it.

    Args:
        units: The network's action units; needed when `config.attention` has a weight.
        training_labels: Labels of the training fold; needed when `config.balance` is not `none`.
        training_subjects: Whose they are, as batches count people; needed when it's `person-rate`.

    Raises:
        ValueError: Something needed is missing.
    """

    def __init__(
        self,
        config: OccurrenceConfig,
        units: ActionUnitSet | None = None,
        training_labels: Int8[Tensor, "samples aus"] | None = None,
        training_subjects: Int64[Tensor, "samples"] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.attention = AttentionRegression(config.attention, units)
        weights, of_people = None, None
        if config.balance != "none":
            if training_labels is None:
                raise ValueError(f"training_labels are needed when balance is {config.balance}, got none")
            match config.balance:
                case "inverse-rate":
                    weights = inverse_rate_weights(training_labels)
                case "positive-rate":
                    weights = LabelWeights(positive=positive_weights(training_labels, config.max_weight))
                case "person-rate":
                    if training_subjects is None:
                        raise ValueError("training_subjects are needed when balance is person-rate, got none")
                    of_people = person_weights(training_labels, training_subjects, config.max_weight)
        self.weights: Tensor | None
        self.unit_weights: Tensor | None
        self.person_weights: Tensor | None
        self.register_buffer("weights", None if weights is None else weights.positive)
        self.register_buffer("unit_weights", None if weights is None else weights.unit)
        self.register_buffer("person_weights", of_people)

    def observe(self, model: FaceNetwork, batch: Batch) -> Observation:
        """Answer a batch; see `AttentionRegression.observe`."""
        return self.attention.observe(model, batch)

    def forward(
        self,
        logits: Float[Tensor, "batch aus"],
        labels: Int8[Tensor, "batch aus"],
        subjects: Int64[Tensor, "batch"],
    ) -> Float[Tensor, ""]:
        """Return the occurrence loss.

        Paper:
            CIU eq. 13 is printed as a sum over AUs, eq. 14 as a weighted mean; `reduction` concerns the former.
        """
        weights = self.unit_weights
        if self.person_weights is not None:
            weights = label_weights(self.person_weights, labels, subjects)
        loss = occurrence_loss(logits, labels, self.weights, self.config.label_smoothing, weights)
        summed = self.config.reduction == "sum" and self.config.balance != "inverse-rate"
        return loss * logits.shape[1] if summed else loss


class Occurrence(Objective[Batch]):
    """Learn which AUs occur, each on its own (FMAE; CIU's imbalanced and balanced networks).

    Args and errors are those of `OccurrenceTerm`; a network without attention that could be taught is refused too.

    Paper:
        CIU eq. 13, 14 and 16: L = L_u + lambda_a L_a.
    """

    model: FaceNetwork

    def __init__(
        self,
        model: FaceNetwork,
        config: OccurrenceConfig,
        training_labels: Int8[Tensor, "samples aus"] | None = None,
        units: ActionUnitSet | None = None,
        training_subjects: Int64[Tensor, "samples"] | None = None,
    ) -> None:
        super().__init__(model)
        self.config = config
        self.occurrence = OccurrenceTerm(config, units, training_labels, training_subjects)
        self.occurrence.attention.check(model)

    def forward(self, batch: Batch) -> StepOutput:
        """Return the masked binary cross-entropy of the batch and the attention loss.

        Terms: `occurrence`, and `attention` if it has a weight.
        """
        seen = self.occurrence.observe(self.model, batch)
        loss = self.occurrence(seen.logits, batch.labels, batch.subjects)
        return StepOutput(loss=loss + seen.loss, terms={"occurrence": loss.detach(), **seen.terms}, logits=seen.logits)
