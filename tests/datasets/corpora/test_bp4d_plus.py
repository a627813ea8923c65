"""BP4D+: its header, its zip archives, and the disputed offset between labels and images."""

import zipfile
from pathlib import Path

import pytest

from facskit.datasets.corpora.bp4d import read_bp4d
from facskit.datasets.corpora.bp4d_plus import read_bp4d_plus
from facskit.datasets.corpora.decisions import Decisions
from facskit.datasets.corpora.index import CorpusIndex
from facskit.datasets.corpora.reading.media import read_media_bytes
from facskit.errors import DatasetError, MediaError
from tests.datasets.corpora.raw_folders import touch_images, write_lines, write_table, write_video

NAMED = ("1", "1", "2", "4", "5", "6", "7", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20")
HEADER = (*NAMED, "22", "23", "24", "27", "28")
REPORT = Decisions(on_error="report")


def _labels(root: Path, name: str = "F080_T1", frames: tuple[int, ...] = (1, 2, 3)) -> None:
    write_table(root / f"AUCoding/AU_OCC/{name}.csv", frames, (12, 23), header=HEADER)


def _sentences(index: CorpusIndex) -> str:
    return "\n".join(str(finding) for finding in index.findings)


def _zip(path: Path, *names: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, f"picture {name}")


def test_the_named_header_gives_the_right_aus(tmp_path: Path) -> None:
    _labels(tmp_path)
    touch_images(tmp_path / "2D+3D/F080/T1", ["000.jpg", "001.jpg", "002.jpg"])
    index = read_bp4d_plus(tmp_path, Decisions())
    assert {code for code in index.action_units.codes if index.table[code].to_list() == [1, 1, 1]} == {"AU12", "AU23"}
    assert index.table["frame"].to_list() == [1, 2, 3]


def test_images_from_0_are_one_behind_the_labels_by_default(tmp_path: Path) -> None:
    _labels(tmp_path)
    touch_images(tmp_path / "2D+3D/F080/T1", ["000.jpg", "001.jpg", "002.jpg"])
    index = read_bp4d_plus(tmp_path, Decisions())
    assert [Path(media).name for media in index.table["media"]] == ["000.jpg", "001.jpg", "002.jpg"]
    assert index.decisions["frame_offset"] == "-1 for images"
    assert "image f-1 (frame_offset -1); no other offset has an image for every coded frame" in _sentences(index)
    with pytest.raises(DatasetError, match="1 of 3 coded frames have no image .* with frame offset -1 all have one"):
        read_bp4d_plus(tmp_path, Decisions(frame_offset=0))


def test_images_from_1_have_the_labels_numbers_by_default(tmp_path: Path) -> None:
    _labels(tmp_path)
    touch_images(tmp_path / "2D+3D/F080/T1", ["0001.jpg", "0002.jpg", "0003.jpg", "0004.jpg"])
    index = read_bp4d_plus(tmp_path, Decisions())
    assert [Path(media).name for media in index.table["media"]] == ["0001.jpg", "0002.jpg", "0003.jpg"]
    assert "image f (frame_offset 0); the images would fit +1 as well, so look at a few pictures" in _sentences(index)


def test_zip_archives_are_read_in_place(tmp_path: Path) -> None:
    _labels(tmp_path)
    _labels(tmp_path, "F080_T6")
    names = [f"F080/T{task}/{frame:04d}.jpg" for task in (1, 6, 11) for frame in range(3)]
    _zip(tmp_path / "2D+3D/F080.zip", *names, "F080/T1/0000.obj", "F080/T1/._0001.jpg", "readme.txt")
    index = read_bp4d_plus(tmp_path, Decisions())
    assert index.table["media"].to_list() == [f"2D+3D/F080.zip!/{name}" for name in names[:6]]
    assert read_media_bytes(index.root, index.table["media"][4]) == b"picture F080/T6/0001.jpg"


def test_archives_may_have_any_top_folder(tmp_path: Path) -> None:
    _labels(tmp_path)
    _zip(tmp_path / "2D+3D/F080.zip", *(f"data/2D+3D/F080/T1/{frame}.jpg" for frame in range(3)))
    assert len(read_bp4d_plus(tmp_path, Decisions())) == 3


def test_unpacked_folders_win_over_archives(tmp_path: Path) -> None:
    _labels(tmp_path)
    _zip(tmp_path / "2D+3D/F080.zip", "F080/T1/000.jpg")
    touch_images(tmp_path / "2D+3D/F080/T1", ["000.jpg", "001.jpg", "002.jpg"])
    index = read_bp4d_plus(tmp_path, Decisions())
    assert index.table["media"][0] == "2D+3D/F080/T1/000.jpg"
    assert "F080.zip: left unread, because F080 is unpacked beside it" in _sentences(index)


def test_damaged_and_empty_archives_are_named(tmp_path: Path) -> None:
    _labels(tmp_path)
    write_lines(tmp_path / "2D+3D/F080.zip", "cut short")
    with pytest.raises(DatasetError, match="F080.zip: can't be read as a zip archive"):
        read_bp4d_plus(tmp_path, Decisions())
    _zip(tmp_path / "2D+3D/F080.zip", "readme.txt")
    with pytest.raises(DatasetError, match=r"F080.zip: found no image such as F001/T1/0001.jpg"):
        read_bp4d_plus(tmp_path, Decisions())


def test_media_that_went_away_are_named(tmp_path: Path) -> None:
    _zip(tmp_path / "F080.zip", "F080/T1/000.jpg")
    (tmp_path / "a.jpg").write_bytes(b"picture")
    assert read_media_bytes(tmp_path, "a.jpg") == b"picture"
    with pytest.raises(MediaError, match=r"F080.zip: found no F080/T1/9.jpg in this archive"):
        read_media_bytes(tmp_path, "F080.zip!/F080/T1/9.jpg")
    with pytest.raises(MediaError, match=r"b.jpg: can't read it"):
        read_media_bytes(tmp_path, "b.jpg")


def test_videos_count_from_1(tmp_path: Path) -> None:
    _labels(tmp_path)
    write_video(tmp_path / "2D+3D/F080_T1.mp4", 3)
    index = read_bp4d_plus(tmp_path, Decisions())
    assert index.table["media_frame"].to_list() == [0, 1, 2]
    assert index.decisions["frame_offset"] == "0 for videos"
    with pytest.raises(DatasetError, match="1 of the coded frames, 1, are outside it with frame offset -1"):
        read_bp4d_plus(tmp_path, Decisions(frame_offset=-1))


def test_only_four_tasks_are_coded_and_other_data_are_no_pictures(tmp_path: Path) -> None:
    _labels(tmp_path, "F042_T1")
    touch_images(tmp_path / "2D+3D/F042/T1", ["000.jpg", "001.jpg", "002.jpg"])
    touch_images(tmp_path / "2D+3D/F042/T11", ["000.jpg"])
    touch_images(tmp_path / "Physiology/F042/T6", ["000.jpg"])
    index = read_bp4d_plus(tmp_path, Decisions())
    assert index.table["recording"].unique().to_list() == ["T1"]
    assert "without labels" not in _sentences(index)
    _labels(tmp_path, "F042_T11")
    index = read_bp4d_plus(tmp_path, Decisions())
    assert "F042_T11.csv: no codes of T1, T6, T7, T8 such as F001_T1.csv: 1 file left unread" in _sentences(index)
    assert len(index) == 3


def test_women_and_men_with_one_number_are_two_people(tmp_path: Path) -> None:
    for subject in ("F001", "M001"):
        _labels(tmp_path, f"{subject}_T1")
        touch_images(tmp_path / "2D+3D" / subject / "T1", ["000.jpg", "001.jpg", "002.jpg"])
    index = read_bp4d_plus(tmp_path, REPORT)
    assert index.table["subject"].unique().sort().to_list() == ["F001", "M001"]


def test_bp4d_isnt_read_as_bp4d_plus_nor_the_other_way_round(tmp_path: Path) -> None:
    for task in (1, 2, 6):
        write_table(tmp_path / f"one/AUCoding/AU_OCC/F001_T{task}.csv", [1])
        touch_images(tmp_path / f"one/2D+3D/F001/T{task}", ["1.jpg"])
    with pytest.raises(DatasetError, match="one: this is bp4d, because bp4d-plus has other tasks and subjects"):
        read_bp4d_plus(tmp_path / "one", Decisions())
    _labels(tmp_path / "two", "F080_T1")
    with pytest.raises(DatasetError, match="two: this is bp4d-plus, because bp4d has other tasks and subjects"):
        read_bp4d(tmp_path / "two", Decisions())


def test_the_nearest_fitting_offset_is_proposed(tmp_path: Path) -> None:
    _labels(tmp_path)
    touch_images(tmp_path / "2D+3D/F080/T1", [f"{frame}.jpg" for frame in range(6)])
    with pytest.raises(DatasetError, match="with frame offset 0 all have one: if that is right, set frame_offset 0"):
        read_bp4d_plus(tmp_path, Decisions(frame_offset=7))
