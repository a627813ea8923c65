"""Several answers at once, from faces that know them all: presence, intensity, landmarks, head pose and gaze."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float, Int8, Int64
from torch import Tensor
from torch.nn import functional

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import Batch
from facskit.models.answer_heads import Geometry
from facskit.models.answers import PRESENCE_LEVEL, Answers
from facskit.models.layers import FaceNetwork
from facskit.objectives.config import FaceObjectiveConfig, TrainingPart
from facskit.objectives.known_labels import known_mean, known_scores
from facskit.objectives.objective import Objective, StepOutput
from facskit.objectives.occurrence import OccurrenceConfig, OccurrenceTerm

__all__ = ["SeveralAnswers", "SeveralAnswersConfig", "angle_loss", "landmark_loss", "level_loss"]


@dataclass(frozen=True, kw_only=True)
class SeveralAnswersConfig(FaceObjectiveConfig):
    """How much each answer counts; our choice, no paper."""

    kind: Literal["several-answers"] = "several-answers"
    occurrence: OccurrenceConfig = field(default_factory=OccurrenceConfig)
    """How presence is learned; it counts 1."""
    level_weight: float = 0.5
    """Factor on the loss of the levels other than the one that presence means."""
    landmark_weight: float = 0.01
    """Factor on the loss of the landmarks."""
    angle_weight: float = 0.2
    """Factor on the loss of head pose and gaze."""

    def __post_init__(self) -> None:
        """Refuse factors below 0."""
        for name in ("level_weight", "landmark_weight", "angle_weight"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")

    @property
    def answers(self) -> Answers:
        """Intensities and geometry."""
        return Answers(intensities=True, geometry=True)

    @property
    def teaches_attention(self) -> bool:
        """Whether the action units' objective does."""
        return self.occurrence.teaches_attention

    def build(self, model: FaceNetwork, part: TrainingPart) -> "SeveralAnswers":
        """Join the network with the losses."""
        return SeveralAnswers(model, self, part.labels, part.units, part.subjects)


def level_loss(logits: Float[Tensor, "batch aus levels"], levels: Int8[Tensor, "batch aus"]) -> Float[Tensor, ""]:
    """Cross-entropy of being at least at each level but the one that presence means, over the known levels.

    Args:
        logits: Of being at least at level 1, 2 and so on, as `IntensityScale` returns them.
        levels: 0 for absent, 1 to 5, or -1 for unknown, which changes neither value nor gradient.
    """
    others = torch.tensor([level for level in range(1, logits.shape[2] + 1) if level != PRESENCE_LEVEL])
    others = others.to(logits.device)
    known = (levels >= 0)[..., None].expand(-1, -1, len(others))
    scores = known_scores(logits[..., others - 1], known)
    reached = (levels[..., None] >= others).to(scores.dtype)
    cells = functional.binary_cross_entropy_with_logits(scores, reached, reduction="none")
    return known_mean(cells, known)


def landmark_loss(found: Geometry, points: Float[Tensor, "batch 68 2"], side: int) -> Float[Tensor, ""]:
    """Negative logarithm of the probability density of the points, whose errors are Gaussian; NaN is unknown.

    Each point's term is weighted by its own deviation, held constant: points that are hard to place would otherwise
    hardly be learned (Seitzer et al., 2022, with beta = 0.5).

    Args:
        points: The true landmarks in pixels of the crop.
        side: Side of the crop in pixels; errors are measured in percent of it.
    """
    known = ~points.isnan().any(-1)
    percent = 100 / side
    deviations = found.deviations * percent
    errors = (found.points - torch.where(known[..., None], points, 0.0)) * percent
    squares = torch.where(known[..., None], errors, 0.0).square().sum(-1)
    densities = 2 * deviations.log() + squares / (2 * deviations.square())
    return known_mean(densities * deviations.detach(), known)


def angle_loss(found: Float[Tensor, "batch angles"], angles: Float[Tensor, "batch angles"]) -> Float[Tensor, ""]:
    """Mean distance in units of ten degrees, quadratic below two degrees, over the known angles; NaN is unknown."""
    known = ~angles.isnan()
    wanted = torch.where(known, angles, 0.0)
    cells = functional.smooth_l1_loss(torch.where(known, found, 0.0) / 10, wanted / 10, beta=0.2, reduction="none")
    return known_mean(cells, known)


class SeveralAnswers(Objective[Batch]):
    """Learn everything that a batch knows about its faces.

    Args and errors are those of `OccurrenceTerm`; a network that doesn't give the answers is refused too.
    """

    model: FaceNetwork

    def __init__(
        self,
        model: FaceNetwork,
        config: SeveralAnswersConfig,
        training_labels: Int8[Tensor, "samples aus"] | None = None,
        units: ActionUnitSet | None = None,
        training_subjects: Int64[Tensor, "samples"] | None = None,
    ) -> None:
        super().__init__(model)
        if model.intensity_scale is None or model.geometry is None:
            raise ValueError("the network must answer intensities and geometry, and this one was built without")
        self.config = config
        self.occurrence = OccurrenceTerm(config.occurrence, units, training_labels, training_subjects)
        self.occurrence.attention.check(model)

    def forward(self, batch: Batch) -> StepOutput:
        """Return the weighted sum of all losses.

        Terms: `occurrence`, `levels`, `landmarks`, `angles`, and `attention` if it has a weight.
        """
        config, model = self.config, self.model
        assert model.intensity_scale is not None  # the constructor has seen them
        assert model.geometry is not None
        seen = self.occurrence.observe(model, batch)
        occurrence = self.occurrence(seen.logits, batch.labels, batch.subjects)
        levels = level_loss(model.intensity_scale(seen.logits), batch.levels)
        geometry = model.geometry(seen.features)
        landmarks = landmark_loss(geometry, batch.landmarks, model.image_size)
        angles = angle_loss(geometry.angles, batch.angles)
        loss = occurrence + config.level_weight * levels
        loss = loss + config.landmark_weight * landmarks + config.angle_weight * angles
        terms = {"occurrence": occurrence, "levels": levels, "landmarks": landmarks, "angles": angles}
        detached = {name: term.detach() for name, term in terms.items()}
        return StepOutput(loss=loss + seen.loss, terms=detached | seen.terms, logits=seen.logits)
