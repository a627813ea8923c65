"""Landmarks for pictures that came without, as the packaged weights see them."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.datasets.corpora.index import CorpusIndex
from facskit.datasets.corpora.listed import read_listed
from facskit.datasets.landmark_columns import read_landmarks
from facskit.faces.images import read_image, write_image
from facskit.inference.own_landmarks import locate_landmarks
from facskit.interfaces import cli

PORTRAIT = Path(str(files("facskit.assets").joinpath("photographs/eileen_collins.jpg")))


@pytest.fixture
def index(tmp_path: Path) -> CorpusIndex:
    write_image(tmp_path / "face.png", read_image(PORTRAIT)[::2, ::2])
    write_image(tmp_path / "wall.png", np.full((80, 80, 3), 90, np.uint8))
    (tmp_path / "mine.csv").write_text("path;who;smile\nface.png;p;1\nwall.png;q;0\n")
    return read_listed(tmp_path / "mine.csv", {"image": "path", "subject": "who", "AU12": "smile"})


def test_faces_get_points_where_they_are_and_pictures_without_one_leave(index: CorpusIndex, tmp_path: Path) -> None:
    found = locate_landmarks(index, tmp_path / "kept")

    points = read_landmarks(found.table)
    assert points is not None
    assert found.table["media"].to_list() == ["face.png"]
    height, width = read_image(tmp_path / "face.png").shape[:2]
    assert ((points[0] > 0) & (points[0] < [width, height])).all()
    left_eye, right_eye, chin = points[0, 36:42].mean(0), points[0, 42:48].mean(0), points[0, 8]
    assert left_eye[0] < right_eye[0]
    assert chin[1] > left_eye[1]
    assert found.dropped.select("subject", "reason", "file").row(0) == ("q", "no face found", "wall.png")
    assert found.decisions["landmarks"] == "ours (packaged)"
    # A second search takes what is kept.
    kept = next((tmp_path / "kept").iterdir())
    np.save(kept.with_suffix(""), np.load(kept) + 1)
    again = read_landmarks(locate_landmarks(index, tmp_path / "kept").table)
    assert again is not None
    np.testing.assert_allclose(again[0], points[0] + 1, rtol=1e-5)


def test_what_was_kept_of_other_pictures_isnt_taken(index: CorpusIndex, tmp_path: Path) -> None:
    locate_landmarks(index, tmp_path / "kept")
    write_image(tmp_path / "mirrored.png", read_image(tmp_path / "face.png")[:, ::-1])
    (tmp_path / "mine.csv").write_text("path;who;smile\nmirrored.png;p;1\nwall.png;q;0\n")
    other = read_listed(tmp_path / "mine.csv", {"image": "path", "subject": "who", "AU12": "smile"})

    found = read_landmarks(locate_landmarks(other, tmp_path / "kept").table)
    fresh = read_landmarks(locate_landmarks(other, tmp_path / "empty").table)

    assert found is not None
    np.testing.assert_array_equal(found, fresh)
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_landmarks_that_are_there_stay(index: CorpusIndex, tmp_path: Path) -> None:
    located = locate_landmarks(index, tmp_path / "kept")
    moved = located.table.with_columns(pl.col("x_30") + 5)
    again = locate_landmarks(
        CorpusIndex(corpus="mine", root=index.root, action_units=index.action_units, table=moved), tmp_path / "other"
    )
    assert again.table["x_30"].to_list() == moved["x_30"].to_list()
    assert again.decisions["landmarks"].startswith("the corpus's")


def test_the_command_prepares_whole_pictures_with_landmarks(
    index: CorpusIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path.parent / f"{tmp_path.name}-prepared"
    words = [str(tmp_path / "mine.csv"), "-o", str(out), "--crop", "none", "--landmarks", "ours", "--workers", "1"]

    assert cli.main(["prepare", "manifest", *words, "--columns", "image=path,subject=who,AU12=smile"]) == 0

    told = capsys.readouterr().out
    assert "landmarks=ours (packaged)" in told
    assert "left out, no face found: 1" in told
    assert "recipes/packaged/fmae_tiny.yaml" in told
    assert read_landmarks(pl.read_parquet(out / "manifest.parquet")) is not None
    assert not out.with_name(f"{out.name}.landmarks").exists()
