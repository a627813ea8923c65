"""A sweep that is killed goes on, ends with the same weights, and leaves no process behind."""

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facskit.experiments.recipe_files import format_recipe
from facskit.experiments.sweep.grid import change_recipe
from facskit.files import PART_PATTERN
from tests.experiments.drawn_faces import write_drawn_faces
from tests.experiments.sweeping import tiny_recipe

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def _start(recipe: Path, out: Path) -> subprocess.Popen[bytes]:
    words = ["sweep", str(recipe), "--objective.strength", "0,1", "--jobs", "2", "--out", str(out)]
    with out.with_suffix(".txt").open("ab") as messages:
        return subprocess.Popen(
            [sys.executable, "-m", "facskit.interfaces.cli", *words], cwd=ROOT, stdout=messages, stderr=messages
        )


def _finish(recipe: Path, out: Path) -> dict[str, bytes]:
    assert _start(recipe, out).wait() == 0, out.with_suffix(".txt").read_text()
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("weights.safetensors")}


def _children(parent: int) -> list[int]:
    text = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False)
    return [int(word) for word in text.stdout.split()]


def _alive(process: int) -> bool:
    with contextlib.suppress(OSError):
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    return False


def _epochs(out: Path) -> int:
    return sum(path.read_text().count('"kind": "epoch"') for path in out.rglob("metrics.jsonl"))


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    faces = write_drawn_faces(tmp_path / "faces.parquet")
    path = tmp_path / "tiny.yaml"
    changes = {"training.epochs": 10, "training.checkpoint_steps": 3}
    path.write_text(format_recipe(change_recipe(tiny_recipe(faces), changes)))
    return path


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_sweep_ends_with_the_same_weights(recipe: Path, tmp_path: Path, how: signal.Signals) -> None:
    expected = _finish(recipe, tmp_path / "whole")
    assert len(expected) == 2
    for epochs in (2, 12):  # of the 20 of both runs
        victim = _start(recipe, tmp_path / "killed")
        while victim.poll() is None and _epochs(tmp_path / "killed") < epochs:
            time.sleep(0.05)
        children = _children(victim.pid)
        with contextlib.suppress(ProcessLookupError):
            victim.send_signal(how)
        assert victim.wait() in {-how, 1}
        deadline = time.monotonic() + 60
        while any(map(_alive, children)) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not any(map(_alive, children))
    assert _finish(recipe, tmp_path / "killed") == expected
    assert not list((tmp_path / "killed").rglob(PART_PATTERN))
