"""Shards: standard tools read them, every image is found by its offset, and processes may fork or send the object."""

import os
import pickle
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.datasets.curation import shards
from facskit.datasets.curation.shards import INDEX, SHARDS, ShardedImages, ShardWriter, shard_name, shard_offsets
from facskit.errors import DatasetError

IMAGES = [bytes([number]) * (number * 97 % 1500) for number in range(1, 24)]
NAMES = [f"quelle/ü/{number}.jpg" for number in range(len(IMAGES))]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / SHARDS).mkdir()
    numbers = np.arange(len(IMAGES)) // 5
    offsets = []
    for shard in range(numbers.max() + 1):
        with ShardWriter(tmp_path / SHARDS / shard_name(shard)) as writer:
            offsets += [writer.add(f"{row:09d}.jpg", IMAGES[row]) for row in np.flatnonzero(numbers == shard)]
    table = {
        "name": NAMES,
        "source": ["quelle" if row < 7 else "other" for row in range(len(IMAGES))],
        "shard": [shard_name(int(number)) for number in numbers],
        "offset": offsets,
        "length": [len(image) for image in IMAGES],
    }
    pl.DataFrame(table).write_parquet(tmp_path / INDEX)
    return tmp_path


def test_every_image_is_found(folder: Path) -> None:
    images = ShardedImages(folder)
    assert len(images) == len(IMAGES)
    assert [images.encoded(row) for row in range(len(images))] == IMAGES
    assert [images.name(row) for row in range(len(images))] == NAMES


def test_tar_reads_the_shards(folder: Path) -> None:
    found = []
    for path in sorted((folder / SHARDS).iterdir()):
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file is not None
                found.append((member.name, file.read(), member.mtime))
    assert found == [(f"{row:09d}.jpg", image, 0) for row, image in enumerate(IMAGES)]


def test_offsets_are_known_beforehand() -> None:
    lengths = np.array([0, 1, 512, 513, 2000])
    assert shard_offsets(lengths).tolist() == [512, 1024, 2048, 3072, 4608]


def test_few_files_are_open_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system doesn't list open files")
    monkeypatch.setattr(shards, "_OPEN_FILES", 2)
    before = open_files()
    images = ShardedImages(folder)
    assert [images.encoded(row) for row in range(len(images))] == IMAGES
    assert open_files() <= before + 2
    del images
    assert open_files() <= before


def test_forks_threads_and_pickles_read_the_same(folder: Path) -> None:
    images = ShardedImages(folder)
    images.encoded(0)
    child = os.fork()
    if child == 0:
        os._exit(0 if [images.encoded(row) for row in range(len(images))] == IMAGES else 1)
    assert os.waitpid(child, 0)[1] == 0
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(images.encoded, [*range(len(images))] * 20)) == IMAGES * 20
    assert pickle.loads(pickle.dumps(images)).encoded(11) == IMAGES[11]


def _cut(folder: Path) -> None:
    path = folder / SHARDS / shard_name(1)
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: (folder / INDEX).unlink(), "holds no index.parquet; expected a folder that facskit curate"),
        (lambda folder: (folder / SHARDS / shard_name(2)).unlink(), "faces-000002.tar is missing; expected a shard"),
        (_cut, "faces-000001.tar has 1000 bytes; expected a shard of at least"),
    ],
)
def test_what_is_missing_is_said_at_once(folder: Path, harm: Callable[[Path], None], message: str) -> None:
    harm(folder)
    with pytest.raises(DatasetError, match=message):
        ShardedImages(folder)


@pytest.mark.parametrize(
    ("lies", "message"),
    [
        ({"offset": [-100]}, "row 2 has the offset -100; expected what facskit curate writes"),
        ({"length": [-5]}, "row 2 has the length -5"),
        ({"offset": [2**62], "length": [2**62]}, "row 2 has the offset 4611686018427387904"),
        ({"offset": [None]}, "row 2 has the offset None"),
        ({"name": [None]}, "row 2 has the name None"),
        ({"shard": [None]}, "row 2 has the shard None"),
        ({"shard": ["/etc/passwd"], "offset": [0], "length": [10]}, "row 2 has the shard '/etc/passwd'"),
        ({"shard": ["../other.tar"]}, "row 2 has the shard '../other.tar'"),
        ({"shard": [".."]}, "row 2 has the shard '..'"),
    ],
)
def test_an_index_that_lies_is_refused(folder: Path, lies: dict[str, list[object]], message: str) -> None:
    table = pl.read_parquet(folder / INDEX)
    lie = table[1:2].with_columns(pl.Series(column, values, table.schema[column]) for column, values in lies.items())
    pl.concat([table[:1], lie, table[2:]]).write_parquet(folder / INDEX)
    with pytest.raises(DatasetError) as caught:
        ShardedImages(folder)
    assert f"{folder / INDEX}: {message}" in str(caught.value)


@pytest.mark.parametrize(
    ("column", "kind", "found"), [("offset", pl.Float64, "Float64"), ("length", pl.String, "String")]
)
def test_an_index_of_other_types_is_refused(folder: Path, column: str, kind: type[pl.DataType], found: str) -> None:
    pl.read_parquet(folder / INDEX).with_columns(pl.col(column).cast(kind)).write_parquet(folder / INDEX)
    with pytest.raises(DatasetError, match=f"column {column} holds {found}; expected"):
        ShardedImages(folder)


def test_an_index_without_images_is_refused(folder: Path) -> None:
    pl.read_parquet(folder / INDEX).clear().write_parquet(folder / INDEX)
    with pytest.raises(DatasetError, match="holds no image"):
        ShardedImages(folder)
