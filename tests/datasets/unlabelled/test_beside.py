"""Unlabelled faces beside labelled ones: who may be among them, and the same batches from any step on."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from facskit.action_units import NO_ACTION_UNITS, ActionUnitSet
from facskit.datasets.augmentation import AugmentationConfig
from facskit.datasets.face_dataset import FaceDataset, Preparation
from facskit.datasets.folds import SubjectFolds, make_folds
from facskit.datasets.loaders import LoaderConfig, train_loader
from facskit.datasets.manifest import Manifest, read_manifest
from facskit.datasets.samples import Batch
from facskit.datasets.unlabelled.beside import UnlabelledBeside, UnlabelledConfig, unlabelled_rows
from facskit.faces.alignment import WholeImage
from tests.experiments.drawn_faces import write_drawn_faces

UNITS = ActionUnitSet.parse("1 12")
VARIED = Preparation(recipe=WholeImage(size=16), augmentation=AugmentationConfig(rotation=20.0), seed=3)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drawn_faces(tmp_path_factory.mktemp("faces") / "faces.parquet", subjects=6, images=4)


def _beside(path: Path) -> UnlabelledBeside:
    labelled = FaceDataset(read_manifest(path, UNITS), VARIED)
    views = {"strong": replace(VARIED, seed=5)}
    unlabelled = FaceDataset(read_manifest(path, NO_ACTION_UNITS), replace(VARIED, views=views))
    return UnlabelledBeside(
        train_loader(labelled, LoaderConfig(batch_size=6)), train_loader(unlabelled, LoaderConfig(batch_size=7))
    )


def _same(first: Batch, second: Batch) -> bool:
    assert first.unlabelled is not None
    assert second.unlabelled is not None
    others = torch.equal(first.unlabelled.images, second.unlabelled.images)
    strong = torch.equal(first.unlabelled.views["strong"], second.unlabelled.views["strong"])
    return torch.equal(first.images, second.images) and others and strong


def test_each_batch_brings_unlabelled_faces(faces: Path) -> None:
    beside = _beside(faces)
    assert beside.steps_per_epoch == 4
    batches = [batch for epoch in range(3) for batch in beside.batches(epoch)]
    assert [len(batch) for batch in batches] == [6] * 12
    found = [batch.unlabelled for batch in batches]
    assert all(other is not None and len(other) == 7 and other.labels.shape == (7, 0) for other in found)
    seen = [other.indices.tolist() for other in found if other is not None]
    assert len({row for rows in seen[:3] for row in rows}) == 21  # their own epoch: 3 batches of 24 faces, each once
    assert seen[:3] != seen[3:6]


def test_batches_are_the_same_from_any_step_on(faces: Path) -> None:
    whole = [batch for epoch in range(3) for batch in _beside(faces).batches(epoch)]
    late = _beside(faces)
    resumed = [*late.batches(1, 2), *late.batches(2)]
    assert all(_same(first, second) for first, second in zip(whole[6:], resumed, strict=True))
    left = _beside(faces)
    list(islice(left.batches(0), 2))  # left in the middle, and begun again elsewhere
    assert all(_same(first, second) for first, second in zip(whole[4:8], left.batches(1), strict=True))


def test_views_show_the_same_faces_in_another_way(faces: Path) -> None:
    same, plain = replace(VARIED), Preparation(recipe=WholeImage(size=24), normalization="imagenet")
    dataset = FaceDataset(read_manifest(faces, UNITS), replace(VARIED, views={"same": same, "plain": plain}))
    batch = next(train_loader(dataset, LoaderConfig(batch_size=6)).batches(0))
    assert torch.equal(batch.views["same"], batch.images)
    alone = FaceDataset(read_manifest(faces, UNITS), plain)
    for place, row in enumerate(batch.indices.tolist()):
        assert torch.equal(batch.views["plain"][place], alone.sample(0, row).image)
    moved = batch.to("meta")
    assert moved.views["plain"].is_meta


def test_nobody_held_out_is_among_them(faces: Path) -> None:
    manifest = read_manifest(faces, UNITS)
    fold = make_folds(SubjectFolds(k=3, validation_fraction=0.25), manifest.subjects, manifest.labels, None)[0]
    rows = unlabelled_rows(manifest, manifest, fold)
    assert set(manifest.subjects[rows]) == set(fold.train_subjects)
    names = manifest.table.with_columns(subject=manifest.table["subject"].cast(str) + "-else")
    strangers = Manifest(table=names, root=manifest.root, action_units=NO_ACTION_UNITS)
    assert len(unlabelled_rows(strangers, manifest, fold)) == len(manifest)
    assert np.array_equal(rows, np.sort(fold.train))


def test_impossible_batches_are_refused() -> None:
    with pytest.raises(ValueError, match=r"batch_size must be from 1.*0"):
        UnlabelledConfig(batch_size=0)
