"""`facskit describe` as a stranger types it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from facskit.action_units import DISFA_8
from facskit.datasets.folds_config import PublishedFolds, SubjectFolds
from facskit.errors import DatasetError, RecipeError
from facskit.faces.quality import FaceQuality
from facskit.inference.recognition import RecognizedFrame
from facskit.inference.tables import TableWriter, layout
from facskit.interfaces.convert import main as convert
from facskit.interfaces.describe import main, parse_folds
from facskit.interfaces.doctor import main as doctor
from tests.inference.fakes import picture, recognition


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


def recognized(path: Path) -> Path:
    """Write a table of a video with two people, one of them unreliable throughout, and of a photograph."""
    small = FaceQuality(
        height=20.0,
        confidence=0.9,
        pose=(0.0, 0.0, 0.0),
        sharpness=1.0,
        brightness=200.0,
        inside=1.0,
        covered=(0.0,) * 4,
    )
    with TableWriter(path, layout("facskit", DISFA_8)) as table:
        for number in range(20):
            time = number / 10
            first = recognition(0, source="a/talk.mp4", frame=number, timestamp=time)
            second = replace(first, face_id=1, quality=small, unreliable_because=("too small",))
            faces = (first, second)
            table.write(
                RecognizedFrame(source="a/talk.mp4", frame=number, timestamp=time, image=picture(), faces=faces)
            )
        face = (recognition(0, source="face.jpg"),)
        table.write(RecognizedFrame(source="face.jpg", frame=0, timestamp=0.0, image=picture(), faces=face))
    return path


def test_a_table_of_recognition_says_who_does_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = recognized(tmp_path / "result.csv")
    assert main([str(table), "-o", str(tmp_path / "described"), "--bin", "1"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "AU26 100%" in shown
    assert "not said" in shown
    made = sorted(file.name for file in (tmp_path / "described").iterdir())
    assert made == ["people.csv", "people_bins.csv", "people_episodes.csv", "talk_timeline.png"]
    assert main([str(table)]) == 0
    assert "-o DIR writes every action unit's numbers" in capsys.readouterr().out


def test_doctor_convert_and_describe_lead_somewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = recognized(tmp_path / "result.csv")
    assert doctor([str(table)]) == 0
    assert f"facskit describe {table}" in capsys.readouterr().out
    assert convert([str(table), "-o", str(tmp_path / "labels.parquet")]) == 0
    with pytest.raises(DatasetError, match=r"labels\.parquet: found labels without pictures, as facskit convert"):
        main([str(tmp_path / "labels.parquet")])


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
    table = str(recognized(tmp_path / "result.csv"))
    with pytest.raises(RecipeError, match=r"result\.csv: a table of facskit recognize is described by itself, found 2"):
        main([table, "packaged"])
    with pytest.raises(RecipeError, match="--folds and --fps are about manifests"):
        main([table, "--fps", "25"])
    with pytest.raises(RecipeError, match="--bin is -1; expected more than 0 seconds"):
        main([table, "-o", str(tmp_path), "--bin", "-1"])
    with pytest.raises(RecipeError, match="--bin is about a table of facskit recognize"):
        main(["packaged", "--bin", "1"])
    with pytest.raises(RecipeError, match="--fps is -1; expected more than 0"):
        main(["packaged", "--fps", "-1"])
    with pytest.raises(DatasetError, match="subject R2026-00001-makehuman is in none of the 3 published parts of bp4d"):
        main(["packaged", "--folds", "published:bp4d"])
