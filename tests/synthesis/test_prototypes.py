"""Faces labelled by expression: prototypes that can be drawn, labels that stay true, classes as often."""

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit import columns
from facskit.action_units import RENDERED
from facskit.datasets.manifest import read_manifest
from facskit.expressions import AFFECTNET_8, EXPRESSION_NAMES
from facskit.synthesis.corpus import SynthesisConfig, synthesize
from facskit.synthesis.prototypes import EXPRESSION_PROTOTYPES, draw_expression
from facskit.synthesis.sampling import IMPOSSIBLE, ExpressionSampler, SampledAction


def samples(number: int, seed: int = 0) -> list[SampledAction]:
    sampler = ExpressionSampler("expressions", np.random.default_rng(99))
    return [sampler.sample(np.random.default_rng([seed, frame])) for frame in range(number)]


def test_every_expression_has_prototypes_that_can_be_drawn() -> None:
    assert set(EXPRESSION_PROTOTYPES) == set(EXPRESSION_NAMES)
    for name, ways in EXPRESSION_PROTOTYPES.items():
        assert ways
        for way in ways:
            units = {*way.required, *way.optional}
            assert units <= set(RENDERED.numbers)
            assert bool(way.required) == (name != "neutral")
            assert not set(way.required) & set(way.optional)
            assert all(0 < chance < 1 for chance in way.optional.values())
            assert not any({first, second} <= units for first, second in IMPOSSIBLE)
            assert way.source


def test_the_prototypes_are_those_of_the_literature() -> None:
    required = {name: {way.required for way in ways} for name, ways in EXPRESSION_PROTOTYPES.items()}
    assert (6, 12) in required["happiness"]
    assert (1, 4, 15) in required["sadness"]
    assert (1, 2, 5, 25, 26) in required["surprise"]
    assert (1, 2, 4, 5, 20, 25) in required["fear"]
    assert (9,) in required["disgust"]
    assert (4, 5, 7, 23) in required["anger"]
    assert (14,) in required["contempt"]
    # Du, Tao & Martinez (2014), Table 1.
    assert {(12, 25)} <= required["happiness"]
    assert {(4, 15)} <= required["sadness"]
    assert {(1, 4, 20, 25)} <= required["fear"]
    assert {(4, 7, 24)} <= required["anger"]
    assert {(1, 2, 25, 26)} <= required["surprise"]
    assert {(9, 10, 17)} <= required["disgust"]


def test_expressions_come_as_often() -> None:
    counts = Counter(sampled.expression for sampled in samples(4000))
    assert set(counts) == set(EXPRESSION_NAMES)
    assert all(abs(count - 500) < 4 * np.sqrt(500 * 7 / 8) for count in counts.values())


def test_the_units_are_those_of_a_prototype() -> None:
    for sampled in samples(1500):
        assert sampled.expression is not None
        present = {RENDERED.numbers[row] for row in np.flatnonzero(sampled.occurrences)} - {43}
        ways = EXPRESSION_PROTOTYPES[sampled.expression]
        assert any(set(way.required) <= present <= {*way.required, *way.optional} for way in ways)


def test_labels_hold_what_the_face_does() -> None:
    drawn = samples(1500)
    for sampled in drawn:
        np.testing.assert_array_equal(np.maximum(sampled.left, sampled.right), sampled.intensities)
        present, shown = (
            {RENDERED.numbers[row] for row in np.flatnonzero(rows)}
            for rows in (sampled.occurrences, sampled.intensities)
        )
        assert not any({one, other} <= shown and {one, other} & present for one, other in IMPOSSIBLE)
    traces = np.mean([((sampled.levels == 1).mean()) for sampled in drawn if sampled.expression == "neutral"])
    assert 0.05 < traces < 0.2
    levels = np.concatenate([sampled.levels[sampled.occurrences] for sampled in drawn])
    assert set(levels.tolist()) == {2, 3, 4, 5}


def test_contempt_is_one_sided_and_the_others_are_not() -> None:
    dimpler = RENDERED.index(14)
    sides = []
    for sampled in samples(1500):
        weaker, stronger = sorted((sampled.left, sampled.right), key=lambda side: side[dimpler])
        if sampled.expression == "contempt":
            assert stronger[dimpler] >= 0.42
            assert weaker[dimpler] <= 0.1
            sides.append(sampled.left[dimpler] > sampled.right[dimpler])
            smile = RENDERED.index(12)
            if sampled.occurrences[smile]:
                assert stronger[smile] > weaker[smile]
        else:
            acting = sampled.occurrences
            assert (np.minimum(sampled.left, sampled.right)[acting] >= 0.5 * sampled.intensities[acting]).all()
    assert 0.3 < np.mean(sides) < 0.7


def test_the_same_chance_draws_the_same_face() -> None:
    first, again = samples(20, seed=3), samples(20, seed=3)
    for one, other in zip(first, again, strict=True):
        assert one.expression == other.expression
        np.testing.assert_array_equal(one.left, other.left)
    assert draw_expression(np.random.default_rng(7)) == draw_expression(np.random.default_rng(7))


def test_other_profiles_name_no_expression() -> None:
    sampler = ExpressionSampler("mixed", np.random.default_rng(0))
    assert all(sampler.sample(np.random.default_rng(frame)).expression is None for frame in range(20))


@pytest.mark.parametrize(("profile", "named"), [("expressions", True), ("balanced", False)])
def test_a_corpus_carries_the_expressions(tmp_path: Path, profile: str, named: bool) -> None:
    config = SynthesisConfig(subjects=1, frames=3, seed=1, size=48, workers=1, profile=profile)  # type: ignore[arg-type]
    path = synthesize(config, tmp_path / "faces")
    assert (columns.EXPRESSION in pl.read_parquet_schema(path)) == named
    manifest = read_manifest(path)
    assert manifest.action_units == RENDERED
    assert manifest.has_expressions == named
    if named:
        assert (manifest.expression_indices(AFFECTNET_8) >= 0).all()
