"""`facskit pretrain`: what it prints, and that killing it costs nothing."""

import contextlib
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facskit.experiments.recipe_files import format_recipe
from facskit.files import PART_PATTERN
from facskit.interfaces.pretrain import main
from facskit.interfaces.recipe_command import RECIPES
from tests.experiments.drawn_faces import write_drawn_faces
from tests.experiments.tiny_pretraining import tiny_recipe

ROOT = Path(__file__).parents[2]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(format_recipe(tiny_recipe(write_drawn_faces(tmp_path / "faces.parquet", images=8))))
    return path


def test_it_says_what_it_does_and_where_everything_is(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main([str(recipe), "--out", str(out), "--training.epochs", "1"]) == 0
    shown = capsys.readouterr()
    assert (
        "tiny: 40 of 48 images to learn from, 8 set aside; masked autoencoder of 0.1 M parameters, 4 of 16 patches"
        in shown.err
    )
    assert "1 epochs of 2 updates; learning rate 0.00313 = 0.05 x 16 / 256" in shown.err
    for place in ("loss.png", "metrics.jsonl", "pictures/epoch-001.png", "encoders", "encoder.safetensors"):
        assert f"{out / place}" in shown.out
        assert (out / place).exists()
    assert f"facskit train RECIPE --initial-weights {out / 'encoder.safetensors'}" in shown.out


def test_without_a_recipe_only_those_for_it_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    text = capsys.readouterr().out
    assert "usage: facskit pretrain RECIPE" in text
    assert "pretrain_tiny.yaml" in text
    assert "compact.yaml" not in text


def _start(out: Path) -> subprocess.Popen[bytes]:
    options = {"--out": out, "--training.epochs": 3, "--training.checkpoint-steps": 4, "--runtime.threads": 1}
    options |= {"--data.loader.workers": 1, "--training.keep-every": 1, "--pictures.every": 1}
    words = [str(word) for option in options.items() for word in option]
    recipe = RECIPES / "debug" / "pretrain_one_minute.yaml"
    command = [sys.executable, "-c", "import sys; from facskit.interfaces.pretrain import main; main(sys.argv[1:])"]
    # A file, for a pipe would stay open as long as the orphaned worker of a killed run.
    with out.with_suffix(".txt").open("wb") as messages:
        return subprocess.Popen([*command, str(recipe), *words], cwd=ROOT, stdout=messages, stderr=messages)


def _finish(out: Path) -> list[bytes]:
    process = _start(out)
    assert process.wait() == 0, out.with_suffix(".txt").read_text()
    files = (
        "encoder.safetensors",
        "encoders/epoch-002.safetensors",
        "pictures/epoch-001.png",
        "pictures/epoch-003.png",
    )
    return [(out / name).read_bytes() for name in files]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_command_ends_with_the_same_files(tmp_path: Path) -> None:
    started = time.monotonic()
    expected = _finish(tmp_path / "whole")
    duration = time.monotonic() - started  # so that moments mean the same on slow and fast machines
    moments, killed = random.Random(4), tmp_path / "killed"
    kills = 0
    for low, high in ((0.05, 0.3), *[(0.5, 0.9)] * 3):
        victim = _start(killed)
        with contextlib.suppress(subprocess.TimeoutExpired):
            victim.wait(timeout=duration * moments.uniform(low, high))
        victim.kill()
        kills += victim.wait() != 0
        assert victim.returncode <= 0, killed.with_suffix(".txt").read_text()
    assert kills >= 1
    assert _finish(killed) == expected
    assert not list(killed.rglob(PART_PATTERN))
    lines = [(tmp_path / name / "metrics.jsonl").read_text().count("\n") for name in ("whole", "killed")]
    assert lines[0] == lines[1]
