"""The adversary of identity: a subject head behind a gradient reversal, and how hard it pulls at the features.

The head learns to recognise people; the network in front of the reversal learns to make that impossible.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int8, Int64
from torch import Tensor, nn
from torch.nn import functional

from facskit.datasets.samples import LabelState
from facskit.objectives.feature_force import feature_force
from facskit.objectives.known_labels import accuracy, known_mean, known_scores

__all__ = [
    "IdentityLoss",
    "IdentityReversalConfig",
    "IdentityTerm",
    "SubjectHead",
    "constant_predictor_loss",
    "identity_loss",
    "reversal_strength",
    "reverse_gradient",
]

IdentityLoss = Literal["bce_one_hot", "softmax"]
"""Binary cross-entropy on the one-hot subject, mean over batch and subjects (released code), or softmax (the text)."""


@dataclass(frozen=True, kw_only=True)
class IdentityReversalConfig:
    """How identity is fought; apart from the strength, the defaults are those of the released code."""

    strength: float = 0.0
    """Factor on the reversed gradient (paper: lambda; 2 on BP4D, 1 on BP4D+, 0.5 on DISFA)."""
    loss: IdentityLoss = "bce_one_hot"
    """The subject head's loss; softmax gradients are about as many times larger as there are subjects."""
    head_depth: Literal[1, 2, 3] = 1
    """Linear layers of the subject head: D-K, D-D/2-K or D-D/2-D/4-K."""
    head_rate: float = 1.0
    """Learning rate of the subject head as a multiple of the network's top rate (released code: 1); a head that keeps
    up with the features finds the identity that is left in them. Above 0."""
    schedule: Literal["constant", "warm-up", "dann"] = "constant"
    """How the strength grows: at once (paper), linearly, or by the curve of domain-adversarial training."""
    warm_up: float = 0.1
    """Share of the training over which `warm-up` reaches the full strength; in (0, 1]."""
    dann_gamma: float = 10.0
    """Steepness of the `dann` curve; above 0."""
    given_labels: bool = False
    """Whether the subject head sees the labels beside the features, so that only identity beyond what the labels say is
    fought (our choice). Where people differ in what they usually show, features that tell the labels tell something
    about the person too, and a head without labels asks the network to forget both."""
    stop_gradient: bool = False
    """A control experiment: the subject head learns, the network is left alone."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if not (self.strength >= 0.0 and math.isfinite(self.strength)):
            raise ValueError(f"strength must be at least 0 and finite, got {self.strength}")
        if self.loss not in {"bce_one_hot", "softmax"}:
            raise ValueError(f"loss must be bce_one_hot or softmax, got {self.loss!r}")
        if self.head_depth not in {1, 2, 3}:
            raise ValueError(f"head_depth must be 1, 2 or 3, got {self.head_depth}")
        if not (self.head_rate > 0.0 and math.isfinite(self.head_rate)):
            raise ValueError(f"head_rate must be above 0 and finite, got {self.head_rate}")
        if self.schedule not in {"constant", "warm-up", "dann"}:
            raise ValueError(f"schedule must be constant, warm-up or dann, got {self.schedule!r}")
        if not 0.0 < self.warm_up <= 1.0:
            raise ValueError(f"warm_up must be in (0, 1], got {self.warm_up}")
        if not self.dann_gamma > 0.0:
            raise ValueError(f"dann_gamma must be above 0, got {self.dann_gamma}")


class _ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, strength: float | Tensor) -> Tensor:  # noqa: ANN401 - torch gives it no public type
        ctx.strength = strength
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - torch gives it no public type
        return gradients[0] * -ctx.strength, None


def reverse_gradient(features: Float[Tensor, "*shape"], strength: float | Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
    """Return the features unchanged, with a gradient that points the other way.

    Paper:
        R(x) = x, dR/dx = -lambda I (FMAE-IAT, after domain-adversarial training).
    """
    reversed_: Tensor = _ReverseGradient.apply(features, strength)  # type: ignore[no-untyped-call]
    return reversed_


def reversal_strength(config: IdentityReversalConfig, progress: float) -> float:
    """Return the strength when a share of the training is done, from 0 to 1.

    Paper:
        FMAE-IAT keeps it constant. `dann` is lambda (2 / (1 + exp(-gamma p)) - 1) of domain-adversarial training.
    """
    if not 0.0 <= progress <= 1.0:
        raise ValueError(f"progress must be in [0, 1], got {progress}")
    match config.schedule:
        case "constant":
            return config.strength
        case "warm-up":
            return config.strength * min(progress / config.warm_up, 1.0)
        case "dann":
            return config.strength * math.tanh(config.dann_gamma * progress / 2.0)  # the same curve, never overflowing


class SubjectHead(nn.Sequential):
    """Names the training subject from the features: `depth` linear layers, GELU between them, each half as wide."""

    def __init__(self, dim: int, num_subjects: int, depth: int) -> None:
        layers: list[nn.Module] = []
        width = dim
        for _ in range(depth - 1):
            layers += [nn.Linear(width, width // 2), nn.GELU()]
            width //= 2
        super().__init__(*layers, nn.Linear(width, num_subjects))


def identity_loss(
    logits: Float[Tensor, "batch subjects"], subjects: Int64[Tensor, "batch"], kind: IdentityLoss
) -> Float[Tensor, ""]:
    """How badly the subject head names the subjects.

    Args:
        subjects: Index of each sample's subject; -1 is ignored, in value and gradient.

    Returns:
        The mean over the samples with a known subject; zero with a zero gradient if there is none.

    Paper:
        The text reads as softmax cross-entropy; the released code takes BCE-with-logits on the one-hot subject,
        averaged over batch and subjects. See `docs/decisions/0003-identity-loss-reading.md`.
    """
    known = subjects >= 0
    scores = known_scores(logits, known.unsqueeze(1))
    names = subjects.clamp(min=0)
    match kind:
        case "bce_one_hot":
            every = torch.arange(scores.shape[1], device=scores.device)
            targets = (names.unsqueeze(1) == every).to(scores.dtype)
            losses = functional.binary_cross_entropy_with_logits(scores, targets, reduction="none").mean(1)
        case "softmax":
            losses = functional.cross_entropy(scores, names, reduction="none")
    return known_mean(losses, known)


def constant_predictor_loss(counts: Sequence[int], kind: IdentityLoss) -> float:
    """Return the identity loss of the best predictor that ignores the image.

    A subject head above this floor has been beaten by a constant; one below it still sees identity.

    Returns:
        The entropy of the subjects' shares: binary entropies averaged over the subjects, or the joint one.
    """
    total = sum(counts)
    if total <= 0:
        raise ValueError(f"counts must name at least one sample, got {list(counts)}")
    shares = [count / total for count in counts]
    present = sum(-share * math.log(share) for share in shares if share > 0)
    if kind == "softmax":
        return present
    absent = sum(-(1 - share) * math.log1p(-share) for share in shares if share < 1)
    return (present + absent) / len(shares)


class IdentityTerm(nn.Module):
    """A subject head that learns to name people from features, while whatever made the features unlearns it.

    The head is built without drawing on the global random numbers, so that a training with it and one without it drop
    the same activations.

    Args:
        subject_counts: Training samples of each training subject, in the order of the batch's subject indices.
        units: Number of action units whose labels the head sees when `config.given_labels`.

    Raises:
        ValueError: There are fewer than two subjects.
    """

    def __init__(self, config: IdentityReversalConfig, dim: int, subject_counts: Sequence[int], units: int) -> None:
        super().__init__()
        if len(subject_counts) < 2:
            raise ValueError(f"identity adversarial training needs at least two subjects, got {len(subject_counts)}")
        self.config = config
        with torch.random.fork_rng(devices=[]):
            seen = dim + 2 * units if config.given_labels else dim
            self.subject_head = SubjectHead(seen, len(subject_counts), config.head_depth)
        self._floor = constant_predictor_loss(subject_counts, config.loss)
        self.strength: Tensor
        self.register_buffer("strength", torch.zeros(()), persistent=False)
        self.follow(0.0)

    def follow(self, progress: float) -> None:
        """Set the strength of the reversal; `progress` is the share of the training done, from 0 to 1."""
        self.strength.fill_(reversal_strength(self.config, progress))

    def rate_factors(self, name: str) -> dict[str, float]:
        """Return the factor on the learning rate of each parameter of the objective's term of that name."""
        return {f"{name}.{parameter}": self.config.head_rate for parameter, _ in self.named_parameters()}

    def forward(
        self,
        features: Float[Tensor, "batch dim"],
        subjects: Int64[Tensor, "batch"],
        labels: Int8[Tensor, "batch aus"],
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return the identity loss, and what to log of it.

        Terms: `identity`, `identity_accuracy` (of the samples with a known subject; 0 if there is none),
        `identity_constant` (what a constant predictor would get) and `reversal_strength`.
        """
        seen = features.detach() if self.config.stop_gradient else reverse_gradient(features, self.strength)
        logits = self._name(seen, labels)
        loss = identity_loss(logits, subjects, self.config.loss)
        terms = {
            "identity": loss.detach(),
            "identity_accuracy": accuracy(logits, subjects),
            "identity_constant": loss.new_full((), self._floor),
            "reversal_strength": self.strength.clone(),
        }
        return loss, terms

    def force(
        self,
        features: Float[Tensor, "batch dim"],
        subjects: Int64[Tensor, "batch"],
        labels: Int8[Tensor, "batch aus"],
    ) -> Float[Tensor, ""]:
        """Measure how hard the reversed identity loss pulls at the features; see `feature_force`.

        Returns:
            The force of the plain loss times the strength; 0 behind a stop-gradient, where none reaches the network.
        """
        if self.config.stop_gradient:
            return torch.zeros_like(self.strength)
        plain = feature_force(
            lambda leaf: identity_loss(self._name(leaf, labels), subjects, self.config.loss), features
        )
        return plain * self.strength

    def _name(self, features: Tensor, labels: Int8[Tensor, "batch aus"]) -> Float[Tensor, "batch subjects"]:
        """Let the subject head look: at the features, and at what is known of the labels if it may."""
        if self.config.given_labels:
            states = [labels == LabelState.ABSENT.value, labels == LabelState.PRESENT.value]
            features = torch.cat([features, *(state.to(features.dtype) for state in states)], dim=1)
        scores: Tensor = self.subject_head(features)
        return scores
