"""Other tools' tables: what their columns mean, faces that weren't found, and damage named by file, line and column."""

from pathlib import Path

import polars as pl
import pytest

from facskit.action_units import ActionUnitSet
from facskit.datasets.corpora.lists.foreign_tables import guess_table, read_foreign_table
from facskit.errors import DatasetError

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
    table = read_foreign_table(write(tmp_path, text), "openface").table
    assert table["frame"].to_list() == [0, 0]
    assert table["AU01"].to_list() == [1, 0]


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
        ("openface", OPENFACE.splitlines()[0] + "\n", "there are no rows; expected one per frame"),
        ("py-feat", PY_FEAT.replace("0.49", "49"), "line 4: found AU12 49, expected a probability from 0 to 1"),
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
    with pytest.raises(DatasetError, match=r"talk.csv: can't be read as a CSV file with a header"):
        read_foreign_table(write(tmp_path, OPENFACE + "4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"), "openface")
    with pytest.raises(DatasetError, match=r"none.csv: can't be read as a CSV file"):
        read_foreign_table(tmp_path / "none.csv", "openface")
    with pytest.raises(DatasetError, match=r"threshold must be between 0 and 1, got 1"):
        read_foreign_table(write(tmp_path, PY_FEAT), "py-feat", threshold=1.0)


def test_labels_are_small_whole_numbers(tmp_path: Path) -> None:
    for kind, text in (("openface", OPENFACE), ("py-feat", PY_FEAT), ("libreface", LIBREFACE)):
        source = read_foreign_table(write(tmp_path, text), kind)  # type: ignore[arg-type]
        assert {source.table[code].dtype for code in source.action_units.codes} == {pl.Int8}
