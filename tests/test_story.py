"""One story through the real command line: render faces, train, evaluate, recognise a photograph."""

import json
from pathlib import Path

import polars as pl
import pytest

from facskit.datasets.manifest import read_manifest
from facskit.interfaces import cli
from facskit.interfaces.recipe_command import RECIPES
from tests.faces.portraits import FOLDER

pytest.importorskip("vtkmodules", reason="rendering needs the extra 'synthesis'")


def run(*words: object) -> None:
    assert cli.main([str(word) for word in words]) == 0


def test_from_nothing_to_action_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faces, trained, scored = tmp_path / "faces", tmp_path / "run", tmp_path / "scores"

    run("synthesize", faces, "--subjects", 4, "--frames", 6, "--size", 96, "--profile", "balanced", "--workers", 1)
    manifest = read_manifest(faces / "manifest.parquet")
    assert (len(manifest), len(manifest.subject_names)) == (24, 4)

    recipe = RECIPES / "debug" / "one_minute.yaml"
    options = ["--data.manifest", faces / "manifest.parquet", "--data.loader.batch-size", 4, "--out", trained]
    run("train", recipe, *options)
    assert "Results:" in capsys.readouterr().out
    weights = trained / "weights.safetensors"
    metrics = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert metrics[-1]["kind"] == "epoch"
    assert metrics[-1]["occurrence"] > 0

    run("train", recipe, *options)  # a finished run answers at once
    assert "finished" in capsys.readouterr().err

    scoring = ("evaluate", weights, faces / "manifest.parquet", "--out", scored, "--device", "cpu")
    assert cli.main([str(word) for word in scoring]) != 0
    assert "people to test on were trained on" in capsys.readouterr().err
    run(*scoring, "--known-people", "allow")
    report = json.loads((scored / "results.json").read_text())
    assert set(report["per_au"]["f1"]) == {"AU12", "AU25"}
    assert "NOT INDEPENDENT" in (scored / "results.md").read_text()  # it was trained on some of these people

    table = tmp_path / "result.csv"
    run("recognize", FOLDER, "-o", table, "--overlay", tmp_path / "pictures", "--weights", weights, "--device", "cpu")
    rows = pl.read_csv(table)
    assert rows["success"].to_list() == [1, 1]
    assert rows.select("AU12", "AU25").to_numpy().min() > 0
    assert len(list((tmp_path / "pictures").iterdir())) == 2
