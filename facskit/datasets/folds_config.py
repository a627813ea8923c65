"""The ways to divide subjects into training, validation and test: what a recipe can ask `make_folds` for."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["FoldsConfig", "GivenSplit", "HoldOut", "LeaveOneSubjectOut", "PublishedFolds", "SubjectFolds"]


class _Shares:
    """Checks the shares of subjects among the fields."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name.endswith("_fraction") and not 0 <= value < 1:
                raise ValueError(f"{name} must be from 0 to below 1, got {value}")


@dataclass(frozen=True, kw_only=True)
class SubjectFolds(_Shares):
    """Subjects dealt at random into k parts of nearly equal numbers; each part is tested on once."""

    kind: Literal["subjects"] = "subjects"
    """Tag of this way to make folds."""
    k: int = 3
    """Number of parts."""
    seed: int = 0
    """Seed of the dealing and of the choice of validation subjects."""
    validation_fraction: float = 0.15
    """Part of each fold's training subjects that is set aside to choose epochs and thresholds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k < 2:
            raise ValueError(f"k must be at least 2, got {self.k}")


@dataclass(frozen=True, kw_only=True)
class PublishedFolds(_Shares):
    """The parts that papers use; fold k is tested on part k and trained on the others."""

    kind: Literal["published"] = "published"
    """Tag of this way to make folds."""
    dataset: Literal["bp4d", "bp4d-plus", "disfa"] = "bp4d"
    """Whose subjects: BP4D and DISFA in three parts (JAA-Net, ME-GraphAU, FMAE-IAT, CIU), BP4D+ in four (FMAE-IAT)."""
    seed: int = 0
    """Seed of the choice of validation subjects."""
    validation_fraction: float = 0.15
    """Part of each fold's training subjects that is set aside; the papers set none aside, which is 0."""


@dataclass(frozen=True, kw_only=True)
class HoldOut(_Shares):
    """One division into training, validation and test subjects, for a single training run."""

    kind: Literal["hold-out"] = "hold-out"
    """Tag of this way to make folds."""
    test_fraction: float = 0.2
    """Part of all subjects that is tested on; 0 tests on nobody."""
    validation_fraction: float = 0.15
    """Part of the remaining subjects that is set aside to choose epochs and thresholds; below 1 with the other."""
    seed: int = 0
    """Seed of the choices."""

    def __post_init__(self) -> None:
        super().__post_init__()
        total = self.test_fraction + self.validation_fraction
        if total >= 1:
            raise ValueError(
                f"test_fraction + validation_fraction must be below 1, got "
                f"{self.test_fraction:g} + {self.validation_fraction:g} = {total:g}"
            )


@dataclass(frozen=True, kw_only=True)
class LeaveOneSubjectOut(_Shares):
    """As many folds as subjects, each tested on one person."""

    kind: Literal["leave-one-subject-out"] = "leave-one-subject-out"
    """Tag of this way to make folds."""
    seed: int = 0
    """Seed of the choice of validation subjects."""
    validation_fraction: float = 0.15
    """Part of each fold's training subjects that is set aside."""


@dataclass(frozen=True, kw_only=True)
class GivenSplit(_Shares):
    """The corpus's own division, from the manifest's column `split`: one training run."""

    kind: Literal["given"] = "given"
    """Tag of this way to make folds."""
    test_part: Literal["test", "validation"] = "test"
    """Which part is tested on; AffectNet publishes no test images, so papers test on its validation part."""
    seed: int = 0
    """Seed of the choice of validation subjects."""
    validation_fraction: float = 0.0
    """Part of the training subjects that is set aside where the division itself sets none aside."""


FoldsConfig = SubjectFolds | PublishedFolds | HoldOut | LeaveOneSubjectOut | GivenSplit
"""How subjects are divided."""
