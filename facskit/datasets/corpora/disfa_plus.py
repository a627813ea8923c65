"""DISFA+ (Mavadati, Sanger & Mahoor, CVPR Workshops 2016): posed and spontaneous trials of nine people of DISFA.

```text
Labels/SN001/<trial>/AU1.txt        lines such as "000.jpg 3", intensities 0 to 5; # starts a comment
Images/SN001/<trial>/000.jpg
```

All nine people are in DISFA too, so a model trained on DISFA has seen them.
"""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from facskit.action_units import DISFA_12, ActionUnitSet, parse_action_unit
from facskit.datasets.corpora.decisions import Decisions
from facskit.datasets.corpora.disfa import occurrence_of_levels
from facskit.datasets.corpora.index import CorpusIndex
from facskit.datasets.corpora.reading.assembly import FramePlaces, finish, place_frames
from facskit.datasets.corpora.reading.import_log import ImportLog
from facskit.datasets.corpora.reading.label_files import LabelFile, read_code_lists
from facskit.datasets.corpora.reading.media_files import MediaUnit, entries, list_images, list_videos, only_folder
from facskit.datasets.corpora.reading.published_counts import check_counts

__all__ = ["find_disfa_plus_folders", "read_disfa_plus"]

_LICENCE = (
    "DISFA+: for non-commercial research under the agreement with the University of Denver; do not pass images on."
)
_SUBJECT = re.compile(r"SN0*(\d{1,3})", re.IGNORECASE)
_LABEL_FILE = re.compile(r"AU0*(\d{1,2})\.txt", re.IGNORECASE)
_LEVELS = range(6)


def read_disfa_plus(root: Path, decisions: Decisions) -> CorpusIndex:
    """Read DISFA+; its images are named by the labels, so there is no offset.

    Returns:
        Every coded frame with an image, with `AUxx` and `AUxx_level`; the recordings are the trials.
    """
    base = only_folder(Path(root), "disfa-plus", find_disfa_plus_folders, "Labels/SN001/<trial>/AU1.txt")
    notes = ImportLog(base, decisions.on_error)
    units = decisions.units(DISFA_12)
    coded = read_code_lists(_label_files(base, units, notes), _LEVELS, notes)
    labelled = occurrence_of_levels(coded, units, decisions.threshold)
    media = []
    for subject, trial in _trials(base / "Images"):
        media.append(MediaUnit(subject=subject, recording=trial.name, kind="images", path=trial))
    places = FramePlaces(
        images=list_images(media, notes),
        videos=list_videos((), notes),
        offset=0,
        expected="a folder such as Images/SN001/A1_AU1_TrailNo_1 with the images that the labels name",
    )
    placed = place_frames(labelled, places, notes)
    check_counts("disfa-plus", coded, None, notes)
    notes.note("subjects", "all people of DISFA+ are in DISFA too; don't test on one what was trained on the other")
    index = CorpusIndex(
        corpus="disfa-plus",
        root=base,
        action_units=units,
        table=placed,
        licence=_LICENCE,
        decisions=decisions.describe("disfa-plus") | {"action_units": str(units)},
    )
    return finish(index, decisions, notes)


def find_disfa_plus_folders(path: Path) -> list[Path]:
    """Find DISFA+ at a path: itself, above it if it is the label folder, or directly below it."""
    if path.name == "Labels":
        path = path.parent
    return [folder for folder in (path, *entries(path)) if _has_labels(folder / "Labels")]


def _has_labels(folder: Path) -> bool:
    """Tell whether a folder holds label files of trials; only as many are listed as it takes to find one."""
    files = chain.from_iterable(entries(trial) for _, trial in _trials(folder))
    return any(_LABEL_FILE.fullmatch(file.name) for file in files)


def _trials(folder: Path) -> Iterator[tuple[str, Path]]:
    """List subjects and their trials in `Labels` or `Images`."""
    for person in entries(folder):
        match = _SUBJECT.fullmatch(person.name)
        if match is None:
            continue
        for trial in entries(person):
            if trial.is_dir():
                yield f"SN{int(match[1]):03d}", trial


def _label_files(base: Path, units: ActionUnitSet, notes: ImportLog) -> list[LabelFile]:
    files: list[LabelFile] = []
    for subject, trial in _trials(base / "Labels"):
        found: dict[int, Path] = {}
        for path in entries(trial):
            match = _LABEL_FILE.fullmatch(path.name)
            if match is not None and match[1] in units:
                found[int(match[1])] = path
        lacking = [unit.code for unit in units if unit.number not in found]
        if lacking:
            sentence = f"the label files of {', '.join(lacking)} are missing, so these AUs are unknown there"
            notes.error(notes.relative(trial), sentence, "missing label files")
        for number, path in found.items():
            unit = parse_action_unit(number)
            files.append(LabelFile(path=path, subject=subject, recording=trial.name, unit=unit))
    return files
