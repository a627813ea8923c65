"""What people tend to do: the base rates a profile promises, and how much people differ."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from facskit.action_units import DISFA_12, RENDERED
from facskit.errors import DatasetError
from facskit.synthesis.corpus import SynthesisConfig, synthesize
from facskit.synthesis.habits import BP4D_RATES, disfa_patterns, draw_habits, tilt
from facskit.synthesis.sampling import ExpressionSampler, Profile


def rates_of_people(profile: Profile, people: int, frames: int) -> np.ndarray:
    """Return the rate of each rendered unit for each person."""
    rates = []
    for person in range(people):
        sampler = ExpressionSampler(profile, np.random.default_rng([1, person]))
        rng = np.random.default_rng([2, person])
        rates.append(np.mean([sampler.sample(rng).occurrences for _ in range(frames)], axis=0))
    return np.array(rates)


def test_tilting_gives_the_wanted_rates_and_keeps_what_goes_together() -> None:
    patterns, before = disfa_patterns()
    rates = dict.fromkeys(DISFA_12.numbers, 0.2)
    tilted = tilt(rates)
    for number in DISFA_12.numbers:
        assert sum(tilted[row] for row, pattern in enumerate(patterns) if number in pattern) == pytest.approx(0.2)
    assert tilted.sum() == pytest.approx(1)
    assert ((tilted > 0) == (before > 0)).all()  # nothing that nobody did

    def odds_ratio(frequencies: np.ndarray, first: int, second: int) -> float:
        cells = np.zeros((2, 2))
        for row, pattern in enumerate(patterns):
            cells[int(first in pattern), int(second in pattern)] += frequencies[row]
        return float(cells[0, 0] * cells[1, 1] / (cells[0, 1] * cells[1, 0]))

    assert odds_ratio(before, 6, 12) > 5  # a smile lifts the cheeks
    assert odds_ratio(tilted, 6, 12) > 5


def test_the_bp4d_profile_has_bp4d_rates() -> None:
    rates = rates_of_people("bp4d", people=60, frames=80).mean(axis=0)
    for number, wanted in BP4D_RATES.items():
        assert rates[RENDERED.index(number)] == pytest.approx(wanted, abs=0.04), f"AU{number:02d}"


def test_disfa_people_differ_much_more_than_people_of_the_disfa_profile() -> None:
    mouth = RENDERED.index(25)
    alike = rates_of_people("disfa", people=40, frames=60)
    different = rates_of_people("disfa-people", people=40, frames=60)
    assert different[:, mouth].std() > 0.15
    assert different[:, mouth].std() > 1.5 * alike[:, mouth].std()
    assert different[:, mouth].mean() == pytest.approx(alike[:, mouth].mean(), abs=0.08)


def test_a_person_of_disfa_people_has_the_rates_of_one_subject() -> None:
    drawn = {draw_habits("disfa-people", np.random.default_rng(seed)).frequencies.tobytes() for seed in range(400)}
    assert len(drawn) == 27


def test_a_person_may_keep_one_background(tmp_path_factory: pytest.TempPathFactory) -> None:
    def backgrounds(config: SynthesisConfig) -> pl.DataFrame:
        table = pl.read_parquet(synthesize(config, tmp_path_factory.mktemp(config.background)))
        return table.select("subject", "nuisance_background_brightness", "nuisance_key_x")

    shape = {"subjects": 2, "frames": 3, "seed": 9, "size": 48, "workers": 1}
    own = backgrounds(SynthesisConfig(**shape, background="person"))  # type: ignore[arg-type]
    free = backgrounds(SynthesisConfig(**shape))  # type: ignore[arg-type]
    assert own.group_by("subject").n_unique()["nuisance_background_brightness"].to_list() == [1, 1]
    assert own["nuisance_background_brightness"].n_unique() == 2
    assert free["nuisance_background_brightness"].n_unique() == 6
    # Everything else about the pictures is the same.
    assert own["nuisance_key_x"].to_list() == free["nuisance_key_x"].to_list()
    assert all(first != second for first, second in pairwise(own["nuisance_key_x"].to_list()))


def test_a_corpus_isnt_finished_with_another_background(tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("corpus")
    synthesize(SynthesisConfig(subjects=1, frames=1, size=48, workers=1), out)
    with pytest.raises(DatasetError, match=r"background 'picture'.*'person'"):
        synthesize(SynthesisConfig(subjects=1, frames=1, size=48, workers=1, background="person"), out)
