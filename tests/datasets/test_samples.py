import pytest
import torch

from facskit.action_units import DISFA_8, NO_ACTION_UNITS, ActionUnitSet
from facskit.datasets.samples import Batch, LabelState, Sample

PAIR = ActionUnitSet.parse("AU06,AU12")


def batch(states: list[list[int]], **changes: object) -> Batch:
    number = len(states)
    parts: dict[str, object] = {
        "images": torch.zeros(number, 3, 4, 4),
        "labels": torch.tensor(states, dtype=torch.int8),
        "subjects": torch.arange(number) - 1,
        "indices": torch.arange(number),
        "action_units": PAIR,
    }
    return Batch(**(parts | changes))  # type: ignore[arg-type]


def test_the_stored_values_are_those_of_the_contract() -> None:
    assert (LabelState.UNKNOWN, LabelState.ABSENT, LabelState.PRESENT) == (-1, 0, 1)


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
    with pytest.raises(ValueError, match="images 1, labels 2, subjects 2, indices 2, expressions 2, landmarks 2"):
        found.__post_init__()


def test_a_batch_moves_as_a_whole() -> None:
    found = batch([[1, 0], [-1, 1], [-1, -1]])
    moved = found.to("meta")
    assert len(moved) == len(found) == 3
    assert moved.action_units == PAIR
    for name in ("images", "labels", "subjects", "indices", "expressions", "landmarks"):
        assert getattr(moved, name).device.type == "meta"
        assert getattr(moved, name).shape == getattr(found, name).shape


def test_expressions_are_unknown_unless_given() -> None:
    assert batch([[1, 0], [0, 0]]).expressions.tolist() == [-1, -1]
    assert batch([[1, 0], [0, 0]], expressions=torch.tensor([6, -1])).expressions.tolist() == [6, -1]
    with pytest.raises(ValueError, match="an expression must be an index or -1 for unknown, got -2"):
        batch([[1, 0], [0, 0]], expressions=torch.tensor([6, -2]))


def test_landmarks_are_unknown_unless_given() -> None:
    found = batch([[1, 0], [0, 0]])
    assert found.landmarks.shape == (2, 68, 2)
    assert torch.isnan(found.landmarks).all()
    points = torch.rand(2, 68, 2)
    assert torch.equal(batch([[1, 0], [0, 0]], landmarks=points).landmarks, points)
    assert len(batch([], labels=torch.zeros(0, 2, dtype=torch.int8)).landmarks) == 0
    # The annotations, which tests check, would refuse it first.
    object.__setattr__(found, "landmarks", torch.zeros(2, 49, 2))
    with pytest.raises(ValueError, match=r"landmarks must have the shape \(batch, 68, 2\), got \(2, 49, 2\)"):
        found.__post_init__()


def test_a_sample_has_68_landmarks() -> None:
    parts = {"image": torch.zeros(3, 2, 2), "labels": torch.zeros(2, dtype=torch.int8), "subject": -1, "index": 0}
    assert torch.isnan(Sample(**parts, action_units=PAIR).landmarks).all()  # type: ignore[arg-type]
    assert Sample(**parts, action_units=PAIR).landmarks.shape == (68, 2)  # type: ignore[arg-type]


def test_a_batch_may_have_expressions_alone() -> None:
    labels = torch.empty(2, 0, dtype=torch.int8)
    found = batch([[], []], labels=labels, action_units=NO_ACTION_UNITS, expressions=torch.tensor([0, 1]))
    assert len(found) == 2
    assert found.labels.shape == (2, 0)


def test_a_sample_of_nobody_below_minus_one_is_refused() -> None:
    with pytest.raises(ValueError, match="got -2"):
        Sample(
            image=torch.zeros(3, 2, 2),
            labels=torch.zeros(2, dtype=torch.int8),
            subject=-2,
            index=0,
            action_units=PAIR,
        )


def test_a_sample_of_an_expression_below_minus_one_is_refused() -> None:
    with pytest.raises(ValueError, match="expression must be an index or -1 for unknown, got -3"):
        Sample(
            image=torch.zeros(3, 2, 2),
            labels=torch.zeros(2, dtype=torch.int8),
            subject=-1,
            index=0,
            action_units=PAIR,
            expression=-3,
        )
