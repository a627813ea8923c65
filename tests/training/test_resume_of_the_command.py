"""The real command line, killed at random moments from its start on, ends with the file of a run left alone."""

import contextlib
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facskit.files import PART_PATTERN

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "debug" / "one_minute.yaml"
KILLS = 6


def _start(out: Path) -> subprocess.Popen[bytes]:
    options = {
        "--out": out,
        "--data.loader.workers": 1,
        "--training.epochs": 2,
        "--training.checkpoint-steps": 3,
        "--runtime.threads": 1,
    }
    words = ["train", str(RECIPE), *(str(word) for option in options.items() for word in option)]
    command = [sys.executable, "-m", "facskit.interfaces.cli", *words]
    # A file, for a pipe would stay open as long as the orphaned worker of a killed run.
    with out.with_suffix(".txt").open("wb") as messages:
        return subprocess.Popen(command, cwd=ROOT, stdout=messages, stderr=messages)


def _finish(out: Path) -> bytes:
    process = _start(out)
    assert process.wait() == 0, out.with_suffix(".txt").read_text()
    return (out / "weights.safetensors").read_bytes()


@pytest.mark.timeout(600)
def test_a_killed_command_ends_with_the_same_file(tmp_path: Path) -> None:
    started = time.monotonic()
    expected = _finish(tmp_path / "whole")
    duration = time.monotonic() - started  # so that moments mean the same on slow and fast machines
    moments, killed = random.Random(4), tmp_path / "killed"
    kills = 0
    # The first victim hardly starts, the second may make its files, the others die in steps or in the scoring.
    for low, high in ((0.01, 0.05), (0.05, 0.5), *[(0.5, 0.9)] * (KILLS - 2)):
        share = moments.uniform(low, high)
        victim = _start(killed)
        with contextlib.suppress(subprocess.TimeoutExpired):
            victim.wait(timeout=duration * share)
        victim.kill()
        kills += victim.wait() != 0
        assert victim.returncode <= 0, killed.with_suffix(".txt").read_text()
    assert kills >= 1  # six on an idle machine; one that speeds up meanwhile finishes before the later moments
    assert _finish(killed) == expected
    assert not list(killed.rglob(PART_PATTERN))
    lines = [(tmp_path / name / "metrics.jsonl").read_text().count("\n") for name in ("whole", "killed")]
    assert lines[0] == lines[1]
    reports = [(tmp_path / name / "results.md").read_text() for name in ("whole", "killed")]
    assert reports[0] == reports[1]
