"""BP4D and BP4D+, as far as they are alike: both come from Binghamton University, in almost the same layout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float

from facskit.action_units import ActionUnitSet
from facskit.columns import FRAME, RECORDING, SUBJECT
from facskit.datasets.corpora.binghamton_files import (
    check_tasks,
    find_corpus_folders,
    find_fit_files,
    find_media_units,
    intensity_files,
    label_folder,
    occurrence_files,
)
from facskit.datasets.corpora.decisions import CorpusName, Decisions
from facskit.datasets.corpora.index import CorpusIndex
from facskit.datasets.corpora.reading.assembly import FramePlaces, add_landmarks, decide_missing, finish, place_frames
from facskit.datasets.corpora.reading.import_log import ImportLog
from facskit.datasets.corpora.reading.label_files import MISSING_CODE, LabelFile, read_code_lists, read_code_tables
from facskit.datasets.corpora.reading.landmark_files import read_fit_file
from facskit.datasets.corpora.reading.media_files import list_images, list_videos, one_per_recording, only_folder
from facskit.datasets.corpora.reading.published_counts import check_counts
from facskit.errors import DatasetError

__all__ = ["Release", "guess_release", "read_release"]

_LEVELS = (0, 1, 2, 3, 4, 5, MISSING_CODE)
_INTENSITY_UNITS = ActionUnitSet.parse("6 10 12 14 17")
_PEOPLE = {"F": 23, "M": 18}
"""Women and men in BP4D."""
_OWN = [SUBJECT, RECORDING, FRAME]


@dataclass(frozen=True, kw_only=True)
class Release:
    """How one of the two corpora differs from the other."""

    corpus: CorpusName
    """Which it is."""
    tasks: tuple[int, ...]
    """The tasks that were coded, for everybody."""
    action_units: ActionUnitSet
    """The AUs usually wanted."""
    licence: str
    """Who may use it for what."""
    counts_from_first: bool = False
    """Whether image folders that count from 0 are taken to be one behind the labels."""


def guess_release(base: Path) -> CorpusName | None:
    """Tell the two apart: only BP4D has tasks T2 to T5 coded, only BP4D+ has more than 23 women or 18 men.

    Returns:
        The corpus, or None if the folder has no occurrence files.
    """
    if label_folder(base) is None:
        return None
    files = occurrence_files(base, range(1, 12), ImportLog(base, "report"))
    evidence = _evidence(files)
    if evidence is not None:
        return evidence
    if "+" in base.name or "plus" in base.name.lower():
        return "bp4d-plus"
    if "bp4d" in base.name.lower() or not files:
        return "bp4d"
    header = files[0].path.read_bytes()[:40].decode("utf-8-sig", errors="replace").split(",")
    return "bp4d-plus" if header[:2] == ["1", "1"] else "bp4d"


def _evidence(files: Sequence[LabelFile]) -> CorpusName | None:
    """Tell the corpus if tasks or subjects leave no doubt."""
    if {file.recording for file in files} & {"T2", "T3", "T4", "T5"}:
        return "bp4d"
    if any(int(file.subject[1:]) > _PEOPLE[file.subject[0]] for file in files):
        return "bp4d-plus"
    return None


def read_release(root: Path, decisions: Decisions, release: Release) -> CorpusIndex:
    """Read one of the two corpora from its folder, the one above it, or its `AUCoding`."""
    find = partial(_find_folders, corpus=release.corpus)
    base = only_folder(Path(root), release.corpus, find, "AUCoding/AU_OCC/F001_T1.csv")
    notes = ImportLog(base, decisions.on_error)
    coded, units = _coded(base, decisions, release, notes)
    labelled = decide_missing(coded, units, decisions, notes)
    media = one_per_recording(find_media_units(base, release.tasks), notes)
    places = FramePlaces(
        images=list_images(media, notes).filter(pl.col(RECORDING).is_in([f"T{task}" for task in release.tasks])),
        videos=list_videos(media, notes),
        offset=decisions.frame_offset,
        counts_from_first=release.counts_from_first,
        expected="a folder such as 2D+3D/F001/T1, an archive 2D+3D/F001.zip, or a video such as F001_T1.mp4",
    )
    placed = place_frames(labelled, places, notes)
    files = find_fit_files(base)
    table = add_landmarks(placed, partial(_read_points, files, notes) if files else None, decisions, notes)
    check_counts(release.corpus, coded, table if decisions.frames == "landmarks" else None, notes)
    used = {"frame_offset": places.describe(), "action_units": str(units)}
    index = CorpusIndex(
        corpus=release.corpus,
        root=base,
        action_units=units,
        table=table,
        licence=release.licence,
        decisions=decisions.describe(release.corpus) | used,
    )
    return finish(index, decisions, notes)


def _find_folders(path: Path, corpus: CorpusName) -> list[Path]:
    """Find the folders of either corpus; if there are several, those that look like the one wanted."""
    found = find_corpus_folders(path)
    if len(found) > 1:
        return [base for base in found if guess_release(base) == corpus] or found
    return found


def _coded(base: Path, decisions: Decisions, release: Release, notes: ImportLog) -> tuple[pl.DataFrame, ActionUnitSet]:
    """Read the codes wanted, with levels where there are any."""
    files = occurrence_files(base, release.tasks, notes)
    check_tasks(files, release.tasks, notes)
    evidence = _evidence(occurrence_files(base, range(1, 12), ImportLog(base, "report")))
    if evidence not in {None, release.corpus}:
        sentence = f"this is {evidence}, because {release.corpus} has other tasks and subjects; read it as {evidence}"
        notes.error(base, sentence)
    lists = intensity_files(base, release.tasks, notes)
    if decisions.coding == "intensity" and not lists:
        raise DatasetError(f"{base}: found no intensity files, expected AUCoding/AU_INT/AU06/F001_T1_AU06.csv")
    usual = _INTENSITY_UNITS if decisions.coding == "intensity" else release.action_units
    units = decisions.units(usual)
    levels = read_code_lists([file for file in lists if file.unit in units], _LEVELS, notes) if lists else None
    if decisions.coding == "intensity" and levels is not None:
        coded = _cut(levels, units, decisions.threshold, notes)
    else:
        coded = read_code_tables(files, units, notes)
    if levels is None:
        return coded, units
    names = [code for code in units.codes if code in levels.columns]
    cleaned = levels.select(
        *_OWN, *(pl.when(pl.col(name) != MISSING_CODE).then(pl.col(name)).alias(f"{name}_level") for name in names)
    )
    return coded.join(cleaned, on=_OWN, how="left", maintain_order="left"), units


def _cut(levels: pl.DataFrame, units: ActionUnitSet, threshold: int, notes: ImportLog) -> pl.DataFrame:
    """Make occurrence of intensity: present from the threshold on; AUs without files are unknown."""
    lacking = [code for code in units.codes if code not in levels.columns]
    if lacking:
        sentence = f"found no intensity files of {', '.join(lacking)}; choose other AUs or occurrence coding"
        notes.error("AU_INT", sentence)
        levels = levels.with_columns(pl.lit(None, pl.Int8).alias(code) for code in lacking)
    columns = [pl.col(code) for code in units.codes]
    return levels.with_columns(
        pl.when(column == MISSING_CODE).then(column).otherwise((column >= threshold).cast(pl.Int8))
        for column in columns
    )


def _read_points(
    files: Mapping[tuple[str, str], Path], notes: ImportLog, subject: str, recording: str, positions: Sequence[int]
) -> Float[np.ndarray, "frames 49 2"]:
    """Read a recording's landmarks; NaN where there are none."""
    path = files.get((subject, recording))
    if path is not None:
        try:
            return read_fit_file(path, positions)
        except ValueError as error:
            notes.error(notes.relative(path), str(error), "damaged landmarks")
    return np.full((len(positions), 49, 2), np.nan)
