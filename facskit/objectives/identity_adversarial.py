"""Identity adversarial training (FMAE-IAT): learn AUs with features from which the person can't be told.

A subject head tries to name the training subject from the features. Between features and head sits a gradient reversal:
the head learns to recognise people, the network learns to make that impossible.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from jaxtyping import Float, Int8, Int64
from torch import Tensor

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import Batch
from facskit.models.layers import FaceNetwork
from facskit.objectives.config import FaceObjectiveConfig, TrainingPart
from facskit.objectives.identity_term import IdentityReversalConfig, IdentityTerm
from facskit.objectives.objective import StepOutput
from facskit.objectives.occurrence import OccurrenceConfig, OccurrenceTerm
from facskit.objectives.reversing import ReversingObjective

__all__ = ["IdentityAdversarial", "IdentityAdversarialConfig"]


@dataclass(frozen=True, kw_only=True)
class IdentityAdversarialConfig(IdentityReversalConfig, FaceObjectiveConfig):
    """How AUs are learned while identity is fought; the defaults are those of the released code on BP4D."""

    kind: Literal["identity-adversarial"] = "identity-adversarial"
    occurrence: OccurrenceConfig = field(default_factory=OccurrenceConfig)
    """How the AUs are learned."""
    strength: float = 2.0
    """Factor on the reversed gradient (paper: lambda; 2 on BP4D, 1 on BP4D+, 0.5 on DISFA)."""

    @property
    def teaches_attention(self) -> bool:
        """Whether the action units' objective does."""
        return self.occurrence.teaches_attention

    def build(self, model: FaceNetwork, part: TrainingPart) -> "IdentityAdversarial":
        """Join the network with both losses."""
        return IdentityAdversarial(model, self, part.subject_counts, part.labels, part.units, part.subjects)


class IdentityAdversarial(ReversingObjective):
    """Learn AUs while unlearning identity (FMAE-IAT).

    The loss is the sum of both, unweighted; `strength` acts on the network alone, through the reversal.

    Args:
        subject_counts: Training samples of each training subject, in the order of the batch's subject indices.
        training_labels: As for `OccurrenceTerm`, like units and subjects.

    Raises:
        ValueError: There are fewer than two subjects, something needed is missing, or the network has no attention that
            could be taught.

    Paper:
        L = L_AU(head(f)) + L_ID(subject_head(R(f))). The released code counts all subjects of the corpus; here only
        those of the training fold (decision 0003).
    """

    identity: IdentityTerm

    def __init__(
        self,
        model: FaceNetwork,
        config: IdentityAdversarialConfig,
        subject_counts: Sequence[int],
        training_labels: Int8[Tensor, "samples aus"] | None = None,
        units: ActionUnitSet | None = None,
        training_subjects: Int64[Tensor, "samples"] | None = None,
    ) -> None:
        super().__init__(model)
        self.config = config
        self.occurrence = OccurrenceTerm(config.occurrence, units, training_labels, training_subjects)
        self.occurrence.attention.check(model)
        self.identity = IdentityTerm(config, model.dim, subject_counts, model.num_outputs)

    def forward(self, batch: Batch) -> StepOutput:
        """Return the sum of occurrence and identity loss, and of the attention loss if it has a weight.

        Terms: `occurrence`, `attention` if it has a weight, and those of `fight_identity`.
        """
        seen = self.occurrence.observe(self.model, batch)
        occurrence = self.occurrence(seen.logits, batch.labels, batch.subjects)
        identity, terms = self.fight_identity(self.identity, seen.features, batch)
        return StepOutput(
            loss=occurrence + identity + seen.loss,
            terms={"occurrence": occurrence.detach(), **seen.terms, **terms},
            logits=seen.logits,
        )

    def own_loss(self, features: Float[Tensor, "batch dim"], batch: Batch, given: None) -> Float[Tensor, ""]:
        """Return the occurrence loss."""
        loss: Tensor = self.occurrence(self.model.head(features), batch.labels, batch.subjects)
        return loss
