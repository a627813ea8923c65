"""An objective in the form Fabric can wrap and divide among processes."""

from torch import Tensor, nn

from facskit.datasets.samples import Batch
from facskit.objectives.objective import Objective

__all__ = ["ObjectiveStep", "SealedBatch"]


class SealedBatch:
    """Carries a batch past Fabric, which looks for tensors inside arguments and can't copy frozen values.

    Args:
        batch: What the objective will see.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


class ObjectiveStep(nn.Module):
    """Calls an objective and returns plain tensors.

    Args:
        objective: Model and loss.
    """

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.objective = objective

    def forward(self, sealed: SealedBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss to minimise, and everything to log, detached.

        Args:
            sealed: The batch.
        """
        output = self.objective(sealed.batch)
        terms = {name: term.detach() for name, term in output.terms.items()}
        return output.loss, {"loss": output.loss.detach(), **terms}
