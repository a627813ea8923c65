"""Files appear whole or not at all."""

from pathlib import Path

import pytest

from facskit.files import PART_PATTERN, atomic_path, is_vacant, shortened, write_text


def test_a_file_appears_with_its_whole_content_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    with atomic_path(path) as part:
        assert part.suffix == ".csv"
        assert part.match(PART_PATTERN)
        part.write_text("a,b\n")
        assert not path.exists()
    assert path.read_text() == "a,b\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "old")
    with pytest.raises(RuntimeError, match="disk on fire"):
        _write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_vacant_until_something_whole_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert is_vacant(folder)
    folder.mkdir()
    assert is_vacant(folder)
    (folder / ".part-recipe-x1y2.yaml").write_text("left by a kill")
    assert is_vacant(folder)
    (folder / "notes.txt").touch()
    assert not is_vacant(folder)
    assert not is_vacant(folder / "notes.txt")


def _write_half(path: Path) -> None:
    with atomic_path(path) as part:
        part.write_text("ne")
        raise RuntimeError("disk on fire")


def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path: Path) -> None:
    for name in ("a" * 251 + ".csv", "ä" * 125 + ".jpg"):
        write_text(tmp_path / name, "whole")
        assert (tmp_path / name).read_text() == "whole"


def test_long_names_are_cut_and_stay_different() -> None:
    assert shortened("talk", 200) == "talk"
    assert shortened("ä" * 100, 200) == "ä" * 100
    first, second = (shortened("ä" * 120 + end, 200) for end in "ab")
    assert first != second
    assert first.startswith("ä" * 95 + "-")
    assert len(first.encode()) <= 200
