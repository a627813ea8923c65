"""Identity adversarial training: the published numbers, the reversal, both readings of the loss."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from facskit.action_units import BP4D
from facskit.datasets.samples import Batch
from facskit.models.build import ModelConfig, build_model
from facskit.models.compact_network import CompactConfig
from facskit.models.vision_transformer import VisionTransformer, ViTConfig
from facskit.objectives.identity_adversarial import IdentityAdversarial, IdentityAdversarialConfig
from facskit.objectives.identity_term import (
    IdentityLoss,
    constant_predictor_loss,
    identity_loss,
)
from facskit.objectives.objective import Objective
from facskit.objectives.occurrence import Occurrence, OccurrenceConfig, occurrence_loss
from facskit.training.optimization import parameter_groups

DATA = Path(__file__).parent.parent / "data"
PUBLISHED_MODEL = ViTConfig(image_size=64, patch_size=16, dim=64, depth=3, heads=4, drop_path=0.0)
TINY = CompactConfig(image_size=16, widths=(8, 8), depths=(1, 1), places=2, place_dim=4, dropout=0.0)
RESTLESS = replace(TINY, dropout=0.5)
DROPPING = ViTConfig(image_size=16, patch_size=8, dim=16, depth=2, heads=2, drop_path=0.5)
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
    objective.identity.subject_head[0].load_state_dict(subject_weights, strict=True)
    batch = Batch(
        images=torch.from_numpy(published["images"]),
        labels=torch.from_numpy(published["labels"]).to(torch.int8),
        subjects=torch.from_numpy(published["subject"]),
        indices=torch.arange(3),
        action_units=BP4D,
    )

    step = objective(batch)
    torch.autograd.backward(step.loss)

    with torch.no_grad():
        logits = objective.model(batch.images)
        subject_logits = objective.identity.subject_head(objective.model.features(batch.images))
    np.testing.assert_allclose(logits.numpy(), published["au_logits"], atol=1e-4)
    np.testing.assert_allclose(subject_logits.numpy(), published["id_logits"], atol=1e-4)
    assert float(step.terms["occurrence"]) == pytest.approx(float(published["loss_au"]), abs=1e-4)
    assert float(step.terms["identity"]) == pytest.approx(float(published["loss_id"]), abs=1e-4)
    _compare_gradients(objective, published)


def _compare_gradients(objective: IdentityAdversarial, published: Any) -> None:  # noqa: ANN401 - numpy's lazy archive
    names = sorted({name[5:].split("@")[0] for name in published.files if name.startswith("grad/")})
    assert len(names) == 7
    for name in names:
        ours = name.replace("ID_head.", "identity.subject_head.0.") if name.startswith("ID_head") else f"model.{name}"
        gradient = objective.get_parameter(ours).grad
        assert gradient is not None
        if f"grad/{name}" in published.files:
            np.testing.assert_allclose(gradient.numpy(), published[f"grad/{name}"], atol=1e-4, err_msg=name)
            continue
        # The two largest tensors are kept as every seventh value and the norm of all.
        sparse = gradient.flatten()[::7].numpy()
        np.testing.assert_allclose(sparse, published[f"grad/{name}@stride7"], atol=1e-4, err_msg=name)
        assert float(gradient.double().norm()) == pytest.approx(float(published[f"grad/{name}@norm"]), rel=1e-4)


def test_the_network_gets_exactly_minus_strength_times_the_plain_gradient_and_the_head_its_own() -> None:
    unknown = _batch()
    unknown.labels.fill_(-1)  # leaves the identity loss alone
    objective = _objective(IdentityAdversarialConfig(strength=4.0))  # a power of 2 rounds nothing

    adversarial = _gradients(objective, unknown)
    objective.zero_grad()
    subject_logits = objective.identity.subject_head(objective.model.features(unknown.images))
    torch.autograd.backward(identity_loss(subject_logits, unknown.subjects, "bce_one_hot"))

    for name, parameter in objective.named_parameters():
        if name.startswith("model.head"):
            assert not adversarial[name].any()
            continue
        assert parameter.grad is not None
        factor = 1.0 if name.startswith("identity") else -4.0
        assert torch.equal(adversarial[name], factor * parameter.grad), name


def test_the_loss_is_the_sum_of_both_and_the_terms_say_so() -> None:
    objective, batch = _objective(IdentityAdversarialConfig(loss="softmax")), _batch()

    step = objective(batch)

    features = objective.model.features(batch.images)
    subject_logits = objective.identity.subject_head(features)
    occurrence = occurrence_loss(objective.model.head(features), batch.labels)
    identity = identity_loss(subject_logits, batch.subjects, "softmax")
    assert torch.allclose(step.loss, occurrence + identity)
    names = {"identity", "identity_accuracy", "identity_constant", "reversal_strength"}
    assert set(step.terms) == {"occurrence", "gradient_occurrence", "gradient_identity", *names}
    assert torch.allclose(step.terms["identity"], identity)
    right = (subject_logits.argmax(1) == batch.subjects).float().mean()
    assert torch.equal(step.terms["identity_accuracy"], right)
    assert float(step.terms["identity_constant"]) == pytest.approx(math.log(3))
    assert float(step.terms["reversal_strength"]) == 2.0
    assert not any(term.requires_grad for term in step.terms.values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_strangers_is_zero_with_a_zero_gradient(kind: IdentityLoss) -> None:
    gradients = _gradients(_objective(IdentityAdversarialConfig(loss=kind)), _batch((-1, -1, -1)))

    assert not gradients["identity.subject_head.0.weight"].any()
    step = _objective(IdentityAdversarialConfig(loss=kind))(_batch((-1, -1)))
    assert float(step.terms["identity"]) == 0.0
    assert float(step.terms["identity_accuracy"]) == 0.0


def _train(objective: Objective[Batch], steps: int = 4) -> dict[str, Tensor]:
    """Update the network a few times and return its weights; its drop paths and dropout draw random numbers."""
    optimizer = torch.optim.AdamW(objective.parameters(), lr=0.05)
    for step in range(steps):
        objective.progress = step / steps
        optimizer.zero_grad()
        torch.autograd.backward(objective(_batch()).loss)
        optimizer.step()
    return {name: value.clone() for name, value in objective.model.state_dict().items()}


def _equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first | second)


@pytest.mark.parametrize("model", [RESTLESS, DROPPING], ids=["compact", "vit"])
def test_behind_a_stop_gradient_the_network_trains_bit_for_bit_as_without_the_subject_head(model: ModelConfig) -> None:
    torch.manual_seed(5)
    plain = _train(Occurrence(build_model(model, 12), OccurrenceConfig()))
    torch.manual_seed(5)
    config = IdentityAdversarialConfig(stop_gradient=True)
    control = IdentityAdversarial(build_model(model, 12), config, [5, 5, 5])
    before = control.identity.subject_head.state_dict()["0.weight"].clone()
    controlled = _train(control)
    torch.manual_seed(5)
    fought = _train(IdentityAdversarial(build_model(model, 12), replace(config, stop_gradient=False), [5, 5, 5]))

    assert _equal(plain, controlled)
    assert not _equal(plain, fought)
    assert not torch.equal(before, control.identity.subject_head.state_dict()["0.weight"])


def test_measuring_forces_changes_neither_weights_nor_random_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for measured in (True, False):
        if not measured:
            monkeypatch.setattr(IdentityAdversarial, "_forces", lambda *_: {})
        torch.manual_seed(5)
        objective = IdentityAdversarial(build_model(DROPPING, 12), IdentityAdversarialConfig(), [5, 5, 5])
        weights = _train(objective)
        head = objective.identity.subject_head.state_dict()
        results.append(({**weights, **head}, torch.get_rng_state()))
        assert ("gradient_identity" in objective(_batch()).terms) is measured

    assert _equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@torch.no_grad()
def _analytic_forces(objective: IdentityAdversarial, batch: Batch) -> tuple[float, float]:
    """Mean length of a sample's gradient, written from W^T (s(z) - y) / A and - lambda W_id^T (s(u) - e) / K."""
    features = objective.model.features(batch.images).detach()
    known = batch.labels != -1
    share = len(batch) / known.sum()
    errors = torch.where(known, objective.model.head(features).sigmoid() - batch.labels, 0.0)
    occurrence = share * errors @ objective.model.get_parameter("head.weight")
    named = torch.nn.functional.one_hot(batch.subjects, 3)
    subject_weight = objective.identity.subject_head.get_parameter("0.weight")
    identity = -3.0 / 3 * (objective.identity.subject_head(features).sigmoid() - named) @ subject_weight
    return float(occurrence.norm(dim=1).mean()), float(identity.norm(dim=1).mean())


def test_forces_are_the_lengths_of_the_gradients_at_the_features() -> None:
    objective, batch = _objective(IdentityAdversarialConfig(strength=3.0)), _batch()

    terms = objective(batch).terms

    occurrence, identity = _analytic_forces(objective, batch)
    assert float(terms["gradient_occurrence"]) == pytest.approx(occurrence, rel=1e-5)
    assert float(terms["gradient_identity"]) == pytest.approx(identity, rel=1e-5)
    control = _objective(IdentityAdversarialConfig(strength=3.0, stop_gradient=True))(batch).terms
    assert float(control["gradient_identity"]) == 0.0
    assert torch.equal(control["gradient_occurrence"], terms["gradient_occurrence"])


def test_in_16_bits_forces_are_measured_in_32() -> None:
    objective, batch = _objective(IdentityAdversarialConfig()), _batch()

    with torch.autocast("cpu", dtype=torch.bfloat16):
        step = objective(batch)

    exact = objective(batch)
    assert step.loss.dtype == torch.float32
    for name in ("gradient_occurrence", "gradient_identity"):
        assert step.terms[name].dtype == torch.float32
        assert float(step.terms[name]) == pytest.approx(float(exact.terms[name]), rel=0.05)


def test_the_objective_follows_the_progress_the_loop_sets() -> None:
    objective = _objective(IdentityAdversarialConfig(schedule="warm-up", warm_up=1.0))
    objective.progress = 0.25

    assert float(objective(_batch()).terms["reversal_strength"]) == pytest.approx(0.5)


def test_the_subject_head_belongs_to_the_objective_and_weights_are_stored_once() -> None:
    objective = _objective(IdentityAdversarialConfig())

    assert not any("subject" in name for name in objective.model.state_dict())
    assert {name.split(".")[0] for name in objective.state_dict()} == {"model", "identity"}


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


def test_a_faster_subject_head_has_a_rate_of_its_own() -> None:
    config = IdentityAdversarialConfig(head_rate=3.0)
    objective = _objective(config)
    groups = parameter_groups(objective, weight_decay=0.05, layer_decay=1.0)
    scales = {name: group["lr_scale"] for group in groups for name in group["names"]}
    assert {scale for name, scale in scales.items() if name.startswith("identity.")} == {3.0}
    assert {scale for name, scale in scales.items() if name.startswith("model.")} == {1.0}
