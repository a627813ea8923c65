"""Which frames a probe is fitted to and tested on."""

import numpy as np
import pytest

from facskit.errors import DatasetError
from facskit.evaluation.identity.splits import ProbeSplit, SplitConfig, other_recordings, random_frames

SUBJECTS = np.repeat(["ann", "bob", "eve"], [300, 150, 20])
RECORDINGS = [f"r{row // 30}" for row in range(450)] + [None] * 5 + ["only"] * 15


def _frames(split: ProbeSplit, subject: str) -> tuple[int, int]:
    return tuple(int((SUBJECTS[part] == subject).sum()) for part in (split.train, split.test))  # type: ignore[return-value]


def test_random_frames_are_as_many_as_in_the_paper() -> None:
    split = random_frames(SUBJECTS)
    assert [_frames(split, name) for name in ("ann", "bob", "eve")] == [(70, 30), (70, 30), (14, 6)]
    assert not np.intersect1d(split.train, split.test).size
    assert (np.diff(split.train) > 0).all()
    assert split.tuning.sum() == 21 + 21 + 4
    assert split.left_out == 0


def test_a_subject_keeps_its_frames_whoever_else_is_there() -> None:
    everyone, alone = random_frames(SUBJECTS), random_frames(SUBJECTS[300:])
    assert (everyone.test[everyone.test >= 300] - 300).tolist() == alone.test.tolist()
    assert random_frames(SUBJECTS, SplitConfig(seed=1)).test.tolist() != everyone.test.tolist()
    assert random_frames(SUBJECTS).test.tolist() == everyone.test.tolist()


def test_recordings_are_in_one_part_alone() -> None:
    split = other_recordings(SUBJECTS, RECORDINGS)
    assert split.left_out == 1  # eve has a single recording that is known
    assert [_frames(split, name) for name in ("ann", "bob")] == [(70, 30), (70, 30)]
    takes = np.array([f"{subject} {take}" for subject, take in zip(SUBJECTS, RECORDINGS, strict=True)])
    assert not set(takes[split.train]) & set(takes[split.test])
    tuning, fitted = takes[split.train[split.tuning]], takes[split.train[~split.tuning]]
    assert not set(tuning) & set(fitted)  # the penalty is chosen for unseen recordings too
    assert {take.split()[0] for take in tuning} == {"ann", "bob"}


def test_recordings_of_two_people_may_have_one_name() -> None:
    subjects = np.repeat(["ann", "bob"], 20)
    split = other_recordings(subjects, (["one"] * 10 + ["two"] * 10) * 2)
    assert len(split.train) == len(split.test) == 20
    assert 0 < split.tuning.sum() < 20


def test_rows_can_be_counted_within_a_selection() -> None:
    split = random_frames(SUBJECTS)
    inner = split.within(split.rows)
    assert split.rows[inner.train].tolist() == split.train.tolist()
    assert split.rows[inner.test].tolist() == split.test.tolist()


def test_mistakes_are_named() -> None:
    with pytest.raises(DatasetError, match="1 subjects have two frames; an identity probe needs at least 2"):
        random_frames(["ann", "ann", "bob"])
    with pytest.raises(ValueError, match="frames must be at least 2, got 1"):
        SplitConfig(frames=1)
    with pytest.raises(ValueError, match="train_share must lie between 0 and 1, got 1.0"):
        SplitConfig(train_share=1.0)
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        SplitConfig(seed=-1)
