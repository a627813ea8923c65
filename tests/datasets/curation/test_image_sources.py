"""Sources: every kind gives the same images, what is no image has its reason, and cut archives are errors."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from facskit.datasets.curation.image_bytes import open_source
from facskit.datasets.curation.image_sources import Entry, ImageSource, name_sources
from facskit.datasets.curation.source_listing import list_entries, unpack
from facskit.errors import DatasetError, MediaError
from tests.datasets.source_builder import faces_by_name, write_folder, write_lmdb, write_tar, write_zip

FILES = {f"b/{name}": data for name, data in faces_by_name(0, 3).items()} | faces_by_name(3, 2)
ORDER = ["003.jpg", "004.jpg", "b/000.jpg", "b/001.jpg", "b/002.jpg"]

Writer = Callable[[Path], Path]
WRITERS: dict[str, Writer] = {
    "folder": lambda root: write_folder(root / "pictures", FILES),
    "zip": lambda root: write_zip(root / "pictures.zip", FILES),
    "tar": lambda root: write_tar(root / "pictures.tar", FILES),
    "packed-tar": lambda root: write_tar(root / "pictures.tar.gz", FILES),
    "lmdb": lambda root: write_lmdb(root / "pictures", {name.encode(): data for name, data in FILES.items()}),
}


def entries(source: ImageSource, place: Path | None = None) -> list[Entry]:
    return list(list_entries(source, place or source.path))


def reasons(path: Path) -> dict[str, str]:
    (source,) = name_sources([path])
    return {entry.key: entry.refused for entry in entries(source) if entry.refused}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_gives_the_same_images(kind: str, tmp_path: Path) -> None:
    (source,) = name_sources([WRITERS[kind](tmp_path)])
    assert (source.kind, source.name) == (kind, "pictures")
    place = source.path
    if kind == "packed-tar":
        unpack(source, place := tmp_path / "unpacked.tar")
    found = entries(source, place)
    assert [entry.key for entry in found] == ORDER
    assert not any(entry.refused for entry in found)
    with open_source(source.kind, place) as read:
        assert [read(entry) for entry in found] == [FILES[key] for key in ORDER]


def test_names_are_distinct(tmp_path: Path) -> None:
    folders = [tmp_path / part / "faces" for part in "abc"] + [tmp_path / "faces-2"]
    for folder in folders:
        folder.mkdir(parents=True)
    assert [source.name for source in name_sources(folders)] == ["faces", "faces-2", "faces-3", "faces-2-2"]


def test_what_is_no_image_has_its_reason(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "faces", FILES | {"notes.txt": b"", "more.zip": b"PK", "list": b""})
    (folder / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (folder / "linked").symlink_to(tmp_path)
    write_lmdb(folder / "inner", {b"a.jpg": b"a"})
    (folder / "pipe.jpg").parent.mkdir(exist_ok=True)
    os.mkfifo(folder / "pipe.jpg")
    (tmp_path / os.fsdecode(b"faces/\xff.jpg")).write_bytes(b"x")
    assert reasons(folder) == {
        "gone.jpg": "can't be read",
        "inner": "archive inside a source",
        "linked": "link to a folder",
        "list": "no image by its ending",
        "more.zip": "archive inside a source",
        "notes.txt": "no image by its ending",
        "pipe.jpg": "no regular file",
        "\ufffd.jpg": "name is no UTF-8",
    }


@pytest.mark.parametrize("name", ["../evil.jpg", "/etc/evil.jpg", "a/../../evil.jpg", "..\\evil.jpg"])
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    files = {name: b"evil", **FILES}
    assert list(reasons(write_zip(tmp_path / "a.zip", files)).values()) == ["unsafe name"]
    assert list(reasons(write_tar(tmp_path / "a.tar", files)).values()) == ["unsafe name"]
    assert list(reasons(write_lmdb(tmp_path / "a", {name.encode(): b"evil"})).values()) == ["unsafe name"]


def test_links_in_archives_are_no_files(tmp_path: Path) -> None:
    assert reasons(write_tar(tmp_path / "a.tar", FILES, link="b.jpg")) == {"b.jpg": "no regular file"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_given_twice_is_said(tmp_path: Path) -> None:
    import zipfile

    path = write_zip(tmp_path / "a.zip", FILES)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("003.jpg", b"later")
    (source,) = name_sources([path])
    twice = [entry for entry in entries(source) if entry.key == "003.jpg"]
    assert [entry.refused for entry in twice] == ["", "name given twice"]


def test_a_damaged_member_is_a_reason_and_no_crash(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", FILES)
    (source,) = name_sources([path])
    entry = entries(source)[1]
    data = bytearray(path.read_bytes())
    data[entry.start + 200 : entry.start + 220] = bytes(20)
    path.write_bytes(data)
    with open_source("zip", path) as read:
        assert read(entries(source)[0]) == FILES["003.jpg"]
        with pytest.raises(MediaError, match="the archive is damaged at this entry"):
            read(entry)


def test_a_member_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("bomb.jpg", bytes(2**20))
    (source,) = name_sources([tmp_path / "bomb.zip"])
    (entry,) = entries(source)
    with open_source("zip", source.path) as read:
        assert read(entry) == bytes(2**20)
        with pytest.raises(MediaError, match="larger than 1024 MiB"):
            read(entry._replace(size=2**40))


def _cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("zip", r"pictures\.zip: its directory can't be read \(.*\); expected a complete archive"),
        ("tar", r"pictures\.tar: it breaks off or is damaged after \d entries \(.*\); expected a complete archive"),
        ("packed-tar", r"pictures\.tar\.gz: it can't be unpacked \(.*\); expected a complete archive"),
        ("lmdb", r"pictures: LMDB says: .*; expected a complete archive"),
    ],
)
def test_cut_archives_are_one_sentence(kind: str, message: str, share: float, tmp_path: Path) -> None:
    path = WRITERS[kind](tmp_path)
    # A tar file ends in many kilobytes of zeros; cutting those off loses nothing.
    _cut(path / "data.mdb" if kind == "lmdb" else path, share * (0.5 if kind == "tar" else 1))
    (source,) = name_sources([path])
    unpacked = tmp_path / "unpacked.tar"
    read: Callable[[], object] = partial(unpack, source, unpacked) if kind == "packed-tar" else partial(entries, source)
    with pytest.raises(DatasetError, match=message):
        read()
    assert not (tmp_path / "unpacked.tar").exists()


def test_a_damaged_header_does_not_end_a_tar_silently(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", FILES)
    (source,) = name_sources([path])
    third = sorted(entries(source), key=lambda entry: entry.start)[2]
    data = bytearray(path.read_bytes())
    data[third.start - 512 : third.start - 212] = b"\7" * 300
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="it breaks off or is damaged after 2 entries"):
        entries(source)


def test_joined_tars_are_not_half_read(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", FILES)
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(DatasetError, match="there are more bytes behind its end mark after 5 entries"):
        reasons(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [("nothing", "found nothing there; expected a folder"), ("face.jpg", r"found a file with the ending '\.jpg'")],
)
def test_what_is_no_source_is_refused(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "face.jpg").write_bytes(b"")
    with pytest.raises(DatasetError, match=message):
        name_sources([tmp_path / name])


def test_a_source_given_twice_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "faces", FILES)
    with pytest.raises(DatasetError, match="the source is given twice"):
        name_sources([folder, tmp_path / "faces" / ".." / "faces"])
