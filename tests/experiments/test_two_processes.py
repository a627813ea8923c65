import json
import subprocess
import sys
from pathlib import Path

import pytest

from facskit.evaluation.predictions import Predictions
from tests.experiments.drawn_faces import write_drawn_faces

ROOT = Path(__file__).parents[2]


def _train(kind: str, out: Path) -> str:
    """Return what the main process said."""
    manifest = write_drawn_faces(out.with_name("faces.parquet"))
    command = [sys.executable, "-m", "tests.experiments.two_processes", str(manifest), str(out), kind]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.slow
def test_two_processes_train_together(tmp_path: Path) -> None:
    said = _train("identity-adversarial", tmp_path / "out")
    assert said.count("learning rate 0.00313 = 0.05 x 16 / 256") == 2  # 4 images, 2 batches, 2 processes
    predictions = Predictions.load(tmp_path / "out" / "predictions.parquet")
    assert len(predictions) == 144
    lines = (tmp_path / "out" / "fold-1-seed-0" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines if json.loads(line)["kind"] == "epoch"] == [1, 2]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_processes_train_all_networks_of_an_intervention(tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = _train("causal-intervention", out)
    assert [said.count(f"Network {number} of 3") for number in (1, 2, 3)] == [2, 2, 2]  # each of two folds, once
    assert {path.parent.name for path in out.rglob("intervention_weights.json")} == {"fold-1-seed-0", "fold-2-seed-0"}
    assert len(list(out.rglob("weights.safetensors"))) == 6
    weights = json.loads((out / "fold-1-seed-0" / "intervention_weights.json").read_text())
    assert weights["number"] == weights["images"]  # the main process looks at all training images, not at its half
    assert (out / "networks.md").exists()
