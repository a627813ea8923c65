"""Files of codes: headers, odd bytes, and everything that can be wrong in a cell."""

from pathlib import Path

import pytest

from facskit.action_units import BP4D, ActionUnitSet, parse_action_unit
from facskit.datasets.corpora.reading.import_log import ImportLog
from facskit.datasets.corpora.reading.label_files import LabelFile, read_code_lists, read_code_tables
from facskit.errors import DatasetError
from tests.datasets.corpora.raw_folders import write_lines, write_table

NAMED = ("1", "1", "2", "4", "5", "6", "7", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20")
ONE = ActionUnitSet.parse("AU12")


def _file(path: Path, unit: int | None = None) -> LabelFile:
    return LabelFile(path=path, subject="F001", recording="T1", unit=None if unit is None else parse_action_unit(unit))


def _notes(folder: Path) -> ImportLog:
    return ImportLog(folder, "report")


def test_columns_are_found_by_header_in_both_kinds_of_table(tmp_path: Path) -> None:
    many = write_table(tmp_path / "a.csv", [7], present=(12, 24))
    named = write_table(tmp_path / "b.csv", [8], present=(12, 24), header=(*NAMED, "22", "23", "24"))
    notes = _notes(tmp_path)
    table = read_code_tables([_file(many), _file(named)], BP4D, notes)
    present = {code for code in BP4D.codes if table[code].to_list() == [1, 1]}
    assert present == {"AU12", "AU24"}
    assert table["frame"].to_list() == [7, 8]
    assert not notes.findings


def test_the_first_column_is_the_frame_although_it_is_called_like_au_1(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "1,1,2", "40,0,1", "41,1,0")
    table = read_code_tables([_file(path)], ActionUnitSet.parse("AU01"), _notes(tmp_path))
    assert table.select("frame", "AU01").rows() == [(40, 0), (41, 1)]


def test_byte_order_mark_crlf_and_empty_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf0,1,12\r\n5,0,1\r\n\r\n6,1,9\r\n\r\n\r\n")
    notes = _notes(tmp_path)
    table = read_code_tables([_file(path)], ActionUnitSet.parse("AU12,AU01"), notes)
    assert table.select("frame", "AU12", "AU01").rows() == [(5, 1, 0), (6, 9, 1)]
    assert not notes.findings


def test_two_columns_of_one_au_are_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "0,1,12,AU12", "5,1,0,1")
    notes = _notes(tmp_path)
    table = read_code_tables([_file(path)], ActionUnitSet.parse("AU01,AU12"), notes)
    assert table.select("AU01", "AU12").rows() == [(1, None)]
    assert [str(finding) for finding in notes.findings] == [
        "a.csv: line 1: AU12 has two columns, so its codes can't be told; delete one of them"
    ]


@pytest.mark.parametrize("frame", ["inf", "1e30"])
def test_no_number_is_too_large_to_be_refused_as_a_frame(tmp_path: Path, frame: str) -> None:
    path = write_lines(tmp_path / "a.csv", "0,1,12", f"{frame},1,0", "6,1,0")
    notes = _notes(tmp_path)
    assert read_code_tables([_file(path)], ActionUnitSet.parse("AU12"), notes)["frame"].to_list() == [6]
    assert f"a.csv: line 2, frame: found '{frame}', expected a frame number" in str(notes.findings[0])


def test_a_missing_column_is_unknown_and_said(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "0,1,2", "5,1,0")
    notes = _notes(tmp_path)
    table = read_code_tables([_file(path)], ActionUnitSet.parse("AU01,AU12"), notes)
    assert table["AU12"].to_list() == [None]
    assert [str(finding) for finding in notes.findings] == [
        "a.csv: the column of AU12 is missing, so these AUs are unknown there"
    ]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("6,x", "line 3, AU12: found 'x', expected 0, 1 or 9"),
        ("6,2", "line 3, AU12: found '2', expected 0, 1 or 9"),
        ("6,0.5", "line 3, AU12: found '0.5', expected 0, 1 or 9"),
        ("6", "line 3: found 1 cells, the header has 2"),
        ("6,0,1", "line 3: found 3 cells, the header has 2"),
        ("six,1", "line 3, frame: found 'six', expected a frame number"),
        ("-6,1", "line 3, frame: found '-6', expected a frame number"),
    ],
)
def test_a_damaged_cell_is_named_with_its_line_and_its_frame_dropped(tmp_path: Path, row: str, complaint: str) -> None:
    path = write_lines(tmp_path / "a.csv", "0,12", "5,1", row, "7,0")
    notes = _notes(tmp_path)
    assert read_code_tables([_file(path)], ONE, notes)["frame"].to_list() == [5, 7]
    assert str(notes.findings[0]) == f"a.csv: {complaint}"
    with pytest.raises(DatasetError, match="a.csv: line 3"):
        read_code_tables([_file(path)], ONE, ImportLog(tmp_path, "stop"))


def test_a_table_without_a_header_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "2440,0,0,1,0,9", "2441,0,0,1,0,9")
    notes = _notes(tmp_path)
    assert read_code_tables([_file(path)], ONE, notes).is_empty()
    assert "line 1: found no header" in str(notes.findings[0])


@pytest.mark.parametrize(
    ("content", "complaint"), [(b"", "an empty file"), (b"\xff\xfe0,12\n", "can't be read as text")]
)
def test_empty_and_binary_files_are_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    notes = _notes(tmp_path)
    assert read_code_tables([_file(path)], ONE, notes).is_empty()
    assert complaint in str(notes.findings[0])


def test_repeated_frames_count_once_and_contradictions_not_at_all(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "0,12", "5,1", "5,1", "6,0", "6,1", "7,1")
    notes = _notes(tmp_path)
    assert read_code_tables([_file(path)], ONE, notes).select("frame", "AU12").rows() == [(5, 1), (7, 1)]
    assert [finding.severity for finding in notes.findings] == ["error", "warning"]
    assert "frame 6 more than once, with different codes" in notes.findings[0].sentence
    assert notes.dropped["frame"].unique().to_list() == [6]


def test_lists_of_different_aus_become_columns(tmp_path: Path) -> None:
    first = write_lines(tmp_path / "au1.txt", "1,0", "2,3", "3,5")
    second = write_lines(tmp_path / "au2.txt", "# intensity", "", "1 4", "2\t0")
    table = read_code_lists([_file(first, 1), _file(second, 2)], range(6), _notes(tmp_path))
    assert table.sort("frame").select("frame", "AU01", "AU02").rows() == [(1, 0, 4), (2, 3, 0), (3, 5, None)]


def test_lists_from_windows_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "au1.txt"
    path.write_bytes(b"\xef\xbb\xbf# AU 1\r\n1,2\r\n2,0\r\n\r\n")
    notes = _notes(tmp_path)
    table = read_code_lists([_file(path, 1)], range(6), notes)
    assert table.select("frame", "AU01").rows() == [(1, 2), (2, 0)]
    assert not notes.findings


def test_lists_may_name_images_instead_of_frames(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "au1.txt", "000.jpg 0", "trial2_0017.png 3")
    table = read_code_lists([_file(path, 1)], range(6), _notes(tmp_path))
    assert table.select("frame", "AU01").rows() == [(0, 0), (17, 3)]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("2,6", "line 2, AU01: found '6', expected 0, 1, 2, 3, 4 or 5"),
        ("2,high", "line 2, AU01: found 'high'"),
        ("nonsense", "line 2, AU01: found 'nonsense'"),
        ("frame,3", "line 2, frame: found 'frame', expected a frame number"),
    ],
)
def test_a_damaged_line_of_a_list_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    path = write_lines(tmp_path / "au1.txt", "1,0", line, "3,0")
    notes = _notes(tmp_path)
    assert read_code_lists([_file(path, 1)], range(6), notes)["frame"].to_list() == [1, 3]
    assert str(notes.findings[0]).startswith(f"au1.txt: {complaint}")


def test_many_damaged_lines_of_a_file_are_one_finding(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "au1.txt", "1,7", "2,8", "3,9")
    notes = _notes(tmp_path)
    assert read_code_lists([_file(path, 1)], range(6), notes).is_empty()
    assert len(notes.findings) == 1
    assert notes.findings[0].sentence.endswith("2 more lines are damaged")
