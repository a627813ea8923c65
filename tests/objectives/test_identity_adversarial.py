"""Identity adversarial training: the published numbers, the reversal, both readings of the loss."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from facskit.action_units import BP4D
from facskit.datasets.samples import Batch
from facskit.models.build import build_model
from facskit.models.compact_network import CompactConfig
from facskit.models.vision_transformer import VisionTransformer, ViTConfig
from facskit.objectives.identity_adversarial import (
    IdentityAdversarial,
    IdentityAdversarialConfig,
    IdentityLoss,
    SubjectHead,
    constant_predictor_loss,
    identity_loss,
    reversal_strength,
    reverse_gradient,
)
from facskit.objectives.occurrence import OccurrenceConfig, occurrence_loss

DATA = Path(__file__).parent.parent / "data"
PUBLISHED_MODEL = ViTConfig(image_size=64, patch_size=16, dim=64, depth=3, heads=4, drop_path=0.0)
TINY = CompactConfig(image_size=16, widths=(8, 8), depths=(1, 1), places=2, place_dim=4, dropout=0.0)
KINDS: list[IdentityLoss] = ["bce_one_hot", "softmax"]


def _batch(subjects: Sequence[int] = (0, 1, 2, 1)) -> Batch:
    generator = torch.Generator().manual_seed(3)
    count = len(subjects)
    return Batch(
        images=torch.randn(count, 3, 16, 16, generator=generator),
        labels=torch.randint(-1, 2, (count, 12), dtype=torch.int8, generator=generator),
        subjects=torch.tensor(subjects),
        indices=torch.arange(count),
        action_units=BP4D,
    )


def _objective(config: IdentityAdversarialConfig) -> IdentityAdversarial:
    torch.manual_seed(0)
    return IdentityAdversarial(build_model(TINY, 12), config, subject_counts=[5, 5, 5])


def _gradients(objective: IdentityAdversarial, batch: Batch) -> dict[str, Tensor]:
    objective.zero_grad()
    torch.autograd.backward(objective(batch).loss)
    return {
        name: parameter.grad.clone() for name, parameter in objective.named_parameters() if parameter.grad is not None
    }


def test_forward_losses_and_gradients_meet_the_published_code() -> None:
    published = np.load(DATA / "iat.npz")
    weights = {name[6:]: torch.from_numpy(published[name]) for name in published.files if name.startswith("state/")}
    objective = IdentityAdversarial(VisionTransformer(PUBLISHED_MODEL, 12), IdentityAdversarialConfig(), [1] * 7)
    subject_weights = {name[8:]: weights.pop(name) for name in list(weights) if name.startswith("ID_head.")}
    objective.model.load_state_dict(weights, strict=True)
    objective.subject_head[0].load_state_dict(subject_weights, strict=True)
    batch = Batch(
        images=torch.from_numpy(published["images"]),
        labels=torch.from_numpy(published["labels"]).to(torch.int8),
        subjects=torch.from_numpy(published["subject"]),
        indices=torch.arange(3),
        action_units=BP4D,
    )

    step = objective(batch)
    torch.autograd.backward(step.loss)

    np.testing.assert_allclose(step.logits.numpy(), published["au_logits"], atol=1e-4)
    with torch.no_grad():
        subject_logits = objective.subject_head(objective.model.features(batch.images))
    np.testing.assert_allclose(subject_logits.numpy(), published["id_logits"], atol=1e-4)
    assert float(step.terms["occurrence"]) == pytest.approx(float(published["loss_au"]), abs=1e-4)
    assert float(step.terms["identity"]) == pytest.approx(float(published["loss_id"]), abs=1e-4)
    _compare_gradients(objective, published)


def _compare_gradients(objective: IdentityAdversarial, published: Any) -> None:  # noqa: ANN401 - numpy's lazy archive
    names = sorted({name[5:].split("@")[0] for name in published.files if name.startswith("grad/")})
    assert len(names) == 7
    for name in names:
        ours = name.replace("ID_head.", "subject_head.0.") if name.startswith("ID_head") else f"model.{name}"
        gradient = objective.get_parameter(ours).grad
        assert gradient is not None
        if f"grad/{name}" in published.files:
            np.testing.assert_allclose(gradient.numpy(), published[f"grad/{name}"], atol=1e-4, err_msg=name)
            continue
        # The two largest tensors are kept as every seventh value and the norm of all.
        sparse = gradient.flatten()[::7].numpy()
        np.testing.assert_allclose(sparse, published[f"grad/{name}@stride7"], atol=1e-4, err_msg=name)
        assert float(gradient.double().norm()) == pytest.approx(float(published[f"grad/{name}@norm"]), rel=1e-4)


def test_reversal_returns_its_input_and_the_opposite_gradient() -> None:
    features = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(3, 4, dtype=torch.float64)

    reversed_ = reverse_gradient(features, 2.5)
    torch.autograd.backward(reversed_, upstream)

    assert torch.equal(reversed_, features)
    assert torch.equal(features.grad, -2.5 * upstream)  # type: ignore[arg-type]


def test_the_network_gets_minus_strength_times_the_plain_gradient_and_the_head_its_own() -> None:
    unknown = _batch()
    unknown.labels.fill_(-1)  # leaves the identity loss alone
    objective = _objective(IdentityAdversarialConfig(strength=3.0))

    adversarial = _gradients(objective, unknown)
    objective.zero_grad()
    subject_logits = objective.subject_head(objective.model.features(unknown.images))
    torch.autograd.backward(identity_loss(subject_logits, unknown.subjects, "bce_one_hot"))

    for name, parameter in objective.named_parameters():
        if name.startswith("model.head"):
            assert not adversarial[name].any()
            continue
        assert parameter.grad is not None
        factor = 1.0 if name.startswith("subject_head") else -3.0
        torch.testing.assert_close(adversarial[name], factor * parameter.grad, rtol=1e-4, atol=1e-7)


def test_the_loss_is_the_sum_of_both_and_the_terms_say_so() -> None:
    objective, batch = _objective(IdentityAdversarialConfig(loss="softmax")), _batch()

    step = objective(batch)

    features = objective.model.features(batch.images)
    subject_logits = objective.subject_head(features)
    occurrence = occurrence_loss(objective.model.head(features), batch.labels)
    identity = identity_loss(subject_logits, batch.subjects, "softmax")
    assert torch.allclose(step.loss, occurrence + identity)
    assert set(step.terms) == {"occurrence", "identity", "identity_accuracy", "identity_constant", "reversal_strength"}
    assert torch.allclose(step.terms["identity"], identity)
    right = (subject_logits.argmax(1) == batch.subjects).float().mean()
    assert torch.equal(step.terms["identity_accuracy"], right)
    assert float(step.terms["identity_constant"]) == pytest.approx(math.log(3))
    assert float(step.terms["reversal_strength"]) == 2.0
    assert not any(term.requires_grad for term in step.terms.values())


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
def test_a_batch_of_strangers_is_zero_with_a_zero_gradient(kind: IdentityLoss) -> None:
    gradients = _gradients(_objective(IdentityAdversarialConfig(loss=kind)), _batch((-1, -1, -1)))

    assert not gradients["subject_head.0.weight"].any()
    step = _objective(IdentityAdversarialConfig(loss=kind))(_batch((-1, -1)))
    assert float(step.terms["identity"]) == 0.0
    assert float(step.terms["identity_accuracy"]) == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_logits_stay_finite(kind: IdentityLoss) -> None:
    logits = torch.tensor([[100.0, -100.0], [-100.0, 100.0]], requires_grad=True)

    loss = identity_loss(logits, torch.tensor([1, 1]), kind)
    torch.autograd.backward(loss)

    assert float(loss.detach()) == pytest.approx(50.0 if kind == "bce_one_hot" else 100.0)
    assert logits.grad is not None
    assert bool(logits.grad.isfinite().all())


def test_stop_gradient_leaves_the_network_to_the_occurrence_loss_alone() -> None:
    batch = _batch()
    control = _gradients(_objective(IdentityAdversarialConfig(stop_gradient=True)), batch)
    none = _gradients(_objective(IdentityAdversarialConfig(strength=0.0)), batch)
    real = _gradients(_objective(IdentityAdversarialConfig(strength=5.0)), batch)

    for name, gradient in control.items():
        torch.testing.assert_close(gradient, none[name], rtol=1e-4, atol=1e-7)
    assert not torch.allclose(control["model.stem.0.weight"], real["model.stem.0.weight"])
    assert bool(control["subject_head.0.weight"].any())


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [2.0, 2.0, 2.0, 2.0]),
        ("warm-up", [0.0, 1.0, 2.0, 2.0]),
        ("dann", [2 * (2 / (1 + math.exp(-10 * p)) - 1) for p in (0.0, 0.1, 0.2, 1.0)]),
    ],
)
def test_schedules(schedule: Literal["constant", "warm-up", "dann"], expected: list[float]) -> None:
    config = IdentityAdversarialConfig(strength=2.0, schedule=schedule, warm_up=0.2)

    assert [reversal_strength(config, p) for p in (0.0, 0.1, 0.2, 1.0)] == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"^progress must be in \[0, 1\], got 1\.5$"):
        reversal_strength(config, 1.5)


def test_the_objective_follows_the_progress_the_loop_sets() -> None:
    objective = _objective(IdentityAdversarialConfig(schedule="warm-up", warm_up=1.0))
    objective.progress = 0.25

    assert float(objective(_batch()).terms["reversal_strength"]) == pytest.approx(0.5)


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


def test_the_subject_head_belongs_to_the_objective_and_weights_are_stored_once() -> None:
    objective = _objective(IdentityAdversarialConfig())

    assert not any("subject" in name for name in objective.model.state_dict())
    assert {name.split(".")[0] for name in objective.state_dict()} == {"model", "subject_head"}


def test_balanced_occurrence_weights_reach_the_loss() -> None:
    config = IdentityAdversarialConfig(occurrence=OccurrenceConfig(balance="positive-rate"))
    training_labels = torch.tensor([[1] * 12, [0] * 12, [0] * 12], dtype=torch.int8)
    objective = IdentityAdversarial(build_model(TINY, 12), config, [1, 2], training_labels)
    batch = _batch((0, 1))

    expected = occurrence_loss(objective.model(batch.images), batch.labels, torch.full((12,), 2.0))
    assert torch.allclose(objective(batch).terms["occurrence"], expected)


def test_wrong_configs_name_field_value_and_limit() -> None:
    config = IdentityAdversarialConfig()
    with pytest.raises(ValueError, match=r"^strength must be at least 0 and finite, got -1\.0$"):
        replace(config, strength=-1.0)
    with pytest.raises(ValueError, match=r"^warm_up must be in \(0, 1\], got 0\.0$"):
        replace(config, warm_up=0.0)
    with pytest.raises(ValueError, match=r"^dann_gamma must be above 0, got 0\.0$"):
        replace(config, dann_gamma=0.0)
    with pytest.raises(ValueError, match=r"^identity adversarial training needs at least two subjects, got 1$"):
        IdentityAdversarial(build_model(TINY, 12), config, [4])
    with pytest.raises(ValueError, match=r"^counts must name at least one sample, got \[0, 0\]$"):
        constant_predictor_loss([0, 0], "softmax")
