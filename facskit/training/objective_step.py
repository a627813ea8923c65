"""An objective in the form Fabric can wrap and divide among processes."""

from typing import Generic

from torch import Tensor, nn

from facskit.objectives.objective import BatchT, Objective

__all__ = ["ObjectiveStep", "SealedBatch"]


class SealedBatch(Generic[BatchT]):
    """Carries a batch past Fabric, which looks for tensors inside arguments and can't copy frozen values."""

    def __init__(self, batch: BatchT) -> None:
        self.batch = batch


class ObjectiveStep(nn.Module, Generic[BatchT]):
    """Calls an objective and returns plain tensors."""

    def __init__(self, objective: Objective[BatchT]) -> None:
        super().__init__()
        self.objective = objective

    def forward(self, sealed: SealedBatch[BatchT]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss to minimise, and everything to log, detached."""
        output = self.objective(sealed.batch)
        terms = {name: term.detach() for name, term in output.terms.items()}
        return output.loss, {"loss": output.loss.detach(), **terms}
