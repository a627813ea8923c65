"""`facskit convert`: what it takes things for, what it says, and that nothing is lost from list to list."""

from pathlib import Path

import pytest

from facskit.datasets.corpora.example_trees.expression_trees import write_expression_tree
from facskit.datasets.corpora.lists.fmae import read_fmae_list
from facskit.datasets.manifest import read_manifest, write_manifest
from facskit.datasets.packed import packaged_faces
from facskit.errors import DatasetError, RecipeError
from facskit.interfaces.convert import main
from tests.datasets.corpora.list_trees import write_list_tree
from tests.datasets.corpora.lists.test_foreign_tables import LIBREFACE, OPENFACE


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trees")
    write_list_tree("fmae-iat", folder / "fmae")
    write_list_tree("jaa", folder / "jaa")
    write_list_tree("me-graphau", folder / "meg")
    return folder


def convert(*words: str | Path) -> None:
    assert main([str(word) for word in words]) == 0


def test_each_list_becomes_a_manifest(trees: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = {
        "fmae-iat": trees / "fmae/BP4D_all.json",
        "jaa": trees / "jaa/list/BP4D_combine_1_2_path.txt",
        "me-graphau": trees / "meg/BP4D",
    }
    for kind, source in sources.items():
        convert(source, "-o", tmp_path / f"{kind}.parquet")
        shown = capsys.readouterr().out
        assert f"{kind} (by its content)" in shown
        assert "aren't there" not in shown
        manifest = read_manifest(tmp_path / f"{kind}.parquet")  # checks that each image is where it says
        assert f"decided: list = {kind}" in shown
        assert manifest.origin is not None
        assert manifest.origin.corpus == "bp4d"
        assert set(manifest.subject_names) <= {"F001", "M007", "M011", "F003", "F007", "F015"}


def test_from_list_to_list(trees: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    convert(trees / "meg/BP4D", "-o", tmp_path / "jaa", "--to", "jaa")
    convert(trees / "meg/BP4D", "-o", tmp_path / "again", "--to", "me-graphau")
    for path in (trees / "meg/BP4D/list").iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    codes = "BP4D_part2_AUoccur.txt"
    assert (tmp_path / "jaa" / codes).read_bytes() == (trees / "jaa/list" / codes).read_bytes()
    assert "the manifest has no landmarks, so there are no _land.txt" in capsys.readouterr().out


def test_a_manifest_goes_back_where_its_pictures_are(
    trees: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(trees / "fmae/BP4D_all.json", "-o", tmp_path / "all.parquet")
    convert(tmp_path / "all.parquet", "-o", tmp_path / "all.json", "--images", trees / "fmae")
    assert (tmp_path / "all.json").read_bytes() == (trees / "fmae/BP4D_all.json").read_bytes()
    convert(tmp_path / "all.parquet", "-o", tmp_path / "here.json")
    for image in read_fmae_list(tmp_path / "here.json").table["image"]:
        assert (tmp_path / image).is_file()
    capsys.readouterr()


def test_part_of_a_corpus_is_one_list(trees: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    convert(trees / "jaa/list/BP4D_part1", "-o", tmp_path / "one", "--to", "jaa")
    assert "this is one list, all_path.txt and so on" in capsys.readouterr().out
    for ending in ("path", "AUoccur", "land", "biocular", "weight"):
        again = (tmp_path / f"one/all_{ending}.txt").read_bytes()
        assert again == (trees / f"jaa/list/BP4D_part1_{ending}.txt").read_bytes()


def test_missing_pictures_are_said(trees: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "all.json"
    path.write_bytes((trees / "fmae/BP4D_all.json").read_bytes())
    convert(path, "-o", tmp_path / "all.parquet")
    assert "48 of 48 pictures aren't there, for example" in capsys.readouterr().out
    convert(path, "-o", tmp_path / "all.parquet", "--images", trees / "fmae")
    assert "aren't there" not in capsys.readouterr().out


def test_result_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "talk.csv").write_text(OPENFACE)
    (tmp_path / "frames.csv").write_text("image,subject,recording,frame\n1.jpg,anna,talk,0\n3.jpg,anna,talk,2\n")
    convert(tmp_path / "talk.csv", "-o", tmp_path / "labels.parquet")
    shown = capsys.readouterr().out
    assert "3 rows, 3 AUs: AU01,AU12,AU28" in shown
    assert "wrote" in shown
    assert "(a table of labels)" in shown
    convert(tmp_path / "talk.csv", "-o", tmp_path / "onto.parquet", "--onto", tmp_path / "frames.csv")
    table = read_manifest(tmp_path / "onto.parquet", check_images=False).table
    assert table["AU01"].to_list() == [0, 1]
    with pytest.raises(RecipeError, match=r"talk.csv: it names no pictures, which jaa needs; give --onto TABLE"):
        main([str(tmp_path / "talk.csv"), "-o", str(tmp_path / "x"), "--to", "jaa"])


def test_a_folder_of_result_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "processed"
    folder.mkdir()
    for name in ("talk", "walk"):
        (folder / f"{name}.csv").write_text(OPENFACE)
    (tmp_path / "frames.csv").write_text("image,subject,recording,frame\n1.jpg,anna,walk,0\n3.jpg,anna,talk,2\n")
    convert(folder, "-o", tmp_path / "onto.parquet", "--onto", tmp_path / "frames.csv")
    assert read_manifest(tmp_path / "onto.parquet", check_images=False).table["AU01"].to_list() == [0, 1]
    convert(folder, "-o", tmp_path / "labels.parquet")
    assert "6 rows of 2 inputs, 3 AUs" in capsys.readouterr().out
    (folder / "libre.csv").write_text(LIBREFACE)
    with pytest.raises(DatasetError, match=r"processed: .* several tools \(1 of libreface, 2 of openface\)"):
        main([str(folder), "-o", str(tmp_path / "x.parquet")])


def test_bare_numbers_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bare.csv").write_text("image,subject,1,12\na.jpg,p,1,0\n")
    with pytest.raises(DatasetError, match=r"found image, subject, 1, 12"):
        main([str(tmp_path / "bare.csv"), "-o", str(tmp_path / "x.parquet")])
    convert(tmp_path / "bare.csv", "-o", tmp_path / "x.parquet", "--bare-numbers")
    assert "AU12" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        (["none.csv", "-o", "x.parquet"], DatasetError, "none.csv: there is no such file"),
        (["a.json", "-o", "x.txt"], RecipeError, "out: can't tell what x.txt is to be; say it with --to manifest"),
        (["a.bin", "-o", "x.parquet"], DatasetError, "a.bin: can't tell what this is; say it with --from fmae-iat"),
        ([".", "-o", "x.parquet"], DatasetError, ".: this folder has no lists of ME-GraphAU or JAA-Net"),
        (
            ["a.json", "-o", "x.parquet", "--action-units", "99"],
            RecipeError,
            "action_units: '99' is not a known action",
        ),
        (
            ["a.json", "-o", "a.bin", "--to", "jaa"],
            RecipeError,
            "out: a.bin is a file, jaa needs a folder for its lists",
        ),
        (["a.json", "-o", "x", "--to", "me-graphau"], DatasetError, "a.json: me-graphau's lists are those of BP4D and"),
    ],
)
def test_refusals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], error: type[Exception], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.json").write_text('{"img_path": "anna/1.jpg", "AUs": [1, 2]}\n')
    (tmp_path / "a.bin").write_text("x")
    with pytest.raises(error) as caught:
        main(words)
    assert sentence in str(caught.value)


def test_libreface_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "l.csv").write_text(LIBREFACE)
    convert(tmp_path / "l.csv", "-o", tmp_path / "l.parquet", "--from", "libreface")
    assert "l.csv: libreface\n" in capsys.readouterr().out


def test_lists_of_other_aus_and_of_packed_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = tmp_path / "faces.parquet"
    write_manifest(packaged_faces().select([0, 1, 50]), packed)
    convert(packed, "-o", tmp_path / "all.json")
    shown = capsys.readouterr().out
    assert "the pictures are inside the manifest, so the paths in the list name no files" in shown
    assert "19 AUs are written; fmae-iat's code expects BP4D's 12 or DISFA's 8" in shown
    convert(packed, "-o", tmp_path / "bp4d.json", "--action-units", "bp4d")
    assert "AUs are written" not in capsys.readouterr().out
    assert len(read_fmae_list(tmp_path / "bp4d.json").action_units) == 12


def test_expressions_have_no_such_lists(tmp_path: Path) -> None:
    (tmp_path / "faces.csv").write_text("image,subject,expression\na.jpg,p,fear\n")
    with pytest.raises(DatasetError, match=r"faces.csv: it has no action units, which lists of jaa are made of"):
        main([str(tmp_path / "faces.csv"), "-o", str(tmp_path / "x"), "--to", "jaa"])


def test_folders(trees: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    convert(trees / "jaa/list", "-o", tmp_path / "all.parquet")
    assert "48 images of 6 subjects" in capsys.readouterr().out
    convert(trees / "jaa/list", "-o", tmp_path / "again", "--to", "jaa")
    for path in (trees / "jaa/list").iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    root = write_expression_tree("raf-db", tmp_path / "raf", images=4)
    with pytest.raises(DatasetError, match=r"this is the corpus raf-db itself; use facskit prepare raf-db"):
        main([str(root), "-o", str(tmp_path / "x.parquet")])
