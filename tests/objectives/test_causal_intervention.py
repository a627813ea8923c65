"""Causal intervention as an objective: its variants against a loop, and what it does to a network."""

import math
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from facskit.action_units import BP4D
from facskit.datasets.samples import Batch
from facskit.models.attention_targets import attention_targets
from facskit.models.layers import AttentiveNetwork
from facskit.objectives.attention_regression import attention_loss
from facskit.objectives.causal_intervention import CausalIntervention, CausalInterventionConfig
from facskit.objectives.identity_adversarial import IdentityAdversarial, IdentityAdversarialConfig
from facskit.objectives.identity_term import IdentityReversalConfig
from facskit.objectives.occurrence import occurrence_loss
from tests.objectives.small_ciu import ATTENTIVE, PLAIN, batch, intervention, network


def _loss(logit: float, target: float) -> float:
    return max(logit, 0.0) + math.log1p(math.exp(-abs(logit))) - target * logit


def _weights(config: CausalInterventionConfig, imbalanced: float, balanced: float) -> tuple[float, float]:
    """Equations 5 and 6, and the two control experiments."""
    if config.weights == "none":
        return 1.0, 1.0
    first = imbalanced**config.gamma / (imbalanced**config.gamma + balanced**config.gamma)
    return (1 - first, first) if config.weights == "inverted" else (first, 1 - first)


def _naive(config: CausalInterventionConfig, answers: tuple[Tensor, Tensor, Tensor], labels: Tensor) -> float:
    """Equations 7, 8 and 17 without the attention term, label by label."""
    student, first, second = (logits.tolist() for logits in answers)
    total, count = 0.0, 0
    for row, truths in enumerate(labels.tolist()):
        known = [column for column, truth in enumerate(truths) if truth != -1]
        losses = [{j: _loss(logits[row][j], truths[j]) for j in known} for logits in (first, second)]
        means = [sum(cells.values()) / max(len(known), 1) for cells in losses]
        for j in known:
            own = means if config.granularity == "sample" else [cells[j] for cells in losses]
            weight = _weights(config, *own)
            belief = 1 / (1 + math.exp(-second[row][j]))
            total += weight[0] * _loss(student[row][j], truths[j]) * (config.risks != "balanced")
            total += weight[1] * _loss(student[row][j], belief) * (config.risks != "imbalanced")
            count += 1
    return total / count * (len(labels[0]) if config.reduction == "sum" else 1)


@torch.no_grad()
def _answers(objective: CausalIntervention, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    assert objective.teachers.balanced is not None
    networks = (objective.model, objective.teachers.imbalanced, objective.teachers.balanced)
    student, imbalanced, balanced = (network(images) for network in networks)
    return student, imbalanced, balanced


def _double(given: Batch) -> Batch:
    return replace(given, images=given.images.double())


def _variant(**fields: Any) -> CausalInterventionConfig:  # noqa: ANN401 - fields of several types
    return replace(PLAIN, **fields)


@pytest.mark.parametrize("granularity", ["sample", "unit"])
@pytest.mark.parametrize("weights", ["adaptive", "inverted", "none"])
def test_every_variant_equals_a_loop_and_both_forms_agree(weights: str, granularity: str) -> None:
    given = _double(batch())
    for risks, reduction, gamma in product(("both", "imbalanced", "balanced"), ("mean", "sum"), (0.0, 2.0)):
        fields = {"weights": weights, "granularity": granularity, "risks": risks, "reduction": reduction}
        mixed = intervention(_variant(gamma=gamma, **fields)).double()
        two = intervention(_variant(gamma=gamma, form="two-terms", **fields)).double()

        values = [objective(given).loss.detach() for objective in (mixed, two)]

        expected = _naive(mixed.config, _answers(mixed, given.images), given.labels)
        assert float(values[0]) == pytest.approx(expected, rel=1e-12), fields
        assert abs(float(values[0] - values[1])) < 1e-12


def test_te_and_tde_without_weights_are_the_imbalanced_loss_and_plain_distillation() -> None:
    given = batch()
    te = intervention(_variant(weights="none", risks="imbalanced"))
    tde = intervention(_variant(weights="none", risks="balanced"))
    student, _, balanced = _answers(te, given.images)

    torch.testing.assert_close(te(given).loss.detach(), occurrence_loss(student, given.labels))
    known = given.labels != -1
    cells = torch.nn.functional.binary_cross_entropy_with_logits(student, balanced.sigmoid(), reduction="none")
    torch.testing.assert_close(tde(given).loss.detach(), cells[known].mean())


def test_the_terms_say_what_the_loss_is_made_of() -> None:
    given = batch()
    both = intervention()
    step = both(given)

    assert list(step.terms) == ["occurrence", "weight_imbalanced", "risk_imbalanced", "risk_balanced"]
    torch.testing.assert_close(step.terms["occurrence"], step.loss.detach())
    torch.testing.assert_close(step.terms["risk_imbalanced"] + step.terms["risk_balanced"], step.loss.detach())
    weights = both.consult(given).imbalanced.expand(5, 12)
    torch.testing.assert_close(step.terms["weight_imbalanced"], weights[given.labels != -1].mean())
    te = intervention(_variant(risks="imbalanced"))(given)
    torch.testing.assert_close(te.loss.detach(), step.terms["risk_imbalanced"])
    torch.testing.assert_close(te.terms["risk_balanced"], step.terms["risk_balanced"])
    assert not any(term.requires_grad for term in step.terms.values())


def test_inverted_weights_are_the_exchanged_ones() -> None:
    given = batch()
    adaptive, inverted = (
        intervention(_variant(gamma=2.0, weights=name)).consult(given) for name in ("adaptive", "inverted")
    )

    assert torch.equal(inverted.imbalanced, adaptive.balanced)
    assert torch.equal(inverted.balanced, adaptive.imbalanced)
    assert torch.equal(inverted.answers, adaptive.answers)


def test_the_attention_term_has_the_weight_of_the_config() -> None:
    objective, given = intervention(CausalInterventionConfig(), ATTENTIVE), batch()
    assert isinstance(objective.model, AttentiveNetwork)

    step = objective(given)

    targets = attention_targets(given.landmarks, BP4D, image_size=16)
    expected = attention_loss(objective.model.look(given.images).attention, targets)
    torch.testing.assert_close(step.terms["attention"], expected.detach())
    torch.testing.assert_close(step.loss, step.terms["occurrence"] + 2.0 * expected)


def test_a_batch_of_unknown_labels_teaches_nothing() -> None:
    given = batch()
    given.labels.fill_(-1)
    for granularity in ("sample", "unit"):
        objective = intervention(_variant(granularity=granularity))
        step = objective(given)
        torch.autograd.backward(step.loss)

        assert all(float(term) == 0.0 for term in step.terms.values())
        assert all(not value.grad.any() for value in objective.model.parameters() if value.grad is not None)


def test_extreme_logits_stay_finite() -> None:
    objective, given = intervention(_variant(gamma=20.0)), batch()
    with torch.no_grad():
        for sign, net in zip((1.0, -1.0, 1.0), (objective.model, *objective.teachers.networks), strict=True):
            net.get_parameter("head.bias").copy_(sign * 100.0 * torch.tensor([1.0, -1.0]).repeat(6))

    step = objective(given)
    torch.autograd.backward(step.loss)

    assert all(math.isfinite(float(term)) for term in step.terms.values())
    assert all(bool(value.grad.isfinite().all()) for value in objective.parameters() if value.grad is not None)


def test_in_16_bits_weights_and_loss_have_32() -> None:
    objective, given = intervention(), batch()

    with torch.autocast("cpu", dtype=torch.bfloat16):
        told, step = objective.consult(given), objective(given)

    assert {told.imbalanced.dtype, told.balanced.dtype, told.answers.dtype, step.loss.dtype} == {torch.float32}
    assert float(step.loss.detach()) == pytest.approx(float(objective(given).loss.detach()), rel=0.02)


def test_identity_is_fought_as_in_identity_adversarial_training() -> None:
    config = _variant(identity=IdentityReversalConfig(strength=2.0, schedule="warm-up", warm_up=1.0))
    objective, given = intervention(config), batch()
    assert objective.identity is not None
    objective.progress = 0.5
    twin = IdentityAdversarial(network(), IdentityAdversarialConfig(), [4, 4, 4])
    twin.identity.load_state_dict(objective.identity.state_dict())

    step, other = objective(given), twin(given)

    assert float(step.terms["reversal_strength"]) == 1.0
    torch.testing.assert_close(step.loss.detach(), step.terms["occurrence"] + step.terms["identity"])
    for name in ("identity", "identity_accuracy", "identity_constant"):
        torch.testing.assert_close(step.terms[name], other.terms[name])
    torch.testing.assert_close(2 * step.terms["gradient_identity"], other.terms["gradient_identity"])
    assert set(other.terms) < set(step.terms)


def test_behind_a_stop_gradient_the_network_trains_bit_for_bit_as_without_the_subject_head() -> None:
    results = []
    for identity in (IdentityReversalConfig(), IdentityReversalConfig(strength=2.0, stop_gradient=True)):
        objective = intervention(_variant(identity=identity))
        assert (objective.identity is None) is (identity.strength == 0.0)
        optimizer = torch.optim.AdamW(objective.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            torch.autograd.backward(objective(batch()).loss)
            optimizer.step()
        results.append(objective.model.state_dict())

    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])
