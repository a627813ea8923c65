"""ME-GraphAU's lists: reversed folds, relations, weights, files byte for byte, and damage named by file and line."""

import shutil
from pathlib import Path

import pytest

from facskit.action_units import BP4D
from facskit.datasets.corpora.lists.me_graphau import (
    is_me_graphau,
    other_number,
    read_me_graphau,
    write_me_graphau_folds,
)
from facskit.datasets.folds import PublishedFolds, make_folds
from facskit.errors import DatasetError
from tests.datasets.corpora.list_trees import write_list_tree

PATHS = "F007/T1/643.jpg\nF015/T2/12.jpg\n"
LABELS = "0 0 0 0 0 1 1 0 0 9 0 0\n1 1 0 1 1 1 1 0 1 0 1 1\n"


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trees")
    for corpus in ("bp4d", "disfa"):
        write_list_tree("me-graphau", folder / corpus, corpus)
    return folder


@pytest.fixture
def lists(trees: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trees / "bp4d/BP4D/list", tmp_path / "list"))


def one_fold(folder: Path) -> Path:
    (folder / "BP4D_test_img_path_fold1.txt").write_text(PATHS)
    (folder / "BP4D_test_label_fold1.txt").write_text(LABELS)
    return folder / "BP4D_test_img_path_fold1.txt"


def test_one_list(tmp_path: Path) -> None:
    found = read_me_graphau(one_fold(tmp_path))
    assert found.action_units == BP4D
    assert found.corpus == "bp4d"
    assert found.table.select("image", "subject", "recording", "frame").rows() == [
        ("F007/T1/643.jpg", "F007", "T1", 643),
        ("F015/T2/12.jpg", "F015", "T2", 12),
    ]
    assert found.table["AU17"].to_list() == [None, 0]
    assert found.table["split"].to_list() == ["test", "test"]
    assert [finding.sentence for finding in found.findings] == [
        "fold 1 of ME-GraphAU is fold 3 of facskit, JAA-Net, FMAE-IAT and CIU"
    ]


def test_lists_as_the_authors_publish_them(tmp_path: Path) -> None:
    path = one_fold(tmp_path)
    path.write_text("".join(f"F007/T1/{frame}.jpg\n" for frame in range(40)))
    (tmp_path / "BP4D_test_label_fold1.txt").write_text("0 0 0 0 0 1 1 0 0 0 0 0\n" * 5)
    with pytest.raises(DatasetError, match=r"label_fold1.txt: .* 5 of 40 images; .*without labels"):
        read_me_graphau(path)


def test_folds_are_numbered_the_other_way_round(lists: Path) -> None:
    assert [other_number(fold) for fold in (1, 2, 3)] == [3, 2, 1]
    whole = read_me_graphau(lists)
    for fold in (1, 2, 3):
        rows = read_me_graphau(lists / f"BP4D_test_img_path_fold{fold}.txt").table
        assert rows["part"].unique().to_list() == [4 - fold]
    manifest = whole.manifest(lists, "x")
    folds = make_folds(PublishedFolds(dataset="bp4d", validation_fraction=0.0), manifest.subjects)
    for ours in folds:
        tested = set(read_me_graphau(lists / f"BP4D_test_label_fold{4 - ours.index}.txt").table["subject"])
        assert tested == set(ours.test_subjects)


def test_people_of_another_part_are_noticed(tmp_path: Path) -> None:
    path = one_fold(tmp_path)
    path.write_text(PATHS.replace("F007", "F001"))
    sentences = [finding.sentence for finding in read_me_graphau(path).findings]
    assert "subject F001 isn't in published part 3, which this fold tests on" in sentences


@pytest.mark.parametrize("corpus", ["bp4d", "disfa"])
def test_whole_corpus_round_trip_byte_for_byte(trees: Path, tmp_path: Path, corpus: str) -> None:
    base = trees / corpus / corpus.upper()
    found = read_me_graphau(base)
    assert found.table.height == 48
    assert "split" not in found.table.columns
    findings = write_me_graphau_folds(found.manifest(base / "img", "x"), tmp_path, corpus)
    names = sorted(path.name for path in (base / "list").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert len(names) == 18
    for name in names:
        assert (tmp_path / name).read_bytes() == (base / "list" / name).read_bytes(), name
    assert "fold k of the files is fold 4 - k of facskit" in findings[-1].sentence
    unknown = [finding for finding in findings if "6 unknown labels are written as 9" in finding.sentence]
    assert len(unknown) == (1 if corpus == "bp4d" else 0)


def test_relations_and_weights(lists: Path) -> None:
    """Each pair of AUs is 2 a + b; the weights are those of the training list."""
    labels = [list(map(int, line.split())) for line in (lists / "BP4D_train_label_fold2.txt").read_text().splitlines()]
    relations = (lists / "BP4D_train_AU_relation_fold2.txt").read_text().splitlines()
    for row, line in zip(labels, relations, strict=True):
        assert line == " ".join(str(2 * one + other) for one in row for other in row)
    rates = [sum(row[unit] > 0 for row in labels) / len(labels) for unit in range(12)]
    inverse = [1 / rate for rate in rates]
    expected = "\t".join(f"{12 * value / sum(inverse):f}" for value in inverse) + "\n"
    assert (lists / "BP4D_weight_fold2.txt").read_text() == expected


def test_lists_of_one_fold(lists: Path) -> None:
    for path in [*lists.glob("*fold1.txt"), *lists.glob("*fold2.txt")]:
        path.unlink()
    assert {path.name for path in lists.iterdir()} == {
        *(f"BP4D_{part}_{what}_fold3.txt" for part in ("train", "test") for what in ("img_path", "label")),
        "BP4D_train_AU_relation_fold3.txt",
        "BP4D_weight_fold3.txt",
    }
    assert dict(read_me_graphau(lists).table["split"].value_counts().rows()) == {"train": 32, "test": 16}


def test_two_of_three_folds(lists: Path) -> None:
    for path in lists.glob("*fold2.txt"):
        path.unlink()
    found = read_me_graphau(lists)
    assert "found the test lists of 2 folds, expected one or all 3" in found.findings[-1].sentence


def test_an_image_in_two_lists(lists: Path) -> None:
    for what in ("img_path", "label"):
        shutil.copy(lists / f"BP4D_test_{what}_fold1.txt", lists / f"BP4D_test_{what}_fold2.txt")
    with pytest.raises(DatasetError, match=r"F007/T1/2440.jpg stands in two of the lists; expected each image in one"):
        read_me_graphau(lists)


def test_bad_files(tmp_path: Path) -> None:
    path = one_fold(tmp_path)
    (tmp_path / "BP4D_test_label_fold1.txt").write_text(LABELS + LABELS)
    with pytest.raises(DatasetError, match=r"BP4D_test_label_fold1.txt: found 4 lines, expected 2 as in the list of"):
        read_me_graphau(path)
    (tmp_path / "BP4D_test_label_fold1.txt").write_text(LABELS.replace("9", "2"))
    with pytest.raises(DatasetError, match=r"BP4D_test_label_fold1.txt: line 1, column 10: found 2, expected 1 \(pres"):
        read_me_graphau(path)


def test_folders_without_or_with_two_kinds_of_lists(tmp_path: Path) -> None:
    assert not is_me_graphau(tmp_path)
    with pytest.raises(DatasetError, match=r"there are no lists of ME-GraphAU, such as list/BP4D_test_img_path_fold1"):
        read_me_graphau(tmp_path)
    one_fold(tmp_path)
    assert is_me_graphau(tmp_path)
    (tmp_path / "DISFA_test_label_fold1.txt").write_text("")
    with pytest.raises(DatasetError, match=r"found lists of BP4D and DISFA; give one of the files"):
        read_me_graphau(tmp_path)
    (tmp_path / "other.txt").write_text("x")
    with pytest.raises(DatasetError, match=r"other.txt: expected a name such as BP4D_test_img_path_fold1.txt"):
        read_me_graphau(tmp_path / "other.txt")
