"""Names of the files in BP4D and BP4D+: which subject and task a label file, folder, archive or video is about."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

from facskit.action_units import parse_action_unit
from facskit.datasets.corpora.reading.import_log import ImportLog, some_of
from facskit.datasets.corpora.reading.label_files import LabelFile
from facskit.datasets.corpora.reading.media_files import MediaUnit, entries
from facskit.datasets.findings import counted
from facskit.faces.media_files import VIDEO_SUFFIXES

__all__ = [
    "check_tasks",
    "find_corpus_folders",
    "find_fit_files",
    "find_media_units",
    "intensity_files",
    "label_folder",
    "occurrence_files",
]

_SUBJECT = r"2?(?P<sex>[FM])0*(?P<person>\d{1,3})"
_SUBJECT_NAME = re.compile(_SUBJECT, re.IGNORECASE)
_TASK_NAME = re.compile(r"T0*(?P<task>\d{1,2})", re.IGNORECASE)
_NAME = re.compile(rf"{_SUBJECT}_T0*(?P<task>\d{{1,2}})", re.IGNORECASE)
_OCCURRENCE = re.compile(rf"{_SUBJECT}_T0*(?P<task>\d{{1,2}})\.csv", re.IGNORECASE)
_INTENSITY = re.compile(rf"{_SUBJECT}_T0*(?P<task>\d{{1,2}})_AU0*(?P<unit>\d{{1,2}})\.csv", re.IGNORECASE)
_RAW_VIDEO = re.compile(rf"{_SUBJECT}_(?P<code>\d{{2}})", re.IGNORECASE)
_RAW_TASKS = {"01": 1, "03": 2, "07": 3, "08": 4, "09": 5, "10": 6, "11": 7, "13": 8}
"""Tasks by the numbers in the names of BP4D's videos."""
_LABEL_FOLDERS = ("AUCoding/AU_OCC", "AU_OCC", "AUCoding", "AUCoding/OCC", "Labels/OCC", ".")
_CLIMB = {"aucoding", "au_occ", "au_int", "occ", "labels"}
_NO_PICTURES = _CLIMB | {"physiology", "thermal", "2dfeatures", "3dfeatures", "irfeatures"}


def _subject(match: re.Match[str]) -> str:
    """Return a subject's name with three digits."""
    return f"{match['sex'].upper()}{int(match['person']):03d}"


def find_corpus_folders(path: Path) -> list[Path]:
    """Find the corpora at a path: itself, above it if it is a label folder, or directly below it."""
    while path.name.lower() in _CLIMB and path != path.parent:
        path = path.parent
    if label_folder(path) is not None:
        return [path]
    return [folder for folder in entries(path) if folder.is_dir() and label_folder(folder) is not None]


def label_folder(base: Path) -> Path | None:
    """Find the folder of a corpus's occurrence files; None if it has none."""
    for name in _LABEL_FOLDERS:
        folder = base / name
        if any(_OCCURRENCE.fullmatch(entry.name) for entry in entries(folder)):
            return folder
    return None


def occurrence_files(base: Path, tasks: Sequence[int], notes: ImportLog) -> list[LabelFile]:
    """List the occurrence files, one per subject and task."""
    folder = label_folder(base)
    return [] if folder is None else _label_files(entries(folder), _OCCURRENCE, tasks, notes)


def intensity_files(base: Path, tasks: Sequence[int], notes: ImportLog) -> list[LabelFile]:
    """List the intensity files, one per subject, task and AU; none if the corpus's folder has none."""
    for name in ("AUCoding/AU_INT", "AU_INT", "AUCoding/INT", "Labels/INT"):
        folders = [entry for entry in entries(base / name) if entry.is_dir()]
        if folders:
            paths = chain.from_iterable(map(entries, folders))
            return _label_files(paths, _INTENSITY, tasks, notes)
    return []


def _label_files(
    paths: Iterable[Path], pattern: re.Pattern[str], tasks: Sequence[int], notes: ImportLog
) -> list[LabelFile]:
    files: dict[tuple[str, str, str], LabelFile] = {}
    others: list[str] = []
    spellings: dict[str, set[str]] = {}
    for path in paths:
        match = pattern.fullmatch(path.name)
        if match is None or int(match["task"]) not in tasks:
            others.append(notes.relative(path))
            continue
        subject, recording = _subject(match), f"T{int(match['task'])}"
        spellings.setdefault(subject, set()).add(path.name.partition("_")[0])
        unit = parse_action_unit(match["unit"]) if "unit" in match.groupdict() else None
        file = LabelFile(path=path, subject=subject, recording=recording, unit=unit)
        first = files.setdefault((subject, recording, "" if unit is None else unit.code), file)
        if first is not file:
            sentence = f"{subject} {recording} is coded in {notes.relative(first.path)} too; delete one of them"
            notes.error(notes.relative(path), sentence, "coded twice")
    for subject, names in spellings.items():
        if len(names) > 1:
            sentence = f"is called {' and '.join(sorted(names))} by the label files; taken to be one person"
            notes.warning(subject, sentence, "two spellings")
    if others:
        coded = ", ".join(f"T{task}" for task in tasks)
        notes.note(others[0], f"no codes of {coded} such as F001_T1.csv: {counted(len(others), 'file')} left unread")
    return list(files.values())


def check_tasks(files: Sequence[LabelFile], tasks: Sequence[int], notes: ImportLog) -> None:
    """Warn of subjects who lack some of the tasks."""
    there: dict[str, set[str]] = {}
    for file in files:
        there.setdefault(file.subject, set()).add(file.recording)
    missing = []
    for subject, recordings in sorted(there.items()):
        lacking = sorted({f"T{task}" for task in tasks} - recordings)
        if lacking:
            missing.append(f"{subject} {', '.join(lacking)}")
    if missing:
        notes.warning("labels", f"found no label files of some tasks: {some_of(missing)}")


def find_media_units(base: Path, tasks: Sequence[int]) -> list[MediaUnit]:
    """Find every folder, archive and video of a coded task, in a corpus's folder or in one of the folders in it."""
    places = [base, *(entry for entry in entries(base) if entry.is_dir() and entry.name.lower() not in _NO_PICTURES)]
    units = chain.from_iterable(map(_units_in, places))
    coded = {f"T{task}" for task in tasks}
    return [unit for unit in units if unit.recording in coded or unit.kind == "zip"]


def _units_in(place: Path) -> Iterator[MediaUnit]:
    """Find what lies directly in a folder, and in folders of subjects."""
    for entry in entries(place):
        if entry.is_dir():
            person = _SUBJECT_NAME.fullmatch(entry.name)
            both = _NAME.fullmatch(entry.name)
            if person is not None:
                yield from _units_of_subject(entry, _subject(person))
            elif both is not None:
                recording = f"T{int(both['task'])}"
                yield MediaUnit(subject=_subject(both), recording=recording, kind="images", path=entry)
        else:
            yield from _unit_of_file(entry)


def _units_of_subject(folder: Path, subject: str) -> Iterator[MediaUnit]:
    for entry in entries(folder):
        task = _TASK_NAME.fullmatch(entry.stem if entry.suffix.lower() in VIDEO_SUFFIXES else entry.name)
        if task is not None:
            kind: Literal["images", "video"] = "images" if entry.is_dir() else "video"
            yield MediaUnit(subject=subject, recording=f"T{int(task['task'])}", kind=kind, path=entry)
        elif entry.is_file():
            yield from _unit_of_file(entry)


def _unit_of_file(file: Path) -> Iterator[MediaUnit]:
    suffix = file.suffix.lower()
    person = _SUBJECT_NAME.fullmatch(file.stem)
    if suffix == ".zip" and person is not None:
        yield MediaUnit(subject=_subject(person), recording="", kind="zip", path=file)
    if suffix not in VIDEO_SUFFIXES:
        return
    named, raw = _NAME.fullmatch(file.stem), _RAW_VIDEO.fullmatch(file.stem)
    match, task = (named, int(named["task"])) if named else (raw, _RAW_TASKS.get(raw["code"]) if raw else None)
    if match is not None and task is not None:
        yield MediaUnit(subject=_subject(match), recording=f"T{task}", kind="video", path=file)


def find_fit_files(base: Path) -> dict[tuple[str, str], Path]:
    """Find the landmark files by subject and task."""
    files = {}
    for file in entries(base / "2DFeatures"):
        match = _NAME.fullmatch(file.stem)
        if match is not None and file.suffix.lower() == ".mat":
            files[_subject(match), f"T{int(match['task'])}"] = file
    return files
