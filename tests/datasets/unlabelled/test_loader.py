"""Faces without labels: the same batches whatever the workers, from any step on, and no needless resampling."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from facskit.columns import IMAGE_BYTES
from facskit.datasets.curation.shards import INDEX, SHARDS, ShardWriter, shard_name
from facskit.datasets.loaders import EpochLoader, LoaderConfig
from facskit.datasets.packed import packaged_faces, recipe_matrix
from facskit.datasets.unlabelled import loader as unlabelled
from facskit.datasets.unlabelled.crop_cache import CropCache
from facskit.datasets.unlabelled.loader import (
    FaceImages,
    PretrainingAugmentation,
    RandomResizedCrop,
    ResizeFlip,
    UnlabelledFaces,
    UnlabelledPreparation,
)
from facskit.datasets.unlabelled.sources import UnlabelledImages
from facskit.errors import DatasetError, MediaError
from facskit.faces.alignment import BoxCrop, CropRecipe, EyeSimilarityCrop, WholeImage
from facskit.faces.images import decode_image, encode_jpeg, warp
from tests.datasets.conftest import table, write_images

PLAIN = WholeImage(size=32)


@pytest.fixture
def source(tmp_path: Path) -> UnlabelledImages:
    """Ten images of 72 x 64 pixels of five people, with landmarks."""
    write_images(tmp_path)
    table(landmarks=True).write_parquet(tmp_path / "faces.parquet")
    return UnlabelledImages.open(str(tmp_path / "faces.parquet"))


@pytest.fixture
def curated(tmp_path: Path) -> Path:
    """A folder of ten packaged faces of 128 x 128 pixels as `facskit curate` writes it."""
    folder = tmp_path / "curated"
    (folder / SHARDS).mkdir(parents=True)
    encoded = packaged_faces().table[IMAGE_BYTES].to_list()[:10]
    with ShardWriter(folder / SHARDS / shard_name(0)) as shard:
        offsets = [shard.add(f"{row:09d}.jpg", data) for row, data in enumerate(encoded)]
    pl.DataFrame(
        {
            "name": [f"set/{row}.jpg" for row in range(10)],
            "source": "set",
            "shard": shard_name(0),
            "offset": offsets,
            "length": [len(data) for data in encoded],
            "width": 128,
            "height": 128,
        }
    ).write_parquet(folder / INDEX)
    return folder


def faces(
    source: UnlabelledImages,
    augmentation: PretrainingAugmentation | None = None,
    crop: CropRecipe = PLAIN,
    cache_gib: float = 0.0,
) -> UnlabelledFaces:
    preparation = UnlabelledPreparation(crop=crop, augmentation=augmentation, seed=3)
    return UnlabelledFaces(source, preparation, np.arange(len(source)), cache_gib)


def batches(found: UnlabelledFaces, epoch: int, start: int = 0, **config: int) -> list[FaceImages]:
    loader = EpochLoader(found, LoaderConfig(**{"batch_size": 2, **config}), train=True)
    drawn = list(loader.batches(epoch, start))
    loader.close()
    return drawn


def same(one: list[FaceImages], other: list[FaceImages]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(torch.equal(a.images, b.images) and torch.equal(a.indices, b.indices) for a, b in pairs)


@pytest.mark.parametrize("augmentation", [ResizeFlip(), RandomResizedCrop()], ids=lambda found: found.kind)
def test_an_epoch_can_be_taken_up_at_any_step(source: UnlabelledImages, augmentation: PretrainingAugmentation) -> None:
    found = faces(source, augmentation)
    whole = batches(found, epoch=1)
    assert len(whole) == EpochLoader(found, LoaderConfig(batch_size=2), train=True).steps_per_epoch == 5
    assert sorted(row for batch in whole for row in batch.indices.tolist()) == list(range(10))
    for start in range(6):
        assert same(batches(found, 1, start), whole[start:])
    assert not same(batches(found, 2), whole)
    loader = EpochLoader(found, LoaderConfig(batch_size=2), train=True)
    with pytest.raises(ValueError, match="start_step must be from 0 to 5, got 6"):
        next(loader.batches(0, 6))


@pytest.mark.parametrize("cache_gib", [0.0, 0.01])
def test_worker_processes_change_nothing(source: UnlabelledImages, cache_gib: float) -> None:
    alone, helped = (faces(source, ResizeFlip(), cache_gib=cache_gib) for _ in range(2))
    loader = EpochLoader(helped, LoaderConfig(batch_size=2, workers=2), train=True)
    for epoch in range(2):
        assert same(list(loader.batches(epoch)), batches(alone, epoch))
    loader.close()


def test_batches_are_bytes_with_the_colours_side_by_side(source: UnlabelledImages) -> None:
    batch = batches(faces(source), 0)[0]
    assert batch.images.dtype == torch.uint8
    assert batch.images.shape == (2, 3, 32, 32)
    assert batch.images.is_contiguous(memory_format=torch.channels_last)  # nobody has copied them
    assert len(batch) == len(batch.to("cpu").indices) == 2


def test_processes_share_every_global_batch(source: UnlabelledImages) -> None:
    found = faces(source, ResizeFlip())
    together = batches(found, 0, batch_size=4)
    for rank in range(2):
        loader = EpochLoader(found, LoaderConfig(batch_size=2), train=True, rank=rank, world_size=2)
        mine = list(loader.batches(0))
        assert [batch.indices.tolist() for batch in mine] == [
            batch.indices.tolist()[2 * rank : 2 * rank + 2] for batch in together
        ]
    with pytest.raises(DatasetError, match="found 10 training images, fewer than one batch of 12; expected a smaller"):
        EpochLoader(found, LoaderConfig(batch_size=6), train=True, world_size=2)


def test_measuring_takes_all_in_order(source: UnlabelledImages) -> None:
    loader = EpochLoader(faces(source), LoaderConfig(batch_size=4), train=False)
    assert [batch.indices.tolist() for batch in loader.batches(7)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_an_image_of_the_right_size_is_only_decoded_and_mirrored(
    curated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(unlabelled, "warp")
    found = faces(UnlabelledImages.open(str(curated)), ResizeFlip(), WholeImage(size=128))
    drawn = [found.face(epoch, position) for epoch in range(4) for position in range(10)]
    stored = [decode_image(data, "") for data in packaged_faces().table[IMAGE_BYTES].to_list()[:10]] * 4
    mirrored = [np.array_equal(face, image[:, ::-1]) for face, image in zip(drawn, stored, strict=True)]
    plain = [np.array_equal(face, image) for face, image in zip(drawn, stored, strict=True)]
    assert all(a != b for a, b in zip(plain, mirrored, strict=True))
    assert 10 < sum(mirrored) < 30
    monkeypatch.undo()
    assert faces(UnlabelledImages.open(str(curated)), crop=PLAIN).face(0, 0).shape == (32, 32, 3)


@pytest.mark.parametrize(("chance", "expected"), [(0.0, False), (1.0, True)])
def test_the_mirror_obeys_its_chance(source: UnlabelledImages, chance: float, expected: bool) -> None:
    plain, varied = faces(source), faces(source, ResizeFlip(flip_chance=chance))
    for position in range(10):
        crop = plain.face(0, position)
        assert np.array_equal(varied.face(0, position), crop[:, ::-1] if expected else crop)


def test_random_windows_show_parts_at_full_size(source: UnlabelledImages) -> None:
    whole = faces(source, RandomResizedCrop(area=(1.0, 1.0), flip_chance=0.0))
    plain = faces(source)
    assert np.abs(whole.face(0, 0).astype(int) - plain.face(0, 0)).mean() > 0  # a whole window still has proportions
    parts = faces(source, RandomResizedCrop(area=(0.2, 0.3), flip_chance=0.0))
    assert np.array_equal(parts.face(0, 3), parts.face(0, 3))
    assert not np.array_equal(parts.face(0, 3), parts.face(1, 3))
    # The whole noise is averaged to half its size; a quarter of it is hardly averaged, and so stays rougher.
    smooth, rough = (np.abs(np.diff(found.face(0, 3).astype(int), axis=1)).mean() for found in (plain, parts))
    assert rough > 1.2 * smooth


def test_faces_are_cut_out_by_their_landmarks(source: UnlabelledImages) -> None:
    crop = EyeSimilarityCrop(size=48)
    manifest = packaged_faces()
    found = faces(UnlabelledImages.open("packaged"), crop=crop)
    image, points = manifest.image(700), manifest.landmarks(700)
    assert points is not None
    expected = warp(image, recipe_matrix(crop, image, points.astype(np.float64), ""), 48)
    assert np.array_equal(found.face(5, 700), expected)


def test_kept_crops_need_no_files_any_more(tmp_path: Path, source: UnlabelledImages) -> None:
    found = faces(source, ResizeFlip(), cache_gib=0.01)
    first = batches(found, 0, workers=2)
    shutil.rmtree(tmp_path / "images")
    assert same(batches(found, 0), first)
    with pytest.raises(MediaError, match=r"images/0\d.png: can't open it"):
        batches(faces(source), 0)


def test_the_cache_stays_within_its_budget() -> None:
    cache = CropCache(count=5, size=4, gib=2.5 * 48 / 2**30)
    crops = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    for position, crop in enumerate(crops):
        cache.put(position, crop)
    kept = [cache.get(position) for position in range(5)]
    assert [crop is not None for crop in kept] == [True, True, False, False, False]
    assert all(np.array_equal(crop, crops[place]) for place, crop in enumerate(kept) if crop is not None)
    assert CropCache(count=5, size=4, gib=0.0).get(0) is None


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_is_named(tmp_path: Path, source: UnlabelledImages, workers: int) -> None:
    (tmp_path / "images" / "04.png").write_bytes(b"no image")
    with pytest.raises(MediaError, match="04.png: found text, expected a JPEG"):
        batches(faces(source), 0, workers=workers)


def test_subjects_are_set_aside_as_a_whole(source: UnlabelledImages) -> None:
    train, held = source.hold_out(0.4, 0)
    assert sorted([*train, *held]) == list(range(10))
    assert len(held) == 4
    assert not set(source.subjects[train]) & set(source.subjects[held])
    assert all(np.array_equal(*pair) for pair in zip(source.hold_out(0.4, 0), (train, held), strict=True))
    assert any(not np.array_equal(source.hold_out(0.4, seed)[1], held) for seed in range(1, 5))
    assert len(source.hold_out(0.001, 0)[1]) == 2  # one subject at least
    assert len(source.hold_out(0.0, 0)[1]) == 0
    assert source.subject_names(np.array([3, 1, 8])) == ["p1", "p3"]


def test_one_subject_cannot_be_set_aside(tmp_path: Path) -> None:
    write_images(tmp_path, 2)
    table(2).with_columns(subject=pl.lit("p")).write_parquet(tmp_path / "one.parquet")
    source = UnlabelledImages.open(str(tmp_path / "one.parquet"))
    with pytest.raises(DatasetError, match="found 1 subject.s., too few to set 1.0% aside; set data.validation_frac"):
        source.hold_out(0.01, 0)
    assert len(source.hold_out(0.0, 0)[0]) == 2


def test_curated_images_have_names_but_neither_subjects_nor_landmarks(curated: Path) -> None:
    source = UnlabelledImages.open(str(curated))
    assert len(np.unique(source.subjects)) == len(source) == 10
    assert source.pictures(np.array([7])).name(0) == "set/7.jpg"
    assert source.subject_names(np.arange(10)) == []
    with pytest.raises(DatasetError, match="a five-point crop needs landmarks, which curated images don't have"):
        faces(source, crop=EyeSimilarityCrop())


def test_curated_crops_are_only_resized(curated: Path) -> None:
    config = {"version": "1", "sources": [{"name": "one"}, {"name": "two"}], "size": 128, "crop": "five-point"}
    (curated / "dataset.json").write_text(json.dumps({"kind": "faces curated by facskit", "config": config}))
    source = UnlabelledImages.open(str(curated))
    assert source.origin is not None
    assert source.origin.stamp() == "curated one, two: five-point crops of 128 px"
    assert faces(source, crop=EyeSimilarityCrop(size=64)).crop == WholeImage(size=64)
    with pytest.raises(DatasetError, match="the images were cropped with kind 'five-point', data.crop asks for 'box'"):
        faces(source, crop=BoxCrop())
    (curated / "dataset.json").write_text("{}")
    with pytest.raises(DatasetError, match="dataset.json doesn't describe curated images"):
        UnlabelledImages.open(str(curated))


def test_a_manifest_may_lack_labels_but_not_landmarks_that_the_crop_needs(tmp_path: Path) -> None:
    write_images(tmp_path)
    table().select("image", "subject").write_parquet(tmp_path / "manifest.parquet")
    source = UnlabelledImages.open(str(tmp_path))  # the folder stands for the manifest in it
    assert len(batches(faces(source), 0)) == 5
    with pytest.raises(DatasetError, match="needs the landmark columns x_0..x_67 and y_0..y_67, which .* lacks"):
        faces(source, crop=EyeSimilarityCrop())


def test_rows_without_landmarks_are_named(tmp_path: Path) -> None:
    write_images(tmp_path)
    some = table(landmarks=True)
    empty = pl.int_range(pl.len()) == 6
    points = [name for name in some.columns if name[:2] in {"x_", "y_"}]
    some.with_columns(pl.when(empty).then(None).otherwise(pl.col(points)).name.keep()).write_parquet(
        tmp_path / "some.parquet"
    )
    source = UnlabelledImages.open(str(tmp_path / "some.parquet"))
    with pytest.raises(DatasetError, match="06.png: the row has no landmarks; expected them, because a five-point"):
        faces(source, crop=EyeSimilarityCrop())


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere: found nothing there, expected a folder that facskit curate wrote"):
        UnlabelledImages.open(str(tmp_path / "nowhere"))
    with pytest.raises(DatasetError, match=r"holds no index.parquet; expected a folder that facskit curate has fin"):
        UnlabelledImages.open(str(tmp_path))


def test_nothing_to_load_is_an_error(source: UnlabelledImages) -> None:
    with pytest.raises(DatasetError, match="there are no images to load; expected at least one"):
        UnlabelledFaces(source, UnlabelledPreparation(), np.zeros(0, np.int64))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ResizeFlip(flip_chance=1.5), "flip_chance must be from 0 to 1, got 1.5"),
        (lambda: RandomResizedCrop(flip_chance=-1.0), "flip_chance must be from 0 to 1, got -1"),
        (lambda: RandomResizedCrop(area=(0.5, 0.2)), "area must be a range from 0.01 to 1, got 0.5 to 0.2"),
    ],
)
def test_impossible_augmentations_are_refused(build: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()  # type: ignore[operator]


def test_packed_and_loose_images_give_the_same_batches(tmp_path: Path, source: UnlabelledImages) -> None:
    rows = table(landmarks=True)
    data = [(tmp_path / name).read_bytes() for name in rows["image"]]
    rows.with_columns(pl.Series(IMAGE_BYTES, data)).write_parquet(tmp_path / "packed.parquet")
    packed = UnlabelledImages.open(str(tmp_path / "packed.parquet"))
    assert same(batches(faces(packed, ResizeFlip()), 0, workers=1), batches(faces(source, ResizeFlip()), 0))
    assert encode_jpeg(packed.pictures(np.array([0])).image(0))
