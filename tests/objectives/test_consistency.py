"""Consistency: pseudo-labels and their loss against loops, limits, the teacher's average, and unknown labels."""

import math
from dataclasses import replace
from typing import Literal

import pytest
import torch

from facskit.action_units import NO_ACTION_UNITS, ActionUnitSet
from facskit.datasets.face_dataset import Preparation
from facskit.datasets.samples import Batch
from facskit.models.build import build_model
from facskit.models.compact_network import CompactConfig
from facskit.objectives.config import TrainingPart
from facskit.objectives.consistency import Consistency, ConsistencyConfig, confident_answers, consistency_loss
from facskit.objectives.identity_adversarial import IdentityAdversarialConfig
from facskit.objectives.occurrence import Occurrence, OccurrenceConfig

TINY = CompactConfig(image_size=16, widths=(8, 8), depths=(1, 1), places=2, place_dim=2, dropout=0.0)
UNITS = ActionUnitSet.parse("1 4 12")
AT_ONCE = ConsistencyConfig(warm_up=0.0, present_from=0.55, absent_to=0.45)


def _objective(config: ConsistencyConfig = AT_ONCE) -> Consistency:
    torch.manual_seed(1)
    model = build_model(TINY, 3)
    with torch.no_grad():
        model.head.weight.mul_(16.0)  # type: ignore[operator]
    return Consistency(Occurrence(model, OccurrenceConfig()), config)


def _batch() -> Batch:
    torch.manual_seed(2)
    unlabelled = Batch(
        images=torch.randn(5, 3, 16, 16),
        labels=torch.zeros(5, 0, dtype=torch.int8),
        subjects=torch.full((5,), -1),
        indices=torch.arange(5),
        action_units=NO_ACTION_UNITS,
        views={"strong": torch.randn(5, 3, 16, 16)},
    )
    return Batch(
        images=torch.randn(3, 3, 16, 16),
        labels=torch.tensor([[1, 0, -1], [0, 0, 1], [-1, 1, 0]], dtype=torch.int8),
        subjects=torch.zeros(3, dtype=torch.int64),
        indices=torch.arange(3),
        action_units=UNITS,
        unlabelled=unlabelled,
    )


def _cross_entropy(logit: float, target: float) -> float:
    probability = 1 / (1 + math.exp(-logit))
    return -target * math.log(probability) - (1 - target) * math.log(1 - probability)


def test_answers_are_sure_on_both_sides_unit_by_unit() -> None:
    probabilities = torch.tensor([[0.95, 0.7, 0.5], [0.85, 0.3, 0.5], [0.02, 0.31, 0.51]])
    told = confident_answers(probabilities, torch.tensor([0.9, 0.6, 0.2]), torch.tensor([0.1, 0.3, 0.9]))
    assert told.present.tolist() == [[True, True, True], [False, False, True], [False, False, True]]
    assert told.absent.tolist() == [[False, False, False], [False, True, False], [True, False, False]]
    assert not (told.present & told.absent).any()


@pytest.mark.parametrize("targets", ["hard", "soft"])
def test_the_loss_of_a_step_equals_a_loop(targets: Literal["hard", "soft"]) -> None:
    config = replace(AT_ONCE, targets=targets, weight=0.5, label_weight=2.0)
    objective, batch = _objective(config).eval(), _batch()
    assert batch.unlabelled is not None
    told = objective.teacher(batch.unlabelled.images).sigmoid()
    logits = objective.model(batch.unlabelled.views["strong"])
    total, sure, present = 0.0, 0, 0
    for face in range(5):
        for unit in range(3):
            answer = float(told[face, unit])
            if 0.45 < answer < 0.55:
                continue
            target = answer if targets == "soft" else float(answer > 0.5)
            total += _cross_entropy(float(logits[face, unit]), target)
            sure, present = sure + 1, present + (answer > 0.5)
    assert 0 < sure < 15

    found = objective(batch)

    labelled = objective.labelled(batch).loss
    assert float(found.loss) == pytest.approx(2 * float(labelled) + 0.5 * total / 15, rel=1e-5)
    assert float(found.terms["consistency"]) == pytest.approx(total / 15, rel=1e-5)
    assert float(found.terms["sure_answers"]) == pytest.approx(sure / 15)
    assert float(found.terms["sure_present"]) == pytest.approx(present / sure)


def test_what_is_not_sure_changes_neither_value_nor_gradient() -> None:
    logits = torch.tensor([[0.3, torch.inf], [torch.nan, -100.0]], requires_grad=True)
    sure = torch.tensor([[True, False], [False, True]])
    loss = consistency_loss(logits, torch.tensor([[1.0, 0.0], [1.0, 0.0]]), sure)
    torch.autograd.backward(loss)
    assert float(loss) == pytest.approx(_cross_entropy(0.3, 1.0) / 4)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad[0, 1] == logits.grad[1, 0] == 0
    nothing = consistency_loss(logits, torch.ones(2, 2), torch.zeros(2, 2, dtype=torch.bool))
    assert float(nothing) == 0


def test_the_loss_has_the_right_gradient() -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    targets, sure = torch.rand(3, 2, dtype=torch.float64), torch.rand(3, 2) > 0.4
    assert torch.autograd.gradcheck(lambda given: consistency_loss(given, targets, sure), (logits,))


def test_only_the_network_learns_and_its_teacher_follows() -> None:
    objective = _objective(replace(AT_ONCE, teacher_decay=0.9))
    objective.train()
    assert not any(module.training for module in objective.teacher.modules())
    optimizer = torch.optim.SGD([each for each in objective.parameters() if each.requires_grad], lr=0.1)
    expected = {name: value.clone() for name, value in objective.teacher.state_dict().items()}
    assert expected
    for step in range(3):
        decay = min(0.9, (1 + step) / (10 + step))
        for name, value in objective.model.state_dict().items():
            moved = decay * expected[name] + (1 - decay) * value if value.is_floating_point() else value.clone()
            expected[name] = moved
        optimizer.zero_grad()
        torch.autograd.backward(objective(_batch()).loss)
        optimizer.step()
        for name, value in objective.teacher.state_dict().items():
            assert torch.allclose(value, expected[name], atol=1e-6), name
    assert all(parameter.grad is None for parameter in objective.teacher.parameters())
    assert all(parameter.grad is not None for parameter in objective.model.parameters())
    objective.eval()(_batch())
    assert objective.updates == 3


def test_a_network_without_an_average_teaches_itself() -> None:
    objective = _objective(replace(AT_ONCE, teacher_decay=0.0)).train()
    with torch.no_grad():
        objective.model.head.weight.add_(1.0)  # type: ignore[operator]
    objective(_batch())
    assert torch.equal(objective.teacher.head.weight, objective.model.head.weight)  # type: ignore[arg-type]


def test_the_state_holds_the_teacher() -> None:
    first, second = (_objective(replace(AT_ONCE, adaptive=True)).train() for _ in range(2))
    first(_batch())
    second.load_state_dict(first.state_dict())
    assert second.updates == 1
    assert torch.equal(second.mean_presence, first.mean_presence)
    for name, value in first.teacher.state_dict().items():
        assert torch.equal(second.teacher.state_dict()[name], value)


def test_the_weight_grows_over_the_warm_up() -> None:
    objective = _objective(replace(AT_ONCE, warm_up=0.2)).eval()
    found = []
    for progress in (0.0, 0.1, 0.2, 1.0):
        objective.progress = progress
        found.append(float(objective(_batch()).loss - objective.labelled(_batch()).loss))
    assert found[0] == 0
    assert found[1] == pytest.approx(found[2] / 2, rel=1e-4)
    assert found[2] == found[3] > 0


def test_adaptive_limits_follow_each_unit() -> None:
    objective = _objective(ConsistencyConfig(adaptive=True, present_from=0.95, absent_to=0.05))
    objective.mean_presence = torch.tensor([0.1, 0.5, 0.8])
    objective.mean_certainty = torch.tensor([0.9, 0.99, 0.8])
    present, absent = objective.limits()
    for unit, (presence, certainty) in enumerate(((0.1, 0.9), (0.5, 0.99), (0.8, 0.8))):
        commoner = max(presence, 1 - presence)
        assert float(present[unit]) == pytest.approx(min(certainty * presence / commoner, 0.95))
        assert float(absent[unit]) == pytest.approx(max(1 - certainty * (1 - presence) / commoner, 0.05))
    fixed = _objective(ConsistencyConfig(present_from=0.8, absent_to=0.3)).limits()
    assert [limit.tolist() for limit in fixed] == [pytest.approx([0.8] * 3), pytest.approx([0.3] * 3)]


def test_identity_can_be_fought_beside() -> None:
    config = ConsistencyConfig(labels=IdentityAdversarialConfig(strength=2.0, head_rate=3.0))
    part = TrainingPart(units=UNITS, labels=torch.zeros(2, 3, dtype=torch.int8), subject_counts=[1, 1])
    objective = config.build(build_model(TINY, 3), part)
    assert isinstance(objective, Consistency)
    objective.progress = 0.5
    assert "reversal_strength" in objective(_batch()).terms
    assert objective.labelled.progress == 0.5
    named = dict(objective.named_parameters())
    assert objective.rate_factors() == {name: 3.0 for name in named if name.startswith("labelled.identity.")}


def test_the_strong_look_is_drawn_apart_and_only_of_unlabelled_faces() -> None:
    given = Preparation(seed=7)
    assert ConsistencyConfig().views(given, labelled=True) == {}
    strong = ConsistencyConfig().views(given, labelled=False)["strong"]
    assert strong.augmentation == ConsistencyConfig().strong
    assert strong.seed != given.seed


@pytest.mark.parametrize(
    ("field", "value"),
    [("present_from", 0.4), ("absent_to", 0.6), ("teacher_decay", 1.0), ("warm_up", 1.5), ("weight", -1.0)],
)
def test_values_out_of_range_are_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{field} must be .*{value:g}"):
        ConsistencyConfig(**{field: value})  # type: ignore[arg-type]
