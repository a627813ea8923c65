"""Habits of one person's face: how often each combination of action units occurs on it.

Combinations are those of DISFA. For other base rates their frequencies are tilted: each is multiplied by factors of the
units in it until every unit has the wanted rate, which changes the frequencies as little as possible and keeps which
units go together (iterative proportional fitting).
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Float

from facskit.action_units import DISFA_12

__all__ = ["BP4D_RATES", "Companions", "Habits", "HabitsProfile", "draw_habits"]

HabitsProfile = Literal["disfa", "disfa-people", "bp4d"]
"""Whose habits: people alike around DISFA's frequencies or BP4D's rates, or as different as DISFA's 27 subjects."""

PATTERNS_FILE = Path(__file__).with_name("label_patterns.csv")
"""How often each combination of DISFA's 12 units occurs (level 2 or more) in its 130,814 frames."""
SUBJECTS_FILE = Path(__file__).with_name("subject_rates.csv")
"""Occurrence rate of each of the 12 units for each of DISFA's 27 subjects."""

PATTERN_CONCENTRATION = 40.0
"""How alike people are in their habits: the Dirichlet concentration of a person's pattern frequencies around the
profile's. The mean over people stays the profile's."""
RATE_LIMITS = (0.002, 0.98)
"""Range that a subject's rates are cut to: nobody does something never, or always."""

BP4D_RATES: Mapping[int, float] = MappingProxyType(
    dict(
        zip(
            (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24),
            (0.211, 0.171, 0.203, 0.462, 0.549, 0.594, 0.562, 0.466, 0.169, 0.344, 0.165, 0.152),
            strict=True,
        )
    )
)
"""Published occurrence rates of the 12 units that BP4D codes."""
_UNCODED_RATES = {5: 0.03, 9: 0.06, 20: 0.03, 25: 0.25, 26: 0.10}
"""Our choice for the units of DISFA that BP4D's 12 lack."""


@dataclass(frozen=True, kw_only=True)
class Companions:
    """How often a unit that DISFA doesn't code occurs."""

    alone: float
    """Rate without any of the units in `together`."""
    together: Mapping[int, float]
    """Rate with another unit; the largest counts."""

    def chance(self, others: set[int]) -> float:
        """Return the rate beside these units."""
        return max([self.alone, *(rate for other, rate in self.together.items() if other in others)])


_LIKE_DISFA = {
    7: Companions(alone=0.06, together={6: 0.55, 4: 0.35, 9: 0.5}),
    10: Companions(alone=0.03, together={9: 0.5, 12: 0.25, 4: 0.08}),
    14: Companions(alone=0.06, together={12: 0.18, 15: 0.15}),
    23: Companions(alone=0.04, together={17: 0.2, 15: 0.12, 4: 0.08}),
    24: Companions(alone=0.04, together={17: 0.35, 15: 0.15}),
    28: Companions(alone=0.02, together={}),
}
"""Our choice for the units that DISFA doesn't code."""
_LIKE_BP4D = {
    7: Companions(alone=0.333, together={6: 0.80}),
    10: Companions(alone=0.260, together={12: 0.85}),
    14: Companions(alone=0.294, together={12: 0.60}),
    23: Companions(alone=0.094, together={17: 0.30}),
    24: Companions(alone=0.130, together={17: 0.32}),
    28: Companions(alone=0.02, together={}),
}
"""Our choice: companions that go together on smiling and on pressed lips, with rates that give `BP4D_RATES` in all;
that of AU24 allows for the pictures with parted lips, where it can't act."""


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What one person's face tends to do."""

    frequencies: Float[np.ndarray, " patterns"]
    """Share of the person's pictures with each combination of DISFA's 12 units."""
    companions: Mapping[int, Companions]
    """The other units, by number."""

    def draw(self, rng: np.random.Generator) -> set[int]:
        """Draw the units of DISFA's 12 on one picture, as numbers.

        Args:
            rng: The only source of chance.
        """
        patterns, _ = disfa_patterns()
        return set(patterns[rng.choice(len(self.frequencies), p=self.frequencies)])


def draw_habits(profile: HabitsProfile, rng: np.random.Generator) -> Habits:
    """Draw one person's habits.

    Args:
        profile: Whose habits they are like.
        rng: The only source of chance.
    """
    _, frequencies = disfa_patterns()
    companions = _LIKE_DISFA
    match profile:
        case "disfa":
            pass
        case "disfa-people":
            subjects = _subject_rates()
            return Habits(frequencies=_like_subject(int(rng.integers(len(subjects)))), companions=companions)
        case "bp4d":
            frequencies, companions = _bp4d_frequencies(), _LIKE_BP4D
    own = rng.gamma(PATTERN_CONCENTRATION * frequencies)
    return Habits(frequencies=own / own.sum(), companions=companions)


@cache
def disfa_patterns() -> tuple[tuple[tuple[int, ...], ...], Float[np.ndarray, " patterns"]]:
    """Read the combinations of units and their relative frequencies."""
    patterns, frames = [], []
    with PATTERNS_FILE.open(newline="") as file:
        for row in csv.DictReader(file):
            patterns.append(tuple(unit.number for unit in DISFA_12 if row[unit.code] == "1"))
            frames.append(int(row["frames"]))
    return tuple(patterns), np.array(frames) / sum(frames)


def tilt(rates: Mapping[int, float], rounds: int = 300) -> Float[np.ndarray, " patterns"]:
    """Return DISFA's pattern frequencies, changed as little as possible so that each unit has its rate.

    Args:
        rates: Wanted rate of each of DISFA's 12 units, by number; between 0 and 1.
        rounds: How often every unit is fitted.
    """
    patterns, frequencies = disfa_patterns()
    shown = np.array([[number in pattern for number in rates] for pattern in patterns])
    wanted = np.array(list(rates.values()))
    tilted = frequencies.copy()
    for _ in range(rounds):
        for column, rate in enumerate(wanted):
            present = float(tilted[shown[:, column]].sum())
            tilted = tilted * np.where(shown[:, column], rate / present, (1 - rate) / (1 - present))
    tilted /= tilted.sum()
    return tilted


@cache
def _bp4d_frequencies() -> Float[np.ndarray, " patterns"]:
    coded = {unit.number for unit in DISFA_12}
    return tilt({number: rate for number, rate in {**BP4D_RATES, **_UNCODED_RATES}.items() if number in coded})


@cache
def _like_subject(row: int) -> Float[np.ndarray, " patterns"]:
    return tilt(_subject_rates()[row])


@cache
def _subject_rates() -> tuple[Mapping[int, float], ...]:
    with SUBJECTS_FILE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    low, high = RATE_LIMITS
    return tuple({unit.number: min(max(float(row[unit.code]), low), high) for unit in DISFA_12} for row in rows)
