"""The seam between papers and the training loop: an objective turns a batch into a loss."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facskit.models.layers import Network

__all__ = ["BatchT", "Objective", "StepOutput", "TrainingBatch"]


_Batch = TypeVar("_Batch", bound="TrainingBatch")


@runtime_checkable
class TrainingBatch(Protocol):
    """Training samples of whatever kind: all that the training loop knows of them."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def to(self: _Batch, device: torch.device | str) -> _Batch:
        """Return the samples on another device."""


BatchT = TypeVar("BatchT", bound=TrainingBatch)
"""The kind of batch an objective learns from."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StepOutput:
    """What one step of an objective yields."""

    loss: Float[Tensor, ""]
    """The number to minimise; the loop calls `backward` on it."""
    terms: dict[str, Tensor] = field(default_factory=dict)
    """Detached scalars to log, by name; the same names at every step."""
    logits: Float[Tensor, "batch aus"] | None = None
    """The network's answers to the batch, where somebody may want to learn more from them."""


class Objective(nn.Module, ABC, Generic[BatchT]):
    """A model together with the loss that trains it.

    The loop knows nothing else: it sets `progress`, calls the objective on a batch and steps on `loss`. Only `model` is
    saved as a weight file and shipped; whatever else an objective learns, such as a subject head, stays behind.
    """

    model: Network
    """The network to train."""

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model
        self._progress = 0.0

    @property
    def progress(self) -> float:
        """Share of the training done, from 0 to 1; the loop sets it before each step."""
        return self._progress

    @progress.setter
    def progress(self, share: float) -> None:
        self._progress = share
        self.on_progress()

    def on_progress(self) -> None:
        """Follow `progress`, which has just been set: change buffers that `forward` reads.

        `forward` itself must not read `progress`: a compiled step would be compiled again for each new number.
        """

    @abstractmethod
    def forward(self, batch: BatchT) -> StepOutput:
        """Return the loss of a batch of training samples; an objective never sees a test fold."""

    def look_back(self, batches: Iterable[BatchT]) -> dict[str, dict[str, Any]]:
        """Describe what it made of the training samples once it is trained, to be kept beside the weights.

        Args:
            batches: Every training sample once, without random changes, on the objective's device; whoever has nothing
                to say doesn't touch them, and nothing is loaded.

        Returns:
            Name of a JSON file, without its ending -> its content; nothing by default.
        """
        return {}

    def rate_factors(self) -> dict[str, float]:
        """Return factors on the learning rate of what is learned beside the model, by parameter name; 1 if left out."""
        return {}

    def flops_per_image(self) -> int | None:
        """Return the floating-point operations of training on one image, or None where nobody counted them."""
        return self.model.flops_per_image()
