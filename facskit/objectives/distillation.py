"""Distillation: learn a finished network's answers beside the labels (Hinton et al., 2015), for several labels a face.

The teacher may be of another architecture, see other crops and know other action units; it teaches what both know.
"""

import hashlib
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from facskit.action_units import ActionUnitSet
from facskit.datasets.augmentation import AugmentationConfig
from facskit.datasets.face_dataset import Preparation
from facskit.datasets.samples import Batch
from facskit.errors import CheckpointError
from facskit.models.checkpoints import CheckpointInfo, load_checkpoint, read_weight_info
from facskit.models.layers import FaceNetwork
from facskit.models.weight_files import find_weights
from facskit.objectives.beside_labels import BesideLabels, BesideLabelsConfig
from facskit.objectives.config import TrainingPart
from facskit.objectives.known_labels import at_least_float32
from facskit.objectives.objective import Objective, StepOutput

__all__ = ["Distillation", "DistillationConfig", "Teacher", "distillation_loss"]

_TEACHER = "teacher"
"""Name of the view that is prepared as the teacher wants it."""


@dataclass(frozen=True, kw_only=True)
class DistillationConfig(BesideLabelsConfig):
    """Who teaches, and how; `weight` is the factor on the teacher's loss, `label_weight` 0 learns from it alone."""

    unlabelled: ClassVar[Literal["never", "maybe", "always"]] = "maybe"
    kind: Literal["distillation"] = "distillation"
    teacher: str = "packaged"
    """The weights that teach: a run's folder, a weight file, or a name."""
    temperature: float = 2.0
    """Divides the logits of both: above 1, the teacher's doubts count more. The loss is multiplied by its square, so
    that the gradient keeps its size."""
    teacher_sees: Literal["same", "plain"] = "same"
    """Whether the teacher sees a face with the network's own random changes, or without any."""
    teacher_precision: Literal["same", "32", "bf16"] = "same"
    """How exactly the teacher computes: like the network in training, or in another precision."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        super().__post_init__()
        if not (self.temperature > 0.0 and math.isfinite(self.temperature)):
            raise ValueError(f"temperature must be above 0 and finite, got {self.temperature}")

    @property
    def teachers(self) -> Mapping[str, str]:
        """The one teacher."""
        return {_TEACHER: self.teacher}

    def views(self, given: Preparation, *, labelled: bool) -> Mapping[str, Preparation]:
        """Return how the teacher sees a face, unless it sees the network's own crops."""
        info = _recogniser(self.teacher)
        changes = AugmentationConfig() if self.teacher_sees == "plain" else given.augmentation
        wanted = replace(given, recipe=info.crop, normalization=info.normalization, augmentation=changes)
        return {} if wanted == given else {_TEACHER: wanted}

    def build(self, model: FaceNetwork, part: TrainingPart) -> "Distillation":
        """Join the network with the labels' objective and the teacher."""
        path = find_weights(self.teacher)
        network, info = load_checkpoint(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        teacher = Teacher(network=network, units=info.action_units, digest=digest)
        return Distillation(self.labels.build(model, part), self, teacher, part.units)


@dataclass(frozen=True, kw_only=True, eq=False)
class Teacher:
    """A finished network that teaches."""

    network: FaceNetwork
    """The network; it is frozen in place."""
    units: ActionUnitSet
    """What its first outputs mean."""
    digest: str = ""
    """Tells it from other networks when a run goes on."""


def distillation_loss(
    logits: Float[Tensor, "faces aus"], taught: Float[Tensor, "faces aus"], temperature: float
) -> Float[Tensor, ""]:
    """How far answers are from a teacher's: the Kullback-Leibler divergence of each AU's two answers, averaged.

    Args:
        logits: The network's.
        taught: The teacher's, of the same action units.
        temperature: Divides both.

    Returns:
        The mean over faces and AUs times the temperature's square, at least in float32; 0 where both agree.

    Paper:
        Hinton, Vinyals, Dean, "Distilling the knowledge in a neural network" (2015), section 2, with one binary
        softmax for each action unit.
    """
    student, teacher = at_least_float32(logits) / temperature, at_least_float32(taught) / temperature
    answers = teacher.sigmoid()
    # A teacher's entropy is its cross-entropy with itself, which stays exact where its answers are near 0 or 1.
    crossed = functional.binary_cross_entropy_with_logits(student, answers)
    return (crossed - functional.binary_cross_entropy_with_logits(teacher, answers)) * temperature**2


class Distillation(BesideLabels):
    """Learn from labels where they are known, and from a teacher's answers to every face, unlabelled ones included.

    The teacher only looks: it stays in evaluation mode, gets no gradient, and is part neither of the parameters nor of
    the state. Action units that it doesn't know are learned from labels alone; those that only it knows are left out.

    Args:
        labelled: The objective on the labels, whose network is trained.
        units: The network's action units.

    Raises:
        ValueError: The teacher is the network itself or shares no action unit with it, or without labels some unit
            would never be learned.
    """

    def __init__(
        self, labelled: Objective[Batch], config: DistillationConfig, teacher: Teacher, units: ActionUnitSet
    ) -> None:
        super().__init__(labelled, config)
        if teacher.network is self.model:
            raise ValueError("the teacher must be another network than the one it teaches, got the same one")
        shared = [unit for unit in units if unit in teacher.units]
        if not shared:
            raise ValueError(f"the teacher {config.teacher} knows none of {units}, it knows {teacher.units}")
        alone = [unit.code for unit in units if unit not in shared]
        if alone and not config.label_weight:
            raise ValueError(
                f"label_weight must be above 0, because the teacher {config.teacher} doesn't know {', '.join(alone)}"
            )
        self.config, self.teacher = config, teacher
        teacher.network.eval().requires_grad_(False)
        self.own: Tensor
        self.theirs: Tensor
        self.register_buffer("own", torch.tensor([units.index(unit) for unit in shared]), persistent=False)
        self.register_buffer("theirs", torch.tensor([teacher.units.index(unit) for unit in shared]), persistent=False)

    def beside(self, batch: Batch, learned: StepOutput) -> StepOutput:
        """Return the distance from the teacher's answers; a term `distillation`."""
        assert learned.logits is not None
        logits, taught = [learned.logits], [self.ask(batch)]
        if batch.unlabelled is not None:
            logits.append(self.model(batch.unlabelled.images))
            taught.append(self.ask(batch.unlabelled))
        answers = torch.cat(logits)[:, self.own]
        loss = distillation_loss(answers, torch.cat(taught), self.config.temperature)
        return StepOutput(loss=loss, terms={"distillation": loss.detach()})

    def ask(self, batch: Batch) -> Float[Tensor, "batch shared"]:
        """Return the teacher's logits of the action units that both know."""
        images = batch.views.get(_TEACHER, batch.images)
        with torch.inference_mode(), self._precision(images.device.type):
            logits = self.teacher.network(images)[:, self.theirs]
        # Autograd refuses to keep what inference mode made, so a copy leaves it.
        return logits.clone()

    def get_extra_state(self) -> dict[str, str]:
        """Return who teaches, for a snapshot."""
        return {"teacher": self.teacher.digest}

    def set_extra_state(self, state: dict[str, str]) -> None:
        """Refuse to go on with another teacher, by a CheckpointError."""
        if state["teacher"] != self.teacher.digest:
            raise CheckpointError(
                f"{self.config.teacher}: the run was begun with another teacher; go back to its weights, or name "
                "another folder to train anew"
            )

    def flops_per_image(self) -> int | None:
        """Return the operations of training on one image; a teacher only looks, which is a third of training."""
        student, teacher = (network.flops_per_image() for network in (self.model, self.teacher.network))
        return None if student is None or teacher is None else student + teacher // 3

    def _precision(self, device: str) -> AbstractContextManager[Any]:
        match self.config.teacher_precision:
            case "same":
                return nullcontext()
            case "32":
                return torch.autocast(device, enabled=False)
            case "bf16":
                return torch.autocast(device, torch.bfloat16)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Distillation":
        # What moves or converts a module passes here; the teacher is no submodule and would stay behind.
        self.teacher.network._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]


def _recogniser(weights: str) -> CheckpointInfo:
    """Read what a teacher says of itself."""
    path = find_weights(weights)
    info = read_weight_info(path)
    if not isinstance(info, CheckpointInfo):
        raise CheckpointError(f"{path} can't teach: it holds a pre-trained autoencoder, which has no answers")
    return info
