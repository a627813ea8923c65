import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from facskit.evaluation.predictions import Predictions
from tests.experiments.drawn_faces import write_drawn_faces

ROOT = Path(__file__).parents[2]


def _train(kind: str, out: Path, processes: int, *options: str) -> str:
    """Return what the main process said."""
    manifest = write_drawn_faces(out.with_name("faces.parquet"))
    command = [
        sys.executable,
        "-m",
        "tests.experiments.several_processes",
        str(manifest),
        str(out),
        kind,
        str(processes),
        *options,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def _losses(out: Path) -> dict[tuple[str, str, int, str], float]:
    """Return every loss that was logged, by file, kind of line, step and name."""
    found = {}
    for file in sorted(out.rglob("metrics.jsonl")):
        for record in map(json.loads, file.read_text().splitlines()):
            for name in ("loss", "occurrence", "identity", "identity_accuracy", "risk_imbalanced", "risk_balanced"):
                if name in record:
                    found[str(file.relative_to(out)), record["kind"], record["step"], name] = record[name]
    return found


@pytest.mark.parametrize(
    ("kind", "processes"),
    [
        ("identity-adversarial", 2),
        pytest.param("identity-adversarial", 4, marks=pytest.mark.slow),
        pytest.param("causal-intervention", 2, marks=pytest.mark.slow),
        pytest.param("causal-intervention", 4, marks=pytest.mark.slow),
    ],
)
@pytest.mark.timeout(400)
def test_several_processes_learn_and_log_what_one_does(kind: str, processes: int, tmp_path: Path) -> None:
    one, several = tmp_path / "one", tmp_path / "several"
    _train(kind, one, 1)
    _train(kind, several, processes)
    files = [file.relative_to(one) for file in sorted(one.rglob("weights.safetensors"))]
    assert len(files) == (2 if kind == "identity-adversarial" else 6)  # CIU's teachers too
    for file in files:
        ours, theirs = load_file(one / file), load_file(several / file)
        for name, value in ours.items():
            torch.testing.assert_close(theirs[name], value, atol=1e-5, rtol=0)
    assert _losses(several) == pytest.approx(_losses(one), abs=1e-4)


@pytest.mark.slow
def test_two_processes_train_together(tmp_path: Path) -> None:
    said = _train("identity-adversarial", tmp_path / "out", 2, "--batch-norm")
    assert said.count("learning rate 0.00313 = 0.05 x 16 / 256") == 2  # 4 images, 2 batches, 2 processes
    predictions = Predictions.load(tmp_path / "out" / "predictions.parquet")
    assert len(predictions) == 144
    lines = (tmp_path / "out" / "fold-1-seed-0" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines if json.loads(line)["kind"] == "epoch"] == [1, 2]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_processes_train_all_networks_of_an_intervention(tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = _train("causal-intervention", out, 2, "--batch-norm")
    assert [said.count(f"Network {number} of 3") for number in (1, 2, 3)] == [2, 2, 2]  # each of two folds, once
    assert {path.parent.name for path in out.rglob("intervention_weights.json")} == {"fold-1-seed-0", "fold-2-seed-0"}
    assert len(list(out.rglob("weights.safetensors"))) == 6
    weights = json.loads((out / "fold-1-seed-0" / "intervention_weights.json").read_text())
    assert weights["number"] == weights["images"]  # the main process looks at all training images, not at its half
    assert (out / "networks.md").exists()
