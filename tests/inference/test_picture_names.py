"""Pictures made from files of one name say which file they are from."""

from pathlib import Path

from facskit.inference.picture_names import distinct_names


def test_only_namesakes_have_longer_names() -> None:
    files = [Path("a/x/talk.mp4"), Path("b/x/talk.mp4"), Path("b/other.mp4"), Path("b/face.jpg"), Path("b/face.png")]
    expected = ["a_x_talk", "b_x_talk", "other", "face_jpg", "face_png"]
    assert list(distinct_names(files).values()) == expected
    backwards = distinct_names(files[::-1])
    assert [backwards[file] for file in files] == expected


def test_a_folder_is_enough_where_it_tells_them_apart() -> None:
    files = [Path("monday/talk.mp4"), Path("tuesday/talk.mp4")]
    assert list(distinct_names(files).values()) == ["monday_talk", "tuesday_talk"]
