"""Pictures of a corpus: folders of images, zip archives of such folders, and videos.

Image names differ within one corpus (`643.jpg`, `0643.jpg`, `frame_643.jpg`), so the last digits of a name count as
its number, and only names that are there are used.
"""

import os
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from facskit.columns import RECORDING, SUBJECT
from facskit.datasets.corpora.index import MEDIA
from facskit.datasets.corpora.reading.import_log import ImportLog, some_of
from facskit.datasets.corpora.reading.media import MEMBER
from facskit.datasets.findings import sentence_of
from facskit.errors import DatasetError, MediaError
from facskit.faces.media_files import IMAGE_SUFFIXES
from facskit.faces.video import video_info

__all__ = ["LENGTH", "NUMBER", "MediaUnit", "entries", "list_images", "list_videos", "one_per_recording", "only_folder"]

NUMBER = "number"
"""Column with the number in an image's name."""
LENGTH = "length"
"""Column with the number of frames of a video."""

_NUMBERED = re.compile(r"(\d+)(\.[A-Za-z]+)$")
_IN_ARCHIVE = re.compile(r"(?:^|/)T0*(\d+)/(?:[^/]*/)?[^/]*?(\d+)\.([A-Za-z]+)$", re.IGNORECASE)
_PREFERENCE = {"images": 0, "zip": 1, "video": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaUnit:
    """The pictures of one recording; an archive may hold several recordings of its subject."""

    subject: str
    """Who is in it."""
    recording: str
    """Which task or trial; empty for an archive."""
    kind: Literal["images", "zip", "video"]
    """A folder of images, an archive of such folders, or a video."""
    path: Path
    """The folder or file."""


def entries(folder: Path) -> Iterator[Path]:
    """List a folder in order, without hidden files; nothing if it isn't there."""
    if folder.is_dir():
        yield from sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def only_folder(root: Path, corpus: str, find: Callable[[Path], Sequence[Path]], expected: str) -> Path:
    """Return the one folder of a corpus at a place.

    Args:
        find: Lists the folders of such corpora at a place.
        expected: What such a folder has, for the message.

    Raises:
        DatasetError: There is none, or there are several.
    """
    if not root.is_dir():
        there = "a file" if root.exists() else "nothing there"
        raise DatasetError(f"{root}: found {there}, expected a folder with {expected}")
    found = find(root.resolve())
    if not found:
        raise DatasetError(f"{root}: found no label files of {corpus}, expected a folder with {expected}")
    if len(found) > 1:
        names = some_of(map(str, found))
        raise DatasetError(f"{root}: found {len(found)} folders with label files ({names}); name the one you mean")
    return found[0]


def one_per_recording(units: Sequence[MediaUnit], notes: ImportLog) -> list[MediaUnit]:
    """Choose where several places have pictures of one recording: images before archives before videos."""
    chosen: dict[tuple[str, str], MediaUnit] = {}
    with_images = {unit.subject for unit in units if unit.kind == "images"}
    for unit in sorted(units, key=lambda unit: (_PREFERENCE[unit.kind], unit.path)):
        if unit.kind == "zip" and unit.subject in with_images:
            sentence = f"left unread, because {unit.subject} is unpacked beside it"
            notes.note(notes.relative(unit.path), sentence, "left unread")
            continue
        first = chosen.setdefault((unit.subject, unit.recording), unit)
        if first is not unit:
            name = f"{unit.subject}/{unit.recording}"
            sentence = f"left unread, because {notes.relative(first.path)} is {name} already"
            notes.note(notes.relative(unit.path), sentence, "left unread")
    return list(chosen.values())


def list_images(units: Sequence[MediaUnit], notes: ImportLog) -> pl.DataFrame:
    """List the images of folders and archives.

    Returns:
        Columns `subject`, `recording`, `number` and `media`, sorted.
    """
    schema = pl.Schema({SUBJECT: pl.String(), RECORDING: pl.String(), NUMBER: pl.Int64(), MEDIA: pl.String()})
    rows: list[tuple[str, str, int, str]] = []
    for unit in units:
        if unit.kind == "video":
            continue
        found = _folder_images(unit, notes) if unit.kind == "images" else _archive_images(unit, notes)
        rows += [(unit.subject, *row) for row in found]
    table = pl.DataFrame(rows, schema=schema, orient="row")
    keys = [SUBJECT, RECORDING, NUMBER]
    table = table.sort(*keys, MEDIA)
    again = table.filter(pl.struct(keys).is_duplicated())
    for (subject, recording), group in again.group_by(SUBJECT, RECORDING, maintain_order=True):
        first, second = group[MEDIA][0], group[MEDIA][1]
        sentence = f"{second} has the same number in {subject}/{recording}; only the first is used"
        notes.warning(first, sentence, "doubled number")
    return table.unique(keys, keep="first", maintain_order=True)


def _folder_images(unit: MediaUnit, notes: ImportLog) -> list[tuple[str, int, str]]:
    prefix = notes.relative(unit.path)
    found = []
    with os.scandir(unit.path) as listing:
        for entry in listing:
            match = _NUMBERED.search(entry.name)
            if match and match[2].lower() in IMAGE_SUFFIXES and entry.name[0] != ".":
                found.append((unit.recording, int(match[1]), f"{prefix}/{entry.name}"))
    return found


def _archive_images(unit: MediaUnit, notes: ImportLog) -> list[tuple[str, int, str]]:
    place = notes.relative(unit.path)
    try:
        with zipfile.ZipFile(unit.path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        sentence = f"can't be read as a zip archive ({error}); copy it again from the release"
        notes.error(place, sentence, "unreadable archive")
        return []
    found = []
    for name in names:
        match = _IN_ARCHIVE.search(name)
        if match and f".{match[3].lower()}" in IMAGE_SUFFIXES and not name.rpartition("/")[2].startswith("."):
            found.append((f"T{int(match[1])}", int(match[2]), f"{place}{MEMBER}{name}"))
    if not found:
        notes.error(place, "found no image such as F001/T1/0001.jpg in this archive", "unreadable archive")
    return found


def list_videos(units: Sequence[MediaUnit], notes: ImportLog) -> pl.DataFrame:
    """Read the headers of videos.

    Returns:
        Columns `subject`, `recording`, `media` and `length`: 0 for an unreadable video, null if its header doesn't say.
    """
    rows: list[tuple[str, str, str, int | None]] = []
    for unit in units:
        if unit.kind != "video":
            continue
        place = notes.relative(unit.path)
        try:
            length = video_info(unit.path).frames
        except MediaError as error:
            notes.error(place, sentence_of(error, unit.path), "unreadable video")
            length = 0
        rows.append((unit.subject, unit.recording, place, length))
    schema = {SUBJECT: pl.String, RECORDING: pl.String, MEDIA: pl.String, LENGTH: pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
