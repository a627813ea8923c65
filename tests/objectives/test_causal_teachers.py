"""Causal intervention's teachers, stages and limits: who may teach whom, and what stays untouched."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from facskit.action_units import BP4D
from facskit.models.vision_transformer import ViTConfig
from facskit.objectives.attention_regression import AttentionRegressionConfig
from facskit.objectives.causal_intervention import CausalIntervention, CausalInterventionConfig, Teachers
from facskit.objectives.identity_term import IdentityReversalConfig
from facskit.objectives.intervention_risk import mixed_risk
from facskit.objectives.occurrence import OccurrenceConfig, inverse_rate_weights
from tests.objectives.small_ciu import ATTENTIVE, COMPACT, PLAIN, batch, intervention, network, spread

VIT = ViTConfig(image_size=16, patch_size=8, dim=16, depth=1, heads=2, drop_path=0.0)


def _variant(**fields: Any) -> CausalInterventionConfig:  # noqa: ANN401 - fields of several types
    return replace(PLAIN, **fields)


def test_a_post_compensated_teacher_shifts_logits_by_the_log_odds_of_absence() -> None:
    labels = torch.zeros(10, 12, dtype=torch.int8)
    labels[:2, 0] = 1  # v = 4
    labels[:5, 1] = 1  # v = 1
    labels[:, 2] = 1  # always present, and columns from 3 never: no shift
    given = batch()
    objective = intervention(_variant(balanced_teacher="post-compensated"), labels=labels)

    told = objective.consult(given)

    logits = objective.teachers.imbalanced(given.images)
    shift = torch.zeros(12)
    shift[0] = math.log(4.0)
    torch.testing.assert_close(told.answers, (logits + shift).sigmoid())
    torch.testing.assert_close(objective.compensation, inverse_rate_weights(labels).positive.log())
    assert objective.config.stage_names == ("imbalanced",)
    with pytest.raises(
        ValueError, match=r"^training_labels are needed when balanced_teacher is post-compensated, got none$"
    ):
        intervention(_variant(balanced_teacher="post-compensated"))


def test_teachers_are_no_part_of_state_or_parameters_and_follow_the_objective() -> None:
    objective = intervention()

    model = {f"model.{name}" for name in objective.model.state_dict()}
    assert set(objective.state_dict()) == model
    assert {name for name, _ in objective.named_parameters()} <= model
    objective.double()
    assert all(
        value.dtype == torch.float64 for teacher in objective.teachers.networks for value in teacher.parameters()
    )
    with torch.device("meta"):
        objective.to("meta")
    assert all(value.is_meta for teacher in objective.teachers.networks for value in teacher.parameters())


def test_teachers_keep_looking_while_the_network_trains() -> None:
    objective = intervention(CausalInterventionConfig(), ATTENTIVE)
    before = [{name: value.clone() for name, value in net.state_dict().items()} for net in objective.teachers.networks]
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)

    for _ in range(2):
        objective.train()
        optimizer.zero_grad()
        torch.autograd.backward(objective(batch()).loss)
        optimizer.step()

    assert objective.model.training
    for teacher, state in zip(objective.teachers.networks, before, strict=True):
        assert not any(module.training for module in teacher.modules())
        assert all(torch.equal(value, state[name]) for name, value in teacher.state_dict().items())
        assert not any(value.requires_grad or value.grad is not None for value in teacher.parameters())
    assert all(value.grad is not None for value in objective.model.parameters())


def test_any_network_can_learn_from_any_other() -> None:
    teachers = Teachers(imbalanced=spread(network(COMPACT, 1)), balanced=spread(network(ATTENTIVE, 2)))
    objective = CausalIntervention(network(VIT), PLAIN, teachers, BP4D)

    step = objective(batch())
    torch.autograd.backward(step.loss)

    expected = mixed_risk(objective.model(batch().images), batch().labels, objective.consult(batch()))
    torch.testing.assert_close(step.loss, expected)
    assert all(value.grad is not None for value in objective.model.parameters())


def test_stages_are_trained_with_the_same_attention_and_reduction() -> None:
    attention = AttentionRegressionConfig(weight=1.5, spread=2.0)
    config = CausalInterventionConfig(attention=attention, reduction="sum")

    assert config.stage("imbalanced") == OccurrenceConfig(attention=attention, reduction="sum")
    assert config.stage("balanced") == OccurrenceConfig(attention=attention, reduction="sum", balance="inverse-rate")
    assert config.stage_names == ("imbalanced", "balanced")


def test_work_is_the_students_and_a_look_of_each_teacher() -> None:
    objective = intervention(PLAIN, ATTENTIVE)
    one = objective.model.flops_per_image()
    assert one is not None
    assert objective.flops_per_image() == one + 2 * (one // 3)


def test_what_doesnt_fit_is_refused_by_name() -> None:
    model, other = network(), network(COMPACT, 1)
    with pytest.raises(ValueError, match=r"^gamma must be at least 0 and finite, got -1\.0$"):
        CausalInterventionConfig(gamma=-1.0)
    with pytest.raises(ValueError, match=r"^teachers\.balanced doesn't fit balanced_teacher trained, got none$"):
        CausalIntervention(model, PLAIN, Teachers(imbalanced=other), BP4D)
    post = _variant(balanced_teacher="post-compensated")
    with pytest.raises(
        ValueError, match=r"^teachers\.balanced doesn't fit balanced_teacher post-compensated, got a net"
    ):
        CausalIntervention(model, post, Teachers(imbalanced=other, balanced=other), BP4D)
    with pytest.raises(
        ValueError, match=r"^teachers must be other networks than the one they teach, got the same one$"
    ):
        CausalIntervention(model, PLAIN, Teachers(imbalanced=other, balanced=model), BP4D)
    message = r"^teachers must give 12 answers to crops of 16 px like the network, got one that gives 12 to 32 px$"
    larger = network(replace(COMPACT, image_size=32))
    with pytest.raises(ValueError, match=message):
        CausalIntervention(model, PLAIN, Teachers(imbalanced=other, balanced=larger), BP4D)
    with pytest.raises(
        ValueError, match=r"^attention\.weight must be 0 for a network without attention maps, got 2\.0"
    ):
        CausalIntervention(model, CausalInterventionConfig(), Teachers(imbalanced=other, balanced=other), BP4D)
    fought = _variant(identity=IdentityReversalConfig(strength=1.0))
    with pytest.raises(ValueError, match=r"^identity adversarial training needs at least two subjects, got 0$"):
        CausalIntervention(model, fought, Teachers(imbalanced=other, balanced=other), BP4D)


@pytest.mark.slow
def test_compiled_steps_are_the_same() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.objectives.small_ciu"]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=root, env=one_thread, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("is the same compiled") == 3
    assert "folds share their graphs" in done.stdout
