"""Weights and risks of causal intervention against loops written from the equations."""

import math
from typing import Literal

import pytest
import torch
from torch import Tensor

from facskit.objectives.intervention_risk import (
    Granularity,
    Intervention,
    intervention_weights,
    mixed_risk,
    risk_terms,
    teacher_losses,
)
from facskit.objectives.occurrence import occurrence_loss

GRANULARITIES: list[Granularity] = ["sample", "unit"]


def _loss(logit: float, target: float) -> float:
    return max(logit, 0.0) + math.log1p(math.exp(-abs(logit))) - target * logit


def _naive_losses(logits: Tensor, labels: Tensor, granularity: Granularity) -> list[list[float]]:
    rows = []
    for answers, truths in zip(logits.tolist(), labels.tolist(), strict=True):
        cells = [0.0 if truth == -1 else _loss(answer, truth) for answer, truth in zip(answers, truths, strict=True)]
        known = sum(truth != -1 for truth in truths)
        rows.append(cells if granularity == "unit" else [sum(cells) / max(known, 1)])
    return rows


def _naive_risks(logits: Tensor, labels: Tensor, given: Intervention) -> tuple[float, float]:
    first = second = 0.0
    known = 0
    for row in range(logits.shape[0]):
        for column in range(logits.shape[1]):
            if int(labels[row, column]) == -1:
                continue
            part = column if given.imbalanced.shape[1] > 1 else 0
            answer, belief = float(logits[row, column]), float(given.answers[row, column])
            first += float(given.imbalanced[row, part]) * _loss(answer, int(labels[row, column]))
            second += float(given.balanced[row, part]) * _loss(answer, belief)
            known += 1
    return first / known, second / known


def _case(granularity: Granularity) -> tuple[Tensor, Tensor, Intervention]:
    torch.manual_seed(1)
    logits, imbalanced, balanced = (2 * torch.randn(6, 4, dtype=torch.float64) for _ in range(3))
    labels = torch.randint(-1, 2, (6, 4), dtype=torch.int8)
    losses = [teacher_losses(answers, labels, granularity) for answers in (imbalanced, balanced)]
    weight = intervention_weights(losses[0], losses[1], 1.5)
    return logits, labels, Intervention(imbalanced=weight, balanced=1 - weight, answers=balanced.sigmoid())


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_teachers_losses_equal_a_loop(granularity: Granularity) -> None:
    torch.manual_seed(1)
    logits = torch.randn(6, 4, dtype=torch.float64)
    labels = torch.randint(-1, 2, (6, 4), dtype=torch.int8)
    labels[2] = -1

    losses = teacher_losses(logits, labels, granularity)

    expected = torch.tensor(_naive_losses(logits, labels, granularity), dtype=torch.float64)
    torch.testing.assert_close(losses, expected, rtol=0, atol=1e-12)
    assert losses[2].eq(0.0).all()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_weights_equal_the_powers_of_the_paper(gamma: float) -> None:
    imbalanced, balanced = torch.rand(2, 50, dtype=torch.float64) + 0.05

    weights = intervention_weights(imbalanced, balanced, gamma)

    powers = imbalanced**gamma / (imbalanced**gamma + balanced**gamma)
    torch.testing.assert_close(weights, powers, rtol=1e-12, atol=1e-12)


def test_the_worse_the_imbalanced_teacher_the_more_its_risk_weighs() -> None:
    weights = intervention_weights(torch.tensor([0.1, 0.5, 2.0]), torch.full((3,), 0.5), 1.0)

    assert weights.tolist() == pytest.approx([1 / 6, 0.5, 0.8])


def test_losses_of_16_bits_give_weights_of_32() -> None:
    losses = torch.rand(4).bfloat16()

    assert intervention_weights(losses, losses.flip(0), 20.0).dtype == torch.float32
    assert teacher_losses(losses.unsqueeze(1), torch.ones(4, 1, dtype=torch.int8), "unit").dtype == torch.float32


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_risks_equal_a_loop(granularity: Granularity) -> None:
    logits, labels, given = _case(granularity)

    first, second = risk_terms(logits, labels, given)

    expected = _naive_risks(logits, labels, given)
    assert (float(first), float(second)) == pytest.approx(expected, abs=1e-12)
    assert float(mixed_risk(logits, labels, given)) == pytest.approx(sum(expected), abs=1e-12)


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("form", ["mixed", "two-terms"])
def test_gradients_are_those_of_finite_differences(
    form: Literal["mixed", "two-terms"], granularity: Granularity
) -> None:
    logits, labels, given = _case(granularity)

    def risk(answers: Tensor) -> Tensor:
        return mixed_risk(answers, labels, given) if form == "mixed" else sum(risk_terms(answers, labels, given))  # type: ignore[return-value]

    assert torch.autograd.gradcheck(risk, (logits.requires_grad_(),))


@pytest.mark.parametrize("strange", [50.0, math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_unknown_labels_change_neither_weight_nor_risk_nor_gradient(granularity: Granularity, strange: float) -> None:
    torch.manual_seed(2)
    labels = torch.randint(-1, 2, (6, 4), dtype=torch.int8)
    student, imbalanced, balanced = torch.randn(3, 6, 4)
    results = []
    for unknown in (0.0, strange):
        answers, first, second = (
            torch.where(labels == -1, unknown, logits) for logits in (student, imbalanced, balanced)
        )
        answers.requires_grad_()
        losses = [teacher_losses(logits, labels, granularity) for logits in (first, second)]
        weight = intervention_weights(losses[0], losses[1], 1.0)
        given = Intervention(imbalanced=weight, balanced=1 - weight, answers=second.sigmoid())
        risk = mixed_risk(answers, labels, given) + 2 * risk_terms(answers, labels, given)[1]
        torch.autograd.backward(risk)
        assert answers.grad is not None
        results.append((risk.detach(), weight, answers.grad, given.mean_weight(labels)))

    assert all(torch.equal(first, second) for first, second in zip(*results, strict=True))
    assert not results[1][2][labels == -1].any()


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_extreme_logits_stay_finite(granularity: Granularity) -> None:
    signs = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0]])
    labels = torch.tensor([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=torch.int8)
    logits = (100.0 * signs).requires_grad_()
    losses = [teacher_losses(answers, labels, granularity) for answers in (100.0 * signs, -100.0 * signs)]
    weight = intervention_weights(losses[0], losses[1], 20.0)
    given = Intervention(imbalanced=weight, balanced=1 - weight, answers=(-100.0 * signs).sigmoid())

    risk = mixed_risk(logits, labels, given)
    torch.autograd.backward(risk)

    assert bool(weight.isfinite().all())
    assert math.isfinite(float(risk.detach()))
    assert logits.grad is not None
    assert bool(logits.grad.isfinite().all())
    first, second = risk_terms(logits, labels, given)
    torch.testing.assert_close(first + second, risk)


def test_one_pair_of_weights_per_image_differs_from_one_per_label() -> None:
    # The imbalanced teacher is sure of the first AU and wrong about the second; the balanced one the other way round.
    labels = torch.tensor([[1, 1]], dtype=torch.int8)
    imbalanced, balanced = torch.tensor([[4.0, -4.0]]), torch.tensor([[-4.0, 4.0]])

    weights = [
        intervention_weights(
            teacher_losses(imbalanced, labels, granularity), teacher_losses(balanced, labels, granularity), 1.0
        )
        for granularity in GRANULARITIES
    ]

    assert weights[0].tolist() == [[0.5]]
    assert weights[1][0, 0] < 0.01
    assert weights[1][0, 1] > 0.99
    risks = [
        float(
            mixed_risk(
                torch.zeros(1, 2) + 1.0, labels, Intervention(imbalanced=w, balanced=1 - w, answers=balanced.sigmoid())
            )
        )
        for w in weights
    ]
    assert risks[0] == pytest.approx(_loss(1.0, 0.5 + 0.5 * 0.5), abs=1e-6)
    assert abs(risks[0] - risks[1]) > 0.1


def test_without_any_known_label_risks_are_zero_with_a_zero_gradient() -> None:
    logits = torch.randn(3, 4, requires_grad=True)
    labels = torch.full((3, 4), -1, dtype=torch.int8)
    losses = teacher_losses(torch.randn(3, 4), labels, "sample")
    weight = intervention_weights(losses, losses, 1.0)
    given = Intervention(imbalanced=weight, balanced=1 - weight, answers=torch.rand(3, 4))

    risk = mixed_risk(logits, labels, given)
    torch.autograd.backward(risk)

    assert float(risk.detach()) == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()
    assert float(given.mean_weight(labels)) == 0.0


def test_with_full_weight_on_the_labels_the_risk_is_the_occurrence_loss() -> None:
    logits, labels, _ = _case("sample")
    one, none = torch.ones(6, 1, dtype=torch.float64), torch.zeros(6, 1, dtype=torch.float64)
    given = Intervention(imbalanced=one, balanced=none, answers=torch.rand(6, 4, dtype=torch.float64))

    torch.testing.assert_close(mixed_risk(logits, labels, given), occurrence_loss(logits, labels), rtol=0, atol=1e-15)


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_the_best_answer_is_the_mixture_of_label_and_balanced_teacher(granularity: Granularity) -> None:
    logits, labels, given = _case(granularity)
    logits.requires_grad_()
    optimizer = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-9, tolerance_change=1e-15)

    def closure() -> Tensor:
        optimizer.zero_grad()
        risk = mixed_risk(logits, labels, given)
        torch.autograd.backward(risk)
        return risk

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    known = labels != -1
    mixture = given.imbalanced * (labels == 1) + given.balanced * given.answers
    torch.testing.assert_close(logits.sigmoid()[known], mixture[known], rtol=0, atol=1e-5)
