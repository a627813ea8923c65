"""Habits planted in labels: whom a network has seen frown in nine of ten labelled pictures, and whom in one of ten.

The pictures stay the same; only which of their labels are known changes. Every regime has as many labels of each
action unit and person, and as many positive ones over all people, so that a network learns from as much and differs in
what a person's identity says about the labels.
"""

import numpy as np
from jaxtyping import Int, Int8

from facskit.datasets.samples import LabelState

__all__ = ["STRONGEST", "draw_signs", "keep_habits"]

STRONGEST = 0.8
"""The strongest habit that the labels suffice for: at most (1 + 0.8) / 2 = 90 % of a person's known ones are alike."""


def draw_signs(people: int, units: int, seed: int) -> Int[np.ndarray, "people units"]:
    """Draw who shows each unit often (1) and who seldom (-1): as many of either, for each unit anew."""
    rng = np.random.default_rng(seed)
    alternating = np.where(np.arange(people) % 2, -1, 1)
    return np.stack([rng.permutation(alternating) for _ in range(units)], axis=1)


def keep_habits(
    labels: Int8[np.ndarray, "faces units"],
    people: Int[np.ndarray, "faces"],
    signs: Int[np.ndarray, "people units"],
    *,
    habit: float,
    most: int,
    seed: int = 0,
) -> Int8[np.ndarray, "faces units"]:
    """Forget labels until each person shows each unit at the rate (1 + sign * habit) / 2 among the known ones.

    Args:
        people: Index of each face's person.
        habit: From 0, half of everybody's labels are positive, to `STRONGEST`; negative turns the habits round.
        most: Known labels of a person and unit at the most. There are fewer where a person has too few of one state
            for the strongest habit, and then as few in every regime.
        seed: Seed of which labels are kept; the same for every habit, so that regimes share most of theirs.

    Raises:
        ValueError: The habit is stronger than the labels suffice for.
    """
    if not abs(habit) <= STRONGEST:
        raise ValueError(f"habit must be from {-STRONGEST} to {STRONGEST}, got {habit}")
    rng = np.random.default_rng(seed)
    kept = np.full_like(labels, LabelState.UNKNOWN)
    for person, own in enumerate(signs):
        for unit, sign in enumerate(own):
            rows = rng.permutation(np.flatnonzero(people == person))
            present, absent = (rows[labels[rows, unit] == state] for state in (LabelState.PRESENT, LabelState.ABSENT))
            known = min(most, int(min(len(present), len(absent)) / ((1 + STRONGEST) / 2)))
            positives = round(known * (1 + sign * habit) / 2)
            kept[present[:positives], unit] = LabelState.PRESENT
            kept[absent[: known - positives], unit] = LabelState.ABSENT
    return kept
