"""Other tools' tables: what their columns mean, faces that weren't found, and damage named by file, line and column."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.action_units import ActionUnitSet
from facskit.datasets.corpora.lists.foreign_tables import guess_table, read_foreign_table, tables_in
from facskit.errors import DatasetError
from facskit.inference.recognition import Recognition, RecognizedFrame
from facskit.inference.tables import TableWriter, layout

OPENFACE = """frame, face_id, timestamp, confidence, success, gaze_0_x, AU01_r, AU12_r, AU01_c, AU12_c, AU28_c
1, 0, 0.000, 0.98, 1, 0.1, 0.50, 2.10, 0.0, 1.0, 0.0
2, 0, 0.033, 0.02, 0, 0.0, 0.00, 0.00, 0.0, 0.0, 0.0
3, 0, 0.067, 0.97, 1, 0.1, -nan(ind), 1.00, 1.0, 1.0, 1.0
"""
PY_FEAT = """,FaceRectX,FaceScore,AU01,AU11,AU12,input,frame,approx_time
0,1,0.99,0.2,0.3,0.8,talk.mp4,0,00:00
1,,,,,,talk.mp4,1,00:00
2,1,0.98,0.5,0.3,0.49,talk.mp4,2,00:00
"""
LIBREFACE = """frame_idx,frame_time_in_ms,pitch,au_1,au_12,au_1_intensity,facial_expression
0,0.0,1.5,0,1,0.2,happiness
1,0.033,1.5,,,,
"""
FACSKIT = """input,frame,face_id,timestamp,confidence,success,AU01,AU12,AU01_c,AU12_c
a.mp4,0,0,0.0,0.9,1,0.7,0.2,1,0
a.mp4,1,,0.04,,0,,,,
"""


def write(folder: Path, text: str, name: str = "talk.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (OPENFACE, "openface"),
        (OPENFACE.replace(", ", ","), "openface"),
        (PY_FEAT, "py-feat"),
        (LIBREFACE, "libreface"),
        (FACSKIT, "facskit"),
        ("image,subject,AU01\na.jpg,p,1\n", None),
    ],
)
def test_guess(tmp_path: Path, text: str, kind: str | None) -> None:
    assert guess_table(write(tmp_path, text)) == kind
    assert guess_table(tmp_path / "none.csv") is None


def test_openface(tmp_path: Path) -> None:
    source = read_foreign_table(write(tmp_path, OPENFACE), "openface")
    table = source.table
    assert source.action_units == ActionUnitSet.parse("1 12 28")
    assert table["input"].unique().to_list() == ["talk"]
    assert table["frame"].to_list() == [0, 1, 2]  # OpenFace counts from 1
    assert table["AU01"].to_list() == [0, None, 1]
    assert table["AU28"].to_list() == [0, None, 1]
    assert table["AU01_r"].to_list() == [0.5, None, None]
    assert table["AU12_r"].to_list() == [2.1, None, 1.0]
    assert table["success"].to_list() == [1, 0, 1]
    assert any("(1) have unknown labels, not OpenFace's zeros" in finding.sentence for finding in source.findings)


def test_openface_of_single_pictures(tmp_path: Path) -> None:
    text = "face,confidence,AU01_r,AU01_c\n0,0.9,1.2,1.0\n1,0.8,0.1,0.0\n"
    source = read_foreign_table(write(tmp_path, text), "openface")
    assert source.names == "stems"
    assert source.table["frame"].to_list() == [0, 0]
    assert source.table["face_id"].to_list() == [0, 1]
    assert source.table["AU01"].to_list() == [1, 0]


def test_openface_estimates_outside_their_scale(tmp_path: Path) -> None:
    source = read_foreign_table(write(tmp_path, OPENFACE.replace("2.10", "-0.3")), "openface")
    assert source.findings[-1].sentence == "1 estimates are outside 0 to 5; was OpenFace interrupted?"


@pytest.mark.parametrize(("threshold", "labels"), [(0.5, [0, None, 1]), (0.2, [1, None, 1]), (0.6, [0, None, 0])])
def test_py_feat(tmp_path: Path, threshold: float, labels: list[int | None]) -> None:
    source = read_foreign_table(write(tmp_path, PY_FEAT), "py-feat", threshold=threshold)
    assert source.table["AU01"].to_list() == labels
    assert source.table["AU01_probability"].to_list() == [0.2, None, 0.5]
    assert source.table["frame"].to_list() == [0, 1, 2]
    assert source.table["input"].to_list() == ["talk.mp4"] * 3
    assert source.decisions["AU from"] == f"probability >= {threshold:g}"
    assert "AU11 left out: facskit doesn't know such an AU" in source.findings[-1].sentence
    assert source.action_units == ActionUnitSet.parse("1 12")


def test_libreface(tmp_path: Path) -> None:
    source = read_foreign_table(write(tmp_path, LIBREFACE), "libreface")
    assert source.table["AU12"].to_list() == [1, None]
    assert source.table["success"].to_list() == [1, 0]
    assert source.table["timestamp"].to_list() == [0.0, 0.033]
    assert source.table["au_1_intensity"].to_list() == [0.2, None]
    assert "frame_time_in_ms holds seconds" in source.findings[0].sentence


def test_own_tables_are_cut_at_the_threshold_too(tmp_path: Path) -> None:
    source = read_foreign_table(write(tmp_path, FACSKIT), "facskit", threshold=0.75)
    assert source.table["AU01"].to_list() == [0, None]
    assert source.table["AU01_probability"].to_list() == [0.7, None]


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        ("openface", OPENFACE.replace("2.10", "high"), "line 2, column AU12_r: found 'high', expected a number"),
        ("openface", OPENFACE.replace("1.0, 0.0\n2", "3.0, 0.0\n2"), "line 2, column AU12_c: found 3, expected 0 or 1"),
        ("openface", PY_FEAT, "there are no columns AU01_c; run OpenFace with -aus"),
        ("openface", OPENFACE.splitlines()[0] + "\n", "there are no rows; expected one per"),
        ("py-feat", PY_FEAT.replace("0.49", "49"), "line 4, column AU12: found 49, expected a probability from 0 to 1"),
        ("py-feat", "a,b\n1,2\n", "there are no columns such as AU01"),
        ("libreface", LIBREFACE.replace("0,1,0.2", "0,2,0.2"), "line 2, column au_12: found 2, expected 0 or 1"),
    ],
)
def test_bad_tables(tmp_path: Path, kind: str, text: str, sentence: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DatasetError) as caught:
        read_foreign_table(path, kind)  # type: ignore[arg-type]
    assert f"{path}: {sentence}" in str(caught.value)


def test_ragged_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"talk.csv: line 5: found 12 cells, expected 11"):
        read_foreign_table(write(tmp_path, OPENFACE + "4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"), "openface")
    with pytest.raises(DatasetError, match=r"none.csv: can't open it"):
        read_foreign_table(tmp_path / "none.csv", "openface")
    with pytest.raises(DatasetError, match=r"threshold must be between 0 and 1, got 1"):
        read_foreign_table(write(tmp_path, PY_FEAT), "py-feat", threshold=1.0)


@pytest.mark.parametrize(
    ("separator", "encoding"),
    [(",", "utf-8"), (";", "utf-8"), ("\t", "utf-8"), (",", "utf-8-sig"), ("\t", "utf-16"), (";", "utf-16")],
)
def test_any_separator_and_encoding(tmp_path: Path, separator: str, encoding: str) -> None:
    usual = read_foreign_table(write(tmp_path, OPENFACE), "openface")
    text = OPENFACE.replace(", ", separator)
    if separator == ";":  # a spreadsheet of a country with decimal commas
        text = text.replace(".", ",")
    path = tmp_path / "other" / "talk.csv"
    path.parent.mkdir()
    path.write_bytes(text.replace("\n", "\r\n").encode(encoding))
    assert guess_table(path) == "openface"
    assert read_foreign_table(path, "openface").table.equals(usual.table)


@pytest.mark.parametrize("cell", ["NA", "N/A", "#N/A", "nan", "-nan(ind)", "NaN", "NULL", "None", ""])
def test_cells_without_a_number_are_unknown(tmp_path: Path, cell: str) -> None:
    table = read_foreign_table(write(tmp_path, PY_FEAT.replace("0.49", cell)), "py-feat").table
    assert table["AU12"].to_list() == [1, None, None]


def test_a_doubled_column_and_a_cut_row_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"talk.csv: the column AU12_c stands there 2 times"):
        read_foreign_table(write(tmp_path, OPENFACE.replace("AU28_c", "AU12_c")), "openface")
    with pytest.raises(DatasetError, match=r"talk.csv: line 4: found 9 cells, expected 11 .* cut off"):
        read_foreign_table(write(tmp_path, OPENFACE[:-15]), "openface")
    (tmp_path / "talk.csv").write_bytes(OPENFACE.encode() + b"\xff\xfc")
    with pytest.raises(DatasetError, match=r"talk.csv: found bytes that are no text"):
        read_foreign_table(tmp_path / "talk.csv", "openface")


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_results_of_recognize_in_each_format(tmp_path: Path, ending: str) -> None:
    units = ActionUnitSet.parse("1 12")
    face = Recognition(
        source="a.jpg",
        frame=0,
        face_id=0,
        timestamp=0.0,
        box=np.array([1, 2, 30, 40], np.float32),
        landmarks=np.zeros((5, 2), np.float32),
        confidence=0.9,
        action_units=units,
        probabilities=np.array([0.75, 0.25], np.float32),
        decisions=np.array([True, False]),
    )
    blank = np.zeros((8, 8, 3), np.uint8)
    path = tmp_path / f"result.{ending}"
    with TableWriter(path, layout("facskit", units)) as writer:
        writer.write(RecognizedFrame(source="a.jpg", frame=0, timestamp=0.0, image=blank, faces=(face,)))
        writer.write(RecognizedFrame(source="b.jpg", frame=0, timestamp=0.0, image=blank, faces=()))
    assert guess_table(path) == "facskit"
    source = read_foreign_table(path, "facskit")
    assert source.names == "pictures"
    assert source.table["input"].to_list() == ["a.jpg", "b.jpg"]
    assert source.table["AU01"].to_list() == [1, None]
    assert source.table["AU12"].to_list() == [0, None]
    assert source.table["AU01_probability"].to_list() == [0.75, None]


def test_a_folder_of_tables_keeps_their_names_and_frames(tmp_path: Path) -> None:
    write(tmp_path, OPENFACE, "talk.csv")
    write(tmp_path, OPENFACE.replace("1, 0, 0.000", "5, 0, 0.000"), "walk.csv")
    write(tmp_path, "image,subject\n", "other.csv")
    assert {kind: [file.name for file in files] for kind, files in tables_in(tmp_path).items()} == {
        "openface": ["talk.csv", "walk.csv"]
    }
    table = read_foreign_table(tmp_path, "openface").table
    assert table["input"].to_list() == ["talk"] * 3 + ["walk"] * 3
    assert table["frame"].to_list() == [0, 1, 2, 4, 1, 2]
    write(tmp_path, OPENFACE.replace("2.10", "high"), "walk.csv")
    with pytest.raises(DatasetError, match=r"walk.csv: line 2, column AU12_r: found 'high'"):
        read_foreign_table(tmp_path, "openface")
    write(tmp_path, OPENFACE.replace("AU28_c", "AU45_c"), "walk.csv")
    with pytest.raises(DatasetError, match=r"walk.csv: its columns aren't those of talk.csv"):
        read_foreign_table(tmp_path, "openface")
    with pytest.raises(DatasetError, match=r"no tables of py-feat"):
        read_foreign_table(tmp_path, "py-feat")


def test_labels_are_small_whole_numbers(tmp_path: Path) -> None:
    for kind, text in (("openface", OPENFACE), ("py-feat", PY_FEAT), ("libreface", LIBREFACE)):
        source = read_foreign_table(write(tmp_path, text), kind)  # type: ignore[arg-type]
        assert {source.table[code].dtype for code in source.action_units.codes} == {pl.Int8}
