import pytest
import torch

from facskit.action_units import DISFA_8, ActionUnitSet
from facskit.datasets.samples import Batch, LabelState, Sample

PAIR = ActionUnitSet.parse("AU06,AU12")


def batch(labels: list[list[int]], **changes: object) -> Batch:
    number = len(labels)
    parts: dict[str, object] = {
        "images": torch.zeros(number, 3, 4, 4),
        "labels": torch.tensor(labels, dtype=torch.int8),
        "subjects": torch.arange(number) - 1,
        "indices": torch.arange(number),
        "action_units": PAIR,
    }
    return Batch(**(parts | changes))  # type: ignore[arg-type]


def test_the_stored_values_are_those_of_the_contract() -> None:
    assert (LabelState.UNKNOWN, LabelState.ABSENT, LabelState.PRESENT) == (-1, 0, 1)


def test_known_and_targets_follow_the_three_states() -> None:
    found = batch([[1, 0], [-1, 1], [-1, -1]])
    assert found.known.tolist() == [[True, True], [False, True], [False, False]]
    assert found.targets.tolist() == [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    assert found.targets.dtype == torch.float32
    assert len(found) == 3


@pytest.mark.parametrize("code", [9, 2, -2, 127])
def test_other_codes_are_refused(code: int) -> None:
    with pytest.raises(ValueError, match=rf"must be -1 \(unknown\), 0 \(absent\) or 1 \(present\), got {code}"):
        batch([[1, 0], [0, code]])


def test_labels_must_fit_the_action_units() -> None:
    with pytest.raises(ValueError, match="2 columns, but there are 8 action units: AU01,AU02"):
        batch([[1, 0]], action_units=DISFA_8)


def test_parts_of_different_lengths_are_refused() -> None:
    found = batch([[1, 0], [0, 0]])
    # The annotations, which tests check, would refuse it first.
    object.__setattr__(found, "images", torch.zeros(1, 3, 4, 4))
    with pytest.raises(ValueError, match="images 1, labels 2, subjects 2, indices 2"):
        found.__post_init__()


def test_samples_stack_in_order_and_move() -> None:
    samples = [
        Sample(
            image=torch.full((3, 2, 2), float(row)),
            labels=torch.tensor([row % 2, -1], dtype=torch.int8),
            subject=row - 1,
            index=10 + row,
            action_units=PAIR,
        )
        for row in range(3)
    ]
    stacked = Batch.from_samples(samples).to("cpu")
    assert stacked.images[:, 0, 0, 0].tolist() == [0.0, 1.0, 2.0]
    assert stacked.subjects.tolist() == [-1, 0, 1]
    assert stacked.indices.tolist() == [10, 11, 12]
    assert stacked.labels.tolist() == [[0, -1], [1, -1], [0, -1]]


def test_a_sample_of_nobody_below_minus_one_is_refused() -> None:
    with pytest.raises(ValueError, match="got -2"):
        Sample(
            image=torch.zeros(3, 2, 2),
            labels=torch.zeros(2, dtype=torch.int8),
            subject=-2,
            index=0,
            action_units=PAIR,
        )


def test_no_samples_make_no_batch() -> None:
    with pytest.raises(ValueError, match="at least one sample, got none"):
        Batch.from_samples([])
