"""The faces that networks are probed on: a manifest, or a part of one, with the frames that probes need of it."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from jaxtyping import Int64

from facskit.columns import IMAGE_BYTES, RECORDING
from facskit.datasets.data_record import DataRecord
from facskit.datasets.manifest import Manifest
from facskit.datasets.packed import open_manifest
from facskit.errors import DatasetError
from facskit.evaluation.identity.splits import ProbeSplit, SplitConfig, other_recordings, random_frames
from facskit.experiments.data_check import check_data
from facskit.experiments.opened_data import OpenedData
from facskit.experiments.probe.sources import Source, SourceRun
from facskit.training.run_directory import RunDirectory

__all__ = ["FacePart", "ProbedFaces", "faces_of_sources"]

FacePart = Literal["all", "train", "test"]
"""All faces, or those of the people the run was trained on, or tested on."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbedFaces:
    """Faces, and how they are divided for probes."""

    manifest: Manifest
    """The faces."""
    splits: tuple[ProbeSplit, ...]
    """The divisions of their frames that the data allow."""
    describe: str
    """Which faces they are, in words."""
    notes: tuple[str, ...]
    """Divisions that the data don't allow, and who is left out."""

    @cached_property
    def rows(self) -> Int64[np.ndarray, "rows"]:
        """Rows that any division needs, rising."""
        return np.unique(np.concatenate([split.rows for split in self.splits]))

    @cached_property
    def fingerprint(self) -> str:
        """Text that is another for other faces, people or divisions."""
        faces, digest = self.manifest.select(self.rows), hashlib.sha256()
        named = [self.manifest.image_name(int(row)) for row in self.rows]
        digest.update(json.dumps([named, faces.subjects.tolist()]).encode())
        digest.update(faces.labels.tobytes())
        for split in self.splits:
            digest.update(split.name.encode())
            for rows in (split.train, split.test, split.tuning):
                digest.update(rows.tobytes())
        if faces.is_packed:
            for image in faces.table[IMAGE_BYTES].to_list():
                digest.update(hashlib.sha256(image).digest())
        else:
            stats = [Path(name).stat() for name in named]
            digest.update(json.dumps([(stat.st_size, stat.st_mtime_ns) for stat in stats]).encode())
        return digest.hexdigest()


def faces_of_sources(
    sources: list[Source], manifest: str, part: FacePart, config: SplitConfig
) -> dict[SourceRun, ProbedFaces]:
    """Choose the faces of every run.

    Args:
        manifest: Path of a manifest, or `packaged`; empty for the faces of each run's recipe. Weights without a
            recipe take those of the first run that has one.

    Returns:
        Faces by run; runs on the same faces share one object.

    Raises:
        DatasetError: Faces are missing or wrong, or it isn't known which are meant, or a part is asked for of a run
            that was trained with other faces.
    """
    runs = [run for source in sources for run in source.runs]
    named = manifest or next((run.images for run in runs if run.images), "")
    first = next((run for run in runs if run.recipe is not None), None)
    opened: dict[tuple[str, ...], ProbedFaces] = {}
    records: dict[tuple[str, ...], DataRecord] = {}
    chosen = {}
    for run in runs:
        owner = run if run.recipe is not None else first
        key: tuple[str, ...]
        if owner is not None and owner.recipe is not None and not manifest:
            own = owner.recipe.data
            where = "" if part == "all" else str((own.folds, own.fold))
            key = (own.manifest, own.action_units, own.expressions, where)
            if key not in opened:
                data = OpenedData.read(own)
                opened[key] = _divide(*_faces_of_run(data, part), config)
                if part != "all":
                    records[key] = data.record(own.fold)
            if key in records and owner.folder is not None:  # a part is that of the people the run was trained with
                check_data(RunDirectory(owner.folder), records[key])
        elif named:
            key = (named,)
            if key not in opened:
                opened[key] = _divide(*_faces_of_manifest(named, part), config)
        else:
            raise DatasetError("weights alone don't say which faces to probe them on; name a manifest with --manifest")
        chosen[run] = opened[key]
    return chosen


def _faces_of_manifest(name: str, part: FacePart) -> tuple[Manifest, str]:
    if part != "all":
        raise DatasetError(
            f"--part {part} is about the faces of a run's own recipe; leave out --manifest, or take --part all"
        )
    faces = open_manifest(name)
    faces = replace(faces, name="the packaged faces") if name == "packaged" else faces
    return faces, f"all faces of {faces.name}"


def _faces_of_run(data: OpenedData, part: FacePart) -> tuple[Manifest, str]:
    faces = data.manifest
    if part == "all":
        return faces, f"all faces of {faces.name}, those of the run's recipe"
    fold = data.folds[data.config.fold - 1]
    rows = fold.train if part == "train" else fold.test
    if not len(rows):
        raise DatasetError(f"{faces.name}: fold {fold.index} has no {part} people to probe; take --part all")
    return faces.select(rows), f"{part} people of {faces.name}, fold {fold.index}"


def _divide(faces: Manifest, describe: str, config: SplitConfig) -> ProbedFaces:
    splits, notes = [random_frames(faces.subjects, config)], []
    try:
        if RECORDING not in faces.table.columns:
            raise DatasetError(f"there is no column {RECORDING}")
        recordings = faces.table[RECORDING].cast(pl.String).to_list()
        splits.append(other_recordings(faces.subjects, recordings, config))
    except DatasetError as error:
        notes.append(f"{faces.name}: not tested on other recordings: {error}")
    notes += [
        f"{faces.name}: {split.left_out} subjects have too few frames or recordings for {split.name}, so aren't in it"
        for split in splits
        if split.left_out
    ]
    return ProbedFaces(manifest=faces, splits=tuple(splits), describe=describe, notes=tuple(notes))
