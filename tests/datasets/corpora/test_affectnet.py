"""AffectNet in its three forms: each quirk, and each kind of damage named by file and line."""

import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.datasets.corpora.affectnet import looks_like_affectnet, read_affectnet
from facskit.datasets.corpora.affectnet_arrays import read_annotation
from facskit.datasets.corpora.decisions import Decisions
from facskit.datasets.corpora.example_trees.expression_trees import write_expression_tree
from facskit.errors import DatasetError
from facskit.expressions import AFFECTNET_8
from tests.datasets.corpora.expression_copies import affectnet_folders, affectnet_lists

LENIENT = replace(Decisions(), on_error="report")
TRAINING = "Manually_Annotated_file_lists/training.csv"
VALIDATION = "Manually_Annotated_file_lists/validation.csv"


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trees")
    release = write_expression_tree("affectnet", folder / "release")
    affectnet_lists(release, folder / "lists")
    affectnet_folders(release, folder / "folders")
    return folder


@pytest.fixture
def arrays(trees: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trees / "release", tmp_path / "AffectNet8"))


@pytest.fixture
def lists(trees: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trees / "lists", tmp_path / "AffectNet"))


@pytest.fixture
def copy(trees: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trees / "folders", tmp_path / "copy"))


def test_arrays(arrays: Path) -> None:
    index = read_affectnet(arrays, Decisions())
    assert len(index) == 32
    assert dict(index.table["split"].value_counts().rows()) == {"train": 24, "test": 8}
    assert set(index.table["expression"]) == set(AFFECTNET_8)
    assert index.decisions == {"form": "eight classes"}
    assert index.expected == {"training images": 287651, "validation images": 3999}
    assert looks_like_affectnet(arrays)
    assert not [finding for finding in index.findings if finding.severity != "note"]


def test_one_number_in_both_parts_is_two_people(arrays: Path) -> None:
    table = read_affectnet(arrays, Decisions()).table
    assert (arrays / "train_set/images/1.jpg").is_file()
    assert (arrays / "val_set/images/1.jpg").is_file()
    assert table["subject"].n_unique() == 32
    assert {"train_set_1", "val_set_1"} <= set(table["subject"])


def test_text_and_numbers_are_read_alike(arrays: Path) -> None:
    table = read_affectnet(arrays, Decisions()).table
    for subject, expression in table.select("subject", "expression").rows():
        path = arrays / subject.rsplit("_", 1)[0] / "annotations" / f"{subject.rsplit('_', 1)[1]}_exp.npy"
        assert AFFECTNET_8.names[int(np.load(path))] == expression


def test_landmarks_are_pairs_and_affect_may_be_missing(arrays: Path) -> None:
    table = read_affectnet(arrays, Decisions()).table
    row = table.row(by_predicate=pl.col("subject") == "train_set_2", named=True)
    points = np.load(arrays / "train_set/annotations/2_lnd.npy")
    assert row["x_30"] == pytest.approx(points[60])
    assert row["y_30"] == pytest.approx(points[61])
    assert row["valence"] == pytest.approx(float(str(np.load(arrays / "train_set/annotations/2_val.npy"))))
    first = table.row(by_predicate=pl.col("subject") == "train_set_1", named=True)
    assert first["valence"] is None  # -2
    assert first["arousal"] is None


def test_landmarks_in_another_order_are_noticed(arrays: Path) -> None:
    for path in (arrays / "train_set/annotations").glob("*_lnd.npy"):
        np.save(path, -np.load(path))
    warnings = [finding for finding in read_affectnet(arrays, Decisions()).findings if finding.severity == "warning"]
    assert "the eyes' landmarks lie below the mouth's" in warnings[0].sentence


def test_landmarks_may_be_missing(arrays: Path) -> None:
    for path in arrays.glob("*/annotations/*_lnd.npy"):
        path.unlink()
    assert "x_0" not in read_affectnet(arrays, Decisions()).table.columns


class Harmful:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return (open, ("harm-was-done",))


def test_pickles_are_refused_unopened(arrays: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = arrays / "train_set/annotations/1_exp.npy"
    np.save(path, np.array(Harmful(), dtype=object), allow_pickle=True)
    with pytest.raises(DatasetError, match=r"1_exp.npy: found pickled Python objects, which facskit doesn't load"):
        read_affectnet(arrays, Decisions())
    path.write_bytes(pickle.dumps(3))
    with pytest.raises(DatasetError, match=r"1_exp.npy: found \d+ bytes that are no NumPy file"):
        read_affectnet(arrays, Decisions())
    assert read_affectnet(arrays, LENIENT).dropped["subject"].to_list() == ["train_set_1"]


@pytest.mark.parametrize(
    ("kind", "value", "sentence"),
    [
        ("exp", np.array("8"), "1_exp.npy: found the class '8', expected 0 (neutral) to 7 (contempt)"),
        ("exp", np.array(2.5), "1_exp.npy: found the class 2.5, expected 0"),
        ("exp", np.array("happy"), "1_exp.npy: found the class 'happy', expected 0"),
        ("val", np.array("nothing"), "1_val.npy: found 'nothing', expected a number from -1 to 1"),
        ("aro", np.array(3.0), "1_aro.npy: found 3, expected a number from -1 to 1, or -2 for none"),
        ("lnd", np.zeros(98), "1_lnd.npy: found 98 value(s) in 784 bytes, expected 1 or 136 values"),
        ("lnd", np.array(["a"] * 136), "1_lnd.npy: found landmarks that aren't numbers"),
        ("lnd", np.array(1.0), "1_lnd.npy: found one value, expected 136 landmark positions"),
    ],
)
def test_bad_annotations(arrays: Path, kind: str, value: np.ndarray, sentence: str) -> None:
    np.save(arrays / f"train_set/annotations/1_{kind}.npy", value)
    with pytest.raises(DatasetError) as caught:
        read_affectnet(arrays, Decisions())
    assert sentence in str(caught.value)
    assert str(arrays) in str(caught.value)
    assert len(read_affectnet(arrays, LENIENT)) == 31


def test_annotation_without_picture_and_picture_without_annotation(arrays: Path) -> None:
    (arrays / "train_set/images/4.jpg").unlink()
    with pytest.raises(DatasetError, match=r"4_exp.npy: there is no picture .*train_set/images/4.jpg"):
        read_affectnet(arrays, Decisions())
    lost = read_affectnet(arrays, LENIENT).dropped.select("subject", "frame", "reason").rows()
    assert lost == [("train_set_4", 4, "no picture")]  # counted under one short reason, and as a labelled picture
    (arrays / "train_set/annotations/4_exp.npy").unlink()
    (arrays / "train_set/images/4000.png").write_bytes(b"x")
    index = read_affectnet(arrays, Decisions())
    assert any("1 pictures have no _exp.npy file" in finding.sentence for finding in index.findings)


@pytest.mark.parametrize("value", [np.array("7"), np.array(7), np.array([7]), np.array(7.0), np.array(b"7")])
def test_annotation_values(tmp_path: Path, value: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", value)
    assert float(read_annotation(tmp_path / "a.npy")) == 7


def test_lists(lists: Path) -> None:
    index = read_affectnet(lists, Decisions())
    assert len(index) == 29
    assert read_affectnet(lists, LENIENT).dropped["reason"].n_unique() == 3
    assert index.dropped.sort("frame")["reason"].to_list() == [
        "no expression (code 8)",
        "uncertain expression (code 9)",
        "no face (code 10)",
    ]
    assert dict(index.table["split"].value_counts().rows()) == {"train": 21, "test": 8}
    assert all((lists / media).is_file() for media in index.table["media"])
    assert index.table["FaceRectWidth"].unique().to_list() == [100]
    assert index.table["x_30"].null_count() == 0
    assert any("line 1 is a picture, not the names of the columns" in finding.sentence for finding in index.findings)
    assert index.decisions == {"form": "full release"}
    assert index.expected == {"training images": 287568, "validation images": 4000}
    assert looks_like_affectnet(lists)
    assert len(read_affectnet(lists / "Manually_Annotated_file_lists", Decisions())) == 29


def test_lists_hold_what_they_say(lists: Path) -> None:
    table = read_affectnet(lists, Decisions()).table
    for number, line in enumerate((lists / VALIDATION).read_text().splitlines(), start=1):
        cells = line.split(",")
        where = (pl.col("recording") == "validation") & (pl.col("frame") == number)
        row = table.row(by_predicate=where, named=True)
        assert row["media"].endswith(cells[0])
        assert row["expression"] == AFFECTNET_8.names[int(cells[6])]
        assert row["valence"] == float(cells[7])
        points = cells[5].split(";")
        assert row["x_67"] == pytest.approx(float(points[134]))
        assert row["y_67"] == pytest.approx(float(points[135]))


def edit_cell(path: Path, line: int, column: int, text: str) -> None:
    lines = path.read_text().splitlines()
    cells = lines[line - 1].split(",")
    cells[column] = text
    lines[line - 1] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("column", "text", "sentence"),
    [
        (6, "11", "line 6: found the expression '11', expected 0 to 10"),
        (6, "", "line 6: found the expression 'an empty cell', expected 0 to 10"),
        (1, "left", "line 6: found face_x 'left', expected a number"),
        (7, "high", "line 6: found valence 'high', expected a number"),
        (8, "1.5", "line 6: found arousal 1.5, expected -1 to 1, or -2 for none"),
        (5, "1;2;3", "line 6: found 3 landmark positions that aren't all numbers, expected 136 separated by ;"),
        (5, ";".join(["1"] * 135 + ["x"]), "line 6: found 136 landmark positions that aren't all numbers"),
        (0, "9/gone.jpg", "line 6: there is no picture"),
    ],
)
def test_bad_cells(lists: Path, column: int, text: str, sentence: str) -> None:
    edit_cell(lists / TRAINING, 6, column, text)
    with pytest.raises(DatasetError) as caught:
        read_affectnet(lists, Decisions())
    assert f"{lists / TRAINING}: {sentence}" in str(caught.value)
    index = read_affectnet(lists, LENIENT)
    assert len(index) == 28
    assert index.dropped.height == 4


def test_picture_without_affect_or_landmarks(lists: Path) -> None:
    edit_cell(lists / TRAINING, 6, 7, "-2")
    edit_cell(lists / TRAINING, 6, 5, "")
    table = read_affectnet(lists, Decisions()).table
    assert table["valence"].null_count() == 1
    assert table["x_0"].null_count() == 1


def test_picture_in_both_tables(lists: Path) -> None:
    line = (lists / VALIDATION).read_text().splitlines()[0]
    with (lists / TRAINING).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DatasetError, match=r"1 pictures stand in the tables twice, for example"):
        read_affectnet(lists, Decisions())


def test_other_tables(lists: Path) -> None:
    (lists / TRAINING).write_text("path,label\na.jpg,3\n")
    with pytest.raises(DatasetError, match=r"training.csv: line 1: found 'path,label', expected the columns subDir"):
        read_affectnet(lists, Decisions())


@pytest.mark.parametrize(("name", "split"), [("test", "test"), ("val", "test"), ("valid", "test")])
def test_copy_with_class_folders(copy: Path, name: str, split: str) -> None:
    root = copy
    (root / "test").rename(root / name)
    (root / "train/6").rename(root / "train/anger")
    index = read_affectnet(root, Decisions())
    assert set(index.table["split"]) == {"train", split}
    assert index.table.height == 32
    assert index.table["subject"].n_unique() == 32
    assert index.expected == {"training images that FMAE-IAT used": 37553}
    assert not looks_like_affectnet(root)
    said = "as the copy's folders are called" if name == "test" else "AffectNet's validation part is called test"
    assert said in index.findings[-1].sentence


def test_copy_with_its_own_validation_part(copy: Path) -> None:
    root = copy
    (root / "val/0").mkdir(parents=True)
    (root / "val/0/x.jpg").write_bytes(b"x")
    assert set(read_affectnet(root, Decisions()).table["split"]) == {"train", "validation", "test"}


def test_something_else(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"this doesn't look like AffectNet; expected train_set/images"):
        read_affectnet(tmp_path, Decisions())


def test_other_peoples_tables_of_the_same_name(tmp_path: Path, lists: Path) -> None:
    (tmp_path / "training.csv").write_text("image,label\na.jpg,1\n")
    (tmp_path / "BP4D").mkdir()
    assert not looks_like_affectnet(tmp_path)
    assert not looks_like_affectnet(tmp_path / "BP4D")
    for path in (lists / "Manually_Annotated_file_lists").iterdir():
        path.rename(lists / path.name)
    assert len(read_affectnet(lists, Decisions())) == 29
