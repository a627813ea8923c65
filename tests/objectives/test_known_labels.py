"""What losses do with unknown labels."""

import torch

from facskit.objectives.known_labels import accuracy, at_least_float32, known_mean, known_scores


def test_unknown_labels_have_no_share_in_a_mean_and_its_gradient() -> None:
    logits = torch.tensor([1.0, torch.inf, 5.0], requires_grad=True)
    known = torch.tensor([True, False, True])
    mean = known_mean(known_scores(logits, known).square(), known)
    mean.backward()  # type: ignore[no-untyped-call]
    assert float(mean.detach()) == 13.0
    assert logits.grad is not None
    assert logits.grad.tolist() == [1.0, 0.0, 5.0]
    assert float(known_mean(torch.ones(2), torch.tensor([False, False]))) == 0.0


def test_accuracy_counts_samples_with_a_class_alone() -> None:
    logits = torch.tensor([[2.0, 1.0], [2.0, 1.0], [0.0, 9.0]])
    assert float(accuracy(logits, torch.tensor([0, 1, -1]))) == 0.5
    assert float(accuracy(logits, torch.tensor([-1, -1, -1]))) == 0.0


def test_only_shorter_floats_grow() -> None:
    lengths = {torch.bfloat16: torch.float32, torch.float32: torch.float32, torch.float64: torch.float64}
    for before, after in lengths.items():
        assert at_least_float32(torch.ones(1, dtype=before)).dtype == after
