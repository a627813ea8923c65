"""Two tools' tables on the same faces: which rows belong together, agreement, labels, and what can't be compared."""

from pathlib import Path

import polars as pl
import pytest

from facskit.errors import DatasetError
from facskit.experiments.analysis.table_comparison import compare_tables
from facskit.experiments.analysis.tool_tables import ToolTable, pair_faces, read_tool_table
from facskit.interfaces import cli


def _ours(folder: Path, rows: list[tuple[str, int, int, float, int]], *, boxes: bool = True) -> Path:
    """Write a table of facskit: input, frame, place of the face from the left, probability and decision of AU12."""
    table = pl.DataFrame(
        [
            {
                "input": name,
                "frame": frame,
                "face_id": place,
                "success": 1,
                **({f"FaceRect{end}": value for end, value in _box(place).items()} if boxes else {}),
                "AU12": probability,
                "AU25": 0.1,
                "AU12_c": decision,
                "AU25_c": 0,
            }
            for name, frame, place, probability, decision in rows
        ]
    )
    path = folder / "ours.csv"
    table.write_csv(path)
    return path


def _box(place: int) -> dict[str, float]:
    return {"X": 100.0 * place, "Y": 10.0, "Width": 50.0, "Height": 60.0}


def _pyfeat(folder: Path, rows: list[tuple[str, int, int, float]]) -> Path:
    table = pl.DataFrame(
        [
            {f"FaceRect{end}": value + 3 for end, value in _box(place).items()}
            | {"FaceScore": 0.9, "AU12": probability, "AU01": 0.2, "input": name, "frame": frame}
            for name, frame, place, probability in rows
        ]
    )
    path = folder / "fex.csv"
    table.write_csv(path)
    return path


def _openface(folder: Path, decisions: list[int], name: str = "clip") -> Path:
    path = folder / f"{name}.csv"
    lines = ["frame, face_id, timestamp, confidence, success, AU12_r, AU12_c"]
    lines += [f"{frame}, 0, 0.0, 0.98, 1, {2.0 * said}, {said}.0" for frame, said in enumerate(decisions, start=1)]
    path.write_text("\n".join(lines) + "\n")
    return path


def _read(first: Path, second: Path) -> tuple[ToolTable, ToolTable]:
    return read_tool_table(first, first.stem), read_tool_table(second, second.stem)


def test_own_decisions_and_frames_that_count_from_one(tmp_path: Path) -> None:
    # facskit decides by its weights' thresholds: 0.4 is present here.
    ours = _ours(tmp_path, [("videos/clip.mp4", 0, 0, 0.4, 1), ("videos/clip.mp4", 1, 0, 0.2, 0)])
    comparison = compare_tables(*_read(ours, _openface(tmp_path, [1, 0, 1])))

    assert comparison.faces.alone == (0, 1)
    (one,) = comparison.agreements
    assert (one.unit.code, one.faces, one.kappa) == ("AU12", 2, 1.0)
    notes = " ".join(comparison.to_tables()[0].notes)
    assert "Only ours knows AU25" in notes
    assert one.lag is None


def test_several_faces_are_paired_by_place(tmp_path: Path) -> None:
    ours = _ours(tmp_path, [("a.jpg", 0, 0, 0.9, 1), ("a.jpg", 0, 2, 0.1, 0), ("b.jpg", 0, 1, 0.2, 0)])
    theirs = _pyfeat(tmp_path, [("x/a.jpg", 0, 2, 0.3), ("x/a.jpg", 0, 0, 0.8), ("x/a.jpg", 0, 5, 0.8)])
    first, second = _read(ours, theirs)

    faces = pair_faces(first, second)

    assert faces.first.table["AU12_score"].to_list() == [0.9, 0.1]
    assert faces.second.table["AU12_score"].to_list() == [0.8, 0.3]
    assert (faces.alone, faces.unclear) == ((1, 1), 0)


def test_several_faces_without_a_place_are_left_out(tmp_path: Path) -> None:
    ours = _ours(tmp_path, [("clip.mp4", 0, 0, 0.9, 1), ("clip.mp4", 0, 1, 0.1, 0), ("clip.mp4", 1, 0, 0.1, 0)])
    faces = pair_faces(*_read(ours, _openface(tmp_path, [1, 0])))
    assert (len(faces.first.table), faces.unclear, faces.alone) == (1, 1, (0, 0))


def test_tables_of_one_video_each_are_about_the_same_one(tmp_path: Path) -> None:
    ours = _ours(tmp_path, [("clip.mp4", 0, 0, 0.9, 1)])
    assert len(pair_faces(*_read(ours, _openface(tmp_path, [1], "processed"))).first.table) == 1


def test_tables_of_other_videos_are_refused(tmp_path: Path) -> None:
    ours = _ours(tmp_path, [("a.mp4", 0, 0, 0.9, 1), ("b.mp4", 0, 0, 0.9, 1)])
    with pytest.raises(DatasetError, match=r"share no frame: found 'a' and 'clip'"):
        pair_faces(*_read(ours, _openface(tmp_path, [1])))


def _labels(folder: Path, text: str) -> Path:
    path = folder / "coded.csv"
    path.write_text(text)
    return path


def test_labels_say_which_tool_is_right(tmp_path: Path) -> None:
    truth, said, other = [1, 1, 0, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 0, 0]
    ours = _ours(tmp_path, [("clip.mp4", frame, 0, 0.2 + 0.5 * yes, yes) for frame, yes in enumerate(said)])
    labels = _labels(
        tmp_path, "video;frame;AU12;AU01\n" + "\n".join(f"clip.mp4;{f};{t};" for f, t in enumerate(truth[:4])) + "\n"
    )

    comparison = compare_tables(*_read(ours, _openface(tmp_path, other)), labels=labels)

    (one,) = comparison.scores
    assert (one.labelled, one.present) == (4, 2)
    assert one.measures["precision"] == pytest.approx((1.0, 2 / 3))
    assert one.measures["recall"] == pytest.approx((0.5, 1.0))
    assert one.measures["f1"] == pytest.approx((2 / 3, 0.8))
    assert one.measures["roc_auc"] == pytest.approx((0.75, 0.75))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("input,frame,AU12\nclip.mp4,0,2\n", r"coded.csv: line 2, column AU12: found '2', expected 1, 0 or nothing"),
        ("input,frame,AU12\nclip.mp4,a,1\n", r"line 2, column frame: found 'a', expected a whole number"),
        ("frame,AU12\n0,1\n", r"there is none of the columns input, image, video, file; found frame, AU12"),
        ("input,frame,AU01\nclip.mp4,0,1\n", r"no labels of an action unit that both tools know"),
        ("input,frame,AU12\nother.mp4,0,1\nclip2.mp4,0,1\n", r"its labels are of other frames"),
        ("frame_idx,au_12\n0,1\n", r"this is a result table of libreface"),
    ],
)
def test_labels_that_cant_be_used_are_named(tmp_path: Path, text: str, message: str) -> None:
    ours = _ours(tmp_path, [("clip.mp4", 0, 0, 0.9, 1)])
    with pytest.raises(DatasetError, match=message):
        compare_tables(*_read(ours, _openface(tmp_path, [1])), labels=_labels(tmp_path, text))


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = _ours(tmp_path, [("clip.mp4", frame, 0, 0.2 + 0.1 * frame, int(frame > 2)) for frame in range(6)])
    theirs = _openface(tmp_path, [0, 0, 1, 1, 1, 1])

    assert cli.main(["compare", str(ours), f"openface={theirs}", "-o", str(tmp_path / "out")]) == 0

    assert "ours (facskit) and openface (openface)" in capsys.readouterr().out
    assert "AU12" in (tmp_path / "out" / "results.md").read_text()
    assert (tmp_path / "out" / "results.json").is_file()


def test_a_table_and_a_run_arent_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = _ours(tmp_path, [("clip.mp4", 0, 0, 0.9, 1)])
    assert cli.main(["compare", str(ours), str(tmp_path)]) == 1
    assert "give two of them; found 1 among 2 paths" in capsys.readouterr().err
