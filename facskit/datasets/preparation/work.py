"""The work of `preparation`, one recording at a time: read pictures or video, find the face, crop, write images.

Each finished unit leaves a table of its rows, with a reason where a frame could not be used; the table is written last,
so a unit that has one is complete.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float, UInt8

from facskit.claimed_folder import PARTS
from facskit.columns import IMAGE, IMAGE_BYTES
from facskit.datasets.corpora.index import MEDIA, MEDIA_FRAME
from facskit.datasets.corpora.reading.media import read_media_bytes
from facskit.datasets.landmark_columns import landmark_columns, read_landmarks
from facskit.datasets.preparation.config import PreparationConfig
from facskit.errors import DatasetError, MediaError
from facskit.faces.alignment import (
    border_level,
    box_of,
    crop_matrix,
    detection_matrix,
    five_points,
    transform_points,
)
from facskit.faces.detectors import build_detector
from facskit.faces.face_following import ONE_PERSON, FaceFollower
from facskit.faces.images import decode_image, encode_jpeg, warp
from facskit.faces.landmarks import POINTS_49
from facskit.faces.video import frames
from facskit.files import atomic_path
from facskit.processes import tick

__all__ = ["FACE_SCORE", "FILE", "NO_FACE", "REASON", "Unit", "do_unit", "part_file"]

FACE_SCORE = "face_score"
"""Column with the detector's confidence; empty where the corpus's landmarks placed the crop."""
REASON = "reason"
"""Column of a unit's table that says why a row has no image; null where it has one."""
FILE = "file"
"""Column of a unit's table with the sentence that names the file and what is wrong with it."""

NO_FACE = "no face found"
"""The reason where neither detector nor landmarks say where a face is."""
UNREADABLE = "picture can't be read"
CUT_SHORT = "video damaged or too short"

Picture = UInt8[np.ndarray, "height width 3"]
Landmarks = Float[np.ndarray, "68 2"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Unit:
    """What one worker does in one go."""

    number: int
    """Counted from 0; the same rows of the same corpus always have the same number."""
    rows: pl.DataFrame
    """Rows of `CorpusIndex.table`, with the image each is to become."""
    follows: bool
    """Whether the rows are one recording of one person, in the order of time."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Result:
    """What became of a row."""

    reason: str | None = None
    file: str | None = None
    score: float | None = None
    landmarks: Landmarks | None = None


def part_file(out: Path, unit: Unit) -> Path:
    """Return where a finished unit leaves its table."""
    return out / PARTS / f"{unit.number:06d}.parquet"


def do_unit(root: Path, out: Path, config: PreparationConfig, unit: Unit) -> int:
    """Write the images of a unit and, last of all, its table; each frame was counted, so 0 is returned.

    The table is the rows with landmarks moved into the images, `face_score`, and `reason` and `file` for those without.

    Raises:
        MediaError: A picture or video can't be read, and the configuration says to stop then.
        DatasetError: An image can't be written.
    """
    follower = FaceFollower(build_detector(config.detector), ONE_PERSON) if config.crop is not None else None
    landmarks = read_landmarks(unit.rows)
    images = unit.rows[IMAGE].to_list()
    results = [_Result(reason=UNREADABLE)] * unit.rows.height
    for position, found in _pictures(root, unit.rows):
        if isinstance(found, MediaError):
            if config.on_error == "stop":
                raise found
            is_video = unit.rows[MEDIA_FRAME][position] is not None
            results[position] = _Result(reason=CUT_SHORT if is_video else UNREADABLE, file=str(found))
        else:
            if follower is not None and not unit.follows:
                follower.forget()
            points = None
            if landmarks is not None and not np.isnan(landmarks[position, 30, 0]):
                points = landmarks[position].astype(np.float64)
            encoded, results[position] = _crop(found, points, config, follower, position)
            if encoded is not None:
                _write(out / images[position], encoded)
        tick()
    with atomic_path(part_file(out, unit)) as part:
        _finished(unit.rows, results, landmarks is not None).write_parquet(part)
    return 0


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A decoded picture, and its file's own bytes where the picture is a file."""

    image: Picture
    encoded: bytes | None = None


def _crop(
    found: _Found, landmarks: Landmarks | None, config: PreparationConfig, follower: FaceFollower | None, position: int
) -> tuple[bytes | None, _Result]:
    """Return the encoded crop, or None, and what became of the row."""
    height, width = found.image.shape[:2]
    if landmarks is not None and not _lies_inside(landmarks, width, height):
        landmarks = None
    if config.crop is None or follower is None:
        return _whole(found, landmarks, config)
    trusted = landmarks if config.points == "corpus" else None
    face = next(iter(follower.find(found.image, float(position))), None) if trusted is None else None
    try:
        if trusted is not None:
            five, box = five_points(trusted), box_of(trusted)
            matrix = crop_matrix(config.crop, landmarks=five, box=box, image_size=(width, height))
        elif face is not None:
            matrix = detection_matrix(config.crop, face, (width, height))
        else:
            return None, _Result(reason=NO_FACE)
        crop = warp(found.image, matrix, config.crop.size, border_level(config.crop))
    except ValueError:  # points on one spot: nothing that could be called a face
        return None, _Result(reason=NO_FACE)
    moved = None if landmarks is None else transform_points(matrix, landmarks)
    score = None if face is None else face.score
    return encode_jpeg(crop, config.quality), _Result(score=score, landmarks=moved)


def _whole(found: _Found, landmarks: Landmarks | None, config: PreparationConfig) -> tuple[bytes, _Result]:
    height, width = found.image.shape[:2]
    zoom = min(1.0, config.max_side / max(height, width)) if config.max_side else 1.0
    if zoom == 1:
        is_jpeg = found.encoded is not None and found.encoded.startswith(b"\xff\xd8")
        encoded = found.encoded if is_jpeg and found.encoded else encode_jpeg(found.image, config.quality)
        return encoded, _Result(landmarks=landmarks)
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    across, down = size[0] / width, size[1] / height
    matrix = np.array([[across, 0, across / 2 - 0.5], [0, down, down / 2 - 0.5]])
    moved = None if landmarks is None else transform_points(matrix, landmarks)
    return encode_jpeg(warp(found.image, matrix, size), config.quality), _Result(landmarks=moved)


def _lies_inside(landmarks: Landmarks, width: int, height: int) -> bool:
    """Tell whether landmarks are of this picture: their middle is in it, and they are apart."""
    points = landmarks[list(POINTS_49)]
    middle = points.mean(axis=0)
    inside = 0 <= middle[0] < width and 0 <= middle[1] < height
    return bool(inside and np.ptp(points, axis=0).min() > 1)


def _pictures(root: Path, rows: pl.DataFrame) -> Iterator[tuple[int, _Found | MediaError]]:
    """Give each row's position with its picture or what is wrong with it; only one picture is in memory at a time."""
    packed = rows[IMAGE_BYTES] if IMAGE_BYTES in rows.columns else None
    video, wanted = "", dict[int, int]()
    for position, (media, number) in enumerate(rows.select(MEDIA, MEDIA_FRAME).iter_rows()):
        if wanted and (number is None or media != video):  # a video's rows end here; it is decoded once for all of them
            yield from _video_pictures(root / video, wanted)
            wanted = {}
        if number is not None:
            video = media
            wanted[number] = position
            continue
        found: _Found | MediaError
        try:
            encoded = read_media_bytes(root, media) if packed is None else packed[position]
            found = _Found(decode_image(encoded, str(root / media)), encoded)
        except MediaError as error:
            found = error
        yield position, found
    if wanted:
        yield from _video_pictures(root / video, wanted)


def _video_pictures(path: Path, wanted: Mapping[int, int]) -> Iterator[tuple[int, _Found | MediaError]]:
    """Decode a video once; `wanted` gives the row of each frame number that is needed, counted from 0."""
    missing = dict(wanted)
    failure, seen = None, 0
    try:
        for frame in frames(path):
            seen = frame.index + 1
            if frame.index in missing:
                yield missing.pop(frame.index), _Found(frame.image)
            if not missing:
                return
    except MediaError as error:
        failure = error
    for number, position in missing.items():
        needed = f"frame {number + 1} (counted from 1) is labelled"
        sentence = f"{path}: {needed}, but the video holds {seen} frames; check frame_offset and the video's length"
        yield position, MediaError(sentence if failure is None else f"{failure}; {needed}")


def _finished(rows: pl.DataFrame, results: list[_Result], with_landmarks: bool) -> pl.DataFrame:
    added = {
        FACE_SCORE: pl.Series([result.score for result in results], dtype=pl.Float32),
        REASON: pl.Series([result.reason for result in results], dtype=pl.String),
        FILE: pl.Series([result.file for result in results], dtype=pl.String),
    }
    if with_landmarks:
        points = np.full((len(results), 68, 2), np.nan)
        for row, result in enumerate(results):
            if result.landmarks is not None:
                points[row] = result.landmarks
        added |= landmark_columns(points)
    return rows.drop(IMAGE_BYTES, strict=False).with_columns(**added)


def _write(path: Path, encoded: bytes) -> None:
    try:
        with atomic_path(path) as part:
            part.write_bytes(encoded)
    except OSError as error:
        raise DatasetError(f"{path}: can't write the image ({(error.strerror or 'failed').lower()})") from error
