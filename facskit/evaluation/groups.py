"""Groups of faces: scores of each, and how far apart they are, with intervals over subjects.

A group is a set of people (sex, skin tone) or of pictures (pose, size). The **gap** of a score is the best group's
minus the worst one's. The **equalised-odds difference** is the larger of the gaps of the true positive rate and of the
false positive rate, averaged over action units (AUs): 0 where a network errs as often in every group.

Intervals draw subjects. A gap is a maximum, so that chance alone gives every gap above 0; its interval doesn't reach 0,
and a small gap with a wide interval says nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig, Interval
from facskit.evaluation.confusion_counts import Counts, divide
from facskit.evaluation.cross_validation import defined_mean
from facskit.evaluation.predictions import Predictions

__all__ = ["GroupNumbers", "GroupScore", "score_groups"]

_LEAST_FACES = 20
"""Faces below which a group isn't scored."""


@dataclass(frozen=True, kw_only=True)
class GroupScore:
    """Scores of one group."""

    name: str
    """What the group is called."""
    faces: int
    """Faces, each counted once for each seed."""
    subjects: int
    """People."""
    f1: Interval
    """Mean F1 over AUs of all its faces together."""
    recall: float
    """Mean share of presences that are found, over AUs."""
    false_positive_rate: float
    """Mean share of absences that are taken for presences, over AUs."""


@dataclass(frozen=True, kw_only=True)
class GroupNumbers:
    """Scores of the groups of one kind."""

    kind: str
    """What the groups differ in."""
    groups: tuple[GroupScore, ...]
    """Those with enough faces."""
    f1_gap: Interval
    """Best group's F1 minus the worst one's."""
    odds_difference: Interval
    """Equalised-odds difference."""
    left_out: tuple[str, ...]
    """Groups with fewer than 20 faces."""


def score_groups(
    predictions: Predictions, kind: str, membership: Sequence[str], config: BootstrapConfig | None = None
) -> GroupNumbers | None:
    """Score the groups that faces belong to.

    Args:
        predictions: One run or many; all rows count together.
        kind: What the groups differ in.
        membership: Name of each row's group; empty where it isn't known, which leaves the row out.

    Returns:
        The scores; None where there are fewer than two groups of at least 20 faces.

    Raises:
        DatasetError: There is not one name per row.
    """
    config = config or BootstrapConfig()
    names = np.asarray(membership, dtype=np.str_)
    if names.shape != (len(predictions),):
        raise DatasetError(f"groups by {kind}: found {names.size} names for {len(predictions)} predictions")
    known, sizes = np.unique(names[names != ""], return_counts=True)
    kept = sorted(known[sizes >= _LEAST_FACES].tolist(), key=_by_number)
    if len(kept) < 2:
        return None
    people, who = np.unique(predictions.subjects, return_inverse=True)
    draws = _draws(len(people), config)
    counts = [_drawn_counts(predictions, names == name, who, draws) for name in kept]
    f1 = np.stack([defined_mean(each.f1(predictions.protocol.undefined_f1_value), axis=-1) for each in counts])
    hits = np.stack([each.recall() for each in counts])
    alarms = np.stack([divide(each.false_positive, each.absent) for each in counts])
    odds = np.maximum(defined_mean(_gap(hits), axis=-1), defined_mean(_gap(alarms), axis=-1))
    groups = []
    for place, name in enumerate(kept):
        mine = names == name
        groups.append(
            GroupScore(
                name=name,
                faces=int(mine.sum()),
                subjects=len(np.unique(who[mine])),
                f1=Interval.of_draws(f1[place], config.level, len(np.unique(who[mine]))),
                recall=float(defined_mean(hits[place, 0], axis=0)),
                false_positive_rate=float(defined_mean(alarms[place, 0], axis=0)),
            )
        )
    return GroupNumbers(
        kind=kind,
        groups=tuple(groups),
        f1_gap=Interval.of_draws(_gap(f1), config.level, len(people)),
        odds_difference=Interval.of_draws(odds, config.level, len(people)),
        left_out=tuple(known[sizes < _LEAST_FACES].tolist()),
    )


def _by_number(name: str) -> tuple[bool, float, str]:
    """Sort "under 10" before "10 to 20" before "20 and more", and words after numbers."""
    numbers = [float(word) for word in re.findall(r"\d+(?:\.\d+)?", name)]
    if not numbers:
        return True, 0.0, name
    return False, numbers[0] - 0.5 * name.startswith("under"), name


def _draws(people: int, config: BootstrapConfig) -> Int[np.ndarray, "draws people"]:
    """Return how often each person is drawn; the first draw is the data themselves."""
    drawn = np.random.default_rng(config.seed).multinomial(people, np.full(people, 1 / people), config.resamples)
    return np.concatenate([np.ones((1, people), np.int64), drawn])


def _drawn_counts(
    predictions: Predictions, rows: np.ndarray, who: Int[np.ndarray, "samples"], draws: Int[np.ndarray, "draws people"]
) -> Counts:
    """Count decisions of a group's faces under every draw: arrays of shape (draws, aus)."""
    by_person = []
    labels, decisions = predictions.labels[rows], predictions.decisions[rows]
    for state, said in ((1, True), (0, True), (1, False), (0, False)):
        counted = (labels == state) & (decisions == said)
        table = np.zeros((draws.shape[1], counted.shape[1]), np.int64)
        np.add.at(table, who[rows], counted)
        by_person.append(draws @ table)
    return Counts(*by_person)


def _gap(values: Float[np.ndarray, "groups *rest"]) -> Float[np.ndarray, "*rest"]:
    """Return the largest minus the smallest over the groups; NaN where one of them is undefined."""
    gap: Float[np.ndarray, "*rest"] = values.max(axis=0) - values.min(axis=0)
    return gap
