"""One table of codes, pictures and landmarks: which frame number is which picture, and what is left over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from jaxtyping import Float

from facskit.action_units import ActionUnitSet
from facskit.columns import FRAME, LANDMARKS_X, RECORDING, SUBJECT
from facskit.datasets.corpora.decisions import Decisions
from facskit.datasets.corpora.index import MEDIA, MEDIA_FRAME, CorpusIndex
from facskit.datasets.corpora.reading.image_numbers import count_from, numbered_otherwise, with_image
from facskit.datasets.corpora.reading.import_log import ImportLog, some_of
from facskit.datasets.corpora.reading.label_files import MISSING_CODE
from facskit.datasets.corpora.reading.landmark_files import landmark_columns
from facskit.datasets.corpora.reading.media_files import LENGTH, NUMBER
from facskit.datasets.corpora.reading.published_counts import expected_counts
from facskit.datasets.findings import counted

__all__ = ["POSITION", "FramePlaces", "add_landmarks", "decide_missing", "finish", "place_frames"]

POSITION = "position"
"""Column with the place of a frame in its recording, counted from 0: how landmark files count."""
_RECORDING = [SUBJECT, RECORDING]
_NEIGHBOURS = (-1, 0, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class FramePlaces:
    """Where a corpus's pictures are, and how their numbers relate to the labels' frame numbers."""

    images: pl.DataFrame
    """From `list_images`."""
    videos: pl.DataFrame
    """From `list_videos`."""
    offset: int | None
    """What the user wants added to a label's frame number; None for the default."""
    counts_from_first: bool = False
    """Whether images numbered from 0 are one behind the labels by default, about which readers disagree; otherwise
    numbers agree by default."""
    expected: str = "images or a video of the recording"
    """What messages say should be there."""

    @property
    def first(self) -> int:
        """Number of a recording's first image: 0 if at least half of the recordings have an image 0, otherwise 1."""
        return count_from(self.images)

    @property
    def image_offset(self) -> int:
        """What is added to a label's frame number to get an image's number."""
        if self.offset is not None:
            return self.offset
        return self.first - 1 if self.counts_from_first else 0

    @property
    def video_offset(self) -> int:
        """The same for videos, whose frames count from 1."""
        return self.offset or 0

    def describe(self) -> str:
        """Return the offset that was used, for the record."""
        used = {} if self.images.is_empty() else {"images": self.image_offset}
        used |= {} if self.videos.is_empty() else {"videos": self.video_offset}
        return ", ".join(f"{_signed(offset)} for {kind}" for kind, offset in used.items()) or "unused"


def _signed(offset: int) -> str:
    return f"{offset:+d}" if offset else "0"


def decide_missing(coded: pl.DataFrame, units: ActionUnitSet, decisions: Decisions, notes: ImportLog) -> pl.DataFrame:
    """Turn the code for "can't be coded" into what the user wants; a column that a file lacks stays unknown."""
    columns = [pl.col(code) for code in units.codes]
    if decisions.missing == "drop-frame":
        lacks = coded.select(pl.any_horizontal((column == MISSING_CODE).fill_null(value=False) for column in columns))
        notes.drop(coded.filter(lacks.to_series()), "an AU couldn't be coded")
        return coded.filter(~lacks.to_series())
    value = 0 if decisions.missing == "negative" else None
    return coded.with_columns(
        pl.when(column == MISSING_CODE).then(pl.lit(value, pl.Int8)).otherwise(column).alias(column.meta.output_name())
        for column in columns
    )


def place_frames(coded: pl.DataFrame, places: FramePlaces, notes: ImportLog) -> pl.DataFrame:
    """Find the picture of every coded frame.

    Args:
        coded: Columns `subject`, `recording`, `frame`, `file` and labels.

    Returns:
        The frames that have one, with `media`, `media_frame` and `position`.
    """
    have_images = coded.join(places.images, on=_RECORDING, how="semi")
    videos = places.videos.join(places.images, on=_RECORDING, how="anti")
    have_video = coded.join(videos, on=_RECORDING, how="semi")
    both = pl.concat([places.images.select(_RECORDING), places.videos.select(_RECORDING)]).unique()
    nothing = coded.join(both, on=_RECORDING, how="anti").unique(_RECORDING, keep="first", maintain_order=True)
    if nothing.height:
        names = some_of(_names(nothing))
        notes.drop(coded.join(both, on=_RECORDING, how="anti"), "no images or video")
        notes.error(
            names,
            f"found labels of {counted(nothing.height, 'recording')} without pictures; expected {places.expected}",
        )
    unlabelled = both.join(coded, on=_RECORDING, how="anti").sort(_RECORDING)
    if unlabelled.height:
        sentence = f"found pictures of {counted(unlabelled.height, 'recording')} without labels; left out"
        notes.note(some_of(_names(unlabelled)), sentence)
    placed = [_on_images(have_images, places, notes), _in_videos(have_video, videos, places, notes)]
    return pl.concat(placed, how="diagonal_relaxed").sort(*_RECORDING, FRAME)


def _names(recordings: pl.DataFrame) -> list[str]:
    return ["/".join(row) if row[0] != row[1] else row[0] for row in recordings.select(_RECORDING).iter_rows()]


def _on_images(coded: pl.DataFrame, places: FramePlaces, notes: ImportLog) -> pl.DataFrame:
    offset = places.image_offset
    images = places.images.select(*_RECORDING, NUMBER, MEDIA)
    if places.counts_from_first:
        coded = _without_odd(coded, images, offset, notes)
    keys = [*_RECORDING, NUMBER]
    numbered = coded.with_columns((pl.col(FRAME) + offset).alias(NUMBER))
    joined = numbered.join(images, on=keys, how="left", maintain_order="left")
    lost = joined.filter(pl.col(MEDIA).is_null())
    if coded.height and (lost.height or places.counts_from_first):
        fits = {other: with_image(coded, images, other).height for other in sorted({*_NEIGHBOURS, offset})}
        _report_fit(lost, fits, offset, notes)
    notes.drop(lost, "no image for the frame")
    position = (pl.col(NUMBER) - places.first).alias(POSITION)
    found = joined.filter(pl.col(MEDIA).is_not_null())
    return found.with_columns(position, pl.lit(None, pl.Int64).alias(MEDIA_FRAME)).drop(NUMBER)


def _without_odd(coded: pl.DataFrame, images: pl.DataFrame, offset: int, notes: ImportLog) -> pl.DataFrame:
    """Leave out recordings that count otherwise than most: with the common offset each label would be one off."""
    odd = numbered_otherwise(coded, images, offset)
    if odd.is_empty():
        return coded
    first = int(odd["first"][0])
    notes.drop(coded.join(odd, on=_RECORDING, how="semi"), "images numbered otherwise than the others")
    notes.error(
        some_of(_names(odd)),
        f"the images count from {first}, most recordings' from {1 - first}, so frame offset {_signed(offset)} would "
        f"put their labels on the neighbouring images; rename them to count from {1 - first} too",
    )
    return coded.join(odd, on=_RECORDING, how="anti")


def _report_fit(lost: pl.DataFrame, fits: dict[int, int], offset: int, notes: ImportLog) -> None:
    """Say which offsets the pictures support."""
    total = lost.height + fits[offset]
    better = [other for other, fit in fits.items() if fit > fits[offset]]
    if lost.height:
        best = max(better, key=lambda other: (fits[other], -abs(other)), default=None)
        hint = "copy the missing images from the release"
        if best is not None:
            share = "all have" if fits[best] == total else f"{fits[best]:,} have"
            hint = f"with frame offset {_signed(best)} {share} one: if that is right, set frame_offset {best}"
        first = lost.row(0, named=True)
        notes.error(
            some_of(_names(lost.unique(_RECORDING, maintain_order=True))),
            f"{lost.height:,} of {total:,} coded frames have no image (the first is frame {first[FRAME]} of "
            f"{first[SUBJECT]}/{first[RECORDING]}, image number {first[FRAME] + offset}); {hint}",
        )
        return
    same = [other for other, fit in fits.items() if fit == total and other != offset]
    support = (
        f"the images would fit {' and '.join(map(_signed, same))} as well, so look at "
        "a few pictures beside their labels"
        if same
        else "no other offset has an image for every coded frame"
    )
    place = f"f{offset:+d}" if offset else "f"
    sentence = f"frame f of the labels is taken to be image {place} (frame_offset {_signed(offset)}); {support}"
    notes.note("images", sentence)


def _in_videos(coded: pl.DataFrame, videos: pl.DataFrame, places: FramePlaces, notes: ImportLog) -> pl.DataFrame:
    index = pl.col(FRAME) + (places.video_offset - 1)
    joined = coded.join(videos, on=_RECORDING, how="left", maintain_order="left").with_columns(index.alias(MEDIA_FRAME))
    unreadable = joined.filter(pl.col(LENGTH) == 0)
    notes.drop(unreadable.with_columns(pl.col(MEDIA).alias("file")), "unreadable video")
    joined = joined.filter((pl.col(LENGTH) != 0).fill_null(value=True))
    beyond = (pl.col(MEDIA_FRAME) < 0) | (pl.col(MEDIA_FRAME) >= pl.col(LENGTH)).fill_null(value=False)
    lost = joined.filter(beyond)
    for group in lost.partition_by(MEDIA, maintain_order=True):
        outside = group[FRAME].sort()
        numbers = f"{outside[0]} to {outside[-1]}" if group.height > 1 else f"{outside[0]}"
        notes.error(
            str(group[MEDIA][0]),
            f"has {group[LENGTH][0]} frames, but {group.height} of the coded frames, {numbers}, are outside it with "
            f"frame offset {places.video_offset}; copy the video again, or set frame_offset",
            "outside the video",
        )
    notes.drop(lost.with_columns(pl.col(MEDIA).alias("file")), "outside the video")
    return joined.filter(~beyond).with_columns(pl.col(MEDIA_FRAME).alias(POSITION)).drop(LENGTH)


def add_landmarks(
    placed: pl.DataFrame,
    read: Callable[[str, str, Sequence[int]], Float[np.ndarray, "frames points 2"]] | None,
    decisions: Decisions,
    notes: ImportLog,
) -> pl.DataFrame:
    """Add the corpus's own landmarks; leave out frames without them if the user wants.

    Args:
        read: Gives the landmarks of a recording at some positions; None if the corpus's folder has none.
    """
    if read is None:
        if decisions.frames == "landmarks":
            sentence = "found no landmark files, which frames=landmarks needs; expected the release's folder"
            notes.error(notes.root, sentence)
            notes.drop(placed, "no landmarks")
            return placed.clear()
        return placed
    if placed.is_empty():
        return placed
    parts = []
    for (subject, recording), group in placed.group_by(_RECORDING, maintain_order=True):
        points = read(str(subject), str(recording), group[POSITION].to_list())
        parts.append(group.hstack(landmark_columns(points.astype(np.float32))))
    table = pl.concat(parts)
    without = table.filter(pl.col(LANDMARKS_X[30]).is_null())
    if without.height:
        sentence = f"found no landmarks for {counted(without.height, 'coded frame')}"
        notes.note(some_of(_names(without.unique(_RECORDING, maintain_order=True))), sentence)
    if decisions.frames == "landmarks":
        notes.drop(without, "no landmarks")
        return table.filter(pl.col(LANDMARKS_X[30]).is_not_null())
    return table


def finish(index: CorpusIndex, decisions: Decisions, notes: ImportLog) -> CorpusIndex:
    """Complete an index: columns in order, rows sorted, without those that were dropped, and what was noted."""
    dropped = notes.dropped
    table = index.table.join(dropped.filter(pl.col(FRAME).is_not_null()), on=[SUBJECT, RECORDING, FRAME], how="anti")
    first = [MEDIA, MEDIA_FRAME, SUBJECT, RECORDING, FRAME, *index.action_units.codes]
    rest = [name for name in table.columns if name not in {*first, "file", POSITION}]
    if table.is_empty() and not any(finding.severity == "error" for finding in notes.findings):
        notes.error(index.root, "no usable frame is left; see what was dropped")
    return replace(
        index,
        table=table.select(*first, *rest).sort(SUBJECT, RECORDING, FRAME),
        dropped=dropped,
        findings=notes.findings,
        expected=expected_counts(index.corpus, decisions),
    )
