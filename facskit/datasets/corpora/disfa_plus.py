"""DISFA+ (Mavadati, Sanger & Mahoor, CVPR Workshops 2016): posed and spontaneous trials of nine people of DISFA.

```text
Labels/SN001/<trial>/AU1.txt        lines such as "000.jpg 3", intensities 0 to 5; # starts a comment
Images/SN001/<trial>/000.jpg
```

All nine people are in DISFA too, so a model trained on DISFA has seen them.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from facskit.action_units import DISFA_12, ActionUnitSet, parse_action_unit
from facskit.datasets.corpora.decisions import Decisions
from facskit.datasets.corpora.disfa import occurrence_of_levels
from facskit.datasets.corpora.index import CorpusIndex
from facskit.datasets.corpora.reading.assembly import FramePlaces, finish, place_frames
from facskit.datasets.corpora.reading.import_log import ImportLog, some_of
from facskit.datasets.corpora.reading.label_files import LabelFile, read_code_lists
from facskit.datasets.corpora.reading.media_files import MediaUnit, entries, list_images, list_videos
from facskit.datasets.corpora.reading.published_counts import check_counts
from facskit.errors import DatasetError

__all__ = ["find_disfa_plus_folders", "read_disfa_plus"]

_LICENCE = (
    "DISFA+: for non-commercial research under the agreement with the University of Denver; do not pass images on."
)
_SUBJECT = re.compile(r"SN0*(\d{1,3})", re.IGNORECASE)
_LABEL_FILE = re.compile(r"AU0*(\d{1,2})\.txt", re.IGNORECASE)
_LEVELS = range(6)


def read_disfa_plus(root: Path, decisions: Decisions) -> CorpusIndex:
    """Read DISFA+.

    Args:
        root: The corpus's folder, the one above it, or its `Labels`.
        decisions: How to read labels; the images are named by the labels, so there is no offset.

    Returns:
        Every coded frame with an image, with `AUxx` and `AUxx_level`; the recordings are the trials.

    Raises:
        DatasetError: The folder doesn't hold DISFA+, or something is wrong with it and errors should stop.
    """
    base = _corpus_folder(Path(root))
    notes = ImportLog(base, decisions.on_error)
    units = decisions.units(DISFA_12)
    coded = read_code_lists(_label_files(base, units, notes), _LEVELS, notes)
    labelled = occurrence_of_levels(coded, units, decisions.threshold)
    media = [
        MediaUnit(subject=subject, recording=trial.name, kind="images", path=trial)
        for subject, trial in _trials(base / "Images")
    ]
    places = FramePlaces(
        images=list_images(media, notes),
        videos=list_videos((), notes),
        offset=0,
        expected="a folder such as Images/SN001/A1_AU1_TrailNo_1 with the images that the labels name",
    )
    placed = place_frames(labelled, places, notes)
    check_counts("disfa-plus", coded, None, notes)
    overlap = "all people of DISFA+ are in DISFA too; don't test on one what was trained on the other"
    notes.note("subjects", overlap)
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
    places = (path, *entries(path))
    return [folder for folder in places if any(_has_labels(trial) for _, trial in _trials(folder / "Labels"))]


def _has_labels(trial: Path) -> bool:
    return any(_LABEL_FILE.fullmatch(file.name) for file in entries(trial))


def _corpus_folder(root: Path) -> Path:
    expected = "expected a folder with Labels/SN001/<trial>/AU1.txt"
    if not root.is_dir():
        raise DatasetError(f"{root}: found {'a file' if root.exists() else 'nothing there'}, {expected}")
    found = find_disfa_plus_folders(root.resolve())
    if not found:
        raise DatasetError(f"{root}: found no label files of disfa-plus, {expected}")
    if len(found) > 1:
        names = some_of(map(str, found))
        raise DatasetError(f"{root}: found {len(found)} copies of disfa-plus ({names}); name one of them")
    return found[0]


def _trials(folder: Path) -> Iterator[tuple[str, Path]]:
    """List subjects and their trials in `Labels` or `Images`."""
    for person in entries(folder):
        match = _SUBJECT.fullmatch(person.name)
        if match is not None:
            yield from ((f"SN{int(match[1]):03d}", trial) for trial in entries(person) if trial.is_dir())


def _label_files(base: Path, units: ActionUnitSet, notes: ImportLog) -> list[LabelFile]:
    files: list[LabelFile] = []
    for subject, trial in _trials(base / "Labels"):
        matches = ((_LABEL_FILE.fullmatch(path.name), path) for path in entries(trial))
        found = {int(match[1]): path for match, path in matches if match is not None and match[1] in units}
        lacking = [unit.code for unit in units if unit.number not in found]
        if lacking:
            notes.error(
                notes.relative(trial),
                f"the label files of {', '.join(lacking)} are missing, so these AUs are unknown there",
            )
        files += [
            LabelFile(path=path, subject=subject, recording=trial.name, unit=parse_action_unit(number))
            for number, path in found.items()
        ]
    return files
