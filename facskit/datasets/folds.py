"""Folds that keep every person on one side: trained on, validated on, or tested on.

A model that has seen a person's face scores higher on that person, so rows are never divided within a subject. The
published partitions of BP4D, BP4D+ and DISFA come with the package; others are drawn from a seed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from jaxtyping import Float, Int8, Int64

from facskit.datasets.fold import Fold
from facskit.datasets.folds_config import (
    FoldsConfig,
    GivenSplit,
    HoldOut,
    LeaveOneSubjectOut,
    PublishedFolds,
    SubjectFolds,
)
from facskit.errors import DatasetError

__all__ = [
    "Fold",
    "FoldsConfig",
    "GivenSplit",
    "HoldOut",
    "LeaveOneSubjectOut",
    "PublishedFolds",
    "SubjectFolds",
    "make_folds",
    "published_parts",
]

_DRAWS = 50


def make_folds(
    config: FoldsConfig,
    subjects: Sequence[str] | np.ndarray,
    labels: Int8[np.ndarray, "samples aus"] | None = None,
    splits: Sequence[str | None] | None = None,
) -> list[Fold]:
    """Divide a manifest's rows; every subject is tested on at most once over all folds.

    Of fifty random divisions the one is taken whose parts have the most even shares of rows and, given labels, of
    present AUs: a rare AU may otherwise be missing from a part.

    Args:
        subjects: Name of each row's subject.
        labels: `LabelState` values, to spread rare AUs evenly.
        splits: What the column `split` says of each row, for `GivenSplit`; None without such a column.

    Raises:
        DatasetError: There are too few subjects, the manifest has subjects that a published partition doesn't know, or
            a given split is missing, incomplete, or has a person in two parts.
    """
    people = _People.of(subjects, labels)
    if isinstance(config, GivenSplit):
        return [_given(people, config, splits)]
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
    """Return the sorted subjects of each published part of `bp4d`, `bp4d-plus` or `disfa`."""
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


def _fold(people: _People, index: int, test: list[int], validation_fraction: float, seed: int) -> Fold:
    rest = np.setdiff1d(np.arange(len(people.names)), np.asarray(test, np.int64))
    count = _share(validation_fraction, len(rest), "validation_fraction")
    place = np.zeros(len(people.names), np.int8)
    place[_pick(people, rest, count, np.random.default_rng((seed, index)))] = 1
    place[test] = 2
    return _divided(people, index, place[people.codes])


def _given(people: _People, config: GivenSplit, splits: Sequence[str | None] | None) -> Fold:
    if splits is None:
        raise DatasetError("folds of the kind 'given' need the manifest's column split; it has none")
    parts = {"train": 0, "validation": 1, "test": 2}
    for row, split in enumerate(splits):
        if split not in parts:
            raise DatasetError(f"row {row + 1}, column split: found {split!r}; expected train, validation or test")
    place = np.array([parts[str(split)] for split in splits], np.int8)
    if config.test_part == "validation":
        if (place == 2).any():
            raise DatasetError("folds.test_part is validation, but the column split has a test part; expected none")
        place[place == 1] = 2
    if not (place == 2).any():
        raise DatasetError(f"the column split has no {config.test_part} part, which folds.test_part tests on")
    if not (place == 1).any():
        rest = np.unique(people.codes[place == 0])
        count = _share(config.validation_fraction, len(rest), "validation_fraction")
        place[np.isin(people.codes, _pick(people, rest, count, np.random.default_rng((config.seed, 1))))] = 1
    return _divided(people, 1, place)


def _divided(people: _People, index: int, place: Int8[np.ndarray, "samples"]) -> Fold:
    """Return the fold of each row's part: 0 to train, 1 to validate, 2 to test."""
    rows = [np.flatnonzero(place == part) for part in range(3)]
    names = [tuple(people.names[code] for code in np.unique(people.codes[part])) for part in rows]
    return Fold(
        index=index,
        train=rows[0],
        validation=rows[1],
        test=rows[2],
        train_subjects=names[0],
        validation_subjects=names[1],
        test_subjects=names[2],
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
