"""BP4D: every layout of the release, every way to read its codes, and what is said about a damaged copy."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.action_units import BP4D
from facskit.datasets.corpora.bp4d import read_bp4d
from facskit.datasets.corpora.decisions import Decisions
from facskit.datasets.corpora.example_trees.tree_files import write_fit_file
from facskit.datasets.corpora.index import CorpusIndex
from facskit.errors import DatasetError
from tests.datasets.corpora.raw_folders import (
    MANY_COLUMNS,
    touch_images,
    write_bp4d,
    write_lines,
    write_table,
    write_video,
)

REPORT = Decisions(on_error="report")
FACE = np.random.default_rng(3).uniform(10, 90, (68, 2))


def _sentences(index: CorpusIndex, severity: str) -> str:
    return "\n".join(str(finding) for finding in index.findings if finding.severity == severity)


def test_every_coded_frame_has_its_image_and_its_labels(tmp_path: Path) -> None:
    index = read_bp4d(write_bp4d(tmp_path), Decisions())
    assert index.table.select("media", "media_frame", "subject", "recording", "frame").row(3) == (
        "2D+3D/F001/T2/0006.jpg",
        None,
        "F001",
        "T2",
        6,
    )
    assert index.action_units == BP4D
    present = {code for code in BP4D.codes if index.table[code].to_list() == [1] * 16}
    assert present == {"AU01", "AU12"}
    assert index.table["AU24"].to_list() == [0] * 16
    assert not _sentences(index, "error")
    assert index.dropped.is_empty()


@pytest.mark.parametrize("name", ["Sequences(2D+3D)", "Sequences_2D+3D", "BP4D-training", "my pictures", "."])
def test_image_folders_are_found_by_what_is_in_them(tmp_path: Path, name: str) -> None:
    root = write_bp4d(tmp_path, tasks=[1])
    pictures = root / "2D+3D" / "F001"
    (root / name).mkdir(exist_ok=True)
    pictures.rename(root / name / "F001")
    index = read_bp4d(root, Decisions())
    assert index.table["media"][0] == str(Path(name) / "F001" / "T1" / "0005.jpg")


@pytest.mark.parametrize("pattern", ["{:04d}.jpg", "{:03d}.jpg", "{}.jpg", "frame_{}.jpg", "{:05d}.PNG"])
def test_image_names_have_any_number_of_digits(tmp_path: Path, pattern: str) -> None:
    write_table(tmp_path / "AUCoding/AU_OCC/F001_T1.csv", [5, 643, 2440])
    touch_images(tmp_path / "2D+3D/F001/T1", [pattern.format(frame) for frame in (4, 5, 643, 2440)])
    index = read_bp4d(tmp_path, Decisions())
    assert [Path(media).name for media in index.table["media"]] == [pattern.format(frame) for frame in (5, 643, 2440)]


def test_folders_named_by_subject_and_task_are_read(tmp_path: Path) -> None:
    write_table(tmp_path / "AUCoding/AU_OCC/F001_T5.csv", [1, 2])
    touch_images(tmp_path / "frames/2F01_T5", ["frame_1.jpg", "frame_2.jpg"])
    assert read_bp4d(tmp_path, Decisions()).table["media"].to_list() == [
        "frames/2F01_T5/frame_1.jpg",
        "frames/2F01_T5/frame_2.jpg",
    ]


def test_raw_videos_are_tasks_by_their_number(tmp_path: Path) -> None:
    for task, code in enumerate(("01", "03", "07", "08", "09", "10", "11", "13"), start=1):
        write_table(tmp_path / f"AUCoding/AU_OCC/M012_T{task}.csv", [1, 3])
        write_video(tmp_path / f"AVI/2M12_{code}.avi", 3)
    write_video(tmp_path / "AVI/2M12_02.avi", 3)
    index = read_bp4d(tmp_path, Decisions())
    assert index.table.filter(recording="T3").select("media", "media_frame").rows() == [
        ("AVI/2M12_07.avi", 0),
        ("AVI/2M12_07.avi", 2),
    ]
    codes = [Path(media).stem[-2:] for media in index.table.filter(frame=1)["media"]]
    assert codes == ["01", "03", "07", "08", "09", "10", "11", "13"]


@pytest.mark.parametrize("name", ["videos/F001_T1.mp4", "videos/F001_T1.avi", "F001/T1.mp4", "2F01_T1.avi"])
def test_other_names_of_videos(tmp_path: Path, name: str) -> None:
    write_table(tmp_path / "AUCoding/AU_OCC/F001_T1.csv", [1])
    write_video(tmp_path / name, 2)
    assert read_bp4d(tmp_path, Decisions()).table.select("media", "media_frame").row(0) == (name, 0)


def test_frames_outside_a_video_are_dropped_and_said(tmp_path: Path) -> None:
    write_table(tmp_path / "AUCoding/AU_OCC/F001_T1.csv", [2, 3, 4, 5])
    write_video(tmp_path / "F001_T1.mp4", 3)
    index = read_bp4d(tmp_path, REPORT)
    assert index.table["frame"].to_list() == [2, 3]
    assert index.dropped.select("frame", "reason", "file").rows() == [
        (4, "outside the video", "F001_T1.mp4"),
        (5, "outside the video", "F001_T1.mp4"),
    ]
    assert "F001_T1.mp4: has 3 frames, but 2 of the coded frames, 4 to 5, are outside it" in _sentences(index, "error")


def test_a_damaged_video_is_an_error_and_its_recording_dropped(tmp_path: Path) -> None:
    write_bp4d(tmp_path, tasks=[1])
    write_table(tmp_path / "AUCoding/AU_OCC/F001_T2.csv", [1, 2])
    write_lines(tmp_path / "F001_T2.avi", "no video")
    with pytest.raises(DatasetError, match=r"^F001_T2.avi: found no readable video"):
        read_bp4d(tmp_path, Decisions())
    index = read_bp4d(tmp_path, REPORT)
    assert index.table["recording"].unique().to_list() == ["T1"]
    assert index.dropped.rows() == [("F001", "T2", frame, "unreadable video", "F001_T2.avi") for frame in (1, 2)]


def test_code_9_has_three_meanings(tmp_path: Path) -> None:
    write_table(tmp_path / "AUCoding/AU_OCC/F001_T1.csv", [5], (1,), lost=(2,))
    touch_images(tmp_path / "F001/T1", ["0005.jpg"])
    labels = ["AU01", "AU02", "AU04"]
    assert read_bp4d(tmp_path, Decisions()).table.select(labels).row(0) == (1, None, 0)
    assert read_bp4d(tmp_path, Decisions(missing="negative")).table.select(labels).row(0) == (1, 0, 0)
    dropping = Decisions(missing="drop-frame", on_error="report")
    index = read_bp4d(tmp_path, dropping)
    assert index.table.is_empty()
    assert index.dropped["reason"].to_list() == ["an AU couldn't be coded"]
    others = Decisions(missing="drop-frame", action_units="AU01,AU04")
    assert len(read_bp4d(tmp_path, others)) == 1, "only the AUs wanted count"


def test_a_missing_column_is_never_negative(tmp_path: Path) -> None:
    write_lines(tmp_path / "AUCoding/AU_OCC/F001_T1.csv", "0,1", "5,1")
    touch_images(tmp_path / "F001/T1", ["5.jpg"])
    index = read_bp4d(tmp_path, Decisions(missing="negative", action_units="AU01,AU12", on_error="report"))
    assert index.table.select("AU01", "AU12").row(0) == (1, None)


def test_intensity_files_give_levels_or_labels(tmp_path: Path) -> None:
    write_bp4d(tmp_path, tasks=[1], frames=[5, 6, 7])
    write_lines(tmp_path / "AUCoding/AU_INT/AU12/F001_T1_AU12.csv", "5,1", "6,3", "7,9")
    index = read_bp4d(tmp_path, Decisions())
    assert index.table.select("AU12", "AU12_level").rows() == [(1, 1), (1, 3), (1, None)]
    cut = read_bp4d(tmp_path, Decisions(coding="intensity", threshold=2, action_units="AU12"))
    assert cut.table["AU12"].to_list() == [0, 1, None]
    assert cut.decisions["threshold"] == "2"
    other = read_bp4d(tmp_path, Decisions(coding="intensity", threshold=1, action_units="AU12"))
    assert other.table["AU12"].to_list() == [1, 1, None]


def test_intensity_coding_needs_its_files(tmp_path: Path) -> None:
    write_bp4d(tmp_path, tasks=[1])
    with pytest.raises(DatasetError, match=r"found no intensity files, expected AUCoding/AU_INT"):
        read_bp4d(tmp_path, Decisions(coding="intensity"))
    write_lines(tmp_path / "AUCoding/AU_INT/AU12/F001_T1_AU12.csv", "5,1", "6,3")
    with pytest.raises(DatasetError, match="found no intensity files of AU06, AU10, AU14, AU17"):
        read_bp4d(tmp_path, Decisions(coding="intensity"))


@pytest.mark.parametrize("old", [False, True])
def test_landmarks_belong_to_the_frame_with_their_number(tmp_path: Path, *, old: bool) -> None:
    write_bp4d(tmp_path, tasks=[1], frames=[2, 3, 4])
    write_fit_file(tmp_path / "2DFeatures/F001_T1.mat", [None, FACE, FACE + 1, None, FACE + 3], old=old)
    table = read_bp4d(tmp_path, Decisions()).table
    assert table["x_30"].to_list()[:2] == pytest.approx([FACE[30, 0], FACE[30, 0] + 1])
    assert table["x_30"][2] is None
    assert table["x_0"].null_count() == 3
    chosen = read_bp4d(tmp_path, Decisions(frames="landmarks"))
    assert chosen.table["frame"].to_list() == [2, 3]
    assert chosen.dropped.select("frame", "reason").rows() == [(4, "no landmarks")]


def test_wanting_frames_with_landmarks_needs_landmarks(tmp_path: Path) -> None:
    write_bp4d(tmp_path, tasks=[1])
    with pytest.raises(DatasetError, match="found no landmark files, which frames=landmarks needs"):
        read_bp4d(tmp_path, Decisions(frames="landmarks"))


def test_a_damaged_landmark_file_is_named(tmp_path: Path) -> None:
    write_bp4d(tmp_path, tasks=[1])
    write_lines(tmp_path / "2DFeatures/F001_T1.mat", "no landmarks")
    assert "2DFeatures/F001_T1.mat: found no landmarks" in _sentences(read_bp4d(tmp_path, REPORT), "error")


def test_labels_without_pictures_are_an_error(tmp_path: Path) -> None:
    write_bp4d(tmp_path)
    shutil.rmtree(tmp_path / "2D+3D/F001/T3")
    with pytest.raises(DatasetError, match="F001/T3: found labels of 1 recording without pictures; expected a folder"):
        read_bp4d(tmp_path, Decisions())
    index = read_bp4d(tmp_path, REPORT)
    assert "T3" not in index.table["recording"].to_list()
    lost = ("no images or video", "AUCoding/AU_OCC/F001_T3.csv")
    assert index.dropped.rows() == [("F001", "T3", frame, *lost) for frame in (5, 6)]  # all of them, not one recording


def test_a_missing_image_costs_one_frame(tmp_path: Path) -> None:
    write_bp4d(tmp_path)
    (tmp_path / "2D+3D/F001/T3/0006.jpg").unlink()
    index = read_bp4d(tmp_path, REPORT)
    assert len(index) == 15
    assert index.dropped.row(0) == ("F001", "T3", 6, "no image for the frame", "AUCoding/AU_OCC/F001_T3.csv")
    assert "1 of 16 coded frames have no image (the first is frame 6 of F001/T3" in _sentences(index, "error")


def test_pictures_without_labels_are_said(tmp_path: Path) -> None:
    write_bp4d(tmp_path)
    touch_images(tmp_path / "2D+3D/F002/T1", ["1.jpg"])
    index = read_bp4d(tmp_path, Decisions())
    assert "F002/T1: found pictures of 1 recording without labels; left out" in _sentences(index, "note")


def test_missing_tasks_are_said(tmp_path: Path) -> None:
    write_bp4d(tmp_path)
    write_bp4d(tmp_path, "F002", tasks=[1, 2, 3, 4, 5, 6])
    assert "found no label files of some tasks: F002 T7, T8" in _sentences(read_bp4d(tmp_path, Decisions()), "warning")


def test_a_subject_under_two_names_is_one_person(tmp_path: Path) -> None:
    write_bp4d(tmp_path, tasks=[1, 2])
    write_table(tmp_path / "AUCoding/AU_OCC/F01_T3.csv", [5])
    touch_images(tmp_path / "2D+3D/F01/T3", ["5.jpg"])
    index = read_bp4d(tmp_path, Decisions())
    assert index.table["subject"].unique().to_list() == ["F001"]
    assert "F001: is called F001 and F01 by the label files" in _sentences(index, "warning")
    write_table(tmp_path / "AUCoding/AU_OCC/F01_T1.csv", [5])
    with pytest.raises(DatasetError, match=r"F01_T1.csv: F001 T1 is coded in AUCoding/AU_OCC/F001_T1.csv too"):
        read_bp4d(tmp_path, Decisions())


def test_images_are_preferred_to_a_video_of_the_same_recording(tmp_path: Path) -> None:
    write_bp4d(tmp_path, tasks=[1])
    write_video(tmp_path / "F001_T1.mp4", 9)
    index = read_bp4d(tmp_path, Decisions())
    assert index.table["media_frame"].null_count() == 2
    assert "F001_T1.mp4: left unread, because 2D+3D/F001/T1 is F001/T1 already" in _sentences(index, "note")


def test_two_images_with_one_number_are_said(tmp_path: Path) -> None:
    write_bp4d(tmp_path, tasks=[1])
    touch_images(tmp_path / "2D+3D/F001/T1", ["5.jpg", "._0005.jpg", "Thumbs.db"])
    index = read_bp4d(tmp_path, Decisions())
    assert len(index) == 2
    assert "2D+3D/F001/T1/5.jpg has the same number in F001/T1" in _sentences(index, "warning")


def test_the_offset_moves_images_and_the_findings_say_which_fits(tmp_path: Path) -> None:
    write_table(tmp_path / "AUCoding/AU_OCC/F001_T1.csv", [5, 6, 7])
    touch_images(tmp_path / "F001/T1", ["4.jpg", "5.jpg", "6.jpg"])
    with pytest.raises(DatasetError, match="1 of 3 coded frames have no image .*with frame offset -1 all have one"):
        read_bp4d(tmp_path, Decisions())
    index = read_bp4d(tmp_path, Decisions(frame_offset=-1))
    assert [Path(media).stem for media in index.table["media"]] == ["4", "5", "6"]
    assert index.decisions["frame_offset"] == "-1 for images"


@pytest.mark.parametrize("inside", [".", "AUCoding", "AUCoding/AU_OCC", ".."])
def test_the_folder_is_found_from_above_and_from_inside(tmp_path: Path, inside: str) -> None:
    root = write_bp4d(tmp_path / "corpora" / "BP4D", tasks=[1])
    assert read_bp4d(root / inside, Decisions()).root == root.resolve()


def test_of_two_corpora_in_one_folder_the_right_one_is_taken(tmp_path: Path) -> None:
    write_bp4d(tmp_path / "BP4D")
    write_bp4d(tmp_path / "BP4D+", "F080", tasks=[1, 6, 7, 8])
    assert read_bp4d(tmp_path, Decisions()).root.name == "BP4D"


def test_wrong_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="found no label files of bp4d, expected a folder with AUCoding/AU_OCC"):
        read_bp4d(tmp_path, Decisions())
    with pytest.raises(DatasetError, match="found nothing there, expected a folder"):
        read_bp4d(tmp_path / "nowhere", Decisions())
    with pytest.raises(DatasetError, match="found a file, expected a folder"):
        read_bp4d(write_lines(tmp_path / "file", "text"), Decisions())


def test_reports_hold_every_dropped_frame_and_the_rest_is_usable(tmp_path: Path) -> None:
    write_bp4d(tmp_path, frames=[5, 6, 7])
    table = tmp_path / "AUCoding/AU_OCC/F001_T1.csv"
    table.write_text(table.read_text().replace("\n6,1", "\n6,many"))
    index = read_bp4d(tmp_path, REPORT)
    assert len(index) == 3 * 8 - 1
    assert index.dropped["reason"].to_list() == ["damaged label"]
    both = index.table.select("subject", "recording", "frame").join(index.dropped, on=["subject", "recording", "frame"])
    assert both.is_empty()


def test_tables_may_lie_beside_the_pictures(tmp_path: Path) -> None:
    write_table(tmp_path / "F001_T1.csv", [1], (2,), header=MANY_COLUMNS)
    touch_images(tmp_path / "F001/T1", ["1.jpg"])
    index = read_bp4d(tmp_path, Decisions())
    assert index.table.select(pl.col("AU02")).item() == 1
