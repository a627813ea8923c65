"""DISFA and DISFA+: intensities, cameras, counting from 0 and from 1, and labels that aren't there."""

from pathlib import Path

import numpy as np
import pytest

from facskit.action_units import DISFA_8, DISFA_12
from facskit.datasets.corpora.decisions import Decisions
from facskit.datasets.corpora.disfa import read_disfa
from facskit.datasets.corpora.disfa_plus import read_disfa_plus
from facskit.datasets.corpora.example_trees.tree_files import write_point_file
from facskit.datasets.corpora.index import CorpusIndex
from facskit.errors import DatasetError
from tests.datasets.corpora.raw_folders import touch_images, write_disfa, write_lines, write_video

FACE = np.random.default_rng(3).uniform(10, 90, (68, 2))
REPORT = Decisions(on_error="report")


def _sentences(index: CorpusIndex) -> str:
    return "\n".join(str(finding) for finding in index.findings)


def _only_labels(root: Path, subject: str = "SN001") -> None:
    write_disfa(root, subject)
    for image in (root / subject).iterdir():
        image.unlink()
    (root / subject).rmdir()


def test_intensities_become_labels_at_the_threshold(tmp_path: Path) -> None:
    index = read_disfa(write_disfa(tmp_path), Decisions())
    assert index.action_units == DISFA_12
    assert index.table.select("frame", "AU12", "AU12_level").rows() == [(1, 0, 0), (2, 0, 1), (3, 1, 2), (4, 1, 3)]
    assert read_disfa(tmp_path, Decisions(threshold=1)).table["AU12"].to_list() == [0, 1, 1, 1]
    assert read_disfa(tmp_path, Decisions(threshold=3)).table["AU12"].to_list() == [0, 0, 0, 1]
    assert read_disfa(tmp_path, Decisions(action_units="disfa-8")).action_units == DISFA_8


def test_label_1_is_image_0(tmp_path: Path) -> None:
    index = read_disfa(write_disfa(tmp_path), Decisions())
    assert index.table["media"].to_list() == [f"SN001/{image}.png" for image in range(4)]
    assert "frame f of the labels is taken to be image f-1" in _sentences(index)


def test_images_from_1_keep_their_numbers(tmp_path: Path) -> None:
    index = read_disfa(write_disfa(tmp_path, first_image=1), Decisions())
    assert index.table["media"].to_list() == [f"SN001/{image}.png" for image in range(1, 5)]


def test_one_subject_whose_images_count_otherwise_is_never_read_one_off(tmp_path: Path) -> None:
    for subject in ("SN001", "SN002", "SN004"):
        write_disfa(tmp_path, subject)
    write_disfa(tmp_path, "SN003", first_image=1)
    with pytest.raises(DatasetError, match=r"^SN003: the images count from 1, most recordings' from 0, so"):
        read_disfa(tmp_path, Decisions())
    index = read_disfa(tmp_path, REPORT)
    assert index.table["subject"].unique().sort().to_list() == ["SN001", "SN002", "SN004"]
    assert index.dropped.select("subject", "frame").rows() == [("SN003", frame) for frame in range(1, 5)]
    assert index.dropped["reason"].unique().to_list() == ["images numbered otherwise than the others"]


def test_a_subject_who_only_lacks_the_first_image_loses_one_frame(tmp_path: Path) -> None:
    for subject in ("SN001", "SN002", "SN003"):
        write_disfa(tmp_path, subject)
    (tmp_path / "SN003/0.png").unlink()
    index = read_disfa(tmp_path, REPORT)
    assert index.dropped.select("subject", "frame").rows() == [("SN003", 1)]
    assert index.table.filter(subject="SN003").select("frame", "media").row(0) == (2, "SN003/1.png")


@pytest.mark.parametrize(
    ("folder", "pattern"),
    [
        ("LeftVideoSN001", "frame_{}.jpg"),
        ("Images/Left/LeftVideoSN001_comp.avi", "frame-{:05d}.jpg"),
        ("left/SN001", "{}.jpg"),
    ],
)
def test_extracted_frames_are_found_in_other_places(tmp_path: Path, folder: str, pattern: str) -> None:
    _only_labels(tmp_path)
    touch_images(tmp_path / folder, [pattern.format(frame) for frame in range(1, 5)])
    index = read_disfa(tmp_path, Decisions())
    assert index.table["media"][0] == f"{folder}/{pattern.format(1)}"
    with pytest.raises(DatasetError, match="found only the other camera's pictures of SN001"):
        read_disfa(tmp_path, Decisions(camera="right"))


def test_the_camera_chooses_the_video(tmp_path: Path) -> None:
    _only_labels(tmp_path)
    for side in ("Left", "Right"):
        write_video(tmp_path / f"Video_{side}Camera/{side}VideoSN001_comp.avi", 4)
    left = read_disfa(tmp_path, Decisions())
    assert left.table.select("media", "media_frame").row(3) == ("Video_LeftCamera/LeftVideoSN001_comp.avi", 3)
    right = read_disfa(tmp_path, Decisions(camera="right"))
    assert right.table["media"][0] == "Video_RightCamera/RightVideoSN001_comp.avi"
    assert right.decisions["camera"] == "right"


def test_folders_that_dont_tell_the_camera_serve_both_but_the_right_one_is_doubted(tmp_path: Path) -> None:
    write_disfa(tmp_path)
    for decisions, severity in ((Decisions(), "note"), (Decisions(camera="right"), "warning")):
        findings = read_disfa(tmp_path, decisions).findings
        told = [finding.severity for finding in findings if "doesn't tell the camera" in finding.sentence]
        assert told == [severity]


def test_landmarks_count_from_0_or_with_l_from_1(tmp_path: Path) -> None:
    for subject in ("SN001", "SN031"):
        write_disfa(tmp_path, subject)
    for frame in range(4):
        if frame != 2:
            folder = tmp_path / "Landmark_Points"
            write_point_file(folder / f"SN001/tmp_frame_lm/SN001_{frame:04d}_lm.mat", FACE + frame)
            write_point_file(folder / f"SN031/tmp_frame_lm/l{frame + 1:05d}_lm.mat", FACE + frame)
    table = read_disfa(tmp_path, Decisions()).table
    for subject in ("SN001", "SN031"):
        nose = [None if x is None else round(x - FACE[30, 0], 3) for x in table.filter(subject=subject)["x_30"]]
        assert nose == [0, 1, None, 3], subject
    chosen = read_disfa(tmp_path, Decisions(frames="landmarks"))
    assert chosen.table["frame"].unique().sort().to_list() == [1, 2, 4]
    assert chosen.dropped["reason"].to_list() == ["no landmarks"] * 2


def test_damaged_landmark_files_are_one_finding_per_subject(tmp_path: Path) -> None:
    write_disfa(tmp_path)
    for frame in range(4):
        write_lines(tmp_path / f"Landmark_Points/SN001/tmp_frame_lm/SN001_{frame:04d}_lm.mat", "nothing")
    index = read_disfa(tmp_path, REPORT)
    assert [finding.severity for finding in index.findings].count("error") == 1
    assert "SN001_0000_lm.mat: found no 66 landmarks" in str(index.findings[0])
    assert "3 more of SN001 are damaged" in str(index.findings[0])


def test_the_right_camera_has_no_landmarks(tmp_path: Path) -> None:
    _only_labels(tmp_path)
    write_video(tmp_path / "Video_RightCamera/RightVideoSN001_comp.avi", 4)
    write_point_file(tmp_path / "Landmark_Points/SN001/tmp_frame_lm/SN001_0000_lm.mat", FACE)
    index = read_disfa(tmp_path, Decisions(camera="right"))
    assert "x_30" not in index.table.columns
    assert "the landmarks are those of the left camera's pictures" in _sentences(index)


def test_a_missing_label_file_means_unknown_never_absent(tmp_path: Path) -> None:
    write_disfa(tmp_path)
    (tmp_path / "ActionUnit_Labels/SN001/SN001_au5.txt").unlink()
    with pytest.raises(DatasetError, match="SN001: the label files of AU05 are missing, so these AUs are unknown"):
        read_disfa(tmp_path, Decisions())
    index = read_disfa(tmp_path, REPORT)
    assert index.table["AU05"].to_list() == [None] * 4
    assert index.table["AU05_level"].to_list() == [None] * 4
    assert len(read_disfa(tmp_path, Decisions(action_units="AU12"))) == 4, "AUs that nobody wants may be missing"


def test_a_frame_that_one_list_lacks_is_unknown_for_its_au(tmp_path: Path) -> None:
    write_disfa(tmp_path)
    write_lines(tmp_path / "ActionUnit_Labels/SN001/SN001_au6.txt", "1,3", "2,0", "3,0")
    assert read_disfa(tmp_path, Decisions()).table["AU06"].to_list() == [1, 0, 0, None]


def test_a_damaged_line_drops_the_whole_frame(tmp_path: Path) -> None:
    write_disfa(tmp_path)
    write_lines(tmp_path / "ActionUnit_Labels/SN001/SN001_au6.txt", "1,3", "2,none", "3,0", "4,7")
    index = read_disfa(tmp_path, REPORT)
    assert index.table["frame"].to_list() == [1, 3]
    assert "SN001_au6.txt: line 2, AU06: found 'none'" in _sentences(index)
    assert index.dropped["frame"].to_list() == [2, 4]


@pytest.mark.parametrize("inside", ["", "ActionUnit_Labels", ".."])
def test_the_folder_is_found_from_above_and_from_inside(tmp_path: Path, inside: str) -> None:
    root = write_disfa(tmp_path / "corpora" / "DISFA")
    assert read_disfa(root / inside, Decisions()).root == root.resolve()


def test_wrong_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="found no label files of disfa, expected a folder with ActionUnit_Labels"):
        read_disfa(tmp_path, Decisions())
    (tmp_path / "ActionUnit_Labels").mkdir()
    with pytest.raises(DatasetError, match=r"found no label files, expected files such as SN001/SN001_au1.txt"):
        read_disfa(tmp_path, Decisions())
    with pytest.raises(DatasetError, match="found no label files of disfa-plus, expected a folder with Labels"):
        read_disfa_plus(tmp_path, Decisions())


def _write_plus(root: Path) -> Path:
    for number in DISFA_12.numbers:
        lines = ["# intensity of an AU", "000.jpg 0", "001.jpg 3", "", "# the end"]
        write_lines(root / f"Labels/SN001/A1_AU1_TrailNo_1/AU{number}.txt", *lines)
    touch_images(root / "Images/SN001/A1_AU1_TrailNo_1", ["000.jpg", "001.jpg"])
    return root


def test_disfa_plus_labels_name_their_images(tmp_path: Path) -> None:
    index = read_disfa_plus(_write_plus(tmp_path), Decisions())
    assert index.table.select("media", "recording", "frame", "AU01", "AU26_level").rows() == [
        ("Images/SN001/A1_AU1_TrailNo_1/000.jpg", "A1_AU1_TrailNo_1", 0, 0, 0),
        ("Images/SN001/A1_AU1_TrailNo_1/001.jpg", "A1_AU1_TrailNo_1", 1, 1, 3),
    ]
    assert "all people of DISFA+ are in DISFA too" in _sentences(index)


def test_disfa_plus_says_what_is_missing(tmp_path: Path) -> None:
    root = _write_plus(tmp_path)
    (root / "Labels/SN001/A1_AU1_TrailNo_1/AU4.txt").unlink()
    (root / "Images/SN001/A1_AU1_TrailNo_1/001.jpg").unlink()
    index = read_disfa_plus(root, REPORT)
    assert "the label files of AU04 are missing" in _sentences(index)
    assert index.table["AU04"].to_list() == [None]
    assert index.dropped.select("frame", "reason").rows() == [(1, "no image for the frame")]
