"""RAF-DB's release and its copies: each quirk of the layout, and each kind of damage named by file and line."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from facskit.datasets.corpora.decisions import Decisions
from facskit.datasets.corpora.example_trees.expression_trees import write_expression_tree
from facskit.datasets.corpora.raf_db import EXPECTED, looks_like_raf_db, read_raf_db
from facskit.errors import DatasetError
from facskit.expressions import RAF_DB
from tests.datasets.corpora.expression_copies import raf_db_folders

LENIENT = replace(Decisions(), on_error="report")


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trees")
    raf_db_folders(write_expression_tree("raf-db", folder / "release"), folder / "folders")
    return folder


@pytest.fixture
def root(trees: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trees / "release", tmp_path / "RAF-DB"))


@pytest.fixture
def copy(trees: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trees / "folders", tmp_path / "copy"))


def labels_of(root: Path) -> Path:
    return root / "basic/EmoLabel/list_patition_label.txt"


def change(root: Path, edit: Callable[[str], str]) -> None:
    path = labels_of(root)
    path.write_bytes(edit(path.read_text()).encode())


def test_release(root: Path) -> None:
    index = read_raf_db(root, Decisions())
    assert len(index) == 32
    assert index.root == root / "basic"
    assert set(index.table["expression"]) <= set(RAF_DB)
    assert index.table["expression"].n_unique() >= 6
    assert dict(index.table["split"].value_counts().rows()) == {"train": 25, "test": 7}
    assert index.table["subject"].n_unique() == 32
    assert all((index.root / media).is_file() for media in index.table["media"])
    assert index.decisions == {"images": "aligned"}
    assert index.expected == EXPECTED == {"training images": 12271, "test images": 3068}
    assert "found 25 training and 7 test pictures; RAF-DB has 12,271 and 3,068" in index.findings[-1].sentence


def test_labels_mean_the_classes_in_raf_dbs_order(root: Path) -> None:
    table = read_raf_db(root, Decisions()).table
    for line in labels_of(root).read_text().splitlines():
        name, label = line.split()
        row = table.row(by_predicate=pl.col("subject") == Path(name).stem, named=True)
        assert row["expression"] == RAF_DB.names[int(label) - 1]


@pytest.mark.parametrize("start", [".", "basic", "basic/EmoLabel", "basic/Image"])
def test_any_folder_of_it_will_do(root: Path, start: str) -> None:
    assert len(read_raf_db(root / start, Decisions())) == 32
    assert looks_like_raf_db(root / start)


def test_original_pictures_when_asked_for_or_alone(root: Path) -> None:
    index = read_raf_db(root / "basic/Image/original", Decisions())
    assert index.decisions == {"images": "original"}
    assert "_aligned" not in "".join(index.table["media"])
    for picture in (root / "basic/Image/aligned").iterdir():
        picture.unlink()
    assert read_raf_db(root, Decisions()).decisions == {"images": "original"}


@pytest.mark.parametrize("name", ["list_partition_label.txt", "list_patition_label.txt"])
def test_both_spellings_of_the_list(root: Path, name: str) -> None:
    labels_of(root).rename(labels_of(root).with_name(name))
    assert len(read_raf_db(root, Decisions())) == 32


@pytest.mark.parametrize("separator", [" ", "\t", ",", ", "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_and_line_ends(root: Path, separator: str, end: str) -> None:
    change(root, lambda text: "\ufeff" + text.replace(" ", separator).replace("\n", end) + end)
    assert len(read_raf_db(root, Decisions())) == 32


def test_list_that_names_the_aligned_pictures(root: Path) -> None:
    change(root, lambda text: text.replace(".jpg", "_aligned.jpg"))
    assert len(read_raf_db(root, Decisions())) == 32


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("train_00002.jpg 9", "line 9: found the label '9', expected 1 to 7 (surprise, fear, ... neutral)"),
        ("train_00002.jpg 11", "line 9: found the label '11', expected 1 to 7 (surprise, fear, ... neutral); the comp"),
        ("train_00002.jpg happy", "line 9: found the label 'happy', expected 1 to 7"),
        ("train_00002.jpg", "line 9: found 'train_00002.jpg', expected a file name and a label"),
        ("photo.jpg 3", "line 9: found the name 'photo.jpg', expected one such as train_00001.jpg"),
        ("train_00001.jpg 3", "line 9: found train_00001 again, first in line 8; expected each picture once"),
        ("train_99999.jpg 3", "line 9: there is no picture"),
    ],
)
def test_bad_lines(root: Path, line: str, sentence: str) -> None:
    def edit(text: str) -> str:
        lines = text.splitlines()
        lines[8] = line
        return "\n".join(lines)

    change(root, edit)
    with pytest.raises(DatasetError) as caught:
        read_raf_db(root, Decisions())
    assert f"{labels_of(root)}: {sentence}" in str(caught.value)
    index = read_raf_db(root, LENIENT)
    assert len(index) == 31
    assert index.dropped.height == 1
    assert [finding.severity for finding in index.findings].count("error") == 1


def test_missing_picture(root: Path) -> None:
    (root / "basic/Image/aligned/train_00003_aligned.jpg").unlink()
    with pytest.raises(DatasetError, match=r"line 10: there is no picture .*train_00003_aligned.jpg"):
        read_raf_db(root, Decisions())
    assert read_raf_db(root, LENIENT).dropped.select("subject", "reason").rows() == [("train_00003", "no picture")]


def test_codes_of_attributes_mean_the_published_words(root: Path) -> None:
    folder = root / "basic/Annotation/manual"
    for number in range(5):
        points = ["1 2"] * 5
        codes = [str(number % 3), str(number % 3), str(number)]
        (folder / f"train_{number + 1:05d}_manu_attri.txt").write_text("\n".join([*points, *codes, ""]))
    table = read_raf_db(root, Decisions()).table
    assert table.filter(split="train").select("gender", "race", "age").head(5).rows() == [
        ("male", "caucasian", "0-3"),
        ("female", "african-american", "4-19"),
        ("unsure", "asian", "20-39"),
        ("male", "caucasian", "40-69"),
        ("female", "african-american", "70+"),
    ]


def test_attributes_as_words_with_a_doubt(root: Path) -> None:
    folder = root / "basic/Annotation/manual"
    text = (folder / "train_00001_manu_attri.txt").read_text().splitlines()
    (folder / "train_00001_manu_attri.txt").write_text("\n".join([*text[:5], "1", "2", "4", ""]))
    index = read_raf_db(root, Decisions())
    row = index.table.row(by_predicate=pl.col("subject") == "train_00001", named=True)
    assert (row["gender"], row["race"], row["age"]) == ("female", "asian", "70+")
    assert any("compare with its readme" in finding.sentence for finding in index.findings)


def test_damaged_attributes_are_a_warning_and_stay_empty(root: Path) -> None:
    folder = root / "basic/Annotation/manual"
    (folder / "train_00001_manu_attri.txt").write_text("1 2\n" * 5 + "1\n7\n0\n")
    (folder / "train_00002_manu_attri.txt").unlink()
    index = read_raf_db(root, Decisions())
    warning = next(finding for finding in index.findings if finding.severity == "warning")
    assert "found race '7', expected 0 to 2 (2 such files" in warning.sentence
    assert warning.place.endswith("train_00001_manu_attri.txt")
    assert index.table["race"].null_count() == 2


def test_without_attributes(root: Path) -> None:
    for path in (root / "basic/Annotation/manual").iterdir():
        path.unlink()
    (root / "basic/Annotation/manual").rmdir()
    index = read_raf_db(root, Decisions())
    assert index.table["gender"].null_count() == 32


def test_copy_with_class_folders(copy: Path) -> None:
    root = copy
    (root / "train/1/Thumbs.db").write_bytes(b"x")
    (root / "train/1/._train_00001_aligned.jpg").write_bytes(b"x")
    index = read_raf_db(root, Decisions())
    assert len(index) == 32
    assert index.decisions == {"images": "class folders"}
    for media, expression in index.table.select("media", "expression").rows():
        assert RAF_DB.names[int(media.split("/")[1]) - 1] == expression
    assert set(index.table["split"]) == {"train", "test"}
    assert "train_00001" in index.table["subject"].to_list()
    assert not looks_like_raf_db(root)


def test_copy_with_named_and_with_wrong_folders(copy: Path) -> None:
    root = copy
    (root / "train/4").rename(root / "train/Happy")
    assert len(read_raf_db(root, Decisions())) == 32
    (root / "train/5").rename(root / "train/8")
    with pytest.raises(DatasetError, match=r"train/8: found a folder named '8', expected one of the classes 1, 2"):
        read_raf_db(root, Decisions())


def test_pictures_of_one_name_in_two_classes_stay_two_people(copy: Path) -> None:
    root = copy
    picture = next((root / "train/7").iterdir())
    (root / "train/1" / picture.name).write_bytes(picture.read_bytes())
    assert read_raf_db(root, Decisions()).table["subject"].n_unique() == 33


def test_something_else(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"this doesn't look like RAF-DB; expected EmoLabel/list_patition_label.txt"):
        read_raf_db(tmp_path, Decisions())


def test_a_neighbour_of_the_corpus_is_not_it(root: Path) -> None:
    (root / "basic/BP4D").mkdir()
    assert not looks_like_raf_db(root / "basic/BP4D")
