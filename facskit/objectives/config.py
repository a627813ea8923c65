"""The configs of objectives: what a recipe says about a loss on labelled faces, and what it takes to build it.

The `ObjectiveConfig` of `experiments/recipe` lists them; nothing outside this room asks which of them it has.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from jaxtyping import Int8, Int64
from torch import Tensor

from facskit.action_units import NO_ACTION_UNITS, ActionUnitSet
from facskit.datasets.face_dataset import Preparation
from facskit.datasets.samples import Batch
from facskit.models.answers import PRESENCE_ALONE, Answers
from facskit.models.layers import FaceNetwork
from facskit.objectives.objective import Objective

__all__ = ["FaceObjectiveConfig", "StagedConfig", "TrainingPart"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingPart:
    """What an objective may know of the faces before it trains: those of the fold's training part, and no others."""

    units: ActionUnitSet = NO_ACTION_UNITS
    """The network's action units."""
    labels: Int8[Tensor, "samples aus"]
    """Their labels, `LabelState` values."""
    expressions: Int64[Tensor, "samples"] | None = None
    """Places of the expressions shown, -1 for unknown; None where none are learned."""
    subjects: Int64[Tensor, "samples"] | None = None
    """Whose they are, as the batches count people: -1 for somebody whom the batches don't know."""
    subject_counts: Sequence[int] = ()
    """Images of each person, in the order of the batches' subject indices."""
    stages: Mapping[str, FaceNetwork] = field(default_factory=dict)
    """The finished networks of the stages before, by name; only a `StagedConfig` has some."""


class FaceObjectiveConfig(ABC):
    """What a recipe says about a loss on labelled faces; a frozen dataclass with a `kind` derives from it."""

    kind: str
    learns: ClassVar[Literal["action_units", "expressions"]] = "action_units"
    """Which labels it needs; the network has an output for each."""
    unlabelled: ClassVar[Literal["never", "maybe", "always"]] = "never"
    """Whether it learns from faces without labels, too."""

    @property
    def answers(self) -> Answers:
        """What else the network must answer."""
        return PRESENCE_ALONE

    @property
    def teaches_attention(self) -> bool:
        """Whether a network with attention maps is told where to look; else its maps mean nothing."""
        return False

    @property
    def teachers(self) -> Mapping[str, str]:
        """Finished weights that teach the network, by the field that names them: as `find_weights` takes them."""
        return {}

    def views(self, given: Preparation, *, labelled: bool) -> Mapping[str, Preparation]:
        """Return how else each training face must be prepared, by name, for `Batch.views`.

        Args:
            given: How the network sees it.
            labelled: Whether it's about the labelled faces, or about those without labels.
        """
        return {}

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The networks to train first, in this order; only a `StagedConfig` has some."""
        return ()

    @abstractmethod
    def build(self, model: FaceNetwork, part: TrainingPart) -> Objective[Batch]:
        """Join the network with the loss.

        Raises:
            ValueError: The network or the training part lacks something that the loss needs.
        """


class StagedConfig(FaceObjectiveConfig):
    """An objective whose network learns from others, which are trained before it on the same faces.

    Each stage is a run of its own, which `experiments/intervention/stages` trains or finds finished. The networks come
    down in `TrainingPart.stages`.
    """

    stages: str
    """Folder of finished stages to reuse; empty trains them within the run."""

    @property
    @abstractmethod
    def stage_names(self) -> tuple[str, ...]:
        """The networks to train first, in this order."""

    @abstractmethod
    def stage(self, name: str) -> FaceObjectiveConfig:
        """Return what a network of `stage_names` is trained with."""

    @property
    def starts_from(self) -> str | None:
        """The stage whose weights the last network starts from; None for a start like that of the others."""
        return None

    def provenance(self) -> dict[str, Any]:
        """Return what the last network's weight file says about how it learned, beside who taught it."""
        return {}
