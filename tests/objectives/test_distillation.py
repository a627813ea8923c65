"""Distillation: the loss against a loop, who teaches what, and what stays untouched."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facskit.action_units import ActionUnitSet
from facskit.datasets.augmentation import AugmentationConfig
from facskit.datasets.face_dataset import Preparation
from facskit.datasets.samples import Batch
from facskit.faces.alignment import EyeSimilarityCrop, WholeImage
from facskit.models.build import build_model
from facskit.models.checkpoints import CheckpointInfo, save_checkpoint
from facskit.models.compact_network import CompactConfig
from facskit.models.layers import FaceNetwork
from facskit.models.vision_transformer import ViTConfig
from facskit.objectives.config import TrainingPart
from facskit.objectives.distillation import Distillation, DistillationConfig, Teacher, distillation_loss
from facskit.objectives.occurrence import Occurrence, OccurrenceConfig
from facskit.objectives.several_answers import SeveralAnswersConfig

STUDENT = CompactConfig(image_size=16, widths=(8, 8), depths=(1, 1), places=2, place_dim=2, dropout=0.0)
VIT = ViTConfig(image_size=24, patch_size=8, dim=16, depth=1, heads=2, drop_path=0.0)
PLAIN = DistillationConfig()
OURS, THEIRS = ActionUnitSet.parse("1 4 12"), ActionUnitSet.parse("12 6 1")


def _student() -> FaceNetwork:
    torch.manual_seed(1)
    model = build_model(STUDENT, len(OURS))
    with torch.no_grad():
        model.head.weight.mul_(40.0)  # type: ignore[operator]
    return model


def _teacher() -> Teacher:
    torch.manual_seed(2)
    return Teacher(network=build_model(VIT, len(THEIRS)), units=THEIRS)


def _objective(config: DistillationConfig = PLAIN) -> Distillation:
    labelled = Occurrence(_student(), OccurrenceConfig())
    return Distillation(labelled, config, _teacher(), OURS)


def _batch(count: int = 3, labels: Sequence[Sequence[int]] = ((1, 0, -1), (-1, -1, -1), (0, 1, 1))) -> Batch:
    torch.manual_seed(3)
    return Batch(
        images=torch.randn(count, 3, 16, 16),
        labels=torch.tensor(labels, dtype=torch.int8),
        subjects=torch.zeros(count, dtype=torch.int64),
        indices=torch.arange(count),
        action_units=OURS,
        views={"teacher": torch.randn(count, 3, 24, 24)},
    )


def _divergence(student: float, teacher: float) -> float:
    """Return the Kullback-Leibler divergence of two answers, given as logits."""
    own, taught = (1 / (1 + math.exp(-logit)) for logit in (student, teacher))
    return taught * math.log(taught / own) + (1 - taught) * math.log((1 - taught) / (1 - own))


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_loss_equals_a_loop(temperature: float) -> None:
    torch.manual_seed(0)
    logits, taught = torch.randn(4, 3) * 3, torch.randn(4, 3) * 3
    total = 0.0
    for face in range(4):
        for unit in range(3):
            total += _divergence(float(logits[face, unit]) / temperature, float(taught[face, unit]) / temperature)

    loss = distillation_loss(logits, taught, temperature)

    assert float(loss) == pytest.approx(temperature**2 * total / 12, rel=1e-5)
    assert float(distillation_loss(taught, taught, temperature)) == 0.0


def test_the_loss_has_the_right_gradient_and_is_stable() -> None:
    torch.manual_seed(0)
    taught = torch.randn(3, 2, dtype=torch.float64)
    logits = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda given: distillation_loss(given, taught, 2.0), (logits,))
    extreme = torch.tensor([[100.0, -100.0]], requires_grad=True)
    loss = distillation_loss(extreme, torch.tensor([[-100.0, 100.0]]), 1.0)
    torch.autograd.backward(loss)
    assert float(loss.detach()) == pytest.approx(100.0)
    assert torch.allclose(extreme.grad, torch.tensor([[0.5, -0.5]]))  # type: ignore[arg-type]


def test_labels_count_where_they_are_known_and_the_teacher_everywhere() -> None:
    config = DistillationConfig(weight=0.7, label_weight=0.3, temperature=2.0)
    objective, batch = _objective(config).eval(), _batch()
    logits = objective.model(batch.images)
    taught = objective.teacher.network(batch.views["teacher"])
    soft, hard, known = 0.0, 0.0, 0
    for face in range(3):
        for ours, theirs in ((0, 2), (2, 0)):  # AU01 and AU12; only the network knows AU04, only the teacher AU06
            soft += 4 * _divergence(float(logits[face, ours]) / 2, float(taught[face, theirs]) / 2)
        for unit in range(3):
            label, logit = int(batch.labels[face, unit]), float(logits[face, unit])
            if label >= 0:
                hard += math.log1p(math.exp(-logit if label else logit))
                known += 1

    told = objective(batch)

    assert float(told.loss) == pytest.approx(0.3 * hard / known + 0.7 * soft / 6, rel=1e-5)
    assert float(told.terms["distillation"]) == pytest.approx(soft / 6, rel=1e-5)
    assert set(told.terms) == {"occurrence", "distillation"}


def test_without_any_label_the_teacher_alone_teaches() -> None:
    objective = _objective()
    batch = _batch(labels=[[-1, -1, -1]] * 3)
    told = objective(batch)
    torch.autograd.backward(told.loss)
    assert float(told.loss) == float(told.terms["distillation"]) > 0
    head = objective.model.head.weight.grad
    assert isinstance(head, torch.Tensor)
    assert head[[0, 2]].abs().sum() > 0
    assert head[1].abs().sum() == 0  # AU04, which the teacher doesn't know


def test_unlabelled_faces_are_asked_about_too() -> None:
    objective = _objective().eval()
    first, second = _batch(), replace(_batch(), images=torch.randn(3, 3, 16, 16))
    both = objective(replace(first, unlabelled=second)).terms["distillation"]
    alone = objective(first).terms["distillation"]
    beside = objective(second).terms["distillation"]
    assert float(both) == pytest.approx(float(alone + beside) / 2, rel=1e-5)


def test_the_teacher_is_frozen_moves_along_and_is_no_part_of_the_state() -> None:
    objective = _objective()
    before = {name: value.clone() for name, value in objective.teacher.network.state_dict().items()}
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)
    objective.train()
    torch.autograd.backward(objective(_batch()).loss)
    optimizer.step()
    assert not objective.teacher.network.training
    for name, value in objective.teacher.network.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in objective.teacher.network.parameters())
    tensors = {name for name, value in objective.state_dict().items() if isinstance(value, torch.Tensor)}
    assert not any("teacher" in name for name in tensors)
    assert all(parameter.grad is not None for parameter in objective.parameters())
    objective.double()
    assert objective.teacher.network.head.weight.dtype == torch.float64


def test_a_teacher_may_compute_less_exactly() -> None:
    batch = _batch()
    exact, rough = (_objective(DistillationConfig(teacher_precision=each)).ask(batch) for each in ("32", "bf16"))
    assert exact.dtype == torch.float32
    assert rough.dtype == torch.bfloat16
    assert torch.allclose(exact, rough.float(), atol=0.05)


def test_teachers_that_cannot_teach_are_refused() -> None:
    labelled = Occurrence(_student(), OccurrenceConfig())
    same = Teacher(network=labelled.model, units=OURS)
    with pytest.raises(ValueError, match="another network"):
        Distillation(labelled, DistillationConfig(), same, OURS)
    with pytest.raises(ValueError, match=r"knows none of AU25.*AU12"):
        Distillation(labelled, DistillationConfig(), _teacher(), ActionUnitSet.parse("25"))
    with pytest.raises(ValueError, match=r"label_weight must be above 0.*AU04"):
        _objective(DistillationConfig(label_weight=0.0))
    with pytest.raises(ValueError, match=r"temperature must be above 0.*-1"):
        DistillationConfig(temperature=-1.0)
    with pytest.raises(ValueError, match=r"weight must be at least 0.*-1"):
        DistillationConfig(weight=-1.0)


def test_weights_on_disk_teach_and_say_what_they_want_to_see(tmp_path: Path) -> None:
    teacher = _teacher()
    crop = EyeSimilarityCrop(size=24)
    info = CheckpointInfo(
        model=VIT, action_units=THEIRS, crop=crop, normalization="imagenet", thresholds=(0.5,) * 3, licence="MIT"
    )
    save_checkpoint(tmp_path / "weights.safetensors", teacher.network, info)
    config = DistillationConfig(teacher=str(tmp_path), labels=SeveralAnswersConfig())
    assert config.answers.intensities
    assert config.answers.geometry
    assert config.teachers == {"teacher": str(tmp_path)}
    given = Preparation(recipe=WholeImage(size=16), augmentation=AugmentationConfig(rotation=5.0), seed=4)
    assert config.views(given, labelled=True) == {"teacher": replace(given, recipe=crop, normalization="imagenet")}
    plain = replace(config, teacher_sees="plain").views(given, labelled=False)["teacher"]
    assert plain.augmentation == AugmentationConfig()
    assert config.views(replace(given, recipe=crop, normalization="imagenet"), labelled=True) == {}
    part = TrainingPart(units=OURS, labels=torch.zeros(4, 3, dtype=torch.int8))
    objective = config.build(build_model(STUDENT, len(OURS), config.answers), part)
    assert torch.equal(objective.teacher.network.head.weight, teacher.network.head.weight)  # type: ignore[arg-type]
    assert set(objective(_batch()).terms) == {"occurrence", "levels", "landmarks", "angles", "distillation"}
