"""Consistency: learn from faces without labels by giving a changed face the answer that its plain look gets.

An average of the network's own past weights (mean teacher, Tarvainen and Valpola, 2017) answers a face that is hardly
changed; where it is sure, its answer is the pseudo-label of the same face changed strongly (FixMatch, Sohn et al.,
2020). Action units are judged one by one, and an answer may be sure on both sides: present or absent.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from facskit.datasets.augmentation import AugmentationConfig
from facskit.datasets.face_dataset import Preparation
from facskit.datasets.samples import Batch
from facskit.models.averaging import average_decay, move_average
from facskit.models.layers import FaceNetwork
from facskit.objectives.beside_labels import BesideLabels, BesideLabelsConfig
from facskit.objectives.config import TrainingPart
from facskit.objectives.known_labels import at_least_float32
from facskit.objectives.objective import Objective, StepOutput

__all__ = ["Confidence", "Consistency", "ConsistencyConfig", "confident_answers", "consistency_loss"]

_STRONG = "strong"
"""Name of the view of a strongly changed face."""
_OTHER_CHANGES = 1 << 32
"""Added to the seed of the strong view, so that its changes are drawn apart."""


def _strong_changes() -> AugmentationConfig:
    return AugmentationConfig(
        flip_chance=0.5,
        rotation=15.0,
        scale=(0.8, 1.25),
        stretch=0.1,
        shift=0.08,
        brightness=0.25,
        contrast=0.6,
        gamma=0.5,
        colour_gain=0.3,
        grey_chance=0.3,
        shade_chance=0.4,
        blur_chance=0.2,
        shrink_chance=0.2,
        noise_chance=0.3,
        erase_chance=0.5,
        erase_count=2,
    )


@dataclass(frozen=True, kw_only=True)
class ConsistencyConfig(BesideLabelsConfig):
    """How unlabelled faces teach; `weight` is the factor on their loss. The defaults are our choice."""

    unlabelled: ClassVar[Literal["never", "maybe", "always"]] = "always"
    kind: Literal["consistency"] = "consistency"
    strong: AugmentationConfig = field(default_factory=_strong_changes)
    """Changes of the unlabelled faces that the network learns from; those it is told about have data.augmentation."""
    targets: Literal["hard", "soft"] = "hard"
    """Pseudo-labels (FixMatch), or the teacher's probabilities (mean teacher)."""
    present_from: float = 0.9
    """Probability from which an action unit counts as present, from 0.5."""
    absent_to: float = 0.1
    """Probability up to which it counts as absent, up to 0.5; 0.5 on both sides takes every answer."""
    adaptive: bool = False
    """Lower both limits where an action unit is rarely answered surely, and more on its rarer side (FreeMatch)."""
    teacher_decay: float = 0.999
    """Share of the teacher's old weights that a step keeps, in the long run; 0 lets the network teach itself."""
    warm_up: float = 0.1
    """Share of the training over which the unlabelled faces' loss grows to its weight; 0 has it at once."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        super().__post_init__()
        if not 0.5 <= self.present_from <= 1.0:
            raise ValueError(f"present_from must be from 0.5 to 1, got {self.present_from}")
        if not 0.0 <= self.absent_to <= 0.5:
            raise ValueError(f"absent_to must be from 0 to 0.5, got {self.absent_to}")
        if not 0.0 <= self.teacher_decay < 1.0:
            raise ValueError(f"teacher_decay must be at least 0 and below 1, got {self.teacher_decay}")
        if not 0.0 <= self.warm_up <= 1.0:
            raise ValueError(f"warm_up must be from 0 to 1, got {self.warm_up}")

    def views(self, given: Preparation, *, labelled: bool) -> Mapping[str, Preparation]:
        """Return how the strongly changed faces are prepared."""
        return {} if labelled else {_STRONG: replace(given, augmentation=self.strong, seed=given.seed + _OTHER_CHANGES)}

    def build(self, model: FaceNetwork, part: TrainingPart) -> "Consistency":
        """Join the network with the labels' objective and its own average."""
        return Consistency(self.labels.build(model, part), self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Confidence:
    """Which answers about unlabelled faces are believed."""

    present: Bool[Tensor, "batch aus"]
    """Where an action unit counts as present."""
    absent: Bool[Tensor, "batch aus"]
    """Where it counts as absent."""

    @property
    def sure(self) -> Bool[Tensor, "batch aus"]:
        """Where either is true."""
        return self.present | self.absent


def confident_answers(
    probabilities: Float[Tensor, "batch aus"],
    present_from: Float[Tensor, "aus"],
    absent_to: Float[Tensor, "aus"],
) -> Confidence:
    """Tell which answers are sure: an AU's probability is at least its upper limit, or at most its lower one.

    Args:
        present_from: Each action unit's upper limit; never taken as below 0.5.
        absent_to: Its lower limit; never taken as above 0.5. An answer of exactly 0.5 counts as present.
    """
    present = probabilities >= present_from.clamp(min=0.5)
    return Confidence(present=present, absent=(probabilities <= absent_to.clamp(max=0.5)) & ~present)


def consistency_loss(
    logits: Float[Tensor, "batch aus"], targets: Float[Tensor, "batch aus"], sure: Bool[Tensor, "batch aus"]
) -> Float[Tensor, ""]:
    """Cross-entropy against targets, where they are sure, divided by the number of all cells.

    So the loss is small while few answers are sure. An answer that isn't changes neither value nor gradient.

    Paper:
        FixMatch eq. 4, l_u = 1 / (mu B) sum 1(max q >= tau) H(q^, p), with a binary cross-entropy for each AU.
    """
    scores = torch.where(sure, at_least_float32(logits), 0.0)
    cells = functional.binary_cross_entropy_with_logits(scores, targets, reduction="none")
    return torch.where(sure, cells, 0.0).mean()


class Consistency(BesideLabels):
    """Learn from labels where there are some, and from the network's own sure answers where there are none.

    The teacher, an average of the network's weights, moves at each step before it is asked. It is part of the state, so
    that a run goes on exactly, but of no optimiser.

    Args:
        labelled: The objective on the labels, whose network is trained.
    """

    def __init__(self, labelled: Objective[Batch], config: ConsistencyConfig) -> None:
        super().__init__(labelled, config)
        self.config = config
        self.teacher = copy.deepcopy(self.model).requires_grad_(False)
        self.updates = 0
        aus = self.model.num_outputs
        self.strength: Tensor
        self.mean_presence: Tensor
        self.mean_certainty: Tensor
        self.register_buffer("strength", torch.zeros(()), persistent=False)
        # FreeMatch's running means, which begin undecided.
        self.register_buffer("mean_presence", torch.full((aus,), 0.5))
        self.register_buffer("mean_certainty", torch.full((aus,), 0.5))
        self.on_progress()

    def train(self, mode: bool = True) -> "Consistency":
        """Set the mode of the network; its teacher always answers as it would in use."""
        super().train(mode)
        self.teacher.eval()
        return self

    def on_progress(self) -> None:
        """Let the loss of unlabelled faces grow."""
        super().on_progress()
        warm_up = self.config.warm_up
        self.strength.fill_(min(self.progress / warm_up, 1.0) if warm_up else 1.0)

    def forward(self, batch: Batch) -> StepOutput:
        """Return the weighted sum of both losses; while training, the teacher follows first."""
        if self.training:
            self.follow()
        return super().forward(batch)

    def beside(self, batch: Batch, learned: StepOutput) -> StepOutput:
        """Return the loss of the unlabelled faces.

        Terms: `consistency`; `sure_answers`, the share of the teacher's answers that is sure; `sure_present`, the share
        of those that says present.
        """
        assert batch.unlabelled is not None  # the recipe has seen to it
        told = self.ask(batch.unlabelled)
        present_from, absent_to = self.limits()
        believed = confident_answers(told, present_from, absent_to)
        targets = believed.present.to(told.dtype) if self.config.targets == "hard" else told
        logits = self.model(batch.unlabelled.views[_STRONG])
        loss = consistency_loss(logits, targets, believed.sure)
        sure = believed.sure.sum().float()
        terms = {
            "consistency": loss.detach(),
            "sure_answers": sure / believed.sure.numel(),
            "sure_present": believed.present.sum() / sure.clamp(min=1),
        }
        return StepOutput(loss=self.strength * loss, terms=terms)

    @torch.no_grad()
    def ask(self, faces: Batch) -> Float[Tensor, "batch aus"]:
        """Return the teacher's probabilities for hardly changed faces; note how sure it is if limits depend on it."""
        told = at_least_float32(self.teacher(faces.images)).sigmoid()
        if self.config.adaptive and self.training:
            share = 1.0 - average_decay(self.config.teacher_decay, self.updates)
            self.mean_presence.lerp_(told.mean(0), share)
            self.mean_certainty.lerp_(torch.maximum(told, 1.0 - told).mean(0), share)
        return told

    def limits(self) -> tuple[Float[Tensor, "aus"], Float[Tensor, "aus"]]:
        """Return from which probability each action unit counts as present, and up to which as absent.

        Paper:
            FreeMatch (Wang et al., ICLR 2023), self-adaptive thresholds, with the two sides of each action unit as its
            classes: tau(c) = p~(c) / max p~ * tau~, here never stricter than the configured limits.
        """
        config = self.config
        if not self.config.adaptive:
            ones = torch.ones_like(self.mean_presence)
            return config.present_from * ones, config.absent_to * ones
        absence = 1.0 - self.mean_presence
        commoner = torch.maximum(self.mean_presence, absence)
        present = self.mean_certainty * self.mean_presence / commoner
        absent = self.mean_certainty * absence / commoner
        return present.clamp(max=config.present_from), (1.0 - absent).clamp(min=config.absent_to)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def follow(self) -> None:
        """Move the teacher towards the network's present weights."""
        decay = average_decay(self.config.teacher_decay, self.updates)
        move_average(self.teacher.state_dict(), self.model.state_dict(), decay)
        self.updates += 1

    def get_extra_state(self) -> dict[str, Any]:
        """Return how often the teacher has moved, for a snapshot."""
        return {"updates": self.updates}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over what `get_extra_state` returned."""
        self.updates = state["updates"]

    def flops_per_image(self) -> int | None:
        """Return None: how many unlabelled faces come with a labelled one isn't known here."""
        return None
