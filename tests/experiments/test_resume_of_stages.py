"""Causal intervention's command, killed at random moments of its stages, ends with the files of a run left alone."""

import contextlib
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facskit.files import PART_PATTERN

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "debug" / "ciu_one_minute.yaml"
KILLS = 5


def _start(out: Path) -> subprocess.Popen[bytes]:
    options = {
        "--out": out,
        "--data.loader.workers": 1,
        "--training.checkpoint-steps": 7,
        "--runtime.threads": 1,
    }
    words = ["train", str(RECIPE), *(str(word) for option in options.items() for word in option)]
    command = [sys.executable, "-m", "facskit.interfaces.cli", *words]
    # A file, for a pipe would stay open as long as the orphaned worker of a killed run.
    with out.with_suffix(".txt").open("wb") as messages:
        return subprocess.Popen(command, cwd=ROOT, stdout=messages, stderr=messages)


def _finish(out: Path) -> dict[str, bytes]:
    process = _start(out)
    assert process.wait() == 0, out.with_suffix(".txt").read_text()
    kept = ("weights.safetensors", "predictions.parquet", "results.md", "networks.md", "intervention_weights.json")
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.*")) if path.name in kept}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_command_ends_with_the_same_files(tmp_path: Path) -> None:
    started = time.monotonic()
    expected = _finish(tmp_path / "whole")
    duration = time.monotonic() - started  # so that moments mean the same on slow and fast machines
    assert len(expected) == 3 * 3 + 2
    said = (tmp_path / "whole.txt").read_text()
    assert "The networks, means over action units" in said
    assert f"Results of all networks by action unit: {tmp_path / 'whole' / 'networks.md'}" in said
    moments, killed = random.Random(7), tmp_path / "killed"
    kills = 0
    for _ in range(KILLS):
        victim = _start(killed)
        with contextlib.suppress(subprocess.TimeoutExpired):
            victim.wait(timeout=duration * moments.uniform(0.3, 0.7))
        victim.kill()
        kills += victim.wait() != 0
        assert victim.returncode <= 0, killed.with_suffix(".txt").read_text()
    assert kills >= 1
    assert _finish(killed) == expected
    assert not list(killed.rglob(PART_PATTERN))
