"""The recognize command, with a recogniser whose answers are known."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars
import pytest

from facskit.errors import MediaError, RecipeError
from facskit.faces.images import read_image, write_image
from facskit.faces.video import VideoWriter
from facskit.interfaces import recognize as command
from facskit.interfaces.recognize import RecognizeConfig, main, recognize
from facskit.interfaces.recognize_file import recognize_file
from tests.inference.fakes import moody, picture, recognizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photographs, one without a face, and a video of four frames, the last without a face."""
    media = tmp_path / "media"
    write_image(media / "group.png", picture((10, 20, 30), (80, 40, 60)))
    write_image(media / "nobody.png", picture())
    with VideoWriter(media / "walk.mp4", 10.0) as writer:
        for number in range(4):
            writer.write(picture((10 + number, 20, 50)) if number < 3 else picture(), number / 10)
    return media


def spoil(folder: Path) -> None:
    whole = (folder / "group.png").read_bytes()
    (folder / "broken.png").write_bytes(whole[: len(whole) // 2])
    (folder / "letter.jpg").write_text("this is no photograph")


def run(*inputs: Path, output: Path | None = None, overlay: Path | None = None) -> int:
    return recognize(RecognizeConfig(inputs=inputs, output=output, overlay=overlay), recognizer())


def test_photographs_and_videos_become_one_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = folder.parent / "result.csv"
    assert run(folder, output=table) == 0
    rows = polars.read_csv(table)
    assert [Path(name).name for name in rows["input"]] == ["group.png"] * 2 + ["nobody.png"] + ["walk.mp4"] * 4
    assert rows["frame"].to_list() == [0, 0, 0, 0, 1, 2, 3]
    assert rows["face_id"].to_list() == [0, 1, None, 0, 0, 0, None]
    assert rows["success"].to_list() == [1, 1, 0, 1, 1, 1, 0]
    assert rows["AU26"].null_count() == rows["AU26_c"].null_count() == 2
    printed = capsys.readouterr()
    assert "3 faces in 3 files (6 frames)." in printed.out.replace("\n", " ")
    assert f"Table: {table}" in printed.out
    assert "nobody.png: no face found\n" in printed.out
    assert "walk.mp4: no face found in 1 frame\n" in printed.out
    assert "AU25" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize("units", [True, False])
def test_expressions_are_printed_and_written(folder: Path, capsys: pytest.CaptureFixture[str], units: bool) -> None:
    table, overlays = folder.parent / "result.csv", folder.parent / "pictures"
    config = RecognizeConfig(inputs=(folder,), output=table, overlay=overlays)
    assert recognize(config, moody(units=units)) == 0
    rows = polars.read_csv(table)
    assert rows["expression"].to_list() == ["fear", "fear", None, "fear", "fear", "fear", None]
    assert ("AU26" in rows.columns) == units
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["Input", "Face", "Expression"]
    assert ("Action units" in lines[0]) == units
    group, walk = (next(line for line in lines if line.startswith(name)) for name in ("group.png", "walk.mp4"))
    assert ("fear 0.47" if units else "fear 0.87") in group
    assert "fear 100%" in walk
    assert "of 3 frames" in " ".join(" ".join(lines).split())
    assert len(list(overlays.iterdir())) == 3


def test_what_is_made_of_the_finished_table_and_the_video(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder.parent
    config = RecognizeConfig(
        inputs=(folder / "walk.mp4",),
        output=out / "result.csv",
        summary=out / "people.csv",
        bin=0.2,
        smooth=0.3,
        timeline=out / "time.png",
        save_video=out / "talk.mp4",
    )
    assert recognize(config, recognizer()) == 0
    printed = capsys.readouterr().out
    for name in ("result.csv", "people.csv", "time.png", "talk.mp4"):
        assert str(out / name) in printed
        assert (out / name).is_file()
    assert (out / "people_bins.csv").is_file()
    assert "AU12_smooth" in polars.read_csv(out / "result.csv").columns


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"bin": 1.0}, "--bin is about the summary: give --summary too"),
        ({"smooth": 0.5}, "--smooth is made of the table: give --output too"),
        ({"timeline": Path("t.png")}, "--timeline is made of the table: give --output too"),
        ({"smooth": -1.0, "output": Path("r.csv")}, "--smooth must be above 0 seconds, got -1"),
        ({"timeline": Path("t.gif"), "output": Path("r.csv")}, r"t\.gif: found the ending '\.gif', expected \.png"),
        ({"save_video": Path("t.avi")}, r"t\.avi: found the ending '\.avi', expected \.mp4"),
    ],
)
def test_what_cannot_be_made_is_said_at_once(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        RecognizeConfig(inputs=(Path("a.mp4"),), **wrong)  # type: ignore[arg-type]


def test_one_name_is_for_one_video(folder: Path) -> None:
    with pytest.raises(RecipeError, match=r"--save-video talk\.mp4: one video goes there, found 3 inputs"):
        recognize(RecognizeConfig(inputs=(folder,), save_video=Path("talk.mp4")), recognizer())
    photographs = (folder / "group.png", folder / "nobody.png")
    config = RecognizeConfig(inputs=photographs, timeline=Path("t.png"), output=folder.parent / "r.csv")
    with pytest.raises(RecipeError, match="expected a video among the inputs, found photographs alone"):
        recognize(config, recognizer())


def test_overlays_are_written(folder: Path) -> None:
    overlays = folder.parent / "pictures"
    assert run(folder, overlay=overlays) == 0
    names = sorted(path.name for path in overlays.iterdir())
    assert names == ["group_overlay.jpg", "nobody_overlay.jpg", "walk_overlay.mp4"]
    assert read_image(overlays / "group_overlay.jpg").shape[0] > 480


def test_bad_files_among_good_ones_are_reported_and_the_rest_is_done(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder)
    table = folder.parent / "result.parquet"
    assert run(folder, output=table) == 1
    assert polars.read_parquet(table).height == 7
    printed = capsys.readouterr()
    assert "broken.png: found a damaged or cut-short PNG file, expected a complete one" in printed.err
    assert "letter.jpg: found text, expected a JPEG" in printed.err
    assert "2 of 5 files could not be read" in printed.err


def test_nothing_is_written_when_nothing_can_be_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(folder)
    out, overlays = folder.parent / "result.csv", folder.parent / "pictures"
    with pytest.raises(MediaError, match=r"letter\.jpg: found text, expected a JPEG.*photograph$"):
        run(folder / "letter.jpg", output=out, overlay=overlays)
    with pytest.raises(MediaError, match="none of the 2 files could be read, so nothing was written"):
        run(folder / "broken.png", folder / "letter.jpg", output=out)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": found")[0] for line in lines] == [
        f"facskit: {folder / 'broken.png'}",
        f"facskit: {folder / 'letter.jpg'}",
    ]
    assert not out.exists()
    assert sorted(path.name for path in folder.parent.iterdir()) == ["media"]


def test_the_good_frames_of_a_video_cut_short_are_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, table, rng = folder / "cut.mp4", folder.parent / "result.csv", np.random.default_rng(0)
    with VideoWriter(path, 10.0) as writer:
        for number in range(20):
            writer.write(rng.integers(0, 255, (64, 96, 3), np.uint8), number / 10)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + len(data) // 2])
    assert run(path, output=table) == 1
    good = polars.read_csv(table)["frame"].unique().len()
    assert 0 < good < 18
    assert "1 of 1 files could not be read; what could be read of them is done" in capsys.readouterr().err


def test_overlays_inside_the_input_are_not_read_again(folder: Path) -> None:
    overlays = folder / "overlays"
    for _ in range(2):
        assert run(folder, overlay=overlays) == 0
        assert len(list(overlays.iterdir())) == 3
    with pytest.raises(RecipeError, match="media: found an input, expected another folder for the overlays"):
        run(folder, overlay=folder)


def test_a_folder_that_takes_no_overlays_is_found_at_the_start(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = folder / "group.png" / "overlays"
    with pytest.raises(RecipeError, match=r"overlays: can't write overlays there \(not a directory\)"):
        run(folder, overlay=blocked)
    assert capsys.readouterr().out == ""


def test_wrong_inputs_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="found no photograph or video in this folder"):
        run(tmp_path)
    with pytest.raises(MediaError, match=r"gone\.jpg: found nothing there"):
        run(tmp_path / "gone.jpg")
    with pytest.raises(RecipeError, match="found no input, expected at least one photograph, video or folder"):
        RecognizeConfig(inputs=())
    with pytest.raises(RecipeError, match="--every must be a whole number of at least 1, got 0"):
        RecognizeConfig(inputs=(tmp_path,), every=0)
    with pytest.raises(RecipeError, match=r"table\.xlsx: found the ending '\.xlsx', expected \.parquet, \.csv"):
        RecognizeConfig(inputs=(tmp_path,), output=Path("table.xlsx"))


def test_files_of_one_name_are_told_apart(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    other = folder.parent / "other"
    other.mkdir()
    shutil.copy(folder / "group.png", other / "group.png")
    assert run(folder / "group.png", other / "group.png", folder / "walk.mp4") == 0
    printed = capsys.readouterr().out
    assert str(other / "group.png") in printed
    assert str(folder / "group.png") in printed
    assert str(folder / "walk.mp4") not in printed


def test_without_a_table_the_answer_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder / "group.png") == 0
    printed = capsys.readouterr().out
    assert "AU25 lips part 0.81" in " ".join(printed.split())
    assert "add --output result.csv" in printed
    assert "2 faces in 1 file." in printed


def test_words_become_options(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[RecognizeConfig] = []
    monkeypatch.setattr(command, "recognize", lambda config: seen.append(config) or 7)  # type: ignore[func-returns-value]
    assert main([str(folder), "b.mp4", "-o", "x.csv", "--overlay", "pics", "--faces", "largest", "--every", "5"]) == 7
    wanted = {"output": Path("x.csv"), "overlay": Path("pics"), "faces": "largest", "every": 5}
    assert seen == [RecognizeConfig(inputs=(folder, Path("b.mp4")), **wanted)]  # type: ignore[arg-type]


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    for option in ("--output", "-o", "--overlay", "--weights", "--device", "--faces", "--every"):
        assert option in printed


def test_names_that_are_no_utf8_are_kept_readable(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")
    try:
        shutil.copy(folder / "group.png", odd)
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    table = folder.parent / "result.csv"
    assert run(folder, output=table) == 0
    names = [Path(name).name for name in polars.read_csv(table)["input"]]
    assert names.count("caf\\xe9.png") == 2
    assert "group.png" in names


def test_a_terminal_without_the_letters_of_a_name_does_no_harm(folder: Path) -> None:
    (folder / "group.png").rename(folder / "Größe 顔.png")
    run_it = "import sys; from facskit.interfaces.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", run_it, "recognize", str(folder / "Größe 顔.png")]
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(words, check=False, capture_output=True, env=environment, timeout=100)
    assert b"Traceback" not in done.stderr
    assert b"Gr\\xf6" in done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_a_stopped_run_goes_on_and_ends_with_the_same_table(folder: Path) -> None:
    table, whole = folder.parent / "result.csv", folder.parent / "whole.csv"
    assert run(folder, output=whole) == 0
    real = recognize_file
    done: list[Path] = []

    def stopping(file: Path, *rest: object) -> bool:
        if len(done) == 2:
            signal.raise_signal(signal.SIGINT)
        done.append(file)
        return real(file, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "recognize_file", stopping)
        with pytest.raises(KeyboardInterrupt):
            run(folder, output=table)
    assert not table.exists()
    assert run(folder, output=table) == 0
    assert table.read_bytes() == whole.read_bytes()
    assert [file.name for file in folder.parent.glob(".*")] == []


def test_a_table_of_openface_is_about_one_file(folder: Path, tmp_path: Path) -> None:
    config = RecognizeConfig(inputs=(folder,), output=tmp_path / "table.csv", dialect="openface")
    with pytest.raises(RecipeError, match="so one holds one file; found 3 inputs, expected 1"):
        recognize(config, recognizer())
    video = replace(config, inputs=(folder / "walk.mp4",))
    assert recognize(video, recognizer()) == 0
    assert polars.read_csv(tmp_path / "table.csv")["frame"].to_list() == [1, 2, 3, 4]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_people_are_summarised(folder: Path, tmp_path: Path, suffix: str) -> None:
    people = tmp_path / "people.csv"
    config = RecognizeConfig(inputs=(folder / "walk.mp4",), output=tmp_path / f"table.{suffix}", summary=people)
    assert recognize(config, recognizer()) == 0
    rows = polars.read_csv(people)
    assert rows.height == 8
    lips = rows.filter(polars.col("action_unit") == "AU25").row(0, named=True)
    assert (lips["frames"], lips["episodes"], lips["present_share"]) == (3, 1, 1.0)
    assert lips["seconds"] == pytest.approx(0.3)
    episodes = polars.read_csv(tmp_path / "people_episodes.csv")
    assert episodes.filter(polars.col("action_unit") == "AU25").row(0, named=True)["end"] == pytest.approx(0.3)
    with pytest.raises(RecipeError, match="--summary is made of the table: give --output too"):
        RecognizeConfig(inputs=(folder,), summary=people)


def test_the_page_on_reading_tables_speaks_of_columns_that_are_there(folder: Path, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reading_results.md").read_text()
    config = RecognizeConfig(inputs=(folder,), output=tmp_path / "result.csv", summary=tmp_path / "people.csv")
    assert recognize(config, recognizer()) == 0
    columns = {*polars.read_csv(tmp_path / "result.csv").columns}
    columns |= {*polars.read_csv(tmp_path / "people_episodes.csv").columns}
    named = set(re.findall(r'"([a-z_]+|AU\d\d(?:_c)?)"', page)) | set(re.findall(r"AU\d\d(?:_c)?", page))
    assert named - {"result", "interview"} <= columns


def read_anything(path: Path) -> polars.DataFrame:
    if path.suffix == ".parquet":
        return polars.read_parquet(path)
    return polars.read_ndjson(path) if path.suffix == ".jsonl" else polars.read_csv(path)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_table_of_one_person(folder: Path, tmp_path: Path, suffix: str) -> None:
    table = tmp_path / f"table.{suffix}"
    assert recognize(RecognizeConfig(inputs=(folder,), output=table, person="longest"), recognizer()) == 0
    whole = tmp_path / f"whole.{suffix}"
    assert recognize(RecognizeConfig(inputs=(folder,), output=whole), recognizer()) == 0
    one, everybody = (read_anything(path) for path in (table, whole))
    assert (one.height, everybody.height) == (6, 7)
    assert one.columns == everybody.columns
    with pytest.raises(RecipeError, match="--person is 'tallest'; expected all, longest, largest or a"):
        RecognizeConfig(inputs=(folder,), output=table, person="tallest")


def test_what_is_sent_to_standard_input_is_looked_at(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, overlays = folder.parent / "result.csv", folder.parent / "pictures"
    sent = types.SimpleNamespace(isatty=lambda: False, buffer=io.BytesIO((folder / "walk.mp4").read_bytes()))
    monkeypatch.setattr(sys, "stdin", sent)
    assert run(folder / "group.png", Path("-"), output=table, overlay=overlays) == 0
    rows = polars.read_csv(table)
    assert rows["input"].to_list() == [str(folder / "group.png")] * 2 + ["standard_input"] * 4
    assert "standard_input: no face found in 1 frame" in capsys.readouterr().out
    assert {file.name for file in overlays.iterdir()} == {"group_overlay.jpg", "standard_input_overlay.mp4"}
    sent.buffer = io.BytesIO(b"hello")
    with pytest.raises(MediaError, match="^standard_input: found text, expected a JPEG"):
        run(Path("-"))
    sent.isatty = lambda: True
    with pytest.raises(RecipeError, match="found - among the inputs and nothing sent to it"):
        run(Path("-"))


def test_links_that_are_not_followed_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "away").symlink_to(folder.parent)
    assert run(folder) == 0
    assert "not followed: 1 link leads to a folder or nowhere (away)" in capsys.readouterr().out


def test_names_as_long_as_the_file_system_takes_do_no_harm(folder: Path) -> None:
    long = "ä" * 124
    shutil.copy(folder / "group.png", folder / f"{long}a.png")
    shutil.copy(folder / "group.png", folder / f"{long}b.png")
    shutil.copy(folder / "walk.mp4", folder / f"{long}c.mp4")
    table, overlays = folder.parent / f"{long}r.csv", folder.parent / "pictures"
    assert run(folder, output=table, overlay=overlays) == 0
    assert len(polars.read_csv(table)) == 15
    assert len(list(overlays.iterdir())) == 6
