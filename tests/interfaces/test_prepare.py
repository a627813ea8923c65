"""`facskit prepare` and `facskit example-tree`: from a made-up release to a manifest, as somebody would type it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.action_units import NO_ACTION_UNITS
from facskit.datasets.corpora.decisions import SPELLED, CorpusName, Decisions, PaperName
from facskit.datasets.corpora.index import CorpusIndex
from facskit.datasets.manifest import read_manifest, write_manifest
from facskit.datasets.origin import UNNAMED
from facskit.datasets.packed import packaged_faces
from facskit.datasets.preparation.config import PreparationConfig
from facskit.errors import DatasetError, RecipeError
from facskit.experiments.assemble import remaining_crop
from facskit.experiments.recipe_files import read_recipe
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
from facskit.faces.images import warp
from facskit.faces.landmarks import POINTS_49
from facskit.interfaces import example_tree, prepare


def planned(*words: str) -> tuple[Decisions, PreparationConfig]:
    _, decisions, config = prepare.plan([*words, "in", "-o", "out"])
    return decisions, config


@pytest.fixture(scope="module")
def disfa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("release") / "DISFA"
    assert example_tree.main(["disfa", str(root)]) == 0
    return root


def test_a_release_becomes_a_manifest(disfa: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "prepared"
    words = ["disfa", str(disfa), "-o", str(out), "--as", "fmae-iat", "--crop", "five-point", "--size", "64"]
    assert prepare.main([*words, "--workers", "1"]) == 0
    printed = capsys.readouterr().out
    assert "camera=right" in printed
    assert "coded frames 130,814 47" in " ".join(printed.split())
    assert "coded frames in fold 1 43,604" in " ".join(printed.split())
    assert "fmae-iat's own lists have 130,809 frames of disfa." in printed
    assert f"Next: facskit evaluate packaged {out}/manifest.parquet" in printed
    manifest = read_manifest(out / "manifest.parquet")
    assert manifest.origin is not None
    assert manifest.origin.crop == EyeSimilarityCrop(size=64)
    assert manifest.origin.decisions["camera"] == "right"
    assert manifest.action_units.codes == ("AU01", "AU02", "AU04", "AU06", "AU09", "AU12", "AU25", "AU26")
    assert prepare.main([*words, "--workers", "1"]) == 0  # finished: it only says so again
    with pytest.raises(DatasetError, match=r"was begun with crop.size 64, this run has 224"):
        prepare.main([word for word in words if word not in ("--size", "64")])


@pytest.mark.parametrize("corpus", ["raf-db", "affectnet"])
def test_expressions_are_kept_whole_and_in_parts(
    corpus: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert example_tree.main([corpus, str(tmp_path / "release")]) == 0
    listed = capsys.readouterr().out
    assert f"Next: facskit prepare {corpus}" in listed
    assert prepare.main([corpus, str(tmp_path / "release"), "-o", str(tmp_path / "out"), "--workers", "1"]) == 0
    manifest = read_manifest(tmp_path / "out" / "manifest.parquet")
    assert manifest.origin is not None
    assert manifest.origin.crop is None
    assert set(manifest.table["split"].to_list()) == {"train", "test"}
    assert manifest.table["expression"].null_count() == 0
    assert all(name.count("/") == 3 for name in manifest.table["image"].to_list())


@pytest.mark.parametrize("corpus", [*SPELLED, "manifest"])
@pytest.mark.parametrize("crop", [None, BoxCrop(stretch=True), EyeSimilarityCrop(), Similarity49Crop()])
def test_the_recipe_named_next_is_there(corpus: str, crop: CropRecipe | None) -> None:
    index = CorpusIndex(corpus=corpus, root=Path(), action_units=NO_ACTION_UNITS, table=pl.DataFrame())
    command = prepare.next_command(index, PreparationConfig(crop=crop), Path("out/manifest.parquet"))
    recipe = next((word for word in command.split() if word.startswith("recipes/")), None)
    assert recipe is None or (Path(__file__).parents[2] / recipe).is_file()
    assert (recipe is not None) == (
        corpus in ("raf-db", "affectnet")
        or (isinstance(crop, BoxCrop) and corpus in ("bp4d", "bp4d-plus", "disfa"))
        or (isinstance(crop, Similarity49Crop) and corpus in ("bp4d", "disfa"))
    )


def test_a_release_is_aligned_as_ciu_aligns_it_and_its_recipe_takes_the_window(disfa: Path, tmp_path: Path) -> None:
    out = tmp_path / "prepared"
    assert prepare.main(["disfa", str(disfa), "-o", str(out), "--as", "ciu", "--workers", "1"]) == 0
    manifest = read_manifest(out / "manifest.parquet")
    recipe = read_recipe(Path(__file__).parents[2] / "recipes" / "ciu" / "disfa.yaml")
    assert remaining_crop(manifest, recipe.data.crop) == WholeImage(size=176, aligned=200)
    points = manifest.all_landmarks
    assert points is not None
    assert np.isfinite(points[:, POINTS_49]).all()
    for row in range(0, len(manifest), 11):
        assert manifest.image(row).shape == (200, 200, 3)
        five = five_points(points[row].astype(np.float64))
        # Aligning what is aligned changes nothing.
        again = crop_matrix(Similarity49Crop(), landmarks=five, box=None, image_size=(200, 200))
        np.testing.assert_allclose(again, np.eye(2, 3), atol=0.05)


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """Six rendered faces in a folder as `facskit synthesize` writes it."""
    faces = packaged_faces().select(range(0, 300, 50))
    names = [f"images/S{row // 2:03d}/{row:04d}.jpg" for row in range(6)]
    folder = tmp_path / "rendered"
    for row, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(faces.table["image_bytes"][row])
    table = faces.table.drop("image", "image_bytes").with_columns(image=pl.Series(names))
    write_manifest(replace(faces, table=table, root=folder), folder / "manifest.parquet")
    return folder


def test_rendered_faces_are_cropped_once(rendered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "aligned"
    words = ["manifest", str(rendered), "-o", str(out), "--as", "ciu", "--workers", "1"]
    assert prepare.main(words) == 0
    assert "6 of 6 labelled pictures prepared" in capsys.readouterr().out
    before, after = read_manifest(rendered / "manifest.parquet"), read_manifest(out / "manifest.parquet")
    assert after.origin is not None
    assert (after.origin.corpus, after.origin.crop) == (UNNAMED, Similarity49Crop())
    assert after.action_units == before.action_units
    for row in range(6):
        frame = before.table.row(row, named=True)
        same = pl.col("subject").cast(pl.String) == frame["subject"], pl.col("frame") == frame["frame"]
        (place,) = after.table.with_row_index("row").filter(*same)["row"]
        assert after.labels[place].tolist() == before.labels[row].tolist()
        landmarks = before.landmarks(row)
        assert landmarks is not None
        matrix = crop_matrix(
            Similarity49Crop(), landmarks=five_points(landmarks.astype(float)), box=None, image_size=(1, 1)
        )
        np.testing.assert_allclose(after.landmarks(place), transform_points(matrix, landmarks.astype(float)), atol=0.02)  # type: ignore[arg-type]
        expected = warp(before.image(row), matrix, 200, 128)
        assert np.abs(after.image(place).astype(float) - expected).mean() < 2
    with pytest.raises(
        DatasetError, match=r"images are similarity-49 crops of 200 px already; expected whole pictures"
    ):
        prepare.main(["manifest", str(out / "manifest.parquet"), "-o", str(tmp_path / "again")])
    with pytest.raises(RecipeError, match="--camera has no effect on manifest; leave it out"):
        prepare.main([*words, "--camera", "left"])


def test_packed_faces_are_cropped_too_and_changed_ones_noticed(tmp_path: Path) -> None:
    faces, packed, out = packaged_faces().select(range(4)), tmp_path / "faces.parquet", tmp_path / "out"
    write_manifest(faces, packed)
    words = ["manifest", str(packed), "-o", str(out), "--crop", "five-point", "--size", "64", "--workers", "1"]
    assert prepare.main(words) == 0
    manifest = read_manifest(out / "manifest.parquet")
    assert not manifest.is_packed
    assert manifest.image(2).shape == (64, 64, 3)
    assert prepare.main(words) == 0
    swapped = faces.table["image_bytes"].gather([1, 0, 2, 3])
    write_manifest(replace(faces, table=faces.table.with_columns(image_bytes=swapped)), packed)
    with pytest.raises(DatasetError, match="was prepared from other labels or pictures"):
        prepare.main(words)


def test_an_example_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match="is not empty; expected a new folder"):
        example_tree.main(["bp4d", str(tmp_path)])


def test_nothing_is_written_into_the_release(disfa: Path) -> None:
    with pytest.raises(DatasetError, match="lies inside the corpus .*, which is never written to"):
        prepare.main(["disfa", str(disfa), "-o", str(disfa / "prepared")])
    assert not (disfa / "prepared").exists()


@pytest.mark.parametrize("corpus", SPELLED)
def test_usual_choices(corpus: CorpusName) -> None:
    decisions, config = planned(corpus)
    assert decisions == Decisions()
    assert config.crop == (None if corpus in ("raf-db", "affectnet") else EyeSimilarityCrop(size=224))
    assert replace(config, crop=EyeSimilarityCrop(size=224)) == PreparationConfig()


@pytest.mark.parametrize("paper", ["fmae-iat", "ciu", "me-graphau"])
def test_a_papers_choices_and_what_is_said_beside_them(paper: PaperName) -> None:
    assert planned("disfa", "--as", paper)[0] == Decisions.as_paper(paper, "disfa")
    usual = ["--camera=left", "--threshold", "1", "--crop", "box", "--points", "corpus", "--on-error", "report"]
    decisions, config = planned("disfa", "--as", paper, *usual)
    assert (decisions.camera, decisions.threshold, decisions.on_error) == ("left", 1, "report")
    assert decisions.action_units == "disfa-8"
    assert isinstance(config.crop, BoxCrop)
    assert (config.points, config.on_error) == ("corpus", "report")


def test_a_papers_crop() -> None:
    _, fmae = planned("bp4d", "--as", "fmae-iat")
    assert (fmae.crop, fmae.points) == (BoxCrop(size=224, margin=0.05, stretch=True), "detector")
    _, ciu = planned("bp4d", "--as", "ciu")
    assert (ciu.crop, ciu.points) == (Similarity49Crop(size=200, enlarge=2.9), "corpus")
    _, small = planned("bp4d", "--as", "fmae-iat", "--size", "112")
    assert small.crop == BoxCrop(size=112, margin=0.05, stretch=True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["bp4d", "--camera", "left"], "--camera has no effect on bp4d; leave it out"),
        (["raf-db", "--missing", "negative"], "--missing has no effect on raf-db; leave it out"),
        (["bp4d", "--threshold", "3"], "--threshold has no effect on bp4d; leave it out"),
        (["disfa", "--threshold", "7"], "threshold must be between 1 and 5, got 7"),
        (
            ["disfa", "--as", "ciu", "--crop", "none", "--size", "9"],
            "--size 9 is for crops, but whole pictures are kept",
        ),
        (
            ["disfa", "--max-side", "100"],
            "max_side is for whole pictures; with the crop 'five-point' set the crop's size",
        ),
        (["disfa-plus", "--as", "ciu"], "ciu doesn't use disfa-plus; it uses bp4d, disfa"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=sentence):
        prepare.main([words[0], str(tmp_path), "-o", str(tmp_path / "out"), *words[1:]])
