"""`facskit describe` as a stranger types it."""

import json
from pathlib import Path

import pytest

from facskit.datasets.folds_config import PublishedFolds, SubjectFolds
from facskit.errors import DatasetError, RecipeError
from facskit.interfaces.describe import main, parse_folds


def test_packaged_faces_in_the_terminal_and_in_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["packaged", "--folds", "subjects=3", "-o", str(tmp_path / "d")]) == 0
    shown = capsys.readouterr().out
    assert "1,440" in shown
    assert "fold 3 (16 people, 480 frames)" in shown
    assert "describe.md" in shown
    found = json.loads((tmp_path / "d" / "describe.json").read_text())["manifests"][0]
    assert found["frames"] == 1440
    assert sum(fold["frames"] for fold in found["folds"]) == 1440
    assert (tmp_path / "d" / "describe.png").is_file()
    assert "# packaged in numbers" in (tmp_path / "d" / "describe.md").read_text()


def test_the_same_manifest_twice_has_two_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["packaged", "packaged"]) == 0
    shown = capsys.readouterr().out
    assert "packaged (1)" in shown
    assert "packaged (2)" in shown


def test_folds_are_read_from_words() -> None:
    assert parse_folds(None) is None
    assert parse_folds("published:bp4d") == PublishedFolds(dataset="bp4d", validation_fraction=0.0)
    assert parse_folds("subjects=4") == SubjectFolds(k=4, validation_fraction=0.0)
    for words in ("published:raf-db", "subjects=1", "given:x", "three"):
        with pytest.raises(RecipeError, match="expected published:bp4d"):
            parse_folds(words)


def test_mistakes_have_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="found no manifest"):
        main([])
    with pytest.raises(DatasetError, match=r"found no manifest\.parquet in it; facskit doctor"):
        main([str(tmp_path)])
    with pytest.raises(RecipeError, match="--fps is -1; expected more than 0"):
        main(["packaged", "--fps", "-1"])
    with pytest.raises(DatasetError, match="subject R2026-00001-makehuman is in none of the 3 published parts of bp4d"):
        main(["packaged", "--folds", "published:bp4d"])
