"""Weights that take people's habits out of their labels."""

import pytest
import torch
from torch import Tensor

from facskit.objectives.occurrence import OccurrenceConfig, OccurrenceTerm, occurrence_loss
from facskit.objectives.person_weights import label_weights, person_weights


def _drawn() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    subjects = torch.randint(-1, 3, (400,), generator=generator)
    rates = torch.tensor([[0.9, 0.2], [0.1, 0.5], [0.4, 0.7], [0.5, 0.5]])[subjects]
    labels = (torch.rand(400, 2, generator=generator) < rates).to(torch.int8)
    labels[torch.rand(400, 2, generator=generator) < 0.3] = -1
    return labels, subjects


def test_weighted_everybody_shows_a_unit_as_often_as_all_together() -> None:
    labels, subjects = _drawn()

    weights = person_weights(labels, subjects, max_weight=100.0)

    known = subjects >= 0
    for unit in range(2):
        said = labels[known, unit]
        wanted = float((said == 1).sum() / (said >= 0).sum())
        for person in range(3):
            own = labels[subjects == person, unit]
            absent, present = (float((own == state).sum()) * float(weights[person, unit, state]) for state in (0, 1))
            assert present / (absent + present) == pytest.approx(wanted)
            assert absent + present == pytest.approx(float((own >= 0).sum()))


def test_weights_keep_within_their_limit_and_what_nobody_showed_counts_as_ever() -> None:
    labels = torch.tensor([[1], [1], [1], [0], [0], [1]], dtype=torch.int8)
    subjects = torch.tensor([0, 0, 0, 0, 1, -1])

    weights = person_weights(labels, subjects, max_weight=1.5)

    # Among the five known people's labels 3 are present, 2 absent: person 0 shows 3 of 4, person 1 none of 1.
    expected = torch.tensor([[[1.5, 0.8]], [[1 / 1.5, 1.0]]])
    torch.testing.assert_close(weights, expected)
    torch.testing.assert_close(
        label_weights(weights, labels, subjects), torch.tensor([[0.8], [0.8], [0.8], [1.5], [1 / 1.5], [1.0]])
    )


def test_the_loss_equals_a_loop() -> None:
    labels, subjects = _drawn()
    logits = torch.randn(len(labels), 2, generator=torch.Generator().manual_seed(2), requires_grad=True)
    term = OccurrenceTerm(OccurrenceConfig(balance="person-rate"), training_labels=labels, training_subjects=subjects)
    weights = person_weights(labels, subjects, 10.0)

    total, count = 0.0, 0
    for row, person in enumerate(subjects.tolist()):
        for unit in range(2):
            state = int(labels[row, unit])
            if state == -1:
                continue
            weight = 1.0 if person < 0 else float(weights[person, unit, state])
            one = occurrence_loss(logits[row : row + 1, unit : unit + 1], labels[row : row + 1, unit : unit + 1])
            total, count = total + weight * float(one.detach()), count + 1
    loss = term(logits, labels, subjects)
    torch.autograd.backward(loss)

    assert float(loss.detach()) == pytest.approx(total / count, rel=1e-5)
    assert logits.grad is not None
    assert not logits.grad[labels == -1].any()


def test_people_are_needed() -> None:
    with pytest.raises(ValueError, match="training_subjects are needed when balance is person-rate"):
        OccurrenceTerm(OccurrenceConfig(balance="person-rate"), training_labels=torch.zeros(2, 1, dtype=torch.int8))
