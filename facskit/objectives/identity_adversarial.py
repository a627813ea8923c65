"""Identity adversarial training (FMAE-IAT): learn AUs with features from which the person can't be told.

A subject head tries to name the training subject from the features. Between features and head sits a gradient reversal:
the head learns to recognise people, the network learns to make that impossible.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import Batch
from facskit.models.layers import FaceNetwork
from facskit.objectives.feature_force import feature_force
from facskit.objectives.identity_term import IdentityReversalConfig, IdentityTerm, SubjectHead
from facskit.objectives.objective import Objective, StepOutput
from facskit.objectives.occurrence import OccurrenceConfig, OccurrenceTerm

__all__ = ["IdentityAdversarial", "IdentityAdversarialConfig"]


@dataclass(frozen=True, kw_only=True)
class IdentityAdversarialConfig(IdentityReversalConfig):
    """How AUs are learned while identity is fought; the defaults are those of the released code on BP4D."""

    kind: Literal["identity-adversarial"] = "identity-adversarial"
    occurrence: OccurrenceConfig = field(default_factory=OccurrenceConfig)
    """How the AUs are learned."""
    strength: float = 2.0
    """Factor on the reversed gradient (paper: lambda; 2 on BP4D, 1 on BP4D+, 0.5 on DISFA)."""


class IdentityAdversarial(Objective[Batch]):
    """Learn AUs while unlearning identity (FMAE-IAT).

    The subject head belongs to the objective, so it is never shipped. The loss is the sum of both, unweighted;
    `strength` acts on the network alone, through the reversal.

    Args:
        subject_counts: Training samples of each training subject, in the order of the batch's subject indices.
        training_labels: Labels of the training fold; needed when `config.occurrence.balance` is not `none`.
        units: The network's action units; needed when `config.occurrence.attention` has a weight.

    Raises:
        ValueError: There are fewer than two subjects, something needed is missing, or the network has no attention that
            could be taught.

    Paper:
        L = L_AU(head(f)) + L_ID(subject_head(R(f))). The released code counts all subjects of the corpus; here only
        those of the training fold (decision 0003).
    """

    model: FaceNetwork

    def __init__(
        self,
        model: FaceNetwork,
        config: IdentityAdversarialConfig,
        subject_counts: Sequence[int],
        training_labels: Int8[Tensor, "samples aus"] | None = None,
        units: ActionUnitSet | None = None,
    ) -> None:
        super().__init__(model)
        self.config = config
        self.occurrence = OccurrenceTerm(config.occurrence, units, training_labels)
        self.occurrence.attention.check(model)
        self.identity = IdentityTerm(config, model.dim, subject_counts)

    @property
    def subject_head(self) -> SubjectHead:
        """What names the training subject from the features."""
        return self.identity.subject_head

    def on_progress(self) -> None:
        """Set the strength of the reversal."""
        self.identity.follow(self.progress)

    def rate_factors(self) -> dict[str, float]:
        """Return the factor on the subject head's learning rate."""
        return self.identity.rate_factors("identity")

    def forward(self, batch: Batch) -> StepOutput:
        """Return the sum of occurrence and identity loss, and of the attention loss if it has a weight.

        Terms: `occurrence`, `attention` if it has a weight, those of `IdentityTerm`, and how hard the two losses pull
        at the features: `gradient_occurrence` and `gradient_identity`, the latter reversed (see `feature_force`).
        """
        seen = self.occurrence.observe(self.model, batch)
        occurrence = self.occurrence(seen.logits, batch.labels)
        identity, terms = self.identity(seen.features, batch.subjects)
        return StepOutput(
            loss=occurrence + identity + seen.loss,
            terms={"occurrence": occurrence.detach(), **seen.terms, **terms, **self._forces(seen.features, batch)},
            logits=seen.logits.detach(),
        )

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _forces(self, features: Float[Tensor, "batch dim"], batch: Batch) -> dict[str, Tensor]:
        def occurrence(leaf: Tensor) -> Tensor:
            loss: Tensor = self.occurrence(self.model.head(leaf), batch.labels)
            return loss

        return {
            "gradient_occurrence": feature_force(occurrence, features),
            "gradient_identity": self.identity.force(features, batch.subjects),
        }
