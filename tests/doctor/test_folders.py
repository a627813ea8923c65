"""A look at folders that facskit made, finished and not."""

import json
from pathlib import Path

import numpy as np
import polars as pl

from facskit.doctor.checkup import Checkup
from facskit.doctor.folders import check_made_folder, made_by
from facskit.faces.images import encode_jpeg


def _describe(folder: Path, description: dict[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(description))


def _sentences(checkup: Checkup) -> str:
    return "\n".join(f"{finding.severity} {finding}" for finding in checkup.findings)


def _curated(folder: Path) -> None:
    sources = [{"name": "faces", "kind": "folder", "path": "/data/my faces"}]
    _describe(folder, {"kind": "faces curated by facskit", "config": {"sources": sources}})


def test_makers_are_told_by_their_description(tmp_path: Path) -> None:
    assert made_by(tmp_path) is None
    _describe(tmp_path / "a", {"config": {"corpus": "bp4d"}})
    _describe(tmp_path / "b", {"kind": "faces rendered by facskit", "config": {"seed": 3}})
    _curated(tmp_path / "c")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "dataset.json").write_text("[1")
    assert [made_by(tmp_path / name) for name in "abcd"] == ["prepare", "synthesize", "curate", None]


def test_an_interrupted_preparation_says_how_to_go_on(tmp_path: Path) -> None:
    _describe(tmp_path / "out", {"config": {"corpus": "bp4d"}})
    (tmp_path / "out" / ".parts").mkdir()
    (tmp_path / "out" / ".parts" / "000001.parquet").touch()
    (tmp_path / "out" / ".part-manifest-x.parquet").touch()
    checkup = check_made_folder(tmp_path / "out", "prepare")
    found = _sentences(checkup)
    assert "error" in found
    assert "manifest.parquet is missing, so the run was stopped or still goes on; 1 finished" in found
    assert "a killed run left unfinished files (.part-manifest-x.parquet)" in found
    assert checkup.steps[0].startswith("facskit prepare bp4d ROOT -o ")


def test_an_interrupted_curation_names_its_sources(tmp_path: Path) -> None:
    _curated(tmp_path / "out")
    checkup = check_made_folder(tmp_path / "out", "curate")
    assert checkup.steps[0].startswith("facskit curate '/data/my faces' -o ")


def test_shards_that_are_missing_or_cut_off_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    _curated(folder)
    (folder / "shards").mkdir()
    (folder / "shards" / "faces-000000.tar").write_bytes(b"0" * 100)
    (folder / "shards" / "faces-000009.tar").write_bytes(b"")
    rows = {"source": ["faces"] * 3, "shard": ["faces-000000.tar"] * 2 + ["faces-000001.tar"], "offset": [0, 60, 0]}
    pl.DataFrame(rows | {"length": [50, 50, 10]}).write_parquet(folder / "index.parquet")
    checkup = check_made_folder(folder, "curate")
    found = _sentences(checkup)
    assert "faces-000000.tar: found 100 bytes, the index needs 110: the file was cut off" in found
    assert "faces-000001.tar: the index names this shard, but it isn't there" in found
    assert "shards that the index doesn't name: faces-000009.tar" in found
    assert "report.md and report.json missing" in found
    assert checkup.facts[0] == "3 images in 2 shards"


def test_damaged_pictures_in_shards_are_found(tmp_path: Path) -> None:
    _curated(tmp_path)
    (tmp_path / "shards").mkdir()
    picture = encode_jpeg(np.full((8, 8, 3), 90, np.uint8))
    cut = picture[:-20]
    (tmp_path / "shards" / "faces-000000.tar").write_bytes(picture + cut)
    rows = {"source": ["faces"] * 2, "shard": ["faces-000000.tar"] * 2}
    spans = {"offset": [0, len(picture)], "length": [len(picture), len(cut)]}
    pl.DataFrame(rows | spans).write_parquet(tmp_path / "index.parquet")
    checkup = check_made_folder(tmp_path, "curate")
    assert "decoded 2 of 2 pictures" in checkup.facts
    places = [finding.place for finding in checkup.only("error")]
    assert places == [f"{tmp_path}/shards/faces-000000.tar at byte {len(picture)}"]


def test_a_rendered_corpus_is_checked_as_a_manifest(tmp_path: Path) -> None:
    _describe(tmp_path, {"kind": "faces rendered by facskit", "config": {"subjects": 2, "frames": 3, "seed": 0}})
    checkup = check_made_folder(tmp_path, "synthesize")
    assert f"facskit synthesize {tmp_path} --subjects 2 --frames 3 --seed 0" in checkup.steps[0]
    (tmp_path / "manifest.parquet").write_bytes(b"no parquet")
    assert "can't be read as a Parquet file" in _sentences(check_made_folder(tmp_path, "synthesize"))
