"""Sampling of labels before any picture: which action units act together, how strongly, and how lopsidedly.

Nothing here looks at a person's looks or at how the picture is taken, and nothing there looks here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from facskit.action_units import RENDERED
from facskit.expressions import ExpressionName
from facskit.synthesis.expressions import LEVEL_EDGES, PRESENT_LEVEL, level_of
from facskit.synthesis.habits import HabitsProfile, draw_habits
from facskit.synthesis.prototypes import draw_expression

__all__ = ["ExpressionSampler", "Profile", "SampledAction", "at_rest"]

Profile = Literal["disfa", "disfa-people", "bp4d", "balanced", "mixed", "expressions"]
"""`disfa`: the joint frequencies of a corpus of spontaneous expressions, half of them neutral; `disfa-people`: the same
with people whose base rates differ as those of DISFA's 27 subjects do, so that knowing the person tells much about the
units; `bp4d`: BP4D's base rates, where many units are common; `balanced`: every unit about as often, hardly a face at
rest; `mixed`: each picture from `disfa` or `balanced`, to train on both; `expressions`: the eight expressions, each as
often, by the prototypes of `facskit.synthesis.prototypes`."""

PureProfile = Literal["disfa", "disfa-people", "bp4d", "balanced"]
"""The profiles that draw a single picture unit by unit."""

CLOSED_EYES_RATE = {"spontaneous": 0.04, "balanced": 0.27}
"""Rate of closed eyes (AU43), drawn independently of everything else."""

IMPOSSIBLE: tuple[tuple[int, int], ...] = (
    (24, 25),
    (24, 26),
    (28, 25),
    (28, 26),
    (28, 24),
    (28, 23),
    (28, 10),
    (43, 5),
)
"""Pairs that can't act together: the second gives way to the first. In the profiles after DISFA and BP4D units outside
DISFA's 12 give way to those inside, so that their frequencies hold; only closed eyes always win."""

PROTOTYPES: tuple[tuple[int, ...], ...] = (
    (6, 12, 25),
    (6, 7, 12),
    (1, 2, 5, 25, 26),
    (1, 2, 4, 5, 20, 25),
    (1, 4, 15, 17),
    (4, 7, 9, 10),
    (4, 5, 7, 23),
    (4, 17, 24),
    (12, 14),
    (15, 17, 24),
    (1, 2, 28),
    (9, 10, 17),
)
"""Combinations that the `balanced` profile mixes in, each unit kept with `PROTOTYPE_KEEP`."""
PROTOTYPE_SHARE = 0.4
PROTOTYPE_KEEP = 0.85
PROTOTYPE_ADD = 0.06
"""Rate of every unit that the prototype lacks."""
MOUTH_UNITS = (24, 25, 26, 28)
MOUTH_CHOICES: tuple[tuple[tuple[int, ...], float], ...] = (
    ((25, 26), 0.21),
    ((25,), 0.10),
    ((26,), 0.09),
    ((24,), 0.28),
    ((28,), 0.29),
    ((), 0.03),
)
"""What the lips do in the `balanced` profile where no prototype says it: these units exclude one another."""
BALANCED_RATES = {23: 0.41, 10: 0.39, 5: 0.40}
"""Rates before impossible pairs are resolved, for the other units that take part in them; 0.3 for the rest."""

PRESENT_LEVELS: dict[str, tuple[float, ...]] = {
    "spontaneous": (0.42, 0.33, 0.18, 0.07),
    "balanced": (0.25, 0.3, 0.25, 0.2),
}
"""Share of levels 2 to 5 among present units."""
TRACE_SHARE = 0.12
"""Share of absent units that show a trace (level 1)."""
SYMMETRIC = (17, 23, 24, 25, 26, 28, 43)
"""Units that always act alike on both sides."""
ONE_SIDED = (2, 10, 12, 14)
"""Units that act mainly on one side in `ONE_SIDED_SHARE` of their occurrences."""
ONE_SIDED_SHARE = 0.12


@dataclass(frozen=True, kw_only=True)
class SampledAction:
    """Labels of one picture and what they ask of each side of the face; one entry per rendered action unit."""

    intensities: Float[np.ndarray, " aus"]
    """0 to 1, of the stronger side."""
    left: Float[np.ndarray, " aus"]
    right: Float[np.ndarray, " aus"]
    expression: ExpressionName | None = None
    """The expression that the units show; None where units were drawn by themselves."""

    @property
    def levels(self) -> Int[np.ndarray, " aus"]:
        """FACS levels 0 to 5."""
        return np.array([level_of(value) for value in self.intensities])

    @property
    def occurrences(self) -> Bool[np.ndarray, " aus"]:
        """Which units are present: level 2 or more."""
        return self.levels >= PRESENT_LEVEL


def at_rest() -> SampledAction:
    """Return the labels of a face that does nothing."""
    still = np.zeros(len(RENDERED))
    return SampledAction(intensities=still, left=still, right=still)


class ExpressionSampler:
    """Draws what one person's face does from picture to picture."""

    def __init__(self, profile: Profile, rng: np.random.Generator) -> None:
        """Draw the person's habits.

        Args:
            rng: The only source of chance.

        Raises:
            ValueError: The profile is unknown.
        """
        if profile not in get_args(Profile):
            raise ValueError(f"profile is {profile!r}; expected one of {', '.join(get_args(Profile))}")
        self.profile = profile
        self._habits = draw_habits(_habits_profile(profile), rng)

    def sample(self, rng: np.random.Generator) -> SampledAction:
        """Draw one picture's action units.

        Args:
            rng: The only source of chance.
        """
        if self.profile == "expressions":
            return _prototypical(rng)
        profile = self._of_this_picture(rng)
        manner = "balanced" if profile == "balanced" else "spontaneous"
        eyes_closed = rng.random() < CLOSED_EYES_RATE[manner]
        draw = self._balanced if profile == "balanced" else self._by_habit
        present = draw(rng, eyes_closed)
        levels = rng.choice([2, 3, 4, 5], size=len(present), p=PRESENT_LEVELS[manner])
        intensities = _draw_intensities(rng, present, levels)
        weaker = intensities * _weaker_side(rng)
        left_is_weaker = rng.random(len(RENDERED)) < 0.5
        return SampledAction(
            intensities=intensities,
            left=np.where(left_is_weaker, weaker, intensities),
            right=np.where(left_is_weaker, intensities, weaker),
        )

    def _of_this_picture(self, rng: np.random.Generator) -> PureProfile:
        match self.profile:
            case "disfa" | "disfa-people" | "bp4d" | "balanced":
                return self.profile
            case _:
                return "disfa" if rng.random() < 0.5 else "balanced"

    def _by_habit(self, rng: np.random.Generator, eyes_closed: bool) -> Bool[np.ndarray, " aus"]:
        coded = self._habits.draw(rng)
        added: set[int] = set()
        for number, companions in self._habits.companions.items():
            if rng.random() < companions.chance(coded) and not _conflicts(number, coded | added):
                added.add(number)
        return _present(coded | added, eyes_closed)

    def _balanced(self, rng: np.random.Generator, eyes_closed: bool) -> Bool[np.ndarray, " aus"]:
        if rng.random() < PROTOTYPE_SHARE:
            prototype = PROTOTYPES[rng.integers(len(PROTOTYPES))]
            chosen = {number for number in prototype if rng.random() < PROTOTYPE_KEEP}
            chosen |= {number for number in _freely_chosen() if rng.random() < PROTOTYPE_ADD}
        else:
            rates = _independent_rates()
            chosen = {number for number in _freely_chosen() if rng.random() < rates[number]}
        if not chosen.intersection(MOUTH_UNITS):
            options = [units for units, _ in MOUTH_CHOICES]
            chosen.update(options[rng.choice(len(options), p=[share for _, share in MOUTH_CHOICES])])
        for first, second in IMPOSSIBLE:
            if {first, second} <= chosen:
                chosen.remove(second)
        return _present(chosen, eyes_closed)


def _habits_profile(profile: Profile) -> HabitsProfile:
    """Return whose habits a profile's people have, whether or not its pictures follow them."""
    return profile if profile in {"disfa-people", "bp4d"} else "disfa"


def _prototypical(rng: np.random.Generator) -> SampledAction:
    """Draw an expression; a one-sided one acts on the same side with all its units and leaves the other at rest."""
    drawn = draw_expression(rng)
    present = _present(set(drawn.levels), drawn.eyes_closed)
    levels = np.array([drawn.levels.get(number, 2) for number in RENDERED.numbers])
    intensities = _draw_intensities(rng, present, levels)
    share = _weaker_side(rng, one_sided_share=0.0)
    left_is_weaker = rng.random(len(RENDERED)) < 0.5
    if drawn.one_sided:
        acting = [RENDERED.index(number) for number in drawn.levels]
        share[acting] = rng.uniform(0, 0.1)
        left_is_weaker[acting] = rng.random() < 0.5
    weaker = intensities * share
    return SampledAction(
        intensities=intensities,
        left=np.where(left_is_weaker, weaker, intensities),
        right=np.where(left_is_weaker, intensities, weaker),
        expression=drawn.name,
    )


def _draw_intensities(
    rng: np.random.Generator, present: Bool[np.ndarray, " aus"], levels: Int[np.ndarray, " aus"]
) -> Float[np.ndarray, " aus"]:
    """Draw traces of absent units, then an intensity evenly within each unit's level."""
    edges = np.array([0.0, *LEVEL_EDGES, 1.0])
    traces = (rng.random(len(present)) < TRACE_SHARE).astype(int)
    levels = np.where(present, levels, traces)
    within = rng.random(len(present))
    intensities = edges[levels] + within * (edges[levels + 1] - edges[levels])
    closed = RENDERED.index(43)
    intensities[closed] = 0.9 + 0.1 * within[closed] if present[closed] else 0.0
    numbers = {RENDERED.numbers[row] for row in np.flatnonzero(present)}
    for row, number in enumerate(RENDERED.numbers):
        if not present[row] and _conflicts(number, numbers):
            intensities[row] = 0.0
    return intensities


def _weaker_side(rng: np.random.Generator, one_sided_share: float = ONE_SIDED_SHARE) -> Float[np.ndarray, " aus"]:
    """Draw the weaker side's intensity relative to the stronger one's."""
    weaker = np.clip(1 - np.abs(rng.normal(0, 0.12, len(RENDERED))), 0.5, 1)
    one_sided = rng.random(len(RENDERED)) < one_sided_share
    lopsided = rng.uniform(0, 0.45, len(RENDERED))
    for row, number in enumerate(RENDERED.numbers):
        if number in SYMMETRIC:
            weaker[row] = 1.0
        elif number in ONE_SIDED and one_sided[row]:
            weaker[row] = lopsided[row]
    return weaker


def _present(numbers: set[int], eyes_closed: bool) -> Bool[np.ndarray, " aus"]:
    numbers = (numbers - {5}) | {43} if eyes_closed else numbers - {43}
    return np.array([number in numbers for number in RENDERED.numbers])


def _conflicts(number: int, others: Sequence[int] | set[int]) -> bool:
    return any(number in pair and other in pair for pair in IMPOSSIBLE for other in others if other != number)


def _freely_chosen() -> list[int]:
    return [number for number in RENDERED.numbers if number not in (*MOUTH_UNITS, 43)]


@cache
def _independent_rates() -> dict[int, float]:
    """Return the rates outside the prototypes that, mixed with the prototypes, give the wanted ones."""
    rates = {}
    for number in _freely_chosen():
        in_prototypes = PROTOTYPE_KEEP * sum(number in each for each in PROTOTYPES) / len(PROTOTYPES)
        in_prototypes += PROTOTYPE_ADD * (1 - in_prototypes)
        wanted = BALANCED_RATES.get(number, 0.3)
        rates[number] = max(0.0, (wanted - PROTOTYPE_SHARE * in_prototypes) / (1 - PROTOTYPE_SHARE))
    return rates
