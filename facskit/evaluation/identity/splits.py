"""Splits of frames, which an identity probe learns from and is tested on: random ones, or of other recordings.

Frames of one recording share light, background, clothes and, next to each other in time, nearly every pixel. A probe
tested on random frames (as in the paper) is therefore helped by all of these; one tested on recordings that it never
saw has only what stays the same from one recording of a person to the next.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from facskit.errors import DatasetError

__all__ = ["ProbeSplit", "SplitConfig", "SplitName", "other_recordings", "random_frames"]

SplitName = Literal["random-frames", "other-recordings"]
"""`random-frames`: test frames are of the recordings trained on; `other-recordings`: of recordings never trained on."""


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """How many frames of each subject are probed, and which."""

    frames: int = 100
    """Most frames per subject (paper: 100), so that nobody dominates."""
    train_share: float = 0.7
    """Share of them that the probe is fitted to (paper: 70 of 100)."""
    seed: int = 0
    """Seed of the choice; a subject's frames don't depend on who else is there."""

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        if self.frames < 2:
            raise ValueError(f"frames must be at least 2, got {self.frames}")
        if not 0 < self.train_share < 1:
            raise ValueError(f"train_share must lie between 0 and 1, got {self.train_share}")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbeSplit:
    """Rows to fit a probe to, and rows to test it on; both have the same subjects."""

    name: SplitName
    """How the two parts differ."""
    train: Int64[np.ndarray, "train"]
    """Rows to fit to, rising."""
    test: Int64[np.ndarray, "test"]
    """Rows to test on, rising."""
    tuning: Bool[np.ndarray, "train"]
    """Which of the training rows choose the penalty, by being left out of the fits that compete; for
    `other-recordings` they are of recordings of their own where a subject has enough."""
    left_out: int = 0
    """Subjects who can't be in both parts, so are in neither."""

    @property
    def rows(self) -> Int64[np.ndarray, "rows"]:
        """All rows, rising."""
        return np.union1d(self.train, self.test)

    def within(self, rows: Int64[np.ndarray, "rows"]) -> "ProbeSplit":
        """Return the split of a table that has only some of the rows.

        Args:
            rows: The rows that are left, rising; all of the split's are among them.
        """
        train, test = (np.searchsorted(rows, part) for part in (self.train, self.test))
        return replace(self, train=train, test=test)


def random_frames(
    subjects: Sequence[str] | Shaped[np.ndarray, "rows"], config: SplitConfig | None = None
) -> ProbeSplit:
    """Divide each subject's frames at random.

    Paper:
        FMAE-IAT, figure 3: up to 100 random frames of each subject, 70 to fit and 30 to test.
    """
    config = config or SplitConfig()
    parts: list[_Part] = []
    names = np.asarray(subjects, dtype=str)
    everyone = sorted(set(names.tolist()))
    for name in everyone:
        rows = _generator(config, name).permutation(np.flatnonzero(names == name))[: config.frames]
        if len(rows) >= 2:
            held = _count(len(rows), 1 - config.train_share)
            train = rows[held:]
            parts.append((train, rows[:held], np.arange(len(train)) < _tuning_count(len(train), config)))
    return _join("random-frames", parts, len(everyone) - len(parts), "two frames")


def other_recordings(
    subjects: Sequence[str] | Shaped[np.ndarray, "rows"],
    recordings: Sequence[str | None] | Shaped[np.ndarray, "rows"],
    config: SplitConfig | None = None,
) -> ProbeSplit:
    """Divide each subject's recordings, so that the probe is tested on recordings it has seen nothing of.

    Args:
        recordings: Which recording of the subject each row is from; None or empty for unknown, which leaves it out.
        config: How many frames; the share of training frames also divides the recordings.
    """
    config = config or SplitConfig()
    parts: list[_Part] = []
    names = np.asarray(subjects, dtype=str)
    takes = np.array(["" if take is None else str(take) for take in recordings], dtype=str)
    everyone = sorted(set(names.tolist()))
    for name in everyone:
        own = (names == name) & (takes != "")
        found = _generator(config, name).permutation(np.unique(takes[own]))
        if len(found) >= 2:
            parts.append(_divide(own, takes, found.tolist(), _generator(config, name), config))
    return _join("other-recordings", parts, len(everyone) - len(parts), "two recordings")


_Part = tuple[Int64[np.ndarray, "_"], Int64[np.ndarray, "_"], Bool[np.ndarray, "_"]]


def _divide(
    own: Bool[np.ndarray, "rows"],
    takes: Shaped[np.ndarray, "rows"],
    found: list[str],
    generator: np.random.Generator,
    config: SplitConfig,
) -> _Part:
    test_share = 1 - config.train_share
    held = _count(len(found), test_share)
    tested, rest = found[:held], found[held:]
    test_frames = _count(config.frames, test_share)
    test = generator.permutation(np.flatnonzero(own & np.isin(takes, tested)))[:test_frames]
    train = generator.permutation(np.flatnonzero(own & np.isin(takes, rest)))[: config.frames - test_frames]
    chosen = rest[: _count(len(rest), test_share)] if len(rest) > 1 else []
    tuning = np.isin(takes[train], chosen)
    if not 0 < tuning.sum() < len(train):  # too few recordings, so that frames are divided instead
        tuning = np.arange(len(train)) < _tuning_count(len(train), config)
    return train, test, tuning


def _generator(config: SplitConfig, name: str) -> np.random.Generator:
    return np.random.default_rng([config.seed, zlib.crc32(name.encode())])


def _count(total: int, share: float) -> int:
    """Return a share of something, but neither nothing nor all of it."""
    return min(max(round(total * share), 1), total - 1)


def _tuning_count(train: int, config: SplitConfig) -> int:
    return _count(train, 1 - config.train_share) if train > 1 else 0


def _join(name: SplitName, parts: list[_Part], left_out: int, needed: str) -> ProbeSplit:
    if len(parts) < 2:
        raise DatasetError(f"{len(parts)} subjects have {needed}; an identity probe needs at least 2")
    train, test, tuning = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(train)
    return ProbeSplit(name=name, train=train[order], test=np.sort(test), tuning=tuning[order], left_out=left_out)
