"""Curation: what is kept and what isn't, nothing lost, and the same bytes whatever happens on the way."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.datasets.curation import curate as curation
from facskit.datasets.curation.config import CurationConfig
from facskit.datasets.curation.curate import curate
from facskit.datasets.curation.reasons import REASONS
from facskit.datasets.curation.report import read_report
from facskit.datasets.curation.shards import ShardedImages
from facskit.errors import DatasetError
from facskit.faces.images import decode_image, encode_jpeg
from tests.datasets.source_builder import face, faces_by_name, write_folder, write_lmdb, write_tar, write_zip

SMALL = CurationConfig(size=64, min_side=80, shard_images=7, chunk_images=5)
FLAT = encode_jpeg(np.full((64, 64, 3), 90, np.uint8))


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(engine: str, work: Callable[[int], int], numbers: Sequence[int], workers: int = 0) -> Iterator[int]:
        return map(work, numbers)

    monkeypatch.setattr(curation, "run_units", run)


def sources(root: Path) -> list[Path]:
    """A folder, a second one of the same name, a zip, a packed tar and an LMDB: 26 good images and 11 others."""
    good = faces_by_name(0, 6)
    bad = {
        "wide.jpg": face(50, 90, 150),
        "small.jpg": face(51, 79, 90),
        "cut.jpg": face(52)[:900],
        "text.png": b"no picture",
        "notes.txt": b"",
        "z_copy.jpg": face(0, quality=60),
        "z_same.jpg": face(1),
    }
    lmdb = {f"x/{number}.jpg".encode(): face(number) for number in range(20, 26)} | {b"bad": b"none", b"\xff": b"x"}
    return [
        write_folder(root / "faces", good | bad),
        write_folder(root / "other" / "faces", {"a/0.jpg": face(2), **faces_by_name(6, 4)}),
        write_zip(root / "zipped.zip", faces_by_name(10, 5) | {"../evil.jpg": face(60)}),
        write_tar(root / "packed.tar.gz", faces_by_name(15, 5)),
        write_lmdb(root / "base", lmdb),
    ]


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("report."))
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return sources(tmp_path_factory.mktemp("collections"))


@pytest.fixture
def curated(collections: list[Path], tmp_path: Path) -> Path:
    curate(collections, tmp_path / "out", SMALL)
    return tmp_path / "out"


def test_accepted_and_rejected_are_what_was_found(curated: Path) -> None:
    index, rejected = (pl.read_parquet(curated / f"{name}.parquet") for name in ("index", "rejected"))
    assert (index.height, rejected.height) == (26, 11)
    assert index["name"].n_unique() == 26
    assert dict(rejected.select("name", "reason").iter_rows()) == {
        "faces/cut.jpg": "damaged or no image",
        "faces/notes.txt": "no image by its ending",
        "faces/small.jpg": "too small",
        "faces/text.png": "damaged or no image",
        "faces/wide.jpg": "aspect ratio",
        "faces/z_copy.jpg": "near duplicate",
        "faces/z_same.jpg": "same pixels",
        "faces-2/a/0.jpg": "same pixels",
        "zipped/../evil.jpg": "unsafe name",
        "base/bad": "damaged or no image",
        "base/\ufffd": "name is no UTF-8",
    }
    assert set(rejected["reason"]) <= set(REASONS)
    copies = rejected.filter(pl.col("duplicate_of").is_not_null()).select("name", "duplicate_of")
    assert dict(copies.iter_rows()) == {
        "faces/z_copy.jpg": "faces/000.jpg",
        "faces/z_same.jpg": "faces/001.jpg",
        "faces-2/a/0.jpg": "faces/002.jpg",
    }
    assert rejected.filter(pl.col("name") == "faces/wide.jpg").row(0)[3:6] == ("1.67", 150, 90)


def test_images_are_resized_and_found_by_name(curated: Path) -> None:
    images = ShardedImages(curated)
    names = [images.name(row) for row in range(len(images))]
    assert sorted({name.split("/")[0] for name in names}) == ["base", "faces", "faces-2", "packed", "zipped"]
    for number, name in ((0, "faces/000.jpg"), (7, "faces-2/007.jpg"), (12, "zipped/012.jpg"), (21, "base/x/21.jpg")):
        stored = decode_image(images.encoded(names.index(name)), name)
        assert stored.shape == (64, 64, 3)
        expected = decode_image(face(number, 64, 64, 95), name)
        assert np.abs(stored.astype(int) - expected).mean() < 3
    assert not (curated / ".parts").exists()


def test_the_report_adds_up(curated: Path) -> None:
    report = read_report(curated)
    for source in report["sources"]:
        assert source["accepted"] + sum(source["rejected"].values()) == source["found"]
    assert [source["found"] for source in report["sources"]] == [13, 5, 6, 5, 8]
    text = (curated / "report.md").read_text()
    assert text.startswith("# 26 of 37 images\n")
    assert "26 accepted + 11 rejected = 37 found." in text
    assert "| **all** | 37 | 26 | 1 | 1 | 1 | 3 | 1 | 1 | 2 | 1 |" in " ".join(text.split())
    assert "- **same pixels**: An earlier image has the same pixels" in text
    assert decode_image((curated / "contact_sheet.jpg").read_bytes(), "sheet").shape == (24 + 2 * 80, 1280, 3)
    assert json.loads((curated / "dataset.json").read_text())["config"]["max_aspect"] == 1.5


def test_order_follows_the_seed(collections: list[Path], curated: Path, tmp_path: Path) -> None:
    names = pl.read_parquet(curated / "index.parquet")["name"].to_list()
    curate(collections, tmp_path / "seed", replace(SMALL, seed=1))
    other = pl.read_parquet(tmp_path / "seed" / "index.parquet")["name"].to_list()
    curate(collections, tmp_path / "sorted", replace(SMALL, shuffle=False))
    plain = pl.read_parquet(tmp_path / "sorted" / "index.parquet")["name"].to_list()
    assert sorted(names) == sorted(other) == sorted(plain)
    assert names != other
    assert plain[:7] == [*[f"faces/00{number}.jpg" for number in range(6)], "faces-2/006.jpg"]


def test_filters_can_be_switched_off(tmp_path: Path) -> None:
    folder = write_folder(
        tmp_path / "in", {"wide.jpg": face(0, 40, 150), "a.jpg": face(1), "b.jpg": face(1, quality=60)}
    )
    curate([folder], tmp_path / "out", CurationConfig(size=64, max_aspect=0.0, min_side=0, near_duplicates=0))
    assert pl.read_parquet(tmp_path / "out" / "rejected.parquet").height == 0


def test_finished_jpegs_keep_their_bytes(tmp_path: Path) -> None:
    turned = FLAT[:2] + b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0" + FLAT[2:]
    folder = write_folder(tmp_path / "in", {"a.jpg": face(0, 64, 64), "b.jpg": turned})
    curate([folder], tmp_path / "out", replace(SMALL, min_side=0, shuffle=False))
    images = ShardedImages(tmp_path / "out")
    assert images.encoded(0) == face(0, 64, 64)
    assert b"Exif" not in images.encoded(1)


def test_cropping_keeps_the_face(tmp_path: Path) -> None:
    scene = np.full((300, 400, 3), 120, np.uint8)
    scene[60:220, 220:380] = decode_image(face(3, 160, 160), "face")
    flat = encode_jpeg(np.full((300, 300, 3), 90, np.uint8))
    folder = write_folder(tmp_path / "in", {"a.jpg": encode_jpeg(scene), "b.jpg": flat, "c.jpg": face(5, 100, 100)})
    for crop in ("box", "five-point"):
        config = CurationConfig(crop=crop, size=96, min_side=0, min_face=80)
        curate([folder], tmp_path / crop, config)
        rejected = pl.read_parquet(tmp_path / crop / "rejected.parquet")
        assert rejected["reason"].to_list() == ["no face", "face too small"]
        stored = decode_image(ShardedImages(tmp_path / crop).encoded(0), crop)
        assert (np.abs(stored.astype(int) - 120).max(axis=2) < 12).mean() < 0.35  # mostly face, hardly background


UNITS = ("_list", "examine_chunk", "_settle", "write_shard", "_finish", "write_contact_sheet", "write_report")


@pytest.mark.parametrize("unit", UNITS)
def test_a_run_that_broke_off_ends_with_the_same_bytes(
    unit: str, collections: list[Path], curated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = getattr(curation, unit), 0

    def breaking(*words: object) -> object:
        nonlocal calls
        calls += 1
        if calls == (3 if unit in {"examine_chunk", "write_shard"} else 1):
            raise KeyboardInterrupt
        return original(*words)

    out = tmp_path / "broken"
    with monkeypatch.context() as patch:
        patch.setattr(curation, unit, breaking)
        with pytest.raises(KeyboardInterrupt):
            curate(collections, out, SMALL)
    assert not (out / "index.parquet").exists()
    (out / ".part-report-abc.md").write_text("half")
    curate(collections, out, SMALL)
    assert digests(out) == digests(curated)


def test_finished_chunks_are_not_examined_again(
    collections: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(curation, "_settle", stop)
        with pytest.raises(KeyboardInterrupt):
            curate(collections, tmp_path / "out", SMALL)
    monkeypatch.setattr(curation, "examine_chunk", stop)
    assert curate(collections, tmp_path / "out", SMALL).is_file()


def test_a_finished_folder_is_left_alone(collections: list[Path], curated: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in curated.rglob("*")}
    curate(collections, curated, SMALL)
    assert before == {path: path.stat().st_mtime_ns for path in curated.rglob("*")}


@pytest.mark.parametrize("change", ["more", "less", "other", "archive"])
def test_a_source_that_changed_meanwhile_is_noticed(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, packed = write_folder(tmp_path / "in", faces_by_name(0, 8)), tmp_path / "p.tar.gz"
    write_tar(packed, faces_by_name(10, 3))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(curation, "_settle", stop)
        with pytest.raises(KeyboardInterrupt):
            curate([folder, packed], tmp_path / "out", SMALL)
    match change:
        case "more":
            (folder / "009.jpg").write_bytes(face(9))
        case "less":
            (folder / "003.jpg").unlink()
        case "other":
            (folder / "003.jpg").write_bytes(face(30))
        case "archive":
            write_tar(packed, faces_by_name(13, 3))
            os.utime(packed, (2e9, 2e9))
    name = "p.tar.gz" if change == "archive" else "in"
    with pytest.raises(DatasetError, match=rf"{name}: changed since .*out was begun \(\d files then, \d now"):
        curate([folder, packed], tmp_path / "out", SMALL)


def test_another_configuration_is_refused(collections: list[Path], curated: Path) -> None:
    with pytest.raises(DatasetError, match="was begun with min_side 80, this run has 0; choose another folder"):
        curate(collections, curated, replace(SMALL, min_side=0))
    with pytest.raises(DatasetError, match="was begun with sources .*, this run has .*faces; choose another folder"):
        curate(collections[:1], curated, SMALL)


def test_folders_that_contain_each_other_are_refused(collections: list[Path], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="lies inside the source"):
        curate(collections[:1], collections[0] / "out", SMALL)
    with pytest.raises(DatasetError, match="the source .* lies inside"):
        curate(collections[:1], collections[0].parent, SMALL)


def test_a_faulty_start_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="empty: found no file in it; expected images"):
        curate([tmp_path / "empty"], tmp_path / "out", SMALL)
    assert not (tmp_path / "out").exists()


def test_nothing_accepted_is_one_sentence(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", {"a.jpg": face(0, 70, 70), "b.txt": b"", "c.jpg": face(1, 60, 60)})
    with pytest.raises(DatasetError, match="none of the 3 files was accepted, 2 for the reason 'too small'"):
        curate([folder], tmp_path / "out", SMALL)
    assert pl.read_parquet(tmp_path / "out" / "rejected.parquet").height == 3


def test_other_peoples_folders_are_left_alone(collections: list[Path], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match=r"is not empty and holds no dataset\.json"):
        curate(collections[:1], tmp_path, SMALL)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("size", 8, "size is 8; expected from 16 to 4096"),
        ("max_aspect", 0.5, "max_aspect is 0.5; expected at least 1, or 0 to keep all"),
        ("near_duplicates", 9, "near_duplicates is 9; expected from 0 to 8"),
        ("shard_images", 0, "shard_images is 0; expected from 1"),
    ],
)
def test_impossible_settings_are_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CurationConfig(**{field: value})  # type: ignore[arg-type]
