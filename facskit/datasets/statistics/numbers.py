"""A manifest in numbers: how often each label occurs, with whom, together with what, and for how long.

Everything is counted column by column, so five million rows take seconds. Unknown labels are left out of every rate,
and their number stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int8, Int64

from facskit.action_units import ActionUnitSet
from facskit.columns import EXPRESSION, FRAME, RECORDING, SUBJECT
from facskit.datasets.fold import Fold
from facskit.datasets.manifest import Manifest
from facskit.expressions import EXPRESSION_NAMES

__all__ = ["CoOccurrence", "FoldCounts", "ManifestStatistics", "Runs", "count_runs", "describe_manifest"]

_FPS = {"bp4d": 25.0, "bp4d-plus": 25.0, "disfa": 20.0}
"""Pictures per second of corpora whose readers agree on it; DISFA's is stated in one public reader only."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CoOccurrence:
    """How often two AUs are present together, over the frames in which both are known."""

    both: Int64[np.ndarray, "aus aus"]
    """Frames with both present; symmetric, its diagonal counts each AU."""
    given: Int64[np.ndarray, "aus aus"]
    """Frames in which the row's AU is known and the column's AU is present."""
    known: Int64[np.ndarray, "aus aus"]
    """Frames in which both are known; symmetric."""

    @property
    def conditional(self) -> Float[np.ndarray, "aus aus"]:
        """P(row present | column present); NaN where the column's AU never occurs."""
        return _divide(self.both, self.given)

    @property
    def jaccard(self) -> Float[np.ndarray, "aus aus"]:
        """Frames with both over frames with either; NaN where neither occurs."""
        return _divide(self.both, self.given + self.given.T - self.both)

    @property
    def phi(self) -> Float[np.ndarray, "aus aus"]:
        """Correlation of the two labels, -1 to 1 (phi coefficient); NaN where one of them never varies."""
        both, total = self.both.astype(np.float64), self.known.astype(np.float64)
        column, row = self.given.astype(np.float64), self.given.T.astype(np.float64)
        spread = np.sqrt(column * (total - column) * row * (total - row))
        return _divide(total * both - column * row, spread)


@dataclass(frozen=True, kw_only=True, eq=False)
class Runs:
    """How long each AU stays present: consecutive frames of a recording, none missing, none unknown, all present."""

    lengths: tuple[Int64[np.ndarray, "_"], ...]
    """Sorted lengths in frames, one array per AU."""
    recordings: int
    """How many recordings the frames are from."""

    def quantiles(self, unit: int) -> Float[np.ndarray, "5"] | None:
        """Return the shortest, the quartiles and the longest run of an AU in frames; None if it has none."""
        lengths = self.lengths[unit]
        return np.quantile(lengths, (0, 0.25, 0.5, 0.75, 1)) if len(lengths) else None


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldCounts:
    """One part of a division into folds."""

    index: int
    """Which part is tested on, counted from 1."""
    subjects: int
    """People in it."""
    frames: int
    """Rows in it."""
    present: Int64[np.ndarray, "aus"]
    """Frames with the AU."""
    known: Int64[np.ndarray, "aus"]
    """Frames in which the AU is coded."""

    @property
    def rates(self) -> Float[np.ndarray, "aus"]:
        """Share of the coded frames that have each AU; NaN if it was never coded."""
        return _divide(self.present, self.known)


@dataclass(frozen=True, kw_only=True, eq=False)
class ManifestStatistics:
    """Everything that `facskit describe` says of one manifest."""

    name: str
    """What tables call it: the corpus, or the file."""
    source: str
    """The file."""
    action_units: ActionUnitSet
    """The AUs, in the order of all arrays here."""
    frames: int
    """Rows."""
    subject_names: tuple[str, ...]
    """Everyone, sorted."""
    subject_frames: Int64[np.ndarray, "subjects"]
    """Rows of each person."""
    subject_present: Int64[np.ndarray, "subjects aus"]
    """Frames of each person with the AU."""
    subject_known: Int64[np.ndarray, "subjects aus"]
    """Frames of each person in which the AU is coded."""
    together: CoOccurrence
    """Which AUs occur together."""
    runs: Runs | None
    """How long AUs stay present; None if the manifest doesn't say which frame of which recording a row is."""
    fps: float | None = None
    """Frames per second of the recordings, where known."""
    expressions: dict[str, int] = field(default_factory=dict)
    """Rows of each expression; empty if the manifest has no such column."""
    unknown_expressions: int = 0
    """Rows with an empty expression."""
    folds: tuple[FoldCounts, ...] = ()
    """The parts of a division, if one was asked for."""

    @property
    def present(self) -> Int64[np.ndarray, "aus"]:
        """Frames with each AU."""
        return np.asarray(self.subject_present.sum(axis=0), np.int64)

    @property
    def known(self) -> Int64[np.ndarray, "aus"]:
        """Frames in which each AU is coded."""
        return np.asarray(self.subject_known.sum(axis=0), np.int64)

    @property
    def rates(self) -> Float[np.ndarray, "aus"]:
        """Share of the coded frames that have each AU; NaN if it was never coded."""
        return _divide(self.present, self.known)

    @property
    def unknown(self) -> Float[np.ndarray, "aus"]:
        """Share of all frames in which each AU isn't coded."""
        return 1 - self.known / max(self.frames, 1)

    @property
    def subject_rates(self) -> Float[np.ndarray, "subjects aus"]:
        """Share of each person's coded frames that have each AU; NaN where it was never coded."""
        return _divide(self.subject_present, self.subject_known)


def describe_manifest(
    manifest: Manifest, *, name: str, folds: Sequence[Fold] = (), fps: float | None = None
) -> ManifestStatistics:
    """Count everything.

    Args:
        folds: A division of its rows; each fold's test part is counted.
        fps: Frames per second of its recordings; None takes the corpus's, where it's known.
    """
    labels, people = manifest.labels, manifest.subject_indices
    persons = len(manifest.subject_names)
    present, known = labels == 1, labels >= 0
    corpus = manifest.origin.corpus if manifest.origin else ""
    return ManifestStatistics(
        name=name,
        source=manifest.name,
        action_units=manifest.action_units,
        frames=len(manifest),
        subject_names=manifest.subject_names,
        subject_frames=np.bincount(people, minlength=persons).astype(np.int64),
        subject_present=_per_person(people, present, persons),
        subject_known=_per_person(people, known, persons),
        together=_together(present, known),
        runs=count_runs(manifest),
        fps=_FPS.get(corpus) if fps is None else fps,
        expressions=_expressions(manifest),
        unknown_expressions=manifest.table[EXPRESSION].null_count() if manifest.has_expressions else 0,
        folds=tuple(_fold_counts(fold, present, known) for fold in folds),
    )


def count_runs(manifest: Manifest) -> Runs | None:
    """Measure how long each AU stays present.

    Frames of a recording are taken in the order of their numbers. A number that is left out or stands twice ends a
    run, and so does an unknown label. None without columns `recording` and `frame`, if cells in them are empty, or if
    every row is a recording of its own.
    """
    table = manifest.table
    if not {RECORDING, FRAME} <= set(table.columns) or not table.schema[FRAME].is_integer():
        return None
    if table[RECORDING].null_count() or table[FRAME].null_count():
        return None
    recording = table.select(pl.struct(pl.col(SUBJECT).to_physical(), RECORDING).rank("dense")).to_series().to_numpy()
    number = table[FRAME].cast(pl.Int64).to_numpy()
    recordings = int(recording.max(initial=0))
    if recordings == len(manifest) or not manifest.action_units:
        return None
    labels = manifest.labels
    follows = _follows(recording, number)
    if (recording[1:] < recording[:-1]).any() or (number[1:] < number[:-1])[recording[1:] == recording[:-1]].any():
        order = np.lexsort((number, recording))
        labels, follows = labels[order], _follows(recording[order], number[order])
    lengths = tuple(_run_lengths(column == 1, follows) for column in labels.T)
    return Runs(lengths=lengths, recordings=recordings)


def _follows(recording: np.ndarray, number: np.ndarray) -> Bool[np.ndarray, "rows"]:
    """Tell which rows are the next frame of the row before."""
    follows = np.zeros(len(number), bool)
    follows[1:] = (recording[1:] == recording[:-1]) & (number[1:] == number[:-1] + 1)
    return follows


def _run_lengths(present: Bool[np.ndarray, "rows"], follows: Bool[np.ndarray, "rows"]) -> Int64[np.ndarray, "runs"]:
    goes_on = np.zeros(len(present), bool)
    goes_on[1:] = present[1:] & present[:-1] & follows[1:]
    starts = np.flatnonzero(present & ~goes_on)
    ends = np.flatnonzero(present & ~np.append(goes_on[1:], False))
    return np.sort(ends - starts + 1).astype(np.int64)


def _per_person(
    people: Int64[np.ndarray, "rows"], marks: Bool[np.ndarray, "rows aus"], persons: int
) -> Int64[np.ndarray, "subjects aus"]:
    counts = [np.bincount(people[column], minlength=persons) for column in marks.T]
    return np.array(counts, np.int64).reshape(len(counts), persons).T.copy()


def _together(present: Bool[np.ndarray, "rows aus"], known: Bool[np.ndarray, "rows aus"]) -> CoOccurrence:
    units = present.shape[1]
    both, given, both_known = (np.zeros((units, units), np.int64) for _ in range(3))
    # Chunks bound the memory of the copies; float32 counts exactly up to 2 ** 24, far above a chunk's rows.
    for start in range(0, len(present), 1 << 18):
        here = present[start : start + (1 << 18)].astype(np.float32)
        coded = known[start : start + (1 << 18)].astype(np.float32)
        both += (here.T @ here).astype(np.int64)
        given += (coded.T @ here).astype(np.int64)
        both_known += (coded.T @ coded).astype(np.int64)
    return CoOccurrence(both=both, given=given, known=both_known)


def _fold_counts(fold: Fold, present: np.ndarray, known: np.ndarray) -> FoldCounts:
    return FoldCounts(
        index=fold.index,
        subjects=len(fold.test_subjects),
        frames=len(fold.test),
        present=present[fold.test].sum(axis=0).astype(np.int64),
        known=known[fold.test].sum(axis=0).astype(np.int64),
    )


def _expressions(manifest: Manifest) -> dict[str, int]:
    if not manifest.has_expressions:
        return {}
    counts = dict(manifest.table[EXPRESSION].cast(pl.String).value_counts().iter_rows())
    return {name: int(counts[name]) for name in EXPRESSION_NAMES if name in counts}


def _divide(above: Int8[np.ndarray, "..."] | np.ndarray, below: np.ndarray) -> Float[np.ndarray, "..."]:
    numbers = np.full(np.broadcast(above, below).shape, np.nan)
    np.divide(above, below, out=numbers, where=np.asarray(below) != 0)
    return numbers
