import logging
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from facskit.action_units import NO_ACTION_UNITS, ActionUnitSet
from facskit.datasets import image_store
from facskit.datasets.augmentation import AugmentationConfig
from facskit.datasets.face_dataset import FaceDataset, Preparation
from facskit.datasets.loaders import EpochLoader, LoaderConfig, epoch_batches, eval_loader, train_loader
from facskit.datasets.manifest import Manifest, read_manifest
from facskit.datasets.packed import pack_manifest
from facskit.datasets.samples import Batch
from facskit.errors import DatasetError, MediaError
from facskit.expressions import RAF_DB
from facskit.faces.alignment import (
    BoxCrop,
    EyeSimilarityCrop,
    Similarity49Crop,
    WholeImage,
    box_of,
    crop_matrix,
    five_points,
)
from facskit.faces.images import read_image, warp
from facskit.faces.landmarks import INNER_MOUTH_CORNERS, JAW
from facskit.faces.normalization import normalize
from tests.datasets.conftest import FACE, PAIR

VARIED = AugmentationConfig(
    flip_chance=0.5, rotation=12.0, scale=(0.85, 1.15), shift=0.06, brightness=0.2, noise_chance=0.4, erase_chance=0.3
)
STRONG = Preparation(recipe=EyeSimilarityCrop(size=32), augmentation=VARIED, seed=3)
PLAIN = replace(STRONG, augmentation=AugmentationConfig())
PAIRS = LoaderConfig(batch_size=3)


def same(one: Batch, other: Batch) -> bool:
    names = ("images", "labels", "subjects", "indices", "expressions", "landmarks")
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in names)


def all_same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))


def test_batches_cover_an_epoch_once_in_an_order_of_its_own() -> None:
    orders = []
    for epoch in range(3):
        batches = epoch_batches(10, 4, seed=0, epoch=epoch, drop_last=False, shuffle=True)
        assert [len(batch) for batch in batches] == [4, 4, 2]
        orders.append(np.concatenate(batches).tolist())
        assert sorted(orders[-1]) == list(range(10))
    assert all(one != other for one, other in pairwise(orders))
    plain = epoch_batches(10, 4, seed=0, epoch=0, drop_last=True, shuffle=False)
    assert np.concatenate(plain).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert epoch_batches(8, 4, seed=0, epoch=0, drop_last=True, shuffle=False)[1].tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize("recipe", [EyeSimilarityCrop(size=32), BoxCrop(size=40), WholeImage(size=24)])
def test_a_plain_sample_is_crop_and_normalisation(
    manifest: Manifest, recipe: EyeSimilarityCrop | BoxCrop | WholeImage
) -> None:
    dataset = FaceDataset(manifest, replace(PLAIN, recipe=recipe, normalization="imagenet"))
    matrix = crop_matrix(recipe, landmarks=five_points(FACE), box=box_of(FACE), image_size=(72, 64))
    expected = normalize(warp(manifest.image(4), matrix, recipe.size), "imagenet")
    sample = dataset.sample(0, 4)
    np.testing.assert_allclose(sample.image.numpy(), expected, atol=0.05)
    assert sample.labels.tolist() == manifest.labels[4].tolist()


def test_batches_carry_rows_labels_and_training_subjects(manifest: Manifest) -> None:
    rows = np.array([9, 1, 3, 7, 6])
    dataset = FaceDataset(manifest, PLAIN, rows=rows, train_subjects=("p1", "p3"))
    (first, second) = eval_loader(dataset, PAIRS).batches(0)
    assert torch.cat([first.indices, second.indices]).tolist() == rows.tolist()
    assert torch.cat([first.subjects, second.subjects]).tolist() == [-1, 0, 1, -1, 0]
    assert first.labels.tolist() == manifest.labels[rows[:3]].tolist()
    assert first.images.shape == (3, 3, 32, 32)
    assert first.action_units == PAIR


def test_a_sample_is_what_a_batch_holds(manifest: Manifest) -> None:
    dataset = FaceDataset(manifest, STRONG, rows=np.array([9, 1, 3]), train_subjects=("p1", "p3"))
    (batch,) = eval_loader(dataset, PAIRS).batches(2)
    for position in range(3):
        sample = dataset.sample(2, position)
        assert torch.equal(sample.image, batch.images[position])
        assert torch.equal(sample.labels, batch.labels[position])
        assert (sample.subject, sample.index) == (int(batch.subjects[position]), int(batch.indices[position]))
        assert sample.action_units == batch.action_units


def test_training_batches_are_complete_and_differ_between_epochs(manifest: Manifest) -> None:
    loader = train_loader(FaceDataset(manifest, STRONG), PAIRS)
    assert loader.steps_per_epoch == 3
    epochs = [list(loader.batches(epoch)) for epoch in (0, 0, 1)]
    assert all(len(batch) == 3 for batch in epochs[0])
    assert all_same(epochs[0], epochs[1])
    assert not all_same(epochs[0], epochs[2])


@pytest.fixture
def loaders(manifest: Manifest) -> list[EpochLoader[Batch]]:
    dataset = FaceDataset(manifest, STRONG, train_subjects=manifest.subject_names)
    return [train_loader(dataset, replace(PAIRS, workers=workers)) for workers in (0, 2)]


def test_workers_change_nothing(loaders: list[EpochLoader[Batch]]) -> None:
    alone, helped = loaders
    for epoch in (0, 4):
        assert all_same(list(alone.batches(epoch)), list(helped.batches(epoch)))


def test_a_run_resumes_at_any_step(loaders: list[EpochLoader[Batch]]) -> None:
    alone, helped = loaders
    whole = list(alone.batches(2))
    for step in range(4):
        assert all_same(list(alone.batches(2, start_step=step)), whole[step:])
        assert all_same(list(helped.batches(2, start_step=step)), whole[step:])
    with pytest.raises(ValueError, match="start_step must be from 0 to 3, got 4"):
        next(alone.batches(2, start_step=4))


def test_an_epoch_may_be_left_early(loaders: list[EpochLoader[Batch]]) -> None:
    for loader in loaders:
        whole = list(loader.batches(0))
        assert same(next(loader.batches(0)), whole[0])
        assert all_same(list(loader.batches(0)), whole)


def test_loading_leaves_the_global_random_state_alone(loaders: list[EpochLoader[Batch]]) -> None:
    for loader in loaders:
        state, numpy_state = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"]  # noqa: NPY002 -- what must not change
        list(loader.batches(0))
        assert torch.equal(torch.get_rng_state(), state)
        assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], numpy_state)  # noqa: NPY002


def test_processes_share_each_global_batch(manifest: Manifest) -> None:
    dataset = FaceDataset(manifest, STRONG)
    one = list(train_loader(dataset, LoaderConfig(batch_size=4)).batches(1))
    shares = [
        list(train_loader(dataset, LoaderConfig(batch_size=2), rank=rank, world_size=2).batches(1)) for rank in (0, 1)
    ]
    for step, batch in enumerate(one):
        assert torch.equal(torch.cat([share[step].images for share in shares]), batch.images)
    evaluated = [
        torch.cat([batch.indices for batch in eval_loader(dataset, PAIRS, rank=rank, world_size=2).batches(0)])
        for rank in (0, 1)
    ]
    assert sorted(torch.cat(evaluated).tolist()) == list(range(10))


def test_the_augmentation_of_a_row_does_not_depend_on_its_fold(manifest: Manifest) -> None:
    every = FaceDataset(manifest, STRONG)
    some = FaceDataset(manifest, STRONG, rows=np.array([2, 8]))
    assert torch.equal(every.sample(5, 8).image, some.sample(5, 1).image)


def test_a_cache_changes_nothing_and_is_bounded(
    manifest: Manifest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = list(train_loader(FaceDataset(manifest, STRONG), PAIRS).batches(0))
    cached = FaceDataset(manifest, STRONG, cache_gib=1.0)
    with caplog.at_level(logging.WARNING):
        four = FaceDataset(manifest, STRONG, cache_gib=4.5 * 72 * 64 * 3 / 2**30)
    assert "holds 4 of 10 images; the others are decoded each time" in caplog.text
    assert all_same(list(train_loader(four, PAIRS).batches(0)), plain)
    for file in (tmp_path / "images").iterdir():
        file.unlink()
    assert all_same(list(train_loader(cached, replace(PAIRS, workers=2)).batches(0)), plain)


def test_decoding_ahead_keeps_to_its_budget(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old way, a list of images that is then joined, would hold every pixel twice for a moment."""
    monkeypatch.setattr(image_store, "_BLOCK", 2 * 72 * 64 * 3 + 100)  # two images and a remainder to each block
    image_bytes = 72 * 64 * 3
    wide = np.tile(manifest.image(0), (8, 8, 1))
    monkeypatch.setattr(image_store, "read_image", lambda path: wide if path.name == "03.png" else read_image(path))
    limit = 8 * image_bytes + wide.nbytes
    with_blocks = image_store.ImageStore(manifest, np.arange(10), limit / 2**30)
    plain = image_store.ImageStore(manifest, np.arange(10))
    for position in range(10):
        np.testing.assert_array_equal(with_blocks.image(position), plain.image(position))
    tracemalloc.start()
    kept = image_store.ImageStore(manifest, np.arange(10), limit / 2**30)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(kept) == 10
    assert peak < 1.3 * limit


def test_packed_images_load_in_workers(manifest: Manifest, tmp_path: Path) -> None:
    packed = read_manifest(pack_manifest(manifest, tmp_path / "packed.parquet", recipe=WholeImage(size=64)))
    dataset = FaceDataset(packed, STRONG)
    alone = list(eval_loader(dataset, PAIRS).batches(0))
    helped = list(eval_loader(dataset, replace(PAIRS, workers=2)).batches(0))
    assert all_same(alone, helped)
    assert torch.isfinite(alone[0].images).all()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_image_is_named_in_one_sentence(manifest: Manifest, tmp_path: Path, workers: int) -> None:
    (tmp_path / "images/05.png").write_bytes(b"no picture")
    loader = eval_loader(FaceDataset(manifest, PLAIN), replace(PAIRS, workers=workers))
    with pytest.raises(MediaError, match=r"images/05\.png: ") as caught:
        list(loader.batches(0))
    assert "\n" not in str(caught.value)


def test_what_cannot_be_loaded_is_refused_at_once(manifest: Manifest, tmp_path: Path) -> None:
    bare = Manifest(table=manifest.table.select("image", "subject", "AU06", "AU12"), root=tmp_path, action_units=PAIR)
    with pytest.raises(DatasetError, match="a five-point crop needs the landmark columns"):
        FaceDataset(bare, PLAIN)
    assert len(FaceDataset(bare, replace(PLAIN, recipe=WholeImage(size=24)))) == 10
    holes = manifest.table.clone()
    for name in holes.columns[4:]:
        holes[7, name] = None
    with pytest.raises(DatasetError, match=r"07\.png: the row has no landmarks"):
        FaceDataset(Manifest(table=holes, root=tmp_path, action_units=PAIR), PLAIN)
    with pytest.raises(DatasetError, match="there are no rows to load"):
        FaceDataset(manifest, PLAIN, rows=np.array([], np.int64))
    with pytest.raises(DatasetError, match="found 10 training images, fewer than one batch of 64"):
        train_loader(FaceDataset(manifest, PLAIN), LoaderConfig())


@pytest.mark.parametrize(("name", "value"), [("batch_size", 0), ("workers", -1), ("prefetch", 0), ("cache_gib", -1.0)])
def test_loader_limits_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be from .* got {value}"):
        LoaderConfig(**{name: value})  # type: ignore[arg-type]


def test_the_units_of_the_manifest_reach_the_batch(tmp_path: Path, manifest: Manifest) -> None:
    one = read_manifest(tmp_path / "faces.parquet", ActionUnitSet.parse("AU12"))
    (batch, *_) = eval_loader(FaceDataset(one, PLAIN), PAIRS).batches(0)
    assert batch.labels.shape == (3, 1)
    assert batch.action_units.codes == ("AU12",)


def labelled(manifest: Manifest) -> Manifest:
    shown = ["happiness", None, "fear", "contempt", "neutral"] * 2
    return replace(manifest, table=manifest.table.with_columns(expression=pl.Series(shown)))


def test_expressions_reach_samples_and_batches(manifest: Manifest) -> None:
    faces = replace(labelled(manifest), action_units=NO_ACTION_UNITS)
    dataset = FaceDataset(faces, PLAIN, rows=np.array([4, 0, 1, 3, 2]), expressions=RAF_DB)
    for workers in (0, 2):
        batches = list(eval_loader(dataset, replace(PAIRS, workers=workers)).batches(0))
        assert [name for batch in batches for name in batch.expressions.tolist()] == [6, 3, -1, -1, 1]
        assert batches[0].labels.shape == (3, 0)
    assert [dataset.sample(0, position).expression for position in range(5)] == [6, 3, -1, -1, 1]
    plain = eval_loader(FaceDataset(faces, PLAIN), PAIRS).batches(0)
    assert {name for batch in plain for name in batch.expressions.tolist()} == {-1}
    with pytest.raises(DatasetError, match="the column expression is missing"):
        FaceDataset(manifest, PLAIN, expressions=RAF_DB)


def test_a_crop_asks_only_for_the_landmarks_it_needs(manifest: Manifest, tmp_path: Path) -> None:
    fewer = manifest.table.clone()
    for point in (*JAW, *INNER_MOUTH_CORNERS):
        fewer[7, f"x_{point}"] = fewer[7, f"y_{point}"] = None
    part = Manifest(table=fewer, root=tmp_path, action_units=PAIR)
    for recipe in (EyeSimilarityCrop(size=32), Similarity49Crop(size=32)):
        steps = replace(PLAIN, recipe=recipe)
        whole, less = (FaceDataset(faces, steps).sample(0, 7).image for faces in (manifest, part))
        assert torch.equal(whole, less)
    message = r"07\.png: the row has no landmarks on the jaw, which a box crop needs; run `facskit prepare --crop box`"
    with pytest.raises(DatasetError, match=message):
        FaceDataset(part, replace(PLAIN, recipe=BoxCrop(size=32)))
    without_corners = manifest.table.clone()
    for point in INNER_MOUTH_CORNERS:
        without_corners[7, f"x_{point}"] = without_corners[7, f"y_{point}"] = None
    sixty_six = Manifest(table=without_corners, root=tmp_path, action_units=PAIR)
    box = replace(PLAIN, recipe=BoxCrop(size=32))
    assert torch.isfinite(FaceDataset(sixty_six, box).sample(0, 7).image).all()
