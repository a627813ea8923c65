"""`facskit prepare` and `facskit example-tree`: from a made-up release to a manifest, as somebody would type it."""

from pathlib import Path

import polars as pl
import pytest

from facskit.action_units import NO_ACTION_UNITS
from facskit.datasets.corpora.decisions import CORPORA, CorpusName, Decisions, PaperName
from facskit.datasets.corpora.index import CorpusIndex
from facskit.datasets.manifest import read_manifest
from facskit.datasets.preparation_config import PreparationConfig
from facskit.errors import DatasetError, RecipeError
from facskit.faces.alignment import BoxCrop, CropRecipe, EyeSimilarityCrop, Similarity49Crop
from facskit.interfaces import example_tree, prepare
from facskit.interfaces.prepare import PrepareOptions


def options(corpus: CorpusName = "bp4d", **values: object) -> PrepareOptions:
    return PrepareOptions(corpus=corpus, root=Path("in"), out=Path("out"), **values)  # type: ignore[arg-type]


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
    with pytest.raises(DatasetError, match=r"was prepared with crop.size 64, this run has 224"):
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


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("crop", [None, BoxCrop(stretch=True), EyeSimilarityCrop()])
def test_the_recipe_named_next_is_there(corpus: CorpusName, crop: CropRecipe | None) -> None:
    index = CorpusIndex(corpus=corpus, root=Path(), action_units=NO_ACTION_UNITS, table=pl.DataFrame())
    command = prepare.next_command(index, PreparationConfig(crop=crop), Path("out/manifest.parquet"))
    recipe = next((word for word in command.split() if word.startswith("recipes/")), None)
    assert recipe is None or (Path(__file__).parents[2] / recipe).is_file()
    assert (recipe is not None) == (
        corpus in ("raf-db", "affectnet") or (isinstance(crop, BoxCrop) and corpus != "disfa-plus")
    )


def test_an_example_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match="is not empty; expected a new folder"):
        example_tree.main(["bp4d", str(tmp_path)])


def test_nothing_is_written_into_the_release(disfa: Path) -> None:
    with pytest.raises(DatasetError, match="lies inside the corpus .*, which is never written to"):
        prepare.main(["disfa", str(disfa), "-o", str(disfa / "prepared")])
    assert not (disfa / "prepared").exists()


@pytest.mark.parametrize("corpus", CORPORA)
def test_usual_choices(corpus: CorpusName) -> None:
    assert options(corpus).decisions() == Decisions()
    crop = options(corpus).preparation().crop
    assert crop == (None if corpus in ("raf-db", "affectnet") else EyeSimilarityCrop(size=224))


@pytest.mark.parametrize("paper", ["fmae-iat", "ciu", "me-graphau"])
def test_a_papers_choices_and_what_is_said_beside_them(paper: PaperName) -> None:
    assert options("disfa", like=paper).decisions() == Decisions.as_paper(paper, "disfa")
    mixed = options("disfa", like=paper, camera="left", threshold=1, crop="box", points="corpus")
    assert (mixed.decisions().camera, mixed.decisions().threshold) == ("left", 1)
    assert isinstance(mixed.preparation().crop, BoxCrop)
    assert mixed.preparation().points == "corpus"


def test_a_papers_crop() -> None:
    fmae = options("bp4d", like="fmae-iat").preparation()
    assert (fmae.crop, fmae.points) == (BoxCrop(size=224, margin=0.05, stretch=True), "detector")
    ciu = options("bp4d", like="ciu").preparation()
    assert (ciu.crop, ciu.points) == (Similarity49Crop(size=200, enlarge=2.9), "corpus")
    assert options("bp4d", like="fmae-iat", size=112).preparation().crop == BoxCrop(size=112, margin=0.05, stretch=True)


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
