"""A process that is killed again and again ends with the weights of one that was left alone, bit for bit."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from facskit.files import PART_PATTERN

ROOT = Path(__file__).parents[2]


def _start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.training.tiny_run", str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _wait_for_snapshots(folder: Path, process: subprocess.Popen[bytes], before: set[str]) -> None:
    """Wait until the process has written a snapshot of its own, or is done."""
    while process.poll() is None and {path.name for path in (folder / "checkpoints").glob("*.pt")} <= before:
        time.sleep(0.002)


@pytest.mark.timeout(120)
def test_killed_runs_end_with_the_same_weights(tmp_path: Path) -> None:
    whole = _start(tmp_path / "whole")  # runs beside the first victim
    moments = random.Random(1)
    kills = 0
    for _ in range(3):
        before = {path.name for path in (tmp_path / "killed" / "checkpoints").glob("*.pt")}
        victim = _start(tmp_path / "killed")
        _wait_for_snapshots(tmp_path / "killed", victim, before)
        time.sleep(moments.uniform(0.0, 0.15))
        victim.kill()
        kills += victim.wait() != 0
    last = _start(tmp_path / "killed")
    for process in (whole, last):
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
    assert kills >= 2
    expected = torch.load(tmp_path / "whole" / "final.pt", weights_only=True)
    found = torch.load(tmp_path / "killed" / "final.pt", weights_only=True)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert not list((tmp_path / "killed").rglob(PART_PATTERN))
    lines = [len((tmp_path / name / "metrics.jsonl").read_text().splitlines()) for name in ("whole", "killed")]
    assert lines[0] == lines[1]
