"""Causal intervention (CIU): learn from an imbalanced and a balanced teacher, and be as biased as neither.

Two networks are trained first, one on the labels as they are, one with rare action units weighed up. The third learns
from the labels and from the second one's answers, each image more from the side whose network is the worse at it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int8
from torch import Tensor

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import Batch, LabelState
from facskit.models.layers import FaceNetwork
from facskit.objectives.attention_regression import AttentionRegression, AttentionRegressionConfig
from facskit.objectives.config import StagedConfig, TrainingPart
from facskit.objectives.identity_term import IdentityReversalConfig, IdentityTerm
from facskit.objectives.intervention_risk import (
    Granularity,
    Intervention,
    intervention_weights,
    mixed_risk,
    risk_terms,
    teacher_losses,
)
from facskit.objectives.intervention_spread import INTERVENTION_WEIGHTS, describe_intervention_weights
from facskit.objectives.known_labels import at_least_float32
from facskit.objectives.objective import StepOutput
from facskit.objectives.occurrence import OccurrenceConfig, inverse_rate_weights
from facskit.objectives.reversing import ReversingObjective

__all__ = ["CausalIntervention", "CausalInterventionConfig", "StageName", "Teachers"]

StageName = Literal["imbalanced", "balanced"]
"""One of the two networks that are trained first and then teach."""

_CHOICES = {
    "weights": ("adaptive", "inverted", "none"),
    "granularity": get_args(Granularity),
    "risks": ("both", "imbalanced", "balanced"),
    "form": ("mixed", "two-terms"),
    "reduction": ("mean", "sum"),
    "balanced_teacher": ("trained", "post-compensated"),
    "student": ("scratch", "imbalanced"),
}


@dataclass(frozen=True, kw_only=True)
class CausalInterventionConfig(StagedConfig):
    """How the third network learns from the first two; the defaults are the paper's on BP4D."""

    kind: Literal["causal-intervention"] = "causal-intervention"
    gamma: float = 1.0
    """How sharply the weights follow the teachers' losses (paper: 1 on BP4D, 2 on DISFA); 0 gives two halves."""
    weights: Literal["adaptive", "inverted", "none"] = "adaptive"
    """`inverted` exchanges the two weights; `none` makes both 1 (table 3's variants without weights)."""
    granularity: Granularity = "sample"
    """Whether an image has one pair of weights or each of its AUs has its own."""
    risks: Literal["both", "imbalanced", "balanced"] = "both"
    """Which risks are minimised; the imbalanced one alone is table 3's TE, the balanced one alone its TDE."""
    form: Literal["mixed", "two-terms"] = "mixed"
    """One cross-entropy with a mixed target, or the two risks as printed; they are equal."""
    reduction: Literal["mean", "sum"] = "mean"
    """How cross-entropies of an image's AUs are joined; `sum` is what is printed, as many times larger as AUs. Where
    labels are unknown, the known ones stand for all."""
    balanced_teacher: Literal["trained", "post-compensated"] = "trained"
    """A second network, or the imbalanced one's logits shifted by the log odds of absence, which needs no training."""
    attention: AttentionRegressionConfig = field(default_factory=lambda: AttentionRegressionConfig(weight=2.0))
    """Where all three networks should look; weight 0 for a network without attention maps."""
    identity: IdentityReversalConfig = field(default_factory=IdentityReversalConfig)
    """Reversal of identity in the third network; strength 0 is off."""
    student: Literal["scratch", "imbalanced"] = "scratch"
    """Where the third network starts: like the others, or from the trained imbalanced one."""
    stages: str = ""
    """Folder of finished stages to reuse; empty trains them within the run."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if not (self.gamma >= 0.0 and math.isfinite(self.gamma)):
            raise ValueError(f"gamma must be at least 0 and finite, got {self.gamma}")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")

    @property
    def stage_names(self) -> tuple[StageName, ...]:
        """The networks to train first."""
        return ("imbalanced", "balanced") if self.balanced_teacher == "trained" else ("imbalanced",)

    def stage(self, name: str) -> OccurrenceConfig:
        """Return what a teacher is trained with."""
        balance: Literal["none", "inverse-rate"] = "inverse-rate" if name == "balanced" else "none"
        return OccurrenceConfig(balance=balance, reduction=self.reduction, attention=self.attention)

    @property
    def starts_from(self) -> StageName | None:
        """The imbalanced network, if the third one starts from it."""
        return "imbalanced" if self.student == "imbalanced" else None

    def provenance(self) -> dict[str, Any]:
        """Return how sharply the weights followed."""
        return {"gamma": self.gamma}

    @property
    def teaches_attention(self) -> bool:
        """Whether attention has a weight."""
        return self.attention.weight > 0

    def build(self, model: FaceNetwork, part: TrainingPart) -> "CausalIntervention":
        """Join the third network with its teachers, the finished stages."""
        teachers = Teachers(imbalanced=part.stages["imbalanced"], balanced=part.stages.get("balanced"))
        return CausalIntervention(model, self, teachers, part.units, part.labels, part.subject_counts)


@dataclass(frozen=True, kw_only=True, eq=False)
class Teachers:
    """The finished networks that teach."""

    imbalanced: FaceNetwork
    """Trained on the labels as they are."""
    balanced: FaceNetwork | None = None
    """Trained with `inverse-rate` balance; None for the imbalanced one's logits, post-compensated."""

    @property
    def networks(self) -> tuple[FaceNetwork, ...]:
        """The networks there are."""
        return (self.imbalanced,) if self.balanced is None else (self.imbalanced, self.balanced)


class CausalIntervention(ReversingObjective):
    """Learn AUs without the bias of a balance: CIU's third network.

    The teachers only look: they stay in evaluation mode, get no gradient and see the crops that the network sees. They
    move with the objective, but are part neither of its parameters nor of its state, so that snapshots stay small. Any
    network may learn or teach, as long as all give the same answers; the attention loss needs an attentive one.

    Args:
        teachers: The finished networks; they are frozen in place.
        training_labels: Labels of the training fold; needed for a post-compensated teacher.
        subject_counts: Training samples of each training subject; needed when `config.identity` has a strength.

    Raises:
        ValueError: The teachers don't fit, something needed is missing, or the network has no attention that could be
            taught.

    Paper:
        Algorithm 1 and eq. 17: L = R^imba + R^ba + lambda_a L_a; what its text leaves open is in decision 0013.
    """

    def __init__(
        self,
        model: FaceNetwork,
        config: CausalInterventionConfig,
        teachers: Teachers,
        units: ActionUnitSet,
        training_labels: Int8[Tensor, "samples aus"] | None = None,
        subject_counts: Sequence[int] = (),
    ) -> None:
        super().__init__(model)
        _check_teachers(model, config, teachers)
        self.config, self.teachers = config, teachers
        for network in teachers.networks:
            network.eval().requires_grad_(False)
        self.attention = AttentionRegression(config.attention, units)
        self.attention.check(model)
        compensation = None
        if config.balanced_teacher == "post-compensated":
            if training_labels is None:
                raise ValueError("training_labels are needed when balanced_teacher is post-compensated, got none")
            compensation = inverse_rate_weights(training_labels).positive.log()
        self.compensation: Tensor | None
        self.register_buffer("compensation", compensation, persistent=False)
        strength = config.identity.strength
        self.identity = (
            IdentityTerm(config.identity, model.dim, subject_counts, model.num_outputs) if strength else None
        )

    def forward(self, batch: Batch) -> StepOutput:
        """Return the risk of the batch, the attention loss and the identity loss, as far as they have weights.

        Terms: `occurrence` (the risk), `attention` if it has a weight, `weight_imbalanced` (mean over known labels),
        `risk_imbalanced` and `risk_balanced` (also where only one is minimised), and with identity reversal those of
        `IdentityAdversarial`.
        """
        seen = self.attention.observe(self.model, batch)
        intervention = self.consult(batch)
        risk, terms = self._risk(seen.logits, batch.labels, intervention)
        loss, terms = risk + seen.loss, terms | seen.terms
        if self.identity is not None:
            identity, more = self.fight_identity(self.identity, seen.features, batch, intervention)
            loss, terms = loss + identity, terms | more
        return StepOutput(loss=loss, terms=terms)

    @torch.no_grad()
    def consult(self, batch: Batch) -> Intervention:
        """Ask the teachers about a batch as the network sees it, and weigh what they say."""
        imbalanced = at_least_float32(self.teachers.imbalanced(batch.images))
        balanced = imbalanced if self.compensation is None else imbalanced + self.compensation
        if self.teachers.balanced is not None:
            balanced = at_least_float32(self.teachers.balanced(batch.images))
        config = self.config
        losses = [teacher_losses(logits, batch.labels, config.granularity) for logits in (imbalanced, balanced)]
        weight = intervention_weights(losses[0], losses[1], config.gamma)
        match config.weights:
            case "adaptive":
                first, second = weight, 1.0 - weight
            case "inverted":
                first, second = 1.0 - weight, weight
            case "none":
                first = second = torch.ones_like(weight)
        return Intervention(imbalanced=first, balanced=second, answers=balanced.sigmoid())

    def look_back(self, batches: Iterable[Batch]) -> dict[str, dict[str, Any]]:
        """Weigh every training image once; return the distribution of the imbalanced risk's weight."""
        by_unit = self.config.granularity == "unit"
        found = []
        for batch in batches:
            weights = self.consult(batch).imbalanced.float()
            known = batch.labels != LabelState.UNKNOWN.value
            known = known if by_unit else known.any(1, keepdim=True)
            found.append(torch.where(known, weights, torch.nan).cpu().numpy())
        config = {name: getattr(self.config, name) for name in ("gamma", "weights", "granularity")}
        spread = describe_intervention_weights(np.concatenate(found), self.attention.units if by_unit else None)
        return {INTERVENTION_WEIGHTS: config | spread}

    def flops_per_image(self) -> int | None:
        """Return the operations of training on one image; a teacher only looks, which is a third of training."""
        student, *teachers = (network.flops_per_image() for network in (self.model, *self.teachers.networks))
        looks = [flops // 3 for flops in teachers if flops is not None]
        return None if student is None or len(looks) != len(teachers) else student + sum(looks)

    def own_loss(self, features: Float[Tensor, "batch dim"], batch: Batch, given: Intervention) -> Float[Tensor, ""]:
        """Return the risk, under what the teachers said of the batch."""
        return self._risk(self.model.head(features), batch.labels, given)[0]

    def _risk(
        self, logits: Tensor, labels: Tensor, intervention: Intervention
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        scale = logits.shape[1] if self.config.reduction == "sum" else 1
        imbalanced, balanced = (scale * risk for risk in risk_terms(logits, labels, intervention))
        match self.config.risks, self.config.form:
            case "imbalanced", _:
                risk = imbalanced
            case "balanced", _:
                risk = balanced
            case _, "two-terms":
                risk = imbalanced + balanced
            case _:
                risk = scale * mixed_risk(logits, labels, intervention)
        terms = {
            "occurrence": risk.detach(),
            "weight_imbalanced": intervention.mean_weight(labels),
            "risk_imbalanced": imbalanced.detach(),
            "risk_balanced": balanced.detach(),
        }
        return risk, terms

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "CausalIntervention":
        # What moves or converts a module passes here; the teachers are no submodules and would stay behind.
        for network in self.teachers.networks:
            network._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]


def _check_teachers(model: FaceNetwork, config: CausalInterventionConfig, teachers: Teachers) -> None:
    if (teachers.balanced is None) != (config.balanced_teacher == "post-compensated"):
        found = "none" if teachers.balanced is None else "a network"
        raise ValueError(f"teachers.balanced doesn't fit balanced_teacher {config.balanced_teacher}, got {found}")
    for network in teachers.networks:
        if network is model:
            raise ValueError("teachers must be other networks than the one they teach, got the same one")
        if (network.num_outputs, network.image_size) != (model.num_outputs, model.image_size):
            raise ValueError(
                f"teachers must give {model.num_outputs} answers to crops of {model.image_size} px like the network, "
                f"got one that gives {network.num_outputs} to {network.image_size} px"
            )
