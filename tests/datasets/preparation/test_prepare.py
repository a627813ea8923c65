"""Preparation cuts the right face out of the right picture, loses nothing silently, and survives being killed."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit import columns
from facskit.datasets.corpora.index import DROPPED_SCHEMA, MEDIA, MEDIA_FRAME, CorpusIndex
from facskit.datasets.manifest import read_manifest
from facskit.datasets.packed import packaged_faces
from facskit.datasets.preparation.config import PreparationConfig
from facskit.datasets.preparation.prepare import prepare, units_of
from facskit.datasets.preparation.work import FACE_SCORE, REASON, do_unit, part_file
from facskit.errors import DatasetError, FacskitError, MediaError
from facskit.faces.alignment import (
    BoxCrop,
    CropRecipe,
    EyeSimilarityCrop,
    Similarity49Crop,
    WholeImage,
    crop_matrix,
    five_points,
    transform_points,
)
from facskit.faces.images import read_image, warp, write_image
from tests.datasets.preparation_corpus import FRAMES, HEIGHT, UNITS, WIDTH, placed, small_corpus, without
from tests.folder_holder import another_process_in, refusal

ONE = PreparationConfig(workers=1)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> CorpusIndex:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def prepared(index: CorpusIndex, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    before = {path: path.stat().st_mtime_ns for path in index.root.rglob("*")}
    yield prepare(index, ONE, tmp_path_factory.mktemp("prepared") / "out")
    assert {path: path.stat().st_mtime_ns for path in index.root.rglob("*")} == before  # the corpus is only read


def only(index: CorpusIndex, person: str) -> CorpusIndex:
    return replace(index, table=index.table.filter(pl.col(columns.SUBJECT) == person))


def run_here(index: CorpusIndex, out: Path, config: PreparationConfig = ONE) -> pl.DataFrame:
    """Do what the worker processes do, without starting any."""
    units = units_of(index)
    for unit in units:
        do_unit(index.root, out, config, unit)
    return pl.concat([pl.read_parquet(part_file(out, unit)) for unit in units])


def test_the_manifest_has_every_frame_and_its_labels(prepared: Path, index: CorpusIndex) -> None:
    manifest = read_manifest(prepared)
    assert manifest.table[columns.IMAGE].head(2).to_list() == ["images/A/T1/00100.jpg", "images/A/T1/00101.jpg"]
    for name in (columns.RECORDING, columns.FRAME, *UNITS.codes):
        assert manifest.table[name].to_list() == index.table[name].to_list(), name
    assert manifest.subjects.tolist() == index.table[columns.SUBJECT].to_list()
    assert manifest.action_units == UNITS
    assert not list(prepared.parent.glob(".parts*"))
    assert FACE_SCORE not in manifest.table.columns  # no detector was asked


def test_the_manifest_says_where_it_comes_from(prepared: Path) -> None:
    origin = read_manifest(prepared).origin
    assert origin is not None
    assert origin.stamp() == "bp4d: missing unknown, points corpus; five-point crops of 224 px"
    assert origin.licence == "nobody's"
    assert origin.remaining_crop(EyeSimilarityCrop(size=112), "it") == WholeImage(size=112)


@pytest.mark.parametrize(("person", "start", "noise"), [("A", 0, 3.0), ("C", 900, 6.0)])
def test_each_crop_is_of_its_own_frame(prepared: Path, person: str, start: int, noise: float) -> None:
    """`A` has image files, `C` a compressed video in which every second frame is labelled."""
    manifest, faces, crop = read_manifest(prepared), packaged_faces(), EyeSimilarityCrop(size=224)
    rows = np.flatnonzero(manifest.subjects == person)[:FRAMES]
    differences = np.empty((FRAMES, FRAMES))
    for step in range(FRAMES):
        picture, landmarks = placed(faces, start + step, step)
        matrix = crop_matrix(crop, landmarks=five_points(landmarks), box=None, image_size=(WIDTH, HEIGHT))
        expected = warp(picture, matrix, 224).astype(float)
        for other, row in enumerate(rows):
            differences[step, other] = np.abs(manifest.image(int(row)) - expected).mean()
        found = manifest.landmarks(int(rows[step]))
        assert found is not None
        np.testing.assert_allclose(found, transform_points(matrix, landmarks), atol=0.02)
    assert differences.diagonal().max() < noise
    assert differences[~np.eye(FRAMES, dtype=bool)].min() > 10


def test_the_report_counts_and_compares(prepared: Path) -> None:
    report = json.loads((prepared.parent / "report.json").read_text())
    assert report["frames"] == {"coded": 20, "with pictures": 20, "prepared": 20}
    assert report["published"]["coded frames"] == {"published": 21, "here": 20}
    assert report["labels"]["AU12"] == {"present": 16, "absent": 0, "unknown": 4}
    assert report["subjects"]["A"] == {"found": 10, "prepared": 10, "left out": {}}
    text = " ".join((prepared.parent / "report.md").read_text().split())
    assert "| coded frames | 21 | 20 |" in text
    assert "| crop kind | five-point |" in text
    assert (prepared.parent / "sheet.jpg").stat().st_size > 10_000


def test_a_second_run_changes_nothing_and_another_configuration_is_refused(prepared: Path, index: CorpusIndex) -> None:
    before = {path: path.stat().st_mtime_ns for path in prepared.parent.rglob("*")}
    assert prepare(index, ONE, prepared.parent) == prepared
    assert {path: path.stat().st_mtime_ns for path in prepared.parent.rglob("*")} == before
    with pytest.raises(DatasetError, match=r"out was begun with crop.kind 'five-point', this run has 'box'"):
        prepare(index, replace(ONE, crop=BoxCrop()), prepared.parent)
    with pytest.raises(DatasetError, match=r"was begun with missing 'unknown', this run has 'negative'"):
        prepare(replace(index, decisions={"missing": "negative"}), ONE, prepared.parent)
    with pytest.raises(DatasetError, match="was prepared from other labels or pictures: the corpus's folder"):
        prepare(without(index, "B"), ONE, prepared.parent)
    for column in ("frame", "AU12", "x_30"):
        changed = replace(index, table=index.table.with_columns(pl.col(column) + pl.int_range(pl.len()) // 19))
        with pytest.raises(DatasetError, match="was prepared from other labels or pictures"):
            prepare(changed, ONE, prepared.parent)


def test_it_goes_on_after_a_kill_and_ends_the_same(prepared: Path, index: CorpusIndex, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    (tmp_path / "index").write_bytes(pickle.dumps(index))
    command = [sys.executable, "-m", "tests.datasets.preparing_process", str(tmp_path / "index"), str(out)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list(out.glob(".parts/0*.parquet")) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list(out.glob(".parts/0*.parquet"))
    assert not (out / "manifest.parquet").exists()
    (out / "images" / "A" / "T1").mkdir(parents=True, exist_ok=True)
    (out / "images" / "A" / "T1" / ".part-00100-x.jpg").write_bytes(b"half")
    for part in sorted(out.glob(".parts/0*.parquet"))[:1]:
        part.unlink()  # the unit with the half-written image is done again, whichever was killed
    again = prepare(index, ONE, out)
    assert pl.read_parquet(again).equals(pl.read_parquet(prepared))
    images = sorted(path.relative_to(out) for path in (out / "images").rglob("*.jpg") if path.name[0] != ".")
    assert images == sorted(path.relative_to(prepared.parent) for path in (prepared.parent / "images").rglob("*.jpg"))
    for image in images:
        assert (out / image).read_bytes() == (prepared.parent / image).read_bytes()


def test_two_processes_do_not_prepare_into_one_folder(index: CorpusIndex, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with another_process_in(out) as other:
        with pytest.raises(FacskitError, match=refusal(out, other)):
            prepare(index, ONE, out)
        assert not (out / "images").exists()


def test_the_corpus_is_never_written_to(index: CorpusIndex) -> None:
    for out in (index.root, index.root / "prepared"):
        with pytest.raises(DatasetError, match="lies inside the corpus .* which is never written to; choose another"):
            prepare(index, ONE, out)


def test_a_folder_with_something_else_is_refused(index: CorpusIndex, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DatasetError, match=r"is not empty and holds no dataset.json"):
        prepare(index, ONE, tmp_path)
    with pytest.raises(DatasetError, match=r"thesis.txt is a file; expected a new or empty folder"):
        prepare(index, ONE, tmp_path / "thesis.txt")


def test_every_lost_frame_counts_once_and_so_do_people_who_lost_all(index: CorpusIndex, tmp_path: Path) -> None:
    lost = [("D", "T1", frame, "unreadable video", "D_T1.avi") for frame in (1, 2, 3)]
    lost += [("A", "T1", 999, "damaged label", file) for file in ("au1.txt", "au2.txt")]
    broken = replace(only(index, "A"), dropped=pl.DataFrame(lost, schema=DROPPED_SCHEMA, orient="row"))
    report = json.loads((prepare(broken, ONE, tmp_path / "out").parent / "report.json").read_text())
    assert report["frames"] == {"coded": 14, "with pictures": 10, "prepared": 10}
    assert report["dropped"] == {"unreadable video": 3, "damaged label": 1}
    assert report["published"]["coded frames"]["here"] == 14
    assert report["subjects"]["D"] == {"found": 0, "prepared": 0, "left out": {"unreadable video": 3}}
    assert "| D | 0 | 0 | unreadable video: 3 |" in " ".join((tmp_path / "out/report.md").read_text().split())


def test_an_image_deleted_from_a_finished_folder_is_made_again(index: CorpusIndex, tmp_path: Path) -> None:
    manifest = prepare(only(index, "B"), ONE, tmp_path / "out")
    before = pl.read_parquet(manifest)
    image = tmp_path / "out" / before["image"][2]
    content = image.read_bytes()
    image.unlink()
    assert prepare(only(index, "B"), ONE, tmp_path / "out") == manifest
    assert image.read_bytes() == content
    assert pl.read_parquet(manifest).equals(before)


def test_the_manifest_is_written_last(index: CorpusIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("facskit.datasets.preparation.prepare.write_report", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(only(index, "B"), ONE, tmp_path / "out")
    assert not (tmp_path / "out/manifest.parquet").exists()
    monkeypatch.undo()
    assert prepare(only(index, "B"), ONE, tmp_path / "out").is_file()
    assert (tmp_path / "out/report.json").is_file()


def test_a_damaged_picture_stops_or_is_reported(tmp_path: Path) -> None:
    index = only(small_corpus(tmp_path / "corpus"), "B")
    (index.root / "B/T1/102.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with pytest.raises(MediaError, match=r"B/T1/102.png: found a photograph that is damaged or cut short"):
        prepare(index, ONE, tmp_path / "stopped")
    assert not (tmp_path / "stopped" / "manifest.parquet").exists()
    manifest = prepare(index, replace(ONE, on_error="report"), tmp_path / "stopped")  # goes on where it was
    assert read_manifest(manifest).table[columns.FRAME].to_list() == [100, 101, 103, 104]
    report = json.loads((manifest.parent / "report.json").read_text())
    assert report["dropped"] == {"picture can't be read": 1}
    assert "B/T1/102.png" in report["examples"]["picture can't be read"][0]
    assert report["frames"] == {"coded": 5, "with pictures": 5, "prepared": 4}


def test_a_video_that_ends_too_early_names_the_frame(tmp_path: Path) -> None:
    index = only(small_corpus(tmp_path / "corpus"), "C")
    later = replace(index, table=index.table.with_columns(pl.col(MEDIA_FRAME) + 4))
    sentence = r"C_T1.mp4: frame 11 \(counted from 1\) is labelled, but the video holds 10 frames; check frame_offset"
    with pytest.raises(MediaError, match=sentence):
        run_here(later, tmp_path / "out")
    rows = run_here(later, tmp_path / "out", replace(ONE, on_error="report"))
    assert rows[REASON].to_list() == [None, None, None, "video damaged or too short", "video damaged or too short"]


def test_a_damaged_video_keeps_its_good_frames(tmp_path: Path) -> None:
    index = only(small_corpus(tmp_path / "corpus"), "C")
    video = index.root / "videos/C_T1.mp4"
    video.write_bytes(video.read_bytes()[:-300])
    with pytest.raises(MediaError, match=r"C_T1.mp4: .*; frame \d+ \(counted from 1\) is labelled"):
        run_here(index, tmp_path / "out")
    rows = run_here(index, tmp_path / "out", replace(ONE, on_error="report"))
    assert rows[REASON][0] is None
    assert rows[REASON][-1] == "video damaged or too short"


def test_a_frame_without_a_face_is_left_out_with_the_reason(tmp_path: Path) -> None:
    index = only(small_corpus(tmp_path / "corpus", landmarks=False), "B")
    write_image(index.root / "B/T1/101.png", np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    rows = run_here(index, tmp_path / "out")
    assert rows[REASON].to_list() == [None, "no face found", None, None, None]
    assert not (tmp_path / "out/images/B/T1/00101.jpg").exists()


def test_a_corpus_without_a_single_face_is_an_error(tmp_path: Path) -> None:
    index = only(small_corpus(tmp_path / "corpus", landmarks=False), "B")
    for step in range(FRAMES):
        write_image(index.root / f"B/T1/{100 + step}.png", np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    with pytest.raises(DatasetError, match=r"none of the 5 labelled frames could be prepared \(no face found\)"):
        prepare(index, ONE, tmp_path / "out")


RECIPES: list[CropRecipe] = [EyeSimilarityCrop(size=128), BoxCrop(size=128), Similarity49Crop(size=128)]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: str(recipe.kind))
def test_the_detector_cuts_nearly_the_same_face(index: CorpusIndex, tmp_path: Path, recipe: CropRecipe) -> None:
    chosen = only(index, "C")
    by_hand = run_here(chosen, tmp_path / "a", PreparationConfig(crop=recipe))
    detected = run_here(chosen, tmp_path / "b", PreparationConfig(crop=recipe, points="detector"))
    assert by_hand[FACE_SCORE].null_count() == FRAMES
    assert detected[FACE_SCORE].min() > 0.5  # type: ignore[operator]  # a number
    first, second = (
        np.stack([rows.select(names).to_numpy() for names in (columns.LANDMARKS_X, columns.LANDMARKS_Y)], axis=2)
        for rows in (by_hand, detected)
    )
    assert np.median(np.abs(first - second)) < 0.07 * 128


def test_landmarks_of_another_picture_are_not_trusted(index: CorpusIndex, tmp_path: Path) -> None:
    far = only(index, "B").table.with_columns(pl.col("^[xy]_[0-9]+$") + 1000)
    rows = run_here(replace(index, table=far), tmp_path)
    assert rows[FACE_SCORE].null_count() == 0
    assert rows[columns.LANDMARKS_X[30]].null_count() == FRAMES


def test_whole_pictures_keep_their_bytes_or_are_shrunk_with_their_landmarks(tmp_path: Path) -> None:
    index = only(small_corpus(tmp_path / "corpus"), "B")
    jpeg = index.root / "B/T1/100.jpg"
    write_image(jpeg, placed(packaged_faces(), 300, 0)[0])
    table = index.table.with_columns(pl.col(MEDIA).str.replace("100.png", "100.jpg"))
    index = replace(index, table=table)
    rows = run_here(index, tmp_path / "whole", PreparationConfig(crop=None))
    assert (tmp_path / "whole/images/B/T1/00100.jpg").read_bytes() == jpeg.read_bytes()
    assert rows["x_30"].to_list() == index.table["x_30"].to_list()
    small = run_here(index, tmp_path / "small", PreparationConfig(crop=None, max_side=160))
    np.testing.assert_allclose(small["x_30"] + 0.5, (index.table["x_30"] + 0.5) / 2, atol=1e-3)
    assert shape_of(tmp_path / "small/images/B/T1/00100.jpg") == (120, 160)


def shape_of(path: Path) -> tuple[int, ...]:
    return read_image(path).shape[:2]


def test_pictures_inside_zip_archives_are_read(tmp_path: Path) -> None:
    index = only(small_corpus(tmp_path / "corpus"), "B")
    with zipfile.ZipFile(index.root / "B.zip", "w") as archive:
        for media in index.table[MEDIA].to_list():
            archive.write(index.root / media, media)
            (index.root / media).unlink()
    zipped = replace(index, table=index.table.with_columns(pl.lit("B.zip!/").add(pl.col(MEDIA)).alias(MEDIA)))
    assert run_here(zipped, tmp_path / "out")[REASON].null_count() == FRAMES


def test_pictures_of_strangers_are_cut_into_chunks_and_named_by_subject(index: CorpusIndex) -> None:
    people = [f"train_{number:05d}" for number in range(501)]
    table = pl.DataFrame({MEDIA: people, MEDIA_FRAME: [None] * 501, columns.SUBJECT: people})
    table = table.with_columns(pl.lit("train").alias(columns.RECORDING), pl.lit(1).alias(columns.FRAME))
    units = units_of(replace(index, table=table))
    assert [unit.rows.height for unit in units] == [500, 1]
    assert not any(unit.follows for unit in units)
    assert units[1].rows[columns.IMAGE].to_list() == ["images/train/0001/train_00500.jpg"]


def test_odd_names_become_safe_and_stay_apart(index: CorpusIndex) -> None:
    table = only(index, "B").table.with_columns(pl.lit("../a b").alias(columns.RECORDING))
    table = table.with_columns(pl.Series(columns.FRAME, [1, 1, 1, 2, 3]))
    images = units_of(replace(index, table=table))[0].rows[columns.IMAGE].to_list()
    assert images[:4] == [
        "images/B/_._a_b/00001.jpg",
        "images/B/_._a_b/00001-2.jpg",
        "images/B/_._a_b/00001-3.jpg",
        "images/B/_._a_b/00002.jpg",
    ]
