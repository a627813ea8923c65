"""DISFA (Mavadati et al., IEEE Transactions on Affective Computing 2013) as the University of Denver releases it.

```text
ActionUnit_Labels/SN001/SN001_au1.txt           frame,intensity; frames from 1, intensities 0 to 5
Video_LeftCamera/LeftVideoSN001_comp.avi        and Video_RightCamera/RightVideoSN001_comp.avi
SN001/0.png                                     or LeftVideoSN001/frame_1.jpg and the like, where frames were extracted
Landmark_Points/SN001/tmp_frame_lm/SN001_0000_lm.mat   66 landmarks, from 0; some subjects l00001_lm.mat, from 1
```
"""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from jaxtyping import Float

from facskit.action_units import DISFA_12, ActionUnitSet, parse_action_unit
from facskit.columns import LANDMARKS_X, LANDMARKS_Y
from facskit.datasets.corpora.decisions import Decisions
from facskit.datasets.corpora.index import CorpusIndex
from facskit.datasets.corpora.reading.assembly import FramePlaces, add_landmarks, finish, place_frames
from facskit.datasets.corpora.reading.import_log import ImportLog, some_of
from facskit.datasets.corpora.reading.label_files import LabelFile, read_code_lists
from facskit.datasets.corpora.reading.landmark_files import point_file_position, read_point_file
from facskit.datasets.corpora.reading.media_files import (
    MediaUnit,
    entries,
    list_images,
    list_videos,
    one_per_recording,
    only_folder,
)
from facskit.datasets.corpora.reading.published_counts import check_counts
from facskit.errors import DatasetError
from facskit.faces.media_files import VIDEO_SUFFIXES

__all__ = ["LICENCE", "find_disfa_folders", "occurrence_of_levels", "read_disfa"]

LICENCE = "DISFA: for non-commercial research under the agreement with the University of Denver; do not pass images on."

_LABELS = "ActionUnit_Labels"
_POINTS = "Landmark_Points"
_LEVELS = range(6)
_SUBJECT = re.compile(r"SN0*(\d{1,3})", re.IGNORECASE)
_LABEL_FILE = re.compile(r"SN0*(\d{1,3})_au0*(\d{1,2})\.txt", re.IGNORECASE)
_MEDIA = re.compile(r"(?P<camera>left|right)?(?:video)?SN0*(?P<person>\d{1,3})(?:_comp)?(?:\.\w+)?", re.IGNORECASE)
_CAMERA_FOLDER = re.compile(r"(?:.*_)?(left|right)(?:_?camera)?", re.IGNORECASE)


def read_disfa(root: Path, decisions: Decisions) -> CorpusIndex:
    """Read DISFA.

    By default image folders that count from 0 are taken to be one behind the labels, which count from 1. An AU whose
    label file is missing is unknown for that subject, never absent.

    Returns:
        Every coded frame with a picture, with `AUxx` and `AUxx_level`.
    """
    base = only_folder(Path(root), "disfa", find_disfa_folders, f"{_LABELS}/SN001/SN001_au1.txt")
    notes = ImportLog(base, decisions.on_error)
    units = decisions.units(DISFA_12)
    coded = read_code_lists(_label_files(base, units, notes), _LEVELS, notes)
    labelled = occurrence_of_levels(coded, units, decisions.threshold)
    media = _media_units(base, decisions.camera, notes)
    places = FramePlaces(
        images=list_images(media, notes),
        videos=list_videos(media, notes),
        offset=decisions.frame_offset,
        counts_from_first=True,
        expected=f"Video_{decisions.camera.title()}Camera/{decisions.camera.title()}VideoSN001_comp.avi or SN001/0.png",
    )
    placed = place_frames(labelled, places, notes)
    points = base / _POINTS
    read = partial(_read_points, points, notes) if points.is_dir() else None
    table = add_landmarks(placed, read, decisions, notes)
    if decisions.camera == "right" and LANDMARKS_X[0] in table.columns:
        notes.note(_POINTS, "the landmarks are those of the left camera's pictures; the right camera's go without")
        table = table.drop(LANDMARKS_X, LANDMARKS_Y)
    check_counts("disfa", coded, table if decisions.frames == "landmarks" else None, notes)
    used = {"frame_offset": places.describe(), "action_units": str(units)}
    index = CorpusIndex(
        corpus="disfa",
        root=base,
        action_units=units,
        table=table,
        licence=LICENCE,
        decisions=decisions.describe("disfa") | used,
    )
    return finish(index, decisions, notes)


def find_disfa_folders(path: Path) -> list[Path]:
    """Find DISFA at a path: itself, above it if it is the label folder, or directly below it."""
    if path.name.lower() == _LABELS.lower():
        path = path.parent
    return [folder for folder in (path, *entries(path)) if folder.is_dir() and (folder / _LABELS).is_dir()]


def occurrence_of_levels(coded: pl.DataFrame, units: ActionUnitSet, threshold: int) -> pl.DataFrame:
    """Make `AUxx` and `AUxx_level` of columns of intensities; an AU without a column is unknown."""
    lacking = [code for code in units.codes if code not in coded.columns]
    coded = coded.with_columns(pl.lit(None, pl.Int8).alias(code) for code in lacking)
    levels = [pl.col(code).alias(f"{code}_level") for code in units.codes]
    present = [(pl.col(code) >= threshold).cast(pl.Int8) for code in units.codes]
    return coded.with_columns(*levels).with_columns(*present)


def _name(number: str) -> str:
    return f"SN{int(number):03d}"


def _label_files(base: Path, units: ActionUnitSet, notes: ImportLog) -> list[LabelFile]:
    """List the files of the AUs wanted; a missing one is an error, because its AU must not pass for absent."""
    files: dict[tuple[str, int], LabelFile] = {}
    for folder in entries(base / _LABELS):
        if not _SUBJECT.fullmatch(folder.name):
            continue
        for path in entries(folder):
            match = _LABEL_FILE.fullmatch(path.name)
            if match is None or match[2] not in units:
                continue
            name, unit = _name(match[1]), parse_action_unit(match[2])
            file = LabelFile(path=path, subject=name, recording=name, unit=unit)
            first = files.setdefault((name, unit.number), file)
            if first is not file:
                sentence = f"{unit.code} of {name} is coded in {notes.relative(first.path)} too; delete one of them"
                notes.error(notes.relative(path), sentence, "coded twice")
    if not files:
        raise DatasetError(f"{base / _LABELS}: found no label files, expected files such as SN001/SN001_au1.txt")
    for subject in sorted({subject for subject, _ in files}):
        lacking = [unit.code for unit in units if (subject, unit.number) not in files]
        if lacking:
            notes.error(
                f"{_LABELS}/{subject}",
                f"the label files of {', '.join(lacking)} are missing, so these AUs are unknown for {subject}; "
                "copy them from the release",
                "missing label files",
            )
    return list(files.values())


def _media_units(base: Path, camera: Literal["left", "right"], notes: ImportLog) -> list[MediaUnit]:
    """Choose the pictures of one camera; those whose camera isn't known serve where there are no others."""
    wanted: list[MediaUnit] = []
    unknown: list[MediaUnit] = []
    other: set[str] = set()
    for unit, named in _sources(base):
        if named == camera:
            wanted.append(unit)
        elif named is None:
            unknown.append(unit)
        else:
            other.add(unit.subject)
    have = {unit.subject for unit in wanted}
    filled = [unit for unit in unknown if unit.subject not in have]
    if filled:
        place = notes.relative(filled[0].path)
        tell = notes.note if camera == "left" else notes.warning  # extracted frames are usually the left camera's
        more = f" (and {len(filled) - 1} other folders)" if len(filled) > 1 else ""
        tell(place, f"its name doesn't tell the camera{more}; taken to be the {camera} one")
    lacking = sorted(other - have - {unit.subject for unit in filled})
    if lacking:
        notes.error(
            f"Video_{camera.title()}Camera",
            f"found only the other camera's pictures of {some_of(lacking)}; copy the {camera} camera's, or choose the "
            f"other camera for all",
        )
    return one_per_recording([*wanted, *filled], notes)


def _sources(base: Path) -> list[tuple[MediaUnit, str | None]]:
    """Find pictures in the corpus's folder, and one and two folders deeper, with the camera that names tell."""
    sources: list[tuple[MediaUnit, str | None]] = []
    places: list[tuple[Path, str | None, int]] = [(base, None, 0)]
    while places:
        place, camera, depth = places.pop(0)
        for entry in entries(place):
            match = _MEDIA.fullmatch(entry.name)
            is_folder = entry.is_dir()
            if match and (is_folder or entry.suffix.lower() in VIDEO_SUFFIXES):
                kind: Literal["images", "video"] = "images" if is_folder else "video"
                name = _name(match["person"])
                unit = MediaUnit(subject=name, recording=name, kind=kind, path=entry)
                sources.append((unit, match["camera"].lower() if match["camera"] else camera))
            elif is_folder and depth < 2 and entry.name not in {_LABELS, _POINTS}:
                named = _CAMERA_FOLDER.fullmatch(entry.name)
                places.append((entry, named[1].lower() if named else camera, depth + 1))
    return sources


def _read_points(
    folder: Path, notes: ImportLog, subject: str, recording: str, positions: Sequence[int]
) -> Float[np.ndarray, "frames 66 2"]:
    """Read a subject's landmarks, a file per frame; NaN where there is none."""
    files = _point_files(folder, subject)
    points = np.full((len(positions), 66, 2), np.nan)
    damaged = []
    for row, position in enumerate(positions):
        if position in files:
            try:
                points[row] = read_point_file(files[position])
            except ValueError as error:
                damaged.append((files[position], error))
    if damaged:
        path, fault = damaged[0]
        more = f"; {len(damaged) - 1} more of {subject} are damaged" if len(damaged) > 1 else ""
        notes.error(notes.relative(path), f"{fault}{more}", "damaged landmarks")
    return points


def _point_files(folder: Path, subject: str) -> dict[int, Path]:
    """Find a subject's landmark files by the frame, counted from 0; they lie in a folder, or one folder deeper."""
    files: dict[int, Path] = {}
    for own in entries(folder):
        match = _SUBJECT.fullmatch(own.name)
        if match is None or _name(match[1]) != subject:
            continue
        for place in (own, *entries(own)):
            for file in entries(place):
                position = point_file_position(file.name)
                if position is not None:
                    files[position] = file
    return files
