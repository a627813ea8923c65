import json
import subprocess
import sys
from pathlib import Path

import pytest

from facskit.evaluation.predictions import Predictions
from tests.experiments.drawn_faces import write_drawn_faces

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_two_processes_train_together(tmp_path: Path) -> None:
    manifest = write_drawn_faces(tmp_path / "faces.parquet")
    command = [sys.executable, "-m", "tests.experiments.two_processes", str(manifest), str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("learning rate 0.00313 = 0.05 x 16 / 256") == 2  # 4 images, 2 batches, 2 processes
    predictions = Predictions.load(tmp_path / "out" / "predictions.parquet")
    assert len(predictions) == 144
    lines = (tmp_path / "out" / "fold-1-seed-0" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines if json.loads(line)["kind"] == "epoch"] == [1, 2]
