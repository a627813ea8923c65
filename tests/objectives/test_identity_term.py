"""The adversary of identity: the reversal, both readings of the loss, schedules, heads, and forces at the features."""

import math
from typing import Literal

import pytest
import torch
from torch import Tensor

from facskit.objectives.feature_force import feature_force
from facskit.objectives.identity_term import (
    IdentityLoss,
    IdentityReversalConfig,
    IdentityTerm,
    SubjectHead,
    constant_predictor_loss,
    identity_loss,
    reversal_strength,
    reverse_gradient,
)

KINDS: list[IdentityLoss] = ["bce_one_hot", "softmax"]


def test_reversal_returns_its_input_and_the_opposite_gradient() -> None:
    features = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(3, 4, dtype=torch.float64)

    reversed_ = reverse_gradient(features, 2.5)
    torch.autograd.backward(reversed_, upstream)

    assert torch.equal(reversed_, features)
    assert torch.equal(features.grad, -2.5 * upstream)  # type: ignore[arg-type]


def _naive(logits: Tensor, subjects: Tensor, kind: IdentityLoss) -> float:
    losses: list[float] = []
    for row, subject in enumerate(subjects.tolist()):
        if subject == -1:
            continue
        values = logits[row].tolist()
        if kind == "softmax":
            losses.append(math.log(sum(math.exp(value) for value in values)) - values[subject])
            continue
        cells = [math.log1p(math.exp(-value if column == subject else value)) for column, value in enumerate(values)]
        losses.append(sum(cells) / len(cells))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("kind", KINDS)
def test_identity_loss_equals_a_loop_and_passes_gradcheck(kind: IdentityLoss) -> None:
    logits = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    subjects = torch.tensor([3, -1, 0, 2, -1])

    assert float(identity_loss(logits, subjects, kind).detach()) == pytest.approx(_naive(logits, subjects, kind))
    assert torch.autograd.gradcheck(lambda answers: identity_loss(answers, subjects, kind), (logits,))


@pytest.mark.parametrize("kind", KINDS)
def test_samples_without_a_subject_change_neither_value_nor_gradient(kind: IdentityLoss) -> None:
    known = torch.randn(2, 4)
    with_strangers = torch.cat([known, torch.full((2, 4), math.inf)]).requires_grad_()
    known = known.requires_grad_()

    alone = identity_loss(known, torch.tensor([1, 3]), kind)
    together = identity_loss(with_strangers, torch.tensor([1, 3, -1, -1]), kind)
    torch.autograd.backward(alone)
    torch.autograd.backward(together)

    assert torch.equal(alone, together)
    assert with_strangers.grad is not None
    assert torch.equal(known.grad, with_strangers.grad[:2])  # type: ignore[arg-type]
    assert not with_strangers.grad[2:].any()


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_logits_stay_finite(kind: IdentityLoss) -> None:
    logits = torch.tensor([[100.0, -100.0], [-100.0, 100.0]], requires_grad=True)

    loss = identity_loss(logits, torch.tensor([1, 1]), kind)
    torch.autograd.backward(loss)

    assert float(loss.detach()) == pytest.approx(50.0 if kind == "bce_one_hot" else 100.0)
    assert logits.grad is not None
    assert bool(logits.grad.isfinite().all())


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [2.0, 2.0, 2.0, 2.0]),
        ("warm-up", [0.0, 1.0, 2.0, 2.0]),
        ("dann", [2 * (2 / (1 + math.exp(-10 * p)) - 1) for p in (0.0, 0.1, 0.2, 1.0)]),
    ],
)
def test_schedules(schedule: Literal["constant", "warm-up", "dann"], expected: list[float]) -> None:
    config = IdentityReversalConfig(strength=2.0, schedule=schedule, warm_up=0.2)

    assert [reversal_strength(config, p) for p in (0.0, 0.1, 0.2, 1.0)] == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"^progress must be in \[0, 1\], got 1\.5$"):
        reversal_strength(config, 1.5)


@pytest.mark.parametrize(("depth", "widths"), [(1, [64, 7]), (2, [64, 32, 7]), (3, [64, 32, 16, 7])])
def test_subject_heads_halve_their_width(depth: int, widths: list[int]) -> None:
    head = SubjectHead(64, 7, depth)

    linear = [layer for layer in head if isinstance(layer, torch.nn.Linear)]
    assert [linear[0].in_features, *(layer.out_features for layer in linear)] == widths
    assert sum(isinstance(layer, torch.nn.GELU) for layer in head) == depth - 1


def test_the_constant_predictor_has_the_published_floor() -> None:
    counts = [100] * 27

    assert constant_predictor_loss([100] * 41, "bce_one_hot") == pytest.approx(0.1147, abs=5e-5)
    assert constant_predictor_loss(counts + [0] * 14, "bce_one_hot") == pytest.approx(0.1043, abs=5e-5)
    assert constant_predictor_loss(counts, "softmax") == pytest.approx(math.log(27))


@pytest.mark.parametrize("kind", KINDS)
def test_no_constant_beats_the_constant_predictor(kind: IdentityLoss) -> None:
    counts = [1, 2, 5]
    subjects = torch.tensor([0, 1, 1, 2, 2, 2, 2, 2])
    bias = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.LBFGS([bias], max_iter=100)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = identity_loss(bias.expand(8, 3), subjects, kind)
        torch.autograd.backward(loss)
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    assert float(closure().detach()) == pytest.approx(constant_predictor_loss(counts, kind), abs=1e-5)


def test_a_force_doesnt_depend_on_the_size_of_the_batch_and_leaves_the_weights_alone() -> None:
    weight = torch.randn(6, 3, requires_grad=True)
    features = torch.randn(5, 3, requires_grad=True)

    def loss(leaf: Tensor) -> Tensor:
        return (leaf @ weight.T).square().sum(1).mean()

    force = feature_force(loss, features)

    expected = torch.stack([(2 * row @ weight.T @ weight).norm() for row in features]).mean()
    torch.testing.assert_close(force, expected.detach())
    torch.testing.assert_close(feature_force(loss, features.repeat(4, 1)), force)
    assert not force.requires_grad
    assert weight.grad is None
    assert features.grad is None


def test_a_subject_head_costs_no_random_numbers() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    term = IdentityTerm(IdentityReversalConfig(), 4, [1, 1], 3)

    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    other = IdentityTerm(IdentityReversalConfig(), 4, [1, 1], 3)
    assert not torch.equal(term.subject_head[0].weight, other.subject_head[0].weight)  # type: ignore[arg-type]


def test_unless_asked_identity_is_not_fought() -> None:
    assert IdentityReversalConfig().strength == 0.0


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf])
def test_an_impossible_rate_of_the_subject_head_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="head_rate must be above 0 and finite, got"):
        IdentityReversalConfig(head_rate=rate)


def _given_labels(labels: Tensor) -> tuple[IdentityTerm, Tensor, Tensor]:
    config = IdentityReversalConfig(strength=0.5, schedule="constant", loss="softmax", given_labels=True)
    term = IdentityTerm(config, 4, [2, 2, 2], labels.shape[1]).double()
    features = torch.randn(len(labels), 4, dtype=torch.float64, requires_grad=True)
    return term, features, torch.tensor([0, 2, 1, -1, 2][: len(labels)])


def test_a_head_given_the_labels_sees_what_is_known_of_them_beside_the_features() -> None:
    labels = torch.tensor([[1, 0], [-1, 1], [0, -1], [1, 1], [-1, -1]], dtype=torch.int8)
    term, features, subjects = _given_labels(labels)

    loss, _ = term(features, subjects, labels)

    weight, bias = (value.detach() for value in term.subject_head.parameters())
    rows = []
    for row, states in enumerate(labels.tolist()):
        told = [float(state == 0) for state in states] + [float(state == 1) for state in states]
        seen = features[row].tolist() + told
        rows.append([sum(w * x for w, x in zip(each, seen, strict=True)) for each in weight.tolist()])
    logits = torch.tensor(rows, dtype=torch.float64) + bias
    assert float(loss.detach()) == pytest.approx(_naive(logits, subjects, "softmax"))


def test_a_head_given_the_labels_pushes_the_features_alone_and_away_from_identity() -> None:
    labels = torch.tensor([[1, 0], [-1, 1], [0, -1]], dtype=torch.int8)
    term, features, subjects = _given_labels(labels)

    loss, _ = term(features, subjects, labels)
    torch.autograd.backward(loss)

    leaf = features.detach().clone().requires_grad_()
    states = torch.cat([labels == 0, labels == 1], dim=1).double()
    plain = identity_loss(term.subject_head(torch.cat([leaf, states], dim=1)), subjects, "softmax")
    torch.autograd.backward(plain)
    torch.testing.assert_close(features.grad, -0.5 * leaf.grad)  # type: ignore[operator]
    assert leaf.grad is not None
    rows = torch.linalg.vector_norm(leaf.grad, dim=1).sum()
    assert float(term.force(features, subjects, labels)) == pytest.approx(0.5 * float(rows))


def test_where_labels_tell_everything_a_head_given_them_leaves_the_features_alone() -> None:
    # Two people who differ in AU 0 alone: features that carry the AU carry the person, but nothing beyond the label.
    labels = torch.tensor([[1], [0]], dtype=torch.int8).repeat(32, 1)
    subjects = (labels[:, 0] == 0).long()
    features = labels.double()
    forces = {}
    for given in (False, True):
        config = IdentityReversalConfig(strength=1.0, loss="softmax", given_labels=given)
        term = IdentityTerm(config, 1, [32, 32], 1).double()
        if given:
            with torch.no_grad():
                weight, _ = term.subject_head.parameters()
                weight.copy_(torch.tensor([[0.0, 0.0, 40.0], [0.0, 40.0, 0.0]]))
        forces[given] = float(term.force(features, subjects, labels))
    assert forces[True] == pytest.approx(0.0, abs=1e-12)
    assert forces[False] > 0.01
