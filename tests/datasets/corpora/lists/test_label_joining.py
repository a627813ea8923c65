"""Labels beside their pictures: by frame, path and name, offsets, several faces, and rows that meet nothing."""

from pathlib import Path

import pytest

from facskit.datasets.corpora.lists.foreign_tables import LabelSource, read_foreign_table
from facskit.datasets.corpora.lists.label_joining import (
    join_labels,
    manifest_of_aligned,
    manifest_of_pictures,
    read_bare_numbers,
)
from facskit.datasets.manifest import read_manifest, write_manifest
from facskit.errors import DatasetError
from tests.datasets.corpora.lists.test_foreign_tables import OPENFACE, write

FRAMES = "image,subject,recording,frame\na/3.jpg,anna,talk,3\na/1.jpg,anna,talk,1\na/2.jpg,anna,talk,2\n"
PICTURES = """FaceScore,AU01,AU12,input,frame
0.99,0.2,0.8,pics/a.jpg,0
,,,pics/b.jpg,0
0.8,0.6,0.5,pics/c.jpg,0
0.9,0.1,0.2,pics/c.jpg,0
"""


@pytest.fixture
def openface(tmp_path: Path) -> LabelSource:
    return read_foreign_table(write(tmp_path, OPENFACE), "openface")


@pytest.fixture
def pictures(tmp_path: Path) -> LabelSource:
    return read_foreign_table(write(tmp_path, PICTURES, "feat.csv"), "py-feat")


def test_by_recording_and_frame(openface: LabelSource, tmp_path: Path) -> None:
    manifest, findings = join_labels(write(tmp_path, FRAMES, "frames.csv"), openface, frame_offset=-1)
    assert manifest.table["image"].to_list() == ["a/3.jpg", "a/1.jpg", "a/2.jpg"]
    assert manifest.table["AU01"].to_list() == [1, 0, None]
    assert manifest.table["AU12_r"].to_list() == [1.0, 2.1, None]
    assert findings == ()
    assert manifest.origin is not None
    assert manifest.origin.corpus == "labels by openface"
    again = read_manifest(write_manifest(manifest, tmp_path / "out.parquet"), check_images=False)
    assert again.action_units.codes == ("AU01", "AU12", "AU28")


def test_frames_that_seem_to_count_from_1_are_noticed(openface: LabelSource, tmp_path: Path) -> None:
    _, findings = join_labels(write(tmp_path, FRAMES, "frames.csv"), openface)
    assert "1 of 3 rows meet no label" in findings[0].sentence
    assert "if it counts from 1, give a frame offset of -1" in findings[1].sentence


def test_nothing_meets(openface: LabelSource, pictures: LabelSource, tmp_path: Path) -> None:
    path = write(tmp_path, FRAMES.replace("talk", "other"), "frames.csv")
    with pytest.raises(
        DatasetError, match=r"not one row meets a label of .*; found 'other frame 3', expected names such"
    ):
        join_labels(path, openface)
    with pytest.raises(DatasetError, match=r"found '3.jpg', expected names such as 'a.jpg'"):
        join_labels(path, pictures)
    path = write(tmp_path, "image,subject\na.jpg,p\n", "frames.csv")
    with pytest.raises(DatasetError, match=r"the column recording is missing, by which frames of videos meet"):
        join_labels(path, openface)
    with pytest.raises(DatasetError, match=r"the column subject is missing; found image"):
        join_labels(write(tmp_path, "image\na.jpg\n", "frames.csv"), openface)


@pytest.mark.parametrize("folder", ["pics/", "elsewhere/"])
def test_by_path_or_else_by_name(pictures: LabelSource, tmp_path: Path, folder: str) -> None:
    text = f"image,subject\n{folder}c.jpg,carl\n{folder}a.jpg,anna\n"
    manifest, findings = join_labels(write(tmp_path, text, "pictures.csv"), pictures)
    assert manifest.table["AU12"].to_list() == [0, 1]  # of the two faces in c.jpg the one with the score 0.9
    assert "further faces in the same frame (1) are left out; of each frame the most confident" in findings[0].sentence


@pytest.mark.parametrize("folder", [False, True])
def test_openface_of_pictures_meets_them_by_name(tmp_path: Path, folder: bool) -> None:
    header = "face, confidence, AU01_r, AU01_c\n"
    (tmp_path / "tables").mkdir()
    one = write(tmp_path / "tables", header + "0, 0.7, 1.2, 1\n1, 0.9, 0.3, 0\n", "one.csv")
    write(tmp_path / "tables", header + "0, 0.8, 2.5, 1\n", "two.csv")
    source = read_foreign_table(tmp_path / "tables" if folder else one, "openface")
    text = "image,subject\npics/two.jpg,tom\npics/one.JPG,anna\n"
    manifest, findings = join_labels(write(tmp_path, text, "pictures.csv"), source)
    assert manifest.table["AU01"].to_list() == [1 if folder else None, 0]  # of two faces the more confident one
    assert manifest.table["AU01_r"].to_list() == [2.5 if folder else None, 0.3]
    assert "further faces in the same frame (1)" in findings[0].sentence
    ambiguous = write(tmp_path, text + "others/one.jpg,carl\n", "pictures.csv")
    with pytest.raises(DatasetError, match=r"pictures.csv: several pictures are called 'one'"):
        join_labels(ambiguous, source)


def test_own_labels_stay(openface: LabelSource, tmp_path: Path) -> None:
    text = "image,subject,recording,frame,AU01\na.jpg,p,talk,0,1\nb.jpg,p,talk,2,\n"
    manifest, findings = join_labels(write(tmp_path, text, "frames.csv"), openface)
    assert manifest.table["AU01"].to_list() == [1, None]
    assert manifest.table["AU01_openface"].to_list() == [0, 1]
    assert manifest.action_units.codes == ("AU01", "AU12", "AU28")
    assert "AU01 were there already and stay; openface's are AU01_openface" in findings[-1].sentence
    bad = write(tmp_path, text.replace("0,1\n", "0,yes\n"), "frames.csv")
    with pytest.raises(DatasetError, match=r"frames.csv: a label is no number"):
        join_labels(bad, openface)


def test_table_of_pictures_is_a_manifest(pictures: LabelSource, openface: LabelSource) -> None:
    made = manifest_of_pictures(pictures)
    assert made is not None
    assert made[0].table["subject"].cast(str).to_list() == ["a", "b", "c"]
    assert made[0].table["AU01"].to_list() == [0, None, 0]
    assert "each picture is its own subject" in made[1][-1].sentence
    assert manifest_of_pictures(openface) is None


def test_aligned_faces_beside_the_table(openface: LabelSource, tmp_path: Path) -> None:
    assert manifest_of_aligned(openface) is None
    (tmp_path / "talk_aligned").mkdir()
    for number in (1, 3):
        (tmp_path / f"talk_aligned/frame_det_00_{number:06d}.bmp").write_bytes(b"x")
    made = manifest_of_aligned(openface)
    assert made is not None
    images = ["talk_aligned/frame_det_00_000001.bmp", "talk_aligned/frame_det_00_000003.bmp"]
    assert made[0].table["image"].to_list() == images
    assert made[0].table["AU01"].to_list() == [0, 1]
    assert "taken for one person; 1 frames have no face" in made[1][-1].sentence


def test_bare_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, "image,subject,1,012\na.jpg,p,1,0\nb.jpg,q,,1\n")
    manifest = read_bare_numbers(path)
    assert manifest.action_units.codes == ("AU01", "AU12")
    assert manifest.table["AU01"].to_list() == [1, None]
    assert manifest.root == tmp_path
    with pytest.raises(DatasetError, match=r"talk.csv: row 1 .*column AU12: found '9'"):
        read_bare_numbers(write(tmp_path, "image,subject,1,12\na.jpg,p,1,9\n"))
    with pytest.raises(DatasetError, match=r"a column called by a bare number is to be an AU, but '3' is not a known"):
        read_bare_numbers(write(tmp_path, "image,subject,3\na.jpg,p,1\n"))
    with pytest.raises(DatasetError, match=r"no column is called by a bare number such as 1 or 12"):
        read_bare_numbers(write(tmp_path, "image,subject,AU01\na.jpg,p,1\n"))
