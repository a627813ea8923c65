"""Causal intervention (CIU) meets the numbers and identities that its specification asks for, item by item.

Items 6 to 9 are tested here. Items 1 to 5 and 10 are about a part each, and are tested with that part: `ELSEWHERE` says
where.
"""

from pathlib import Path

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
from facskit.objectives.occurrence import (
    OccurrenceConfig,
    OccurrenceTerm,
    inverse_rate_weights,
    occurrence_loss,
    rate_weights,
)
from tests.objectives.small_ciu import ATTENTIVE, PLAIN, batch, intervention

ELSEWHERE = (
    ("1", "models/test_attention_network.py", "test_parameters_are_those_of_the_paper"),
    ("1", "models/test_attention_network.py", "test_shapes_are_those_of_the_paper"),
    ("1", "models/test_region_layers.py", "test_parameters_are_those_of_the_paper"),
    ("2", "models/test_attention_network.py", "test_it_computes_what_the_loop_does"),
    ("2", "models/test_region_layers.py", "test_no_patch_sees_its_neighbours"),
    ("2", "models/test_region_layers.py", "test_patches_at_once_equal_the_loop"),
    ("2", "models/test_region_layers.py", "test_two_layers_give_the_published_output"),
    ("3", "faces/test_similarity_49.py", "test_the_published_sample_is_aligned_already"),
    ("4", "models/test_attention_targets.py", "test_centres_are_the_published_ones"),
    ("4", "models/test_attention_targets.py", "test_some_units_show_at_the_place_of_others"),
    ("5", "models/test_attention_targets.py", "test_maps_reach_one_where_centres_are_rounded"),
    ("5", "models/test_attention_targets.py", "test_the_mirror_image_has_the_mirrored_map"),
    (
        "10",
        "datasets/corpora/reading/test_published_counts.py",
        "test_frames_with_landmarks_add_up_by_subject_and_fold",
    ),
    ("10", "datasets/test_folds.py", "test_folds_are_disjoint_complete_and_repeatable"),
    ("10", "datasets/test_folds.py", "test_published_parts_are_pinned"),
    ("10", "evaluation/test_cross_validation.py", "test_pooled_differs_from_the_mean_of_folds"),
)
"""Item of the specification, file under `tests/`, and the test in it."""


@pytest.mark.parametrize(("item", "file", "name"), ELSEWHERE)
def test_items_tested_elsewhere_still_are(item: str, file: str, name: str) -> None:
    assert f"def {name}(" in (Path(__file__).parent / file).read_text(encoding="utf-8"), f"item {item}"


GRANULARITIES: list[Granularity] = ["sample", "unit"]

# ---------------------------------------------------------------------------------------------------------------------
# Item 6: weights of action units and of positives
# ---------------------------------------------------------------------------------------------------------------------

BP4D_ALL = [21.1, 17.1, 20.3, 46.2, 54.9, 59.4, 56.2, 46.6, 16.9, 34.4, 16.5, 15.2]
DISFA_ALL = [5.0, 4.0, 15.0, 8.1, 4.3, 13.2, 27.8, 8.9]
"""Published occurrence over all frames, in percent."""

BP4D_FOLDS = {
    "1+2": (
        [18.4, 14.7, 19.8, 44.1, 57.2, 56.8, 54.2, 45.8, 17.6, 34.3, 16.6, 14.9],
        [1.3430, 1.6897, 1.2481, 0.5614, 0.4330, 0.4359, 0.4573, 0.5410, 1.4081, 0.7228, 1.4931, 1.6667],
    ),
    "1+3": (
        [21.1, 18.8, 20.1, 44.9, 53.6, 60.0, 57.0, 43.1, 15.0, 32.4, 15.8, 14.5],
        [1.1911, 1.3373, 1.2470, 0.5589, 0.4682, 0.4180, 0.4401, 0.5819, 1.6704, 0.7742, 1.5864, 1.7265],
    ),
    "2+3": (
        [24.1, 18.0, 20.9, 49.4, 53.8, 61.6, 57.5, 51.0, 18.2, 36.4, 17.2, 16.1],
        [1.1329, 1.5196, 1.3086, 0.5521, 0.5071, 0.4431, 0.4744, 0.5351, 1.4960, 0.7499, 1.5825, 1.6986],
    ),
}
"""Training parts -> occurrence in percent, and the published weights of the AUs with the mean 1."""

DISFA_FOLDS = {
    "1+2": [1.4223, 2.3478, 0.3997, 0.7950, 1.8782, 0.4401, 0.1956, 0.5213],
    "1+3": [1.3902, 1.4696, 0.5273, 1.0345, 1.6728, 0.6567, 0.3039, 0.9450],
    "2+3": [1.5106, 1.5601, 0.4759, 0.8849, 1.6569, 0.5709, 0.2776, 1.0632],
}
"""Training parts -> the published weights; the occurrence behind them isn't published."""


def _labels(rates: list[float], images: int = 1000) -> Tensor:
    """Labels whose AUs occur in the given percentages of the images."""
    rows = torch.arange(images).unsqueeze(1)
    return (rows < (torch.tensor(rates, dtype=torch.float64) * images / 100).round()).to(torch.int8)


@pytest.mark.parametrize("parts", BP4D_FOLDS)
def test_6_bp4ds_training_folds_give_the_published_weights(parts: str) -> None:
    rates, published = BP4D_FOLDS[parts]

    weights = inverse_rate_weights(_labels(rates))

    assert weights.unit is not None
    torch.testing.assert_close(weights.unit, torch.tensor(published), rtol=0.01, atol=0)
    assert float(weights.unit.sum()) == pytest.approx(12.0, rel=1e-6)  # the paper's w_j add up to 1


def test_6_the_published_rates_of_all_frames_give_the_mean_of_the_folds_weights() -> None:
    weights = rate_weights(torch.tensor(BP4D_ALL, dtype=torch.float64) / 100)

    assert weights.unit is not None
    mean = torch.tensor([published for _, published in BP4D_FOLDS.values()]).mean(0)
    torch.testing.assert_close(weights.unit, mean, rtol=0.02, atol=0)


@pytest.mark.parametrize("parts", DISFA_FOLDS)
def test_6_disfas_published_weights_are_inverse_rates(parts: str) -> None:
    published = torch.tensor(DISFA_FOLDS[parts], dtype=torch.float64)
    assert float(published.sum()) == pytest.approx(8.0, abs=1e-3)

    weights = rate_weights(0.05 / published)  # any rates in these proportions

    assert weights.unit is not None
    torch.testing.assert_close(weights.unit.double(), published, rtol=1e-3, atol=0)


def test_6_positives_weigh_the_odds_of_absence() -> None:
    bp4d, disfa = (rate_weights(torch.tensor(rates, dtype=torch.float64) / 100) for rates in (BP4D_ALL, DISFA_ALL))

    expected = torch.tensor([3.74, 4.85, 3.93, 1.16, 0.82, 0.68, 0.78, 1.15, 4.92, 1.91, 5.06, 5.58])
    torch.testing.assert_close(bp4d.positive, expected, rtol=0, atol=0.0051)
    expected = torch.tensor([19.0, 24.0, 5.67, 11.3, 22.3, 6.58, 2.60, 10.2])
    torch.testing.assert_close(disfa.positive, expected, rtol=0, atol=0.051)


# ---------------------------------------------------------------------------------------------------------------------
# Item 7: intervention weights and teachers
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_7_gamma_0_gives_two_halves_exactly(granularity: Granularity) -> None:
    losses = [teacher_losses(5 * torch.randn(6, 4), torch.ones(6, 4, dtype=torch.int8), granularity) for _ in range(2)]

    assert torch.equal(intervention_weights(losses[0], losses[1], 0.0), torch.full_like(losses[0], 0.5))


@pytest.mark.parametrize("gamma", [1.0, 2.0, 20.0])
def test_7_exchanging_the_teachers_exchanges_the_weights_and_they_add_up_to_1(gamma: float) -> None:
    imbalanced, balanced = torch.rand(2, 200).exp()

    first, second = intervention_weights(imbalanced, balanced, gamma), intervention_weights(balanced, imbalanced, gamma)

    torch.testing.assert_close(second, 1 - first, rtol=0, atol=1e-6)
    told = intervention(PLAIN).consult(batch())
    assert torch.equal(told.imbalanced + told.balanced, torch.ones_like(told.imbalanced))


def test_7_gamma_20_with_tiny_losses_is_finite() -> None:
    tiny = torch.tensor([1e-6, 1e-3, 1e-6, 1e-3, 0.0], requires_grad=True)

    weights = intervention_weights(tiny, torch.tensor([1e-3, 1e-6, 1e-6, 1e-3, 0.0]), 20.0)
    torch.autograd.backward(weights.sum())

    assert weights.detach().tolist() == pytest.approx([0.0, 1.0, 0.5, 0.5, 0.5])
    assert tiny.grad is not None
    assert bool(tiny.grad.isfinite().all())


def test_7_teachers_get_no_gradient_and_keep_their_batch_statistics() -> None:
    objective = intervention(PLAIN, ATTENTIVE)
    objective.train()
    states = [{name: value.clone() for name, value in net.state_dict().items()} for net in objective.teachers.networks]
    assert any("running_mean" in name for name in states[0])
    own = {name: value.clone() for name, value in objective.model.state_dict().items() if "running_mean" in name}

    torch.autograd.backward(objective(batch()).loss)

    for teacher, state in zip(objective.teachers.networks, states, strict=True):
        assert all(value.grad is None for value in teacher.parameters())
        assert all(torch.equal(value, state[name]) for name, value in teacher.state_dict().items())
    assert not any(torch.equal(value, objective.model.state_dict()[name]) for name, value in own.items())


# ---------------------------------------------------------------------------------------------------------------------
# Item 8: the risk
# ---------------------------------------------------------------------------------------------------------------------


def _told(granularity: Granularity, labels: Tensor) -> Intervention:
    imbalanced, balanced = 3 * torch.randn(2, *labels.shape, dtype=torch.float64)
    losses = [teacher_losses(logits, labels, granularity) for logits in (imbalanced, balanced)]
    weight = intervention_weights(losses[0], losses[1], 1.0)
    return Intervention(imbalanced=weight, balanced=1 - weight, answers=balanced.sigmoid())


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_8_two_risks_are_one_cross_entropy_with_a_mixed_target(granularity: Granularity) -> None:
    torch.manual_seed(0)
    labels = torch.randint(-1, 2, (48, 12), dtype=torch.int8)
    logits = 3 * torch.randn(48, 12, dtype=torch.float64)
    gradients, values = [], []
    told = _told(granularity, labels)
    for form in ("mixed", "two"):
        answers = logits.clone().requires_grad_()
        risk = (
            mixed_risk(answers, labels, told)
            if form == "mixed"
            else torch.stack(risk_terms(answers, labels, told)).sum()
        )
        torch.autograd.backward(risk)
        assert answers.grad is not None
        values.append(risk.detach())
        gradients.append(answers.grad)

    assert abs(float(values[0] - values[1])) < 1e-12
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=1e-12)
    known = labels != -1
    target = told.imbalanced * (labels == 1) + told.balanced * told.answers
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits[known], target[known])
    assert abs(float(values[0] - plain)) < 1e-12


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_8_with_two_equal_perfect_teachers_the_risk_is_the_plain_cross_entropy(granularity: Granularity) -> None:
    labels = torch.randint(-1, 2, (16, 12), dtype=torch.int8)
    logits = torch.randn(16, 12, dtype=torch.float64)
    perfect = torch.where(labels == 1, 60.0, -60.0).double()
    losses = teacher_losses(perfect, labels, granularity)
    weight = intervention_weights(losses, losses, 1.0)
    told = Intervention(imbalanced=weight, balanced=1 - weight, answers=perfect.sigmoid())

    torch.testing.assert_close(mixed_risk(logits, labels, told), occurrence_loss(logits, labels), rtol=0, atol=1e-12)


# ---------------------------------------------------------------------------------------------------------------------
# Item 9: the balanced network's loss
# ---------------------------------------------------------------------------------------------------------------------


def test_9_the_balanced_loss_is_the_sum_of_equation_14() -> None:
    torch.manual_seed(0)
    training = (torch.rand(500, 12) < torch.linspace(0.05, 0.7, 12)).to(torch.int8)
    labels = training[:20]
    logits = torch.randn(20, 12, dtype=torch.float64)
    term = OccurrenceTerm(OccurrenceConfig(balance="inverse-rate"), training_labels=training)
    rates = training.double().mean(0)
    # As the term keeps them: in 32 bits.
    unit = ((1 / rates) / (1 / rates).sum() * 12).float().double() / 12
    positive = ((1 - rates) / rates).float().double()

    total = 0.0
    for row in range(20):
        for unit_index in range(12):
            p = logits[row, unit_index].sigmoid()
            if labels[row, unit_index] == 1:
                total -= float(unit[unit_index] * positive[unit_index] * p.log())
            else:
                total -= float(unit[unit_index] * (1 - p).log())

    assert float(term.double()(logits, labels, torch.zeros(20, dtype=torch.int64))) == pytest.approx(
        total / 20, rel=1e-12
    )
