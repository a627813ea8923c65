"""The base of objectives that learn from more than labels: an objective on the labels, and a further loss beside it."""

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Annotated

from facskit.configurations import BY_KIND
from facskit.datasets.samples import Batch
from facskit.models.answers import Answers
from facskit.models.layers import FaceNetwork
from facskit.objectives.config import FaceObjectiveConfig
from facskit.objectives.identity_adversarial import IdentityAdversarialConfig
from facskit.objectives.objective import Objective, StepOutput
from facskit.objectives.occurrence import OccurrenceConfig
from facskit.objectives.several_answers import SeveralAnswersConfig

__all__ = ["BesideLabels", "BesideLabelsConfig", "LabelledConfig"]

LabelledConfig = OccurrenceConfig | SeveralAnswersConfig | IdentityAdversarialConfig
"""How labels are learned while something else is learned beside them."""


@dataclass(frozen=True, kw_only=True)
class BesideLabelsConfig(FaceObjectiveConfig):
    """How labels are learned, and how much both losses count."""

    labels: Annotated[LabelledConfig, BY_KIND] = field(default_factory=OccurrenceConfig)
    """How labels are learned, where they are known."""
    label_weight: float = 1.0
    """Factor on the labels' loss."""
    weight: float = 1.0
    """Factor on the loss beside it."""

    def __post_init__(self) -> None:
        """Refuse factors out of range."""
        for name in ("label_weight", "weight"):
            value = getattr(self, name)
            if not (value >= 0.0 and math.isfinite(value)):
                raise ValueError(f"{name} must be at least 0 and finite, got {value}")

    @property
    def teaches_attention(self) -> bool:
        """Whether the labels' objective does."""
        return self.labels.teaches_attention

    @property
    def answers(self) -> Answers:
        """What the labels' objective wants answered."""
        return self.labels.answers


class BesideLabels(Objective[Batch]):
    """Adds a loss to that of an objective on the labels.

    Args:
        labelled: The objective on the labels, whose network is trained.
    """

    model: FaceNetwork
    labelled: Objective[Batch]

    def __init__(self, labelled: Objective[Batch], config: BesideLabelsConfig) -> None:
        assert isinstance(labelled.model, FaceNetwork)
        super().__init__(labelled.model)
        self.labelled, self.factors = labelled, (config.label_weight, config.weight)

    def forward(self, batch: Batch) -> StepOutput:
        """Return the weighted sum of both losses.

        Terms: those of the labels' objective, and those of `beside`.
        """
        learned = self.labelled(batch)
        beside = self.beside(batch, learned)
        label_weight, weight = self.factors
        return StepOutput(
            loss=label_weight * learned.loss + weight * beside.loss,
            terms=learned.terms | beside.terms,
            logits=learned.logits,
        )

    @abstractmethod
    def beside(self, batch: Batch, learned: StepOutput) -> StepOutput:
        """Return the further loss without its factor, and what to log of it.

        Args:
            learned: What the labels' objective made of the batch, with its logits.
        """

    def on_progress(self) -> None:
        """Let the labels' objective follow too."""
        self.labelled.progress = self.progress

    def rate_factors(self) -> dict[str, float]:
        """Return the factors of the labels' objective, by their names here."""
        return {f"labelled.{name}": factor for name, factor in self.labelled.rate_factors().items()}
