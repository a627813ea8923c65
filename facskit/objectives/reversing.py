"""The base of objectives that may fight identity: a loss of their own, and a subject head whose gradient is reversed.

An objective takes part by giving its config an `IdentityReversalConfig`, building the `IdentityTerm`, telling its
`own_loss`, and adding what `fight_identity` returns to it.
"""

from abc import abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from facskit.datasets.samples import Batch
from facskit.models.layers import FaceNetwork
from facskit.objectives.feature_force import feature_force
from facskit.objectives.identity_term import IdentityTerm
from facskit.objectives.objective import Objective

__all__ = ["ReversingObjective"]


class ReversingObjective(Objective[Batch]):
    """An objective with a subject head, which belongs to the objective and so is never shipped."""

    model: FaceNetwork
    identity: IdentityTerm | None
    """The subject head; None for an objective that leaves identity alone."""

    def on_progress(self) -> None:
        """Set the strength of the reversal, if identity is fought."""
        if self.identity is not None:
            self.identity.follow(self.progress)

    def rate_factors(self) -> dict[str, float]:
        """Return the factor on the subject head's learning rate, if there is one."""
        return {} if self.identity is None else self.identity.rate_factors("identity")

    @abstractmethod
    def own_loss(self, features: Float[Tensor, "batch dim"], batch: Batch, given: Any) -> Float[Tensor, ""]:  # noqa: ANN401 - each its own
        """Return the loss that identity competes with.

        Args:
            given: What `forward` passed to `fight_identity`.
        """

    def fight_identity(
        self,
        identity: IdentityTerm,
        features: Float[Tensor, "batch dim"],
        batch: Batch,
        given: Any = None,  # noqa: ANN401 - each its own
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return the identity loss, and what to log of it.

        Terms: those of `IdentityTerm`, and how hard the two losses pull at the features: `gradient_occurrence` and
        `gradient_identity`, the latter reversed (see `feature_force`).

        Args:
            given: What `own_loss` needs beside features and batch.
        """
        loss, terms = identity(features, batch.subjects, batch.labels)
        return loss, {**terms, **self._forces(identity, features, batch, given)}

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _forces(
        self,
        identity: IdentityTerm,
        features: Tensor,
        batch: Batch,
        given: Any,  # noqa: ANN401 - each its own
    ) -> dict[str, Tensor]:
        return {
            "gradient_occurrence": feature_force(lambda leaf: self.own_loss(leaf, batch, given), features),
            "gradient_identity": identity.force(features, batch.subjects, batch.labels),
        }
