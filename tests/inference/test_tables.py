"""Rows, and files that are complete or not there."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars
import pytest

from facskit.action_units import DISFA_8, DISFA_12, NO_ACTION_UNITS
from facskit.errors import RecipeError
from facskit.faces.quality import FaceQuality
from facskit.inference.face_geometry import geometry_in_picture
from facskit.inference.recognition import RecognizedFrame
from facskit.inference.tables import TableWriter, column_names, layout, rows_of, to_dataframe
from facskit.models.answers import Answers
from tests.inference.fakes import MOODS, moody_recognition, picture, recognition

KEYS = ["input", "frame", "face_id", "timestamp", "confidence", "success"]
KEYS += ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight"]
QUALITY = ["reliable", "unreliable_because", "pose_Rx", "pose_Ry", "pose_Rz", "sharpness", "brightness"]


def frame(number: int, faces: int) -> RecognizedFrame:
    found = tuple(recognition(face_id, frame=number, timestamp=number / 25) for face_id in range(faces))
    return RecognizedFrame(source="photo.jpg", frame=number, timestamp=number / 25, image=picture(), faces=found)


def test_columns_are_keys_then_quality_then_probabilities_then_decisions() -> None:
    codes = list(DISFA_8.codes)
    assert column_names(DISFA_8) == KEYS + QUALITY + codes + [f"{code}_c" for code in codes]
    assert not any(name.endswith("_r") for name in column_names(DISFA_8))


def test_a_face_becomes_a_row() -> None:
    first, second = rows_of(frame(3, 2), DISFA_8)
    assert [first[key] for key in KEYS] == ["photo.jpg", 3, 0, 0.12, 0.9, 1, 20.0, 30.0, 60.0, 80.0]
    assert (second["face_id"], first["AU12"], first["AU12_c"], first["AU04_c"]) == (1, 0.7143, 1, 0)


def test_a_row_says_whether_its_face_can_be_relied_on() -> None:
    seen = FaceQuality(
        height=30.0,
        confidence=0.9,
        pose=(0.1, -0.9, 0.02),
        sharpness=0.876,
        brightness=180.4,
        inside=1.0,
        covered=(0.0,) * 4,
    )
    doubtful = recognition(quality=seen, unreliable_because=("too small", "turned away"))
    good = recognition(quality=replace(seen, height=90.0, pose=(0.0, 0.0, 0.0)))
    frame = RecognizedFrame(source="photo.jpg", frame=0, timestamp=0.0, image=picture(), faces=(doubtful, good))
    first, second = rows_of(frame, DISFA_8)
    assert [first[name] for name in QUALITY] == [0, "too small; turned away", 0.1, -0.9, 0.02, 0.88, 180]
    assert (second["reliable"], second["unreliable_because"]) == (1, None)


def test_a_frame_without_a_face_keeps_a_row_of_empty_cells() -> None:
    (row,) = rows_of(frame(7, 0), DISFA_8)
    assert (row["input"], row["frame"], row["timestamp"], row["success"]) == ("photo.jpg", 7, 0.28, 0)
    assert all(
        row[name] is None for name in column_names(DISFA_8) if name not in {"input", "frame", "timestamp", "success"}
    )


def test_every_format_holds_the_same(tmp_path: Path) -> None:
    for suffix in ("csv", "jsonl", "parquet"):
        with TableWriter(tmp_path / "deep" / f"table.{suffix}", layout("facskit", DISFA_8)) as table:
            for number in range(3):
                table.write(frame(number, faces=number))
        assert table.rows == 4
    text = (tmp_path / "deep" / "table.csv").read_text()
    assert text.splitlines()[1].startswith("photo.jpg,0,,0.0,,0,,,")
    csv = polars.read_csv(tmp_path / "deep" / "table.csv")
    parquet = polars.read_parquet(tmp_path / "deep" / "table.parquet")
    lines = [json.loads(line) for line in (tmp_path / "deep" / "table.jsonl").read_text().splitlines()]
    assert csv.columns == parquet.columns == list(lines[0]) == column_names(DISFA_8)
    assert csv.rows() == parquet.rows() == [tuple(line.values()) for line in lines]
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["table.csv", "table.jsonl", "table.parquet"]


def test_an_error_leaves_the_old_table(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def interrupted() -> None:
        with TableWriter(path, layout("facskit", DISFA_8)) as table:
            table.write(frame(0, 1))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        interrupted()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_wrong_endings_and_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        RecipeError, match=r"table\.xlsx: found the ending '\.xlsx', expected \.parquet, \.csv, \.jsonl"
    ):
        TableWriter(tmp_path / "table.xlsx", layout("facskit", DISFA_8))
    (tmp_path / "file").touch()
    with pytest.raises(RecipeError, match=r"can't write the table \((not a directory|file exists)\)"):
        TableWriter(tmp_path / "file" / "table.csv", layout("facskit", DISFA_8))


def test_dataframe() -> None:
    table = to_dataframe([recognition(0), recognition(1)])
    assert table.columns == column_names(DISFA_8)
    assert table["face_id"].to_list() == [0, 1]
    np.testing.assert_allclose(table["AU26"], [1.0, 1.0])
    assert to_dataframe([]).is_empty()
    with pytest.raises(ValueError, match="must have the same action units, expressions"):
        to_dataframe([recognition(), recognition(action_units=DISFA_12)])


SHARES = ["expression_neutral", "expression_happiness", "expression_fear"]


@pytest.mark.parametrize("units", [True, False])
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_expressions_have_columns_of_their_own(tmp_path: Path, suffix: str, units: bool) -> None:
    known = DISFA_8 if units else NO_ACTION_UNITS
    names = column_names(known, MOODS)
    assert names == [*column_names(known), "expression", *SHARES]
    path = tmp_path / f"table.{suffix}"
    found = moody_recognition(units=units)
    with TableWriter(path, layout("facskit", known, MOODS)) as table:
        table.write(RecognizedFrame(source="photo.jpg", frame=0, timestamp=0.0, image=picture(), faces=(found,)))
        table.write(frame(1, 0))
    match suffix:
        case "csv":
            read = polars.read_csv(path)
        case "jsonl":
            # Polars forgets the order of more than 32 columns.
            read = polars.read_ndjson(path).select(list(json.loads(path.read_text().splitlines()[0])))
        case _:
            read = polars.read_parquet(path)
    assert read.columns == names
    assert read["expression"].to_list() == ["happiness", None]
    assert read.select(SHARES).row(0) == pytest.approx((0.2, 0.7, 0.1))
    assert read.select(SHARES).row(1) == (None, None, None)
    assert to_dataframe([found]).columns == names


def test_a_table_holds_one_kind_of_answer() -> None:
    with pytest.raises(ValueError, match="must have the same action units, expressions"):
        to_dataframe([recognition(), moody_recognition()])


def interrupted_after(number: int, inputs: list[Path], path: Path, settings: dict[str, int]) -> list[str]:
    """Write a table of some inputs, stop after some of them in the middle of the next, and return what was done."""
    done = []
    with (
        suppress(KeyboardInterrupt),
        TableWriter(path, layout("facskit", DISFA_8), settings=settings, resume=True) as table,
    ):
        for position, source in enumerate(inputs):
            table.write(frame(position, 2))
            if position == number:
                raise KeyboardInterrupt
            table.unfinished.finish(source, "cut short" if position == 0 else None)
            done.append(source.name)
    return done


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_an_interrupted_table_is_gone_on_with(tmp_path: Path, suffix: str) -> None:
    inputs = [tmp_path / f"{number}.mp4" for number in range(4)]
    for source in inputs:
        source.write_text(source.name)
    whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"table.{suffix}"
    with TableWriter(whole, layout("facskit", DISFA_8)) as table:
        for number in range(4):
            table.write(frame(number, 2))
    assert interrupted_after(2, inputs, path, {"every": 1}) == ["0.mp4", "1.mp4"]
    assert not path.exists()
    with TableWriter(path, layout("facskit", DISFA_8), settings={"every": 1}, resume=True) as table:
        assert [table.unfinished.is_finished(source) for source in inputs] == [True, True, False, False]
        assert [table.unfinished.failure(source) for source in inputs[:2]] == ["cut short", None]
        for number in (2, 3):
            table.write(frame(number, 2))
    assert path.read_bytes() == whole.read_bytes()
    assert sorted(file.name for file in tmp_path.glob(".*")) == []


def test_a_table_is_gone_on_with_by_the_same_settings_alone(tmp_path: Path) -> None:
    source = tmp_path / "0.mp4"
    source.touch()
    path = tmp_path / "table.csv"
    interrupted_after(1, [source, source], path, {"every": 1})
    with pytest.raises(RecipeError, match="begun with every 1, this run has 5; add --no-resume to begin anew"):
        TableWriter(path, layout("facskit", DISFA_8), settings={"every": 5}, resume=True)
    source.write_text("another video")
    with TableWriter(path, layout("facskit", DISFA_8), settings={"every": 1}, resume=True) as table:
        assert not table.unfinished.is_finished(source)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "result.csv").mkdir()
    with pytest.raises(RecipeError, match=r"result\.csv: found a folder, expected the name of a table to write"):
        TableWriter(tmp_path / "result.csv", layout("facskit", DISFA_8))


def test_weights_that_know_more_fill_more_columns(tmp_path: Path) -> None:
    angles = np.array([3.0, 10.0, -4.0, -5.0, 8.0])
    numbers = np.concatenate([np.arange(136.0), np.ones(68), angles])
    geometry = geometry_in_picture(numbers, np.array([[1.0, 0, 0], [0, 1.0, 0]]))
    face = recognition(intensities=np.linspace(0, 5, 8, dtype=np.float32), geometry=geometry)
    answers = Answers(intensities=True, geometry=True)
    path = tmp_path / "table.csv"
    with TableWriter(path, layout("facskit", DISFA_8, None, answers)) as table:
        table.write(replace(frame(0, 1), faces=(face,)))
        table.write(frame(1, 0))
    known, blank = polars.read_csv(path).rows(named=True)
    assert list(known) == column_names(DISFA_8, None, answers)
    assert (known["AU01_r"], known["AU26_r"]) == (0.0, 5.0)
    # as OpenFace: pose in radians; gaze in degrees
    assert known["pose_Ry"] == pytest.approx(np.radians(10), abs=1e-4)
    assert (known["gaze_pitch"], known["gaze_yaw"]) == (-5.0, 8.0)
    assert (known["x_0"], known["y_0"], known["x_67"], known["y_67"]) == (0, 1, 134, 135)
    assert all(blank[name] is None for name in ("AU01_r", "pose_Rx", "gaze_yaw", "x_30"))
