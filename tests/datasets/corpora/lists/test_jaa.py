"""JAA-Net's lists: files byte for byte, the weights' golden values, landmarks, and damage named by file and line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.action_units import BP4D, DISFA_8, ActionUnitSet
from facskit.datasets.corpora.lists.jaa import (
    biocular,
    is_jaa_folder,
    is_jaa_list,
    list_prefix,
    read_jaa_list,
    read_jaa_parts,
    write_jaa_list,
    write_jaa_parts,
)
from facskit.datasets.corpora.lists.label_lists import AUTHORS_PARTS, class_weights, rows_by_part, weights_line
from facskit.datasets.folds import published_parts
from facskit.datasets.manifest import Manifest
from facskit.errors import DatasetError
from tests.datasets.corpora.list_trees import write_list_tree

ENDINGS = ("path", "AUoccur", "land", "biocular", "weight")
PATHS = "BP4D/F001/T1/2440.jpg\r\nBP4D/F001/T1/2441.jpg\r\nBP4D/M007/T3/0012.jpg\r\n"
CODES = "0 0 0 0 0 1 1 0 0 9 0 0\n1 1 0 1 1 1 1 0 1 0 1 1\n0 0 1 1 1 1 1 1 0 1 0 0\n"
# Positions of the eyes' points 20 to 31, counted from 1, of the first face in the authors' sample list.
EYES = """52.047596 64.740634 62.006694 59.097099 72.031956 59.935643 79.361849 67.771907 70.040207 69.651677
60.712276 69.940971 120.260662 66.703620 128.232240 59.862083 137.272950 59.644104 145.843879 65.268875
137.523029 69.876529 128.666662 69.782720"""


def land(rows: int) -> str:
    points = np.zeros((rows, 98))
    points[:, 38:62] = [float(word) for word in EYES.split()]
    return "".join("\t".join(f"{value:f}" for value in row) + "\n" for row in points)


def write(folder: Path, **files: str) -> Path:
    contents = {"path": PATHS, "AUoccur": CODES, "land": land(3), **files}
    for ending, text in contents.items():
        (folder / f"BP4D_part1_{ending}.txt").write_bytes(text.encode())
    return folder / "BP4D_part1"


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trees")
    for corpus in ("bp4d", "disfa"):
        write_list_tree("jaa", folder / corpus, corpus)
    return folder


def test_reading(tmp_path: Path) -> None:
    found = read_jaa_list(write(tmp_path))
    assert found.action_units == BP4D
    assert found.corpus == "bp4d"
    assert found.table["image"].to_list() == PATHS.split()
    assert found.table.select("subject", "recording", "frame").rows() == [
        ("F001", "T1", 2440),
        ("F001", "T1", 2441),
        ("M007", "T3", 12),
    ]
    assert found.table["AU17"].to_list() == [None, 0, 1]  # 9 is unknown
    assert found.table["AU10"].to_list() == [1, 1, 1]
    row = found.table.row(0, named=True)
    assert (row["x_36"], row["y_36"]) == (52.047596, 64.740634)  # the 49 points start at the brows, 17 of 68
    assert row["x_0"] is None
    assert row["x_60"] is None
    assert row["x_61"] == 0


@pytest.mark.parametrize("name", ["", *(f"_{ending}.txt" for ending in ("path", "AUoccur", "land"))])
def test_any_of_the_files_will_do(tmp_path: Path, name: str) -> None:
    prefix = write(tmp_path)
    assert list_prefix(prefix.with_name(prefix.name + name)) == prefix
    assert is_jaa_list(prefix.with_name(prefix.name + name))
    assert not is_jaa_list(tmp_path / "other_path.txt")


def test_biocular_is_the_published_one(tmp_path: Path) -> None:
    points = np.array([[float(cell) for cell in line.split()] for line in land(1).splitlines()]).reshape(1, 49, 2)
    assert f"{biocular(points)[0]:f}" == "4480.045320"
    found = read_jaa_list(write(tmp_path, biocular="4480.045320\n4480.045320\n12.0\n"))
    assert "1 lines don't fit the landmarks; line 3 has 12, the eyes are 4480.05 apart" in found.findings[-1].sentence


def naive_weights(labels: list[list[int]]) -> list[float]:
    count = len(labels[0])
    rates = [sum(1 for row in labels if row[unit] != 0) / len(labels) for unit in range(count)]
    total = sum(1 / rate for rate in rates)
    return [1 / rate / total * count for rate in rates]


def test_weights_against_loops() -> None:
    labels = np.random.default_rng(3).integers(-1, 2, (40, 5)).astype(np.int8)
    np.testing.assert_allclose(class_weights(labels), naive_weights(labels.tolist()))
    assert class_weights(labels).mean() == pytest.approx(1)


def test_weights_from_published_rates() -> None:
    """Rates of parts 1 and 2 of BP4D as the literature gives them lead to the weights the authors publish."""
    rates = np.array([18.4, 14.7, 19.8, 44.1, 57.2, 56.8, 54.2, 45.8, 17.6, 34.3, 16.6, 14.9])
    published = [1.3430, 1.6897, 1.2481, 0.5614, 0.4330, 0.4359, 0.4573, 0.5410, 1.4081, 0.7228, 1.4931, 1.6667]
    labels = (np.arange(1000)[:, None] < rates * 10).astype(np.int8)
    np.testing.assert_allclose(class_weights(labels), published, rtol=0.01)
    assert weights_line(np.array([1.342985, 1.666711])) == "1.342985\t1.666711\n"


def test_an_unknown_label_counts_as_published() -> None:
    labels = np.array([[1, -1], [0, 1]], np.int8)
    np.testing.assert_allclose(class_weights(labels), [4 / 3, 2 / 3])


def test_round_trip_byte_for_byte(tmp_path: Path) -> None:
    prefix = write(tmp_path)
    findings = write_jaa_list(read_jaa_list(prefix).manifest(tmp_path, "x"), tmp_path / "again/BP4D_part1")
    for ending in ("path", "AUoccur", "land"):
        name = f"BP4D_part1_{ending}.txt"
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes(), ending
    assert (tmp_path / "again/BP4D_part1_biocular.txt").read_bytes() == b"4480.045320\n" * 3
    assert "1 unknown labels are written as 9 and count as occurrences" in findings[0].sentence


@pytest.mark.parametrize(("corpus", "end"), [("bp4d", b"\r\n"), ("disfa", b"\n")])
def test_whole_corpus_round_trip(trees: Path, tmp_path: Path, corpus: str, end: bytes) -> None:
    folder = trees / corpus / "list"
    title = corpus.upper()
    lists = [read_jaa_list(folder / f"{title}_part{number}") for number in (3, 1, 2)]
    whole = lists[0].manifest(trees / corpus / "imgs", "x")
    table = pl.concat([one.table for one in lists]).with_columns(pl.col("subject").cast(pl.Categorical))
    write_jaa_parts(type(whole)(table=table, root=whole.root, action_units=whole.action_units), tmp_path, corpus)
    names = sorted(path.name for path in folder.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert len(names) == 6 * len(ENDINGS)
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name
    first = (folder / f"{title}_combine_1_2_path.txt").read_bytes().splitlines(keepends=True)[0]
    assert first.endswith(b".jpg" + end)


def test_the_authors_order_of_people_has_everybody() -> None:
    for corpus, texts in AUTHORS_PARTS.items():
        assert tuple(tuple(sorted(text.split())) for text in texts) == published_parts(corpus)


def test_people_are_in_the_order_of_the_published_lists() -> None:
    published = "F001 M007 F018 F008 F002 M004 F010 F009 M012 M001 F016 M014 F023 M008"
    order = published.split()
    people = sorted([*order, "M011", "F003", "F015", "F007"], reverse=True)
    table = pl.DataFrame({"image": [f"{name}.jpg" for name in people], "subject": people, "AU01": 0})
    manifest = Manifest(table=table, root=Path(), action_units=ActionUnitSet.parse("1"))
    parts = rows_by_part(manifest, "bp4d")
    assert [[people[row] for row in part] for part in parts] == [order, ["M011", "F003"], ["F007", "F015"]]


def test_disfa(trees: Path) -> None:
    found = read_jaa_list(trees / "disfa/list/DISFA_combine_1_3_AUoccur.txt")
    assert found.action_units == DISFA_8
    assert found.corpus == "disfa"
    assert set(found.table["subject"]) == {"SN002", "SN010", "SN003", "SN029"}
    assert found.findings == ()


def test_rows_without_landmarks_are_left_out_as_published(tmp_path: Path) -> None:
    found = read_jaa_list(write(tmp_path))
    gone = [pl.when(pl.int_range(pl.len()) == 1).then(None).otherwise(pl.col(n)).alias(n) for n in ("x_30", "y_30")]
    manifest = found.manifest(tmp_path, "x")
    manifest = type(manifest)(table=manifest.table.with_columns(gone), root=tmp_path, action_units=BP4D)
    findings = write_jaa_list(manifest, tmp_path / "again/all")
    assert "1 rows without landmarks are left out" in findings[0].sentence
    assert (tmp_path / "again/all_path.txt").read_text().split() == [PATHS.split(maxsplit=1)[0], PATHS.split()[2]]


def test_without_landmarks(tmp_path: Path) -> None:
    prefix = write(tmp_path)
    (tmp_path / "BP4D_part1_land.txt").unlink()
    findings = write_jaa_list(read_jaa_list(prefix).manifest(tmp_path, "x"), tmp_path / "again/all")
    assert "there are no _land.txt and _biocular.txt, which JAA-Net needs" in findings[0].sentence
    assert not (tmp_path / "again/all_land.txt").exists()


def test_an_au_that_never_occurs(tmp_path: Path) -> None:
    prefix = write(tmp_path, AUoccur=CODES.replace("0 0 1 1 1 1 1 1 0 1 0 0", "0 0 0 1 1 1 1 1 0 1 0 0"))
    findings = write_jaa_list(read_jaa_list(prefix).manifest(tmp_path, "x"), tmp_path / "again/all")
    assert any("AU04 never occurs in these rows" in finding.sentence for finding in findings)


def test_weights_of_other_frames_are_noticed(tmp_path: Path) -> None:
    found = read_jaa_list(write(tmp_path, weight="\t".join(["1.0"] * 12) + "\n"))
    assert "the weights don't belong to the labels of this list" in found.findings[-1].sentence


@pytest.mark.parametrize(
    ("ending", "edit", "sentence"),
    [
        (
            "AUoccur",
            lambda text: text.replace("9", "8"),
            "line 1, column 10: found 8, expected 1 (present), 0 (absent)",
        ),
        ("AUoccur", lambda text: text.replace("9", "x"), "line 1: found 'x', expected a number"),
        ("AUoccur", lambda text: text.replace("9", ""), "line 2: found 12 numbers, expected 11 as in line 1"),
        ("AUoccur", lambda text: text[24:], "found 2 lines, expected 3 as in the list of paths"),
        ("AUoccur", lambda _: "0 1\n" * 3, "found 2 label columns, expected 12 (BP4D) or 8 (DISFA); say what they are"),
        ("land", lambda _: "1 2\n" * 3, "found 2 numbers a line, expected 98 (49 points x, y)"),
        (
            "path",
            lambda text: text.replace("2441", "2440"),
            "line 2: found 'BP4D/F001/T1/2440.jpg' again, first in line 1",
        ),
        ("path", lambda text: text.replace("\r\n", "\r\n\r\n", 1), "line 2 is empty; expected one line per image"),
    ],
)
def test_bad_files(tmp_path: Path, ending: str, edit: Callable[[str], str], sentence: str) -> None:
    prefix = write(tmp_path)
    path = tmp_path / f"BP4D_part1_{ending}.txt"
    path.write_bytes(edit(path.read_bytes().decode()).encode())
    with pytest.raises(DatasetError) as caught:
        read_jaa_list(prefix)
    assert f"{path}: {sentence}" in str(caught.value)


def test_missing_files(tmp_path: Path) -> None:
    prefix = write(tmp_path)
    (tmp_path / "BP4D_part1_AUoccur.txt").unlink()
    with pytest.raises(DatasetError, match=r"BP4D_part1_AUoccur.txt: there is no such file; JAA-Net's authors publish"):
        read_jaa_list(prefix)
    with pytest.raises(DatasetError, match=r"none_path.txt: there is no such file; expected the list of image paths"):
        read_jaa_list(tmp_path / "none")


def test_strangers_and_missing_parts(tmp_path: Path) -> None:
    manifest = read_jaa_list(write(tmp_path)).manifest(tmp_path, "x.parquet")
    with pytest.raises(DatasetError, match=r"x.parquet: nobody of part 2 of bp4d is there, expected all parts"):
        write_jaa_parts(manifest, tmp_path / "again", "bp4d")
    with pytest.raises(DatasetError, match=r"x.parquet: subject F001 is in none of the published parts of disfa"):
        write_jaa_parts(manifest, tmp_path / "again", "disfa")


def test_a_folder_of_parts_is_the_whole_corpus(trees: Path, tmp_path: Path) -> None:
    folder = trees / "disfa/list"
    assert is_jaa_folder(folder)
    found = read_jaa_parts(folder)
    assert found.table.height == 48
    assert found.table.group_by("part").len().sort("part").rows() == [(1, 16), (2, 16), (3, 16)]
    assert not is_jaa_folder(tmp_path)
    with pytest.raises(DatasetError, match=r"found no lists of parts, expected lists such as BP4D_part1_path.txt"):
        read_jaa_parts(tmp_path)


def test_parts_that_do_not_belong_together(tmp_path: Path) -> None:
    prefix = write(tmp_path)
    for ending in ("path", "AUoccur"):
        text = prefix.with_name(f"BP4D_part1_{ending}.txt").read_bytes()
        (tmp_path / f"BP4D_part2_{ending}.txt").write_bytes(text)
    with pytest.raises(DatasetError, match=r"only some parts have landmarks"):
        read_jaa_parts(tmp_path)
    (tmp_path / "BP4D_part1_land.txt").unlink()
    with pytest.raises(DatasetError, match=r"BP4D/F001/T1/2440.jpg stands in two"):
        read_jaa_parts(tmp_path)
    (tmp_path / "DISFA_part1_path.txt").write_text(PATHS)
    with pytest.raises(DatasetError, match=r"found BP4D and DISFA of parts"):
        read_jaa_parts(tmp_path)
