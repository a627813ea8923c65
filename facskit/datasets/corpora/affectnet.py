"""AffectNet: faces from the web in eight expression classes, in the three forms that people have it.

The release of eight classes (`affectnet_arrays`), the full release (`affectnet_lists`), and copies with class folders
such as the one FMAE-IAT was trained on. AffectNet's test labels were never published, so papers test on its validation
part; that part is called `test` here unless a copy has a test part of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from facskit.action_units import NO_ACTION_UNITS
from facskit.columns import FRAME, LANDMARKS_Y, RECORDING, SPLIT, SUBJECT
from facskit.datasets.corpora.affectnet_arrays import read_part
from facskit.datasets.corpora.affectnet_lists import IMAGE_FOLDERS, is_list, read_list
from facskit.datasets.corpora.decisions import Decisions
from facskit.datasets.corpora.expression_folders import find_parts, read_class_folders, rows_to_table
from facskit.datasets.corpora.index import CorpusIndex
from facskit.datasets.corpora.reading.import_log import ImportLog
from facskit.errors import DatasetError
from facskit.expressions import AFFECTNET_8

__all__ = ["EXPECTED_ARRAYS", "EXPECTED_COPY", "EXPECTED_LISTS", "looks_like_affectnet", "read_affectnet"]

EXPECTED_ARRAYS = {"training images": 287_651, "validation images": 3_999}
"""Pictures of the release of eight classes, as counted by the authors of FMAE-IAT."""
EXPECTED_LISTS = {"training images": 287_568, "validation images": 4_000}
"""Pictures with one of eight classes in the full release, as FMAE-IAT's paper states them."""
EXPECTED_COPY = {"training images that FMAE-IAT used": 37_553}
"""Training pictures of the copy that FMAE-IAT was trained on."""
_LICENCE = "AffectNet: non-commercial research under a signed agreement"
_CLASSES = {str(number): name for number, name in enumerate(AFFECTNET_8)}
_ARRAY_PARTS = {"train_set": "train", "val_set": "test"}
_LIST_PARTS = {"training.csv": "train", "validation.csv": "test"}
_LIST_FOLDERS = ("Manually_Annotated_file_lists", "")
_EYES, _MOUTH = slice(36, 48), slice(48, 68)


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What a reader of one of the three forms found."""

    table: pl.DataFrame
    form: str
    expected: Mapping[str, int]
    root: Path
    validation_is_test: bool = True


def looks_like_affectnet(root: Path) -> bool:
    """Tell cheaply whether a folder holds a release of AffectNet (not a copy with class folders)."""
    return bool(_array_parts(Path(root)) or _lists(Path(root)))


def read_affectnet(root: Path, decisions: Decisions) -> CorpusIndex:
    """Read AffectNet in any of its three forms.

    Args:
        root: The folder with `train_set` and `val_set`, with `Manually_Annotated_file_lists`, or with class folders.
        decisions: Only `on_error` matters.

    Returns:
        The pictures with columns `expression` and `split`, and where the form has them `valence`, `arousal`, the face's
        box and landmarks. Each picture is its own subject, because nobody is named.
    """
    root = Path(root)
    notes = ImportLog(root, decisions.on_error)
    if parts := _array_parts(root):
        rows = [row for part, folder in parts.items() for row in read_part(root, folder, part, notes)]
        table = rows_to_table(rows, numbers=("valence", "arousal"))
        read = _Read(table=table, form="eight classes", expected=EXPECTED_ARRAYS, root=root)
    elif lists := _lists(root):
        read = _read_lists(lists, notes)
    elif folders := find_parts(root):
        read = _read_copy(root, folders, notes)
    else:
        raise DatasetError(
            f"{root}: this doesn't look like AffectNet; expected train_set/images and train_set/annotations, "
            "Manually_Annotated_file_lists/training.csv, or class folders train/0 ... train/7"
        )
    if read.table.height == 0:
        first = next((finding for finding in notes.findings if finding.severity == "error"), "the folders are empty")
        raise DatasetError(f"{root}: found no usable picture; {first}")
    _check_landmarks(read, notes)
    shares = ", ".join(f"{count:,} {part}" for part, count in read.table[SPLIT].value_counts(sort=True).rows())
    meaning = "as the copy's folders are called"
    if read.validation_is_test:
        meaning = "AffectNet's validation part is called test, because papers test on it"
    notes.note(read.root, f"found {shares}{'; ' if read.validation_is_test else ', '}{meaning}")
    return CorpusIndex(
        corpus="affectnet",
        root=read.root,
        action_units=NO_ACTION_UNITS,
        table=read.table,
        dropped=notes.dropped,
        findings=notes.findings,
        decisions={"form": read.form},
        licence=_LICENCE,
        expected=read.expected,
    )


def _array_parts(root: Path) -> dict[str, Path]:
    return {part: root / name for name, part in _ARRAY_PARTS.items() if (root / name / "annotations").is_dir()}


def _lists(root: Path) -> dict[str, Path]:
    """Return the tables by part; a training.csv of anything else isn't taken for one."""
    for folder in _LIST_FOLDERS:
        found = {part: path for name, part in _LIST_PARTS.items() if (path := root / folder / name).is_file()}
        if found and (folder or root.name == _LIST_FOLDERS[0] or all(map(is_list, found.values()))):
            return found
    return {}


def _read_lists(lists: Mapping[str, Path], notes: ImportLog) -> _Read:
    first = next(iter(lists.values())).parent
    root = first.parent if first.name == _LIST_FOLDERS[0] else first
    images = next((root / name for name in IMAGE_FOLDERS if (root / name).is_dir()), None)
    if images is None:
        raise DatasetError(f"{root}: there is no folder {IMAGE_FOLDERS[0]} with the pictures that {first} names")
    table = pl.concat([read_list(path, root, images, part, notes) for part, path in lists.items()])
    twice = table.filter(pl.col(SUBJECT).is_duplicated())
    if twice.height:
        sentence = f"{twice[SUBJECT].n_unique():,} pictures stand in the tables twice, for example {twice[SUBJECT][0]}"
        notes.error(first, sentence)
    table = table.unique(SUBJECT, keep="first").sort(SUBJECT, RECORDING, FRAME)
    return _Read(table=table, form="full release", expected=EXPECTED_LISTS, root=root)


def _read_copy(root: Path, folders: Mapping[str, Path], notes: ImportLog) -> _Read:
    table = rows_to_table(read_class_folders(root, folders, _CLASSES, notes))
    renamed = "validation" in folders and "test" not in folders
    if renamed:
        table = table.with_columns(pl.col(SPLIT).replace("validation", "test"))
    return _Read(table=table, form="class folders", expected=EXPECTED_COPY, root=root, validation_is_test=renamed)


def _check_landmarks(read: _Read, notes: ImportLog) -> None:
    """Warn if eyes lie below mouths: the positions would then be in another order than x, y, x, y."""
    if LANDMARKS_Y[0] not in read.table.columns:
        return
    down = read.table.select(LANDMARKS_Y).drop_nulls().head(2000).to_numpy()
    upright = down[:, _EYES].mean(axis=1) < down[:, _MOUTH].mean(axis=1)
    if len(down) and np.mean(upright) < 0.9:
        notes.warning(
            read.root,
            f"in {1 - np.mean(upright):.0%} of the faces the eyes' landmarks lie below the mouth's; "
            "expected 68 positions as x, y, x, y: don't crop by these landmarks",
        )
