"""FMAE-IAT's label files: both forms, what 999 loses, and files as its authors write them, byte for byte."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from facskit.action_units import BP4D, DISFA_8, ActionUnitSet
from facskit.datasets.corpora.lists.fmae import read_fmae_list, write_fmae_list
from facskit.datasets.manifest_checks import missing_images
from facskit.errors import DatasetError

# As json.dump of the authors' script writes them.
BP4D_LINES = (
    '{"img_path": "2F15_T8/frame_1.jpg", "AUs": [999, 999, 4, 999, 7, 999, 999, 999, 999, 999, 999, 999]}\n'
    '{"img_path": "2F15_T8/frame_2.jpg", "AUs": [999, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999]}\n'
    '{"img_path": "2M01_T1/frame_7.jpg", "AUs": [1, 2, 999, 999, 999, 999, 999, 999, 999, 999, 23, 24]}\n'
)
OLD_LINES = '{"img_path": "RightVideoSN001/frame_9.jpg", "AUs": [25, 12]}\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "list.json"
    path.write_text(text)
    return path


def test_new_form(tmp_path: Path) -> None:
    found = read_fmae_list(write(tmp_path, BP4D_LINES))
    assert found.action_units == BP4D
    assert found.corpus == "bp4d"
    assert found.table["subject"].to_list() == ["F015", "F015", "M001"]
    assert found.table["recording"].to_list() == ["T8", "T8", "T1"]
    assert found.table["frame"].to_list() == [1, 2, 7]
    assert found.table["AU04"].to_list() == [1, 0, 0]
    assert found.table["AU07"].to_list() == [1, 0, 0]
    assert found.table["AU24"].to_list() == [0, 0, 1]
    assert found.table["AU10"].dtype == pl.Int8
    assert found.decisions["missing (999)"] == "negative"
    assert any("9 (can't be coded)" in finding.sentence for finding in found.findings)


def test_999_as_unknown_leaves_positives_only(tmp_path: Path) -> None:
    table = read_fmae_list(write(tmp_path, BP4D_LINES), missing="unknown").table
    assert table["AU04"].to_list() == [1, None, None]
    assert not any((table[code] == 0).any() for code in BP4D.codes)


def test_old_form(tmp_path: Path) -> None:
    found = read_fmae_list(write(tmp_path, OLD_LINES))
    assert found.action_units == DISFA_8
    assert found.corpus == "disfa"
    row = found.table.row(0, named=True)
    assert (row["subject"], row["recording"], row["frame"]) == ("SN001", "right", 9)
    assert [row[code] for code in DISFA_8.codes] == [0, 0, 0, 0, 0, 1, 1, 0]
    assert "left out all frames without any" in found.findings[0].sentence
    assert found.findings[0].severity == "warning"


def test_bp4d_plus_is_told_from_bp4d_by_its_folders(tmp_path: Path) -> None:
    text = BP4D_LINES.replace("2F15_T8", "F001_T6").replace("2M01_T1", "F082_T1")
    found = read_fmae_list(write(tmp_path, text))
    assert found.corpus == "bp4d-plus"
    assert found.table["subject"].to_list() == ["F001", "F001", "F082"]
    again = read_fmae_list(write(tmp_path, BP4D_LINES.replace("2F15_T8", "F001_T6").replace("2M01_T1", "M001_T1")))
    assert again.corpus == "bp4d-plus"


def test_round_trip_byte_for_byte(tmp_path: Path) -> None:
    found = read_fmae_list(write(tmp_path, BP4D_LINES))
    findings = write_fmae_list(found.manifest(tmp_path, "x"), tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == BP4D_LINES.encode()
    assert findings == ()


def test_writing_says_what_is_lost(tmp_path: Path) -> None:
    found = read_fmae_list(write(tmp_path, BP4D_LINES), missing="unknown")
    (finding,) = write_fmae_list(found.manifest(tmp_path, "x"), tmp_path / "again.json")
    assert "30 unknown labels are written as 999" in finding.sentence
    assert (tmp_path / "again.json").read_bytes() == BP4D_LINES.encode()


def test_windows_lines_and_a_blank_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(b"\xef\xbb\xbf" + BP4D_LINES.replace("\n", "\r\n").encode() + b"\r\n")
    assert read_fmae_list(path).table.height == 3


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (
            lambda text: text.replace("2F15_T8/frame_2", "2F15_T8/frame_1"),
            "line 2: found '2F15_T8/frame_1.jpg' again, f",
        ),
        (lambda text: text.replace("[1, 2,", "[1, 3,"), "line 3: found AU 3, expected 999 or one of AU01,AU02"),
        (lambda text: text.replace("[1, 2,", '[1, "2",'), "line 3: found the AUs [1, '2', 999"),
        (lambda text: text.replace("[1, 2,", "[1, true,"), "line 3: found the AUs [1, True"),
        (lambda text: text.replace('"img_path": "2M', '"path": "2M'), 'line 3: found \'{"path"'),
        (lambda text: text.replace("23, 24]}", "23, 24]"), "line 3 is no JSON"),
        (lambda text: text.replace("2M01_T1/frame_7.jpg", "frame_7.jpg"), "line 3: found the path 'frame_7.jpg', exp"),
        (lambda text: text + "\n" + text.replace("2", "3"), "line 4 is empty; expected one line per image"),
        (lambda _: "", "the file is empty"),
    ],
)
def test_bad_files(tmp_path: Path, edit: Callable[[str], str], sentence: str) -> None:
    path = write(tmp_path, edit(BP4D_LINES))
    with pytest.raises(DatasetError) as caught:
        read_fmae_list(path, BP4D)
    assert f"{path}: {sentence}" in str(caught.value)


def test_slots_that_nothing_names(tmp_path: Path) -> None:
    path = write(tmp_path, '{"img_path": "a/1.jpg", "AUs": [999, 5, 999]}\n')
    with pytest.raises(
        DatasetError, match=r"found 3 slots, but only AU 5 is ever present; say with action_units which"
    ):
        read_fmae_list(path)
    found = read_fmae_list(path, ActionUnitSet.parse("1 5 9"))
    assert found.table.select("AU01", "AU05", "AU09").rows() == [(0, 1, 0)]
    assert found.corpus == "unknown"
    assert "the first folder is taken for the person" in found.findings[0].sentence


def test_pictures_are_counted(tmp_path: Path) -> None:
    (tmp_path / "2F15_T8").mkdir()
    (tmp_path / "2F15_T8/frame_1.jpg").write_bytes(b"x")
    missing = missing_images(tmp_path, read_fmae_list(write(tmp_path, BP4D_LINES)).table["image"])
    assert (~missing).sum() == 1
