"""Who is trained on and who is tested on: folds that keep every person on one side.

A model that has seen a person's face scores higher on that person, so rows are never divided within a subject. The
published partitions of BP4D, BP4D+ and DISFA come with the package; others are drawn from a seed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

import numpy as np
from jaxtyping import Float, Int8, Int64

from facskit.datasets.fold import Fold
from facskit.errors import DatasetError

__all__ = [
    "Fold",
    "FoldsConfig",
    "HoldOut",
    "LeaveOneSubjectOut",
    "PublishedFolds",
    "SubjectFolds",
    "make_folds",
    "published_parts",
]

_DRAWS = 50


@dataclass(frozen=True, kw_only=True)
class SubjectFolds:
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
        """Check every limit."""
        if self.k < 2:
            raise ValueError(f"k must be at least 2, got {self.k}")
        _check_fraction("validation_fraction", self.validation_fraction)


@dataclass(frozen=True, kw_only=True)
class PublishedFolds:
    """The parts that papers use; fold k is tested on part k and trained on the others."""

    kind: Literal["published"] = "published"
    """Tag of this way to make folds."""
    dataset: Literal["bp4d", "bp4d-plus", "disfa"] = "bp4d"
    """Whose subjects: BP4D and DISFA in three parts (JAA-Net, ME-GraphAU, FMAE-IAT, CIU), BP4D+ in four (FMAE-IAT)."""
    seed: int = 0
    """Seed of the choice of validation subjects."""
    validation_fraction: float = 0.15
    """Part of each fold's training subjects that is set aside; the papers set none aside, which is 0."""

    def __post_init__(self) -> None:
        """Check every limit."""
        _check_fraction("validation_fraction", self.validation_fraction)


@dataclass(frozen=True, kw_only=True)
class HoldOut:
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
        """Check every limit."""
        _check_fraction("test_fraction", self.test_fraction)
        _check_fraction("validation_fraction", self.validation_fraction)
        total = self.test_fraction + self.validation_fraction
        if total >= 1:
            raise ValueError(
                f"test_fraction + validation_fraction must be below 1, got "
                f"{self.test_fraction:g} + {self.validation_fraction:g} = {total:g}"
            )


@dataclass(frozen=True, kw_only=True)
class LeaveOneSubjectOut:
    """As many folds as subjects, each tested on one person."""

    kind: Literal["leave-one-subject-out"] = "leave-one-subject-out"
    """Tag of this way to make folds."""
    seed: int = 0
    """Seed of the choice of validation subjects."""
    validation_fraction: float = 0.15
    """Part of each fold's training subjects that is set aside."""

    def __post_init__(self) -> None:
        """Check every limit."""
        _check_fraction("validation_fraction", self.validation_fraction)


FoldsConfig = SubjectFolds | PublishedFolds | HoldOut | LeaveOneSubjectOut
"""How subjects are divided."""


def make_folds(
    config: FoldsConfig,
    subjects: Sequence[str] | np.ndarray,
    labels: Int8[np.ndarray, "samples aus"] | None = None,
) -> list[Fold]:
    """Divide a manifest's rows.

    Of fifty random divisions the one is taken whose parts have the most even shares of rows and, given labels, of
    present AUs: a rare AU may otherwise be missing from a part.

    Args:
        config: How to divide.
        subjects: Name of each row's subject.
        labels: `LabelState` values, to spread rare AUs evenly.

    Returns:
        The folds; every subject is tested on at most once over all of them.

    Raises:
        DatasetError: There are too few subjects, or the manifest has subjects that a published partition doesn't know.
    """
    people = _People.of(subjects, labels)
    match config:
        case SubjectFolds():
            parts = _deal(people, config.k, np.random.default_rng((config.seed, 0)))
        case PublishedFolds():
            parts = _published(people, config.dataset)
        case LeaveOneSubjectOut():
            parts = [[subject] for subject in range(_at_least(people, 2))]
        case HoldOut():
            count = _share(config.test_fraction, len(people.names), "test_fraction")
            everyone = np.arange(len(people.names))
            parts = [_pick(people, everyone, count, np.random.default_rng((config.seed, 0)))]
    return [
        _fold(people, index, part, config.validation_fraction, config.seed) for index, part in enumerate(parts, start=1)
    ]


@cache
def published_parts(dataset: str) -> tuple[tuple[str, ...], ...]:
    """Return the subjects of each published part.

    Args:
        dataset: `bp4d`, `bp4d-plus` or `disfa`.

    Returns:
        Part by part, sorted names.
    """
    text = resources.files("facskit.datasets").joinpath("published_folds.json").read_text(encoding="utf-8")
    return tuple(tuple(part.split()) for part in json.loads(text)[dataset])


@dataclass(frozen=True, kw_only=True, eq=False)
class _People:
    """The subjects of a manifest with what must be balanced among the parts."""

    names: tuple[str, ...]
    codes: Int64[np.ndarray, "samples"]
    weights: Float[np.ndarray, "subjects quantities"]

    @classmethod
    def of(cls, subjects: Sequence[str] | np.ndarray, labels: Int8[np.ndarray, "samples aus"] | None) -> "_People":
        names = tuple(sorted(set(subjects)))
        position = {name: code for code, name in enumerate(names)}
        codes = np.fromiter((position[name] for name in subjects), np.int64, len(subjects))
        counts = [np.bincount(codes, minlength=len(names))]
        if labels is not None:
            counts += [np.bincount(codes, weights=column == 1, minlength=len(names)) for column in labels.T]
        weights = np.stack(counts, axis=1).astype(np.float64)
        return cls(names=names, codes=codes, weights=weights / np.maximum(weights.sum(axis=0), 1))


def _fold(people: _People, index: int, test: Sequence[int], validation_fraction: float, seed: int) -> Fold:
    rest = np.setdiff1d(np.arange(len(people.names)), np.asarray(test, np.int64))
    count = _share(validation_fraction, len(rest), "validation_fraction")
    validation = _pick(people, rest, count, np.random.default_rng((seed, index)))
    train = np.setdiff1d(rest, np.asarray(validation, np.int64))
    place = np.zeros(len(people.names), np.int8)
    place[np.asarray(validation, np.int64)] = 1
    place[np.asarray(test, np.int64)] = 2
    rows = place[people.codes]
    return Fold(
        index=index,
        train=np.flatnonzero(rows == 0),
        validation=np.flatnonzero(rows == 1),
        test=np.flatnonzero(rows == 2),
        train_subjects=tuple(people.names[code] for code in train),
        validation_subjects=tuple(people.names[code] for code in sorted(validation)),
        test_subjects=tuple(people.names[code] for code in sorted(test)),
    )


def _published(people: _People, dataset: str) -> list[list[int]]:
    known = published_parts(dataset)
    strangers = sorted(set(people.names) - {name for part in known for name in part})
    if strangers:
        raise DatasetError(
            f"subject {strangers[0]} is in none of the {len(known)} published parts of {dataset}; "
            f"expected names such as {known[0][0]}, or folds of the kind 'subjects'"
        )
    parts = [[code for code, name in enumerate(people.names) if name in part] for part in known]
    for number, part in enumerate(parts, start=1):
        if not part:
            raise DatasetError(
                f"none of part {number} of {dataset} is in the manifest; expected subjects of every part"
            )
    return parts


def _deal(people: _People, k: int, rng: np.random.Generator) -> list[list[int]]:
    count = _at_least(people, k)
    draws = [np.array_split(rng.permutation(count), k) for _ in range(_DRAWS)]
    unevenness = [sum(np.sum((people.weights[part].sum(axis=0) - 1 / k) ** 2) for part in draw) for draw in draws]
    return [sorted(int(code) for code in part) for part in draws[int(np.argmin(unevenness))]]


def _pick(
    people: _People, candidates: Int64[np.ndarray, "candidates"], count: int, rng: np.random.Generator
) -> list[int]:
    if count == 0:
        return []
    aim = people.weights[candidates].sum(axis=0) * count / len(candidates)
    draws = [rng.choice(candidates, count, replace=False) for _ in range(_DRAWS)]
    unevenness = [np.sum((people.weights[draw].sum(axis=0) - aim) ** 2) for draw in draws]
    return sorted(int(code) for code in draws[int(np.argmin(unevenness))])


def _share(fraction: float, count: int, name: str) -> int:
    """Return how many of `count` subjects a fraction means: at least one, and one left over."""
    if fraction == 0:
        return 0
    if count < 2:
        raise DatasetError(
            f"found {count} subject(s) to divide, expected at least 2 for {name} {fraction:g} (0 sets nobody aside)"
        )
    return min(max(1, round(fraction * count)), count - 1)


def _at_least(people: _People, needed: int) -> int:
    count = len(people.names)
    if count < needed:
        raise DatasetError(f"found {count} subject(s), expected at least {needed} to make {needed} parts")
    return count


def _check_fraction(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be from 0 to below 1, got {value}")
