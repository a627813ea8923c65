"""What is a photograph, what a video, whatever its name."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facskit.errors import MediaError
from facskit.faces.images import read_image
from facskit.faces.media_files import find_media, is_video, media_kind
from tests.faces.test_video import encode

GREY = np.full((48, 64, 3), 128, np.uint8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF", "JPEG2000"])
def test_photographs_are_known_without_an_ending(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "IMG_0001"
    Image.fromarray(GREY).save(path, format=kind)
    assert media_kind(path) == "photograph"
    assert read_image(path).shape == GREY.shape


@pytest.mark.parametrize(
    ("kind", "codec"),
    [
        ("mp4", "libx264"),
        ("mov", "libx264"),
        ("3gp", "libx264"),
        ("matroska", "libx264"),
        ("avi", "mpeg4"),
        ("mpegts", "libx264"),
        ("flv", "libx264"),
        ("asf", "wmv2"),
        ("mpeg", "mpeg2video"),
    ],
)
def test_videos_are_known_without_an_ending(tmp_path: Path, kind: str, codec: str) -> None:
    path = tmp_path / "clip"
    encode(path, 3, codec, kind)
    assert media_kind(path) == "video"


def test_what_is_in_a_file_counts_more_than_its_name(tmp_path: Path) -> None:
    encode(tmp_path / "video.jpg", 3, "libx264", "mp4")
    Image.fromarray(GREY).save(tmp_path / "picture.mp4", format="PNG")
    assert is_video(tmp_path / "video.jpg")
    assert media_kind(tmp_path / "picture.mp4") == "photograph"


@pytest.mark.parametrize("content", [b"", b"subject,AU01\n", b"BMI of the subjects", b"Good morning", b"%PDF-1.7"])
def test_other_files_are_neither(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file.dat").write_bytes(content)
    assert media_kind(tmp_path / "file.dat") is None


def test_a_folder_says_what_was_passed_over(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "photo.jfif", format="JPEG")
    encode(tmp_path / "camera.mts", 3, "libx264", "mpegts")
    (tmp_path / "notes.txt").write_text("nothing to see")
    (tmp_path / ".hidden").write_text("nothing to see")
    found = find_media([tmp_path])
    assert [file.name for file in found.files] == ["camera.mts", "photo.jfif"]
    assert [file.name for file in found.skipped] == ["notes.txt"]


def test_links_in_a_folder_are_not_followed_and_named(tmp_path: Path) -> None:
    for name in ("inner/a.png", "elsewhere/b.png"):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(GREY).save(tmp_path / name)
    inner = tmp_path / "inner"
    (inner / "folder").symlink_to(tmp_path / "elsewhere")
    (inner / "nowhere.jpg").symlink_to(tmp_path / "gone.jpg")
    (inner / "file.png").symlink_to(tmp_path / "elsewhere/b.png")
    found = find_media([inner])
    assert [file.name for file in found.files] == ["a.png", "file.png"]
    assert [link.name for link in found.links] == ["folder", "nowhere.jpg"]
    assert found.skipped == []
    assert [file.name for file in find_media([inner / "folder"]).files] == ["b.png"]
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "folder").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(
        MediaError, match=r"links: found no photograph .*; folder in it is a link, which isn't followed"
    ):
        find_media([tmp_path / "links"])


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "gone.jpg")
    with pytest.raises(MediaError, match=r"broken\.jpg: found a link to .*gone\.jpg, where nothing is; expected"):
        find_media([tmp_path / "broken.jpg"])
    # A path made of an address has lost a slash.
    with pytest.raises(MediaError, match=r"^https://example\.org/a\.jpg: addresses aren't opened"):
        find_media([Path("https://example.org/a.jpg")])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MediaError, match="pipe: found a pipe or a device, expected .* or - for standard input"):
        find_media([tmp_path / "pipe"])


def test_find_media_sorts_and_recurses(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "sub/c.mp4", "notes.txt", ".hidden/d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    single = tmp_path / "notes.txt"
    found = find_media([single, tmp_path, tmp_path / "a.png"]).files
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["notes.txt", "a.png", "b.JPG", "sub/c.mp4"]
    assert [is_video(path) for path in found] == [False, False, False, True]


def test_find_media_leaves_a_folder_out(tmp_path: Path) -> None:
    for name in ("a.png", "out/a_overlay.jpg", "out/deep/b.jpg", "outside/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert find_media([tmp_path], leave_out=[tmp_path / "out"]).files == [
        tmp_path / "a.png",
        tmp_path / "outside" / "c.jpg",
    ]
    assert find_media([tmp_path / "outside"], leave_out=[tmp_path]).files == [tmp_path / "outside" / "c.jpg"]
    assert find_media([tmp_path / "out" / "a_overlay.jpg"], leave_out=[tmp_path / "out"]).files  # named by the user


def test_find_media_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="found no photograph or video in this folder, expected at least one"):
        find_media([tmp_path])
    with pytest.raises(MediaError, match="gone: found nothing there, expected a photograph, a video or a folder"):
        find_media([tmp_path / "gone"])
