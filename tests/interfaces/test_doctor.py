"""`facskit doctor` as a stranger types it."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from facskit.datasets.corpora.example_trees.expression_trees import write_expression_tree
from facskit.faces.images import write_image
from facskit.interfaces.doctor import main
from facskit.models.weight_files import packaged_weights
from tests.datasets.corpora.lists.test_foreign_tables import OPENFACE


def _manifest(folder: Path, rows: int = 12) -> Path:
    folder.mkdir(exist_ok=True)
    table = {
        "image": [f"{row}.jpg" for row in range(rows)],
        "subject": [f"S{row:03d}" for row in range(rows)],
        "AU01": [row % 2 for row in range(rows)],
    }
    for row in range(rows):
        write_image(folder / f"{row}.jpg", np.full((8, 8, 3), 9 * row, np.uint8))
    pl.DataFrame(table).write_csv(folder / "faces.csv")
    return folder / "faces.csv"


def test_a_path_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nowhere")]) == 1
    assert "there is no such file or folder" in capsys.readouterr().out


def test_an_empty_folder_and_a_random_one_say_what_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert "the folder is empty" in capsys.readouterr().out
    (tmp_path / "notes.txt").write_text("hello")
    assert main([str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "found notes.txt, which facskit doesn't know" in shown
    assert "BP4D, BP4D+, DISFA, DISFA+, RAF-DB, AffectNet" in shown


def test_a_sound_manifest_passes_and_names_the_next_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _manifest(tmp_path / "my faces")
    assert main([str(path)]) == 0
    shown = capsys.readouterr().out
    assert "Nothing is wrong." in shown
    assert f"Next: facskit describe '{path}' -o described" in shown


def test_a_cut_picture_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _manifest(tmp_path)
    (tmp_path / "3.jpg").write_bytes((tmp_path / "3.jpg").read_bytes()[:-20])
    assert main([str(path)]) == 1
    shown = capsys.readouterr().out
    assert "decoded 12 of 12 pictures" in shown
    assert "3.jpg: found a photograph that is damaged or cut short" in shown
    assert "Nothing is wrong" not in shown


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["a.mp4", "b.MOV"], "a folder of 2 videos"),
        (["a.mp4", "b.jpg", "c.png"], "a folder of 2 pictures and 1 video"),
    ],
)
def test_folders_of_videos_are_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: list[str], what: str
) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert main([str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert f"{tmp_path}: {what}\n" in shown
    assert f"Next: facskit recognize {tmp_path} -o result.csv" in shown


def test_result_tables_are_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("talk.csv", "walk.csv"):
        (tmp_path / name).write_text(OPENFACE)
    assert main([str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "a folder of 2 result tables of openface" in shown
    assert f"Next: facskit convert {tmp_path} -o labels.parquet" in shown
    assert main([str(tmp_path / "talk.csv")]) == 0
    assert "a result table of openface, not a manifest" in capsys.readouterr().out


def test_json_is_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _manifest(tmp_path)
    (tmp_path / "3.jpg").unlink()
    assert main([str(path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert found["checkups"][0]["kind"] == "manifest"
    assert found["checkups"][0]["findings"][0]["severity"] == "error"


def test_many_findings_of_a_kind_are_counted_unless_all_are_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = write_expression_tree("raf-db", tmp_path / "RAF-DB")
    labels = next(tree.rglob("list_pat*.txt"))
    labels.write_text("".join(f"{line.split()[0]} 9\n" for line in labels.read_text().splitlines()))
    assert main([str(tree)]) == 1
    shown = capsys.readouterr().out
    assert "more of this kind; --all prints them" in shown
    assert main([str(tree), "--all"]) == 1
    every = capsys.readouterr().out
    assert "more of this kind" not in every
    assert len(every.splitlines()) > len(shown.splitlines())


def test_weights_and_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = next(iter(packaged_weights().values()))
    assert main([str(weights)]) == 0
    assert "a recogniser that facskit wrote" in capsys.readouterr().out
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "recipe.yaml").write_text("name: x\nobjective:\n  kind: occurrence\n")
    (run / "checkpoints" / "step-000000040.pt").touch()
    assert main([str(run)]) == 0
    shown = capsys.readouterr().out
    assert "the run isn't finished: its last snapshot is of step 40" in shown
    assert f"facskit train {run}/recipe.yaml --out {run}" in shown
    (run / "weights.safetensors").write_bytes(b"damaged")
    (run / "metrics.jsonl").write_text('{"epoch": 0, "loss": NaN}\n')
    assert main([str(run)]) == 1
    shown = capsys.readouterr().out
    assert "the loss is nan" in shown
    assert "weights.safetensors" in shown


def test_nothing_is_written(tmp_path: Path) -> None:
    path = _manifest(tmp_path)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    main([str(path)])
    main([str(tmp_path)])
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before


def test_a_pretraining_run_goes_on_with_its_own_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "recipe.yaml").write_text("name: mine\nmodel:\n  kind: mae\n  decoder_dim: 64\n")
    assert main([str(tmp_path)]) == 0
    assert f"facskit pretrain {tmp_path}/recipe.yaml --out {tmp_path}" in capsys.readouterr().out


def test_a_cross_validation_counts_its_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "recipe.yaml").write_text("name: x\n")
    for fold in (1, 2):
        (tmp_path / f"fold-{fold}-seed-0").mkdir()
    assert main([str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "0 of 2 runs finished" in shown
    assert f"facskit cross-validate {tmp_path}/recipe.yaml --out {tmp_path}" in shown


def test_folders_of_results_are_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results.md").write_text("# results\n")
    assert main([str(tmp_path)]) == 0
    assert "results that facskit wrote" in capsys.readouterr().out


def test_lists_of_papers_are_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = [f"BP4D/F001/T1/{frame:04d}.jpg" for frame in range(3)]
    (tmp_path / "BP4D_part1_path.txt").write_text("\n".join(images) + "\n")
    (tmp_path / "BP4D_part1_AUoccur.txt").write_text(" ".join("0" * 12) + "\n" + (" ".join("1" * 12) + "\n") * 2)
    assert main([str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "a label list of JAA-Net" in shown
    assert "3 images of 1 subjects" in shown
    (tmp_path / "BP4D_part1_AUoccur.txt").write_text(" ".join("7" * 12) + "\n")
    assert main([str(tmp_path / "BP4D_part1_path.txt")]) == 1
    assert "found 1 lines, expected 3" in capsys.readouterr().out
    (tmp_path / "train1.json").write_text('{"img_path": "F001_T1/1.jpg", "AUs": [1, 999, 5000]}\n')
    assert main([str(tmp_path / "train1.json")]) == 1
    assert "a label list of FMAE-IAT" in capsys.readouterr().out


def test_without_a_path_it_says_what_the_installation_is_made_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert f"torch {torch.__version__}" in shown
    assert "rendered-compact" in shown
    assert "decodes h264" in shown
    assert main(["--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert known["devices"].startswith("cpu")
    assert "AVIF" in known["photographs"]
