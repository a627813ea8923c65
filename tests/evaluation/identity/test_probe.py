"""The identity probe finds people where they are, nobody where they aren't, and says how sure it is."""

from dataclasses import replace

import numpy as np
import pytest

from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.evaluation.identity.probe import (
    IdentityProbe,
    IdentityProbeConfig,
    compare_probes,
    pool_probes,
    probe_identity,
    probe_split,
)
from facskit.evaluation.identity.splits import SplitConfig, random_frames

SUBJECTS = np.repeat([f"S{number}" for number in range(8)], 40)
RECORDINGS = np.tile(np.repeat(["a", "b", "c", "d"], 10), 8)


def _features(identity: float, recording: float = 0.0, seed: int = 0) -> np.ndarray:
    """Noise, with a direction per subject and one per recording of a subject."""
    rng = np.random.default_rng(seed)
    centres, takes = rng.normal(size=(8, 12)), rng.normal(size=(8, 4, 12))
    own = np.repeat(np.arange(8), 40)
    values = rng.normal(size=(320, 12)) + identity * centres[own]
    return (values + recording * takes[own, np.tile(np.repeat(np.arange(4), 10), 8)]).astype(np.float32)


def test_identity_is_found_where_it_is() -> None:
    found = probe_identity(_features(3.0), SUBJECTS)
    assert found.accuracy > 0.95
    assert found.chance == 1 / 8
    assert found.majority == pytest.approx(1 / 8)
    assert found.top_accuracy >= found.accuracy
    assert found.above_chance == pytest.approx((found.accuracy - 1 / 8) / (7 / 8))
    assert found.converged
    assert (found.trained, found.tested.tolist()) == (8 * 28, [12] * 8)


def test_identity_is_not_found_where_it_is_not() -> None:
    found = probe_identity(_features(0.0), SUBJECTS)
    interval = found.interval()
    assert interval.low < 1 / 8 < interval.high + 0.05
    assert found.accuracy < 0.25
    assert abs(found.top_accuracy - 5 / 8) < 0.2


def test_a_probe_of_recordings_is_not_fooled_by_what_recordings_share() -> None:
    features = _features(0.0, recording=4.0)
    assert probe_identity(features, SUBJECTS).accuracy > 0.7
    found = probe_identity(features, SUBJECTS, RECORDINGS)
    assert found.split == "other-recordings"
    assert found.accuracy < 0.5
    assert probe_identity(_features(4.0, recording=1.0), SUBJECTS, RECORDINGS).accuracy > 0.9


def test_a_fit_that_is_cut_short_says_so_and_one_at_its_end_does_not() -> None:
    config = IdentityProbeConfig(inverse_penalties=(1.0,))
    assert probe_identity(_features(1.0), SUBJECTS, config=config).converged
    assert not probe_identity(_features(1.0), SUBJECTS, config=replace(config, iterations=2)).converged


def test_the_fit_is_at_the_optimum() -> None:
    """Where it says that it converged, a far smaller tolerance changes no answer."""
    config = IdentityProbeConfig(inverse_penalties=(0.1,))
    first, second = (
        probe_identity(_features(0.5), SUBJECTS, config=each) for each in (config, replace(config, tolerance=1e-9))
    )
    assert first.correct.tolist() == second.correct.tolist()


def test_the_penalty_is_chosen_without_the_test_frames() -> None:
    features, split = _features(0.7), random_frames(SUBJECTS)
    found = probe_split(features, SUBJECTS, split)
    spoiled = features.copy()
    spoiled[split.test] = np.random.default_rng(1).normal(size=(len(split.test), 12)) * 9
    other = probe_split(spoiled, SUBJECTS, split)
    assert found.inverse_penalty == other.inverse_penalty
    assert found.accuracy != other.accuracy


def test_the_penalty_fits_the_features() -> None:
    """Many noisy dimensions need a strong pull towards zero; a few telling ones need none."""
    rng = np.random.default_rng(0)
    noisy = np.concatenate([_features(1.0), rng.normal(size=(320, 300)).astype(np.float32)], axis=1)
    strong = probe_identity(noisy, SUBJECTS)
    weak = probe_identity(noisy, SUBJECTS, config=IdentityProbeConfig(inverse_penalties=(10.0,)))
    assert strong.inverse_penalty < 1.0
    assert strong.accuracy > weak.accuracy


def test_it_is_deterministic() -> None:
    first, second = (probe_identity(_features(0.5), SUBJECTS, RECORDINGS) for _ in range(2))
    assert first.correct.tolist() == second.correct.tolist()
    assert first.interval() == second.interval()


def test_the_interval_draws_subjects_not_frames() -> None:
    def probe(correct: list[int]) -> IdentityProbe:
        return replace(_some_probe(), correct=np.array(correct), tested=np.full(4, 30))

    uneven, even = probe([30, 30, 0, 0]), probe([15, 15, 15, 15])
    assert uneven.accuracy == even.accuracy == 0.5
    assert (even.interval().low, even.interval().high) == (0.5, 0.5)
    assert uneven.interval().low <= 0.25
    assert uneven.interval(BootstrapConfig(level=0.5)).low > uneven.interval().low
    assert uneven.interval().num_subjects == 4


def test_probes_are_compared_in_pairs() -> None:
    first = replace(_some_probe(), correct=np.array([30, 20, 10, 5]))
    second = replace(first, correct=first.correct - 5)
    difference = compare_probes(first, second)
    assert difference.estimate == pytest.approx(-5 / 30)
    assert (difference.low, difference.high) == pytest.approx((-5 / 30, -5 / 30))  # the same for every subject
    assert difference.share_not_above_zero == 1.0
    with pytest.raises(DatasetError, match="by one method on the same split of the same subjects"):
        compare_probes(first, replace(second, subjects=("a", "b", "c", "z")))


def test_folds_are_pooled_by_subject() -> None:
    first = _some_probe()
    other = replace(first, subjects=("a", "x"), chance=0.5, majority=0.5, converged=False)
    other = replace(other, **{name: getattr(first, name)[:2] for name in ("tested", "correct", "correct_top")})
    pooled = pool_probes([first, other])
    assert pooled.subjects == ("a", "b", "c", "d", "x")
    assert pooled.tested.tolist() == [60, 30, 30, 30, 30]
    assert pooled.correct.tolist() == [60, 20, 10, 5, 20]
    assert pooled.chance == pytest.approx((0.25 * 120 + 0.5 * 60) / 180)
    assert not pooled.converged
    assert pool_probes([first]).accuracy == first.accuracy
    with pytest.raises(ValueError, match="all of one method on one kind of split"):
        pool_probes([first, replace(first, split="other-recordings")])


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="10 rows of features but 320 subjects"):
        probe_identity(np.zeros((10, 3), np.float32), SUBJECTS.tolist())
    with pytest.raises(DatasetError, match="0 subjects have two recordings; an identity probe needs at least 2"):
        probe_identity(_features(1.0), SUBJECTS, ["only"] * 320)
    with pytest.raises(ValueError, match="inverse_penalties must be rising numbers above 0"):
        IdentityProbeConfig(inverse_penalties=(1.0, 0.1))
    with pytest.raises(ValueError, match="iterations must be at least 1, got 0"):
        IdentityProbeConfig(iterations=0)
    with pytest.raises(ValueError, match="tolerance must be above 0, got 0"):
        IdentityProbeConfig(tolerance=0.0)
    with pytest.raises(ValueError, match="top must be at least 2, got 1"):
        IdentityProbeConfig(top=1)


def test_the_published_probe_learns_less_from_the_same_features() -> None:
    features = _features(1.2)
    config = IdentityProbeConfig(method="paper")
    found = probe_identity(features, SUBJECTS, config=config)
    assert (found.method, found.iterations, found.converged) == ("paper", 20 * (224 // 64), False)
    assert found.accuracy > 2 / 8  # it does learn
    assert found.accuracy <= probe_identity(features, SUBJECTS).accuracy
    assert found.correct.tolist() == probe_identity(features, SUBJECTS, config=config).correct.tolist()
    with pytest.raises(DatasetError, match="by one method"):
        compare_probes(found, probe_identity(features, SUBJECTS))


def test_few_frames_will_do() -> None:
    subjects = np.repeat(["a", "b", "c"], [2, 2, 1])
    config = IdentityProbeConfig(split=SplitConfig(frames=2))
    found = probe_identity(np.random.default_rng(0).normal(size=(5, 4)), subjects, config=config)
    assert (found.subjects, found.left_out, found.trained) == (("a", "b"), 1, 2)


def _some_probe() -> IdentityProbe:
    return IdentityProbe(
        split="random-frames",
        subjects=("a", "b", "c", "d"),
        tested=np.full(4, 30),
        correct=np.array([30, 20, 10, 5]),
        correct_top=np.array([30, 30, 20, 20]),
        top=2,
        chance=0.25,
        majority=0.25,
        trained=280,
        left_out=0,
        inverse_penalty=0.1,
        iterations=20,
        converged=True,
    )
