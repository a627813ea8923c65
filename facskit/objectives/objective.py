"""The seam between papers and the training loop: an objective turns a batch into a loss."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor, nn

from facskit.datasets.samples import Batch
from facskit.models.layers import FaceNetwork

__all__ = ["Objective", "StepOutput"]


@dataclass(frozen=True, kw_only=True, eq=False)
class StepOutput:
    """What one step of an objective yields."""

    loss: Float[Tensor, ""]
    """The number to minimise; the loop calls `backward` on it."""
    terms: dict[str, Tensor] = field(default_factory=dict)
    """Detached scalars to log, by name; the same names at every step."""
    logits: Float[Tensor, "batch aus"] | None = None
    """The model's detached answers, for training metrics."""


class Objective(nn.Module, ABC):
    """A model together with the loss that trains it.

    The loop knows nothing else: it sets `progress`, calls the objective on a batch and steps on `loss`. Only `model` is
    saved as a weight file and shipped; whatever else an objective learns, such as a subject head, stays behind.

    Args:
        model: The network to train.
    """

    def __init__(self, model: FaceNetwork) -> None:
        super().__init__()
        self.model = model
        self.progress = 0.0
        """Share of the training done, from 0 to 1; the loop sets it before each step."""

    @abstractmethod
    def forward(self, batch: Batch) -> StepOutput:
        """Return the loss of a batch of training samples.

        Args:
            batch: Training samples; an objective never sees a test fold.
        """
