"""The loop with a masked autoencoder: resumed, compiled, in two processes, and how much of a device it uses."""

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from facskit.models.masked_autoencoder import AutoencoderConfig, MaskedAutoencoder
from facskit.models.vision_transformer import SIZES
from facskit.objectives.reconstruction import MaskedReconstruction, ReconstructionConfig
from facskit.training.optimization import parameter_groups
from facskit.training.run_directory import RunDirectory
from facskit.training.runtime import RuntimeConfig
from tests.training.tiny_pretraining import PowerCutError, pretrain

ROOT = Path(__file__).parents[2]
RUNTIME = RuntimeConfig(device="cpu", seed=7, threads=1)


def _run(folder: Path, *options: str, breaks: bool = False) -> None:
    """Train in a process of its own: tests check types inside functions, which can't be compiled."""
    command = [sys.executable, "-m", "tests.training.tiny_pretraining", str(folder), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    assert (done.returncode != 0) == breaks, done.stderr
    assert ("PowerCutError" in done.stderr) == breaks, done.stderr


def _final(folder: Path, rank: int = 0) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = torch.load(folder / f"final-{rank}.pt", weights_only=True)
    return weights


def _same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_that_broke_off_draws_the_same_masks_again(tmp_path: Path) -> None:
    whole = pretrain(tmp_path / "whole", RUNTIME).state_dict()
    with pytest.raises(PowerCutError):
        pretrain(tmp_path / "cut", RUNTIME, cut=(1, 5))
    assert _same(pretrain(tmp_path / "cut", RUNTIME).state_dict(), whole)


def test_the_share_of_the_peak_is_logged_where_the_peak_is_known(tmp_path: Path) -> None:
    model = pretrain(tmp_path / "known", replace(RUNTIME, peak_tflops=0.5))
    lines = [json.loads(line) for line in RunDirectory(tmp_path / "known").metrics.read_text().splitlines()]
    assert {line["kind"] for line in lines} == {"step", "epoch"}
    for line in lines:
        expected = line["images_per_second"] * model.flops_per_image() / 0.5e12
        assert line["flops_utilisation"] == pytest.approx(expected, rel=1e-9)

    pretrain(tmp_path / "unknown", RUNTIME)
    assert "flops_utilisation" not in RunDirectory(tmp_path / "unknown").metrics.read_text()


def test_tokens_are_decayed_positions_are_left_alone() -> None:
    with torch.device("meta"):
        model = MaskedAutoencoder(AutoencoderConfig(encoder=SIZES["S"]))
        objective = MaskedReconstruction(model, ReconstructionConfig())
    groups = parameter_groups(objective, weight_decay=0.05, layer_decay=1.0)
    decays = {name: group["weight_decay"] for group in groups for name in group["names"]}
    assert len(decays) == 254 - 2
    assert decays["model.cls_token"] == decays["model.mask_token"] == decays["model.decoder_pred.weight"] == 0.05
    assert decays["model.decoder_pred.bias"] == decays["model.blocks.0.norm1.weight"] == 0.0


@pytest.mark.parametrize("peak", [-1.0, math.nan])
def test_impossible_peaks_are_refused(peak: float) -> None:
    with pytest.raises(ValueError, match=f"peak_tflops must be at least 0, got {peak}"):
        RuntimeConfig(peak_tflops=peak)


@pytest.mark.slow
def test_two_processes_pretrain_together(tmp_path: Path) -> None:
    _run(tmp_path / "run", "two")
    first, second = _final(tmp_path / "run", 0), _final(tmp_path / "run", 1)
    assert all(torch.allclose(value, second[name], atol=1e-6) for name, value in first.items())
    epochs = [json.loads(line) for line in RunDirectory(tmp_path / "run").metrics.read_text().splitlines()]
    assert [line["epoch"] for line in epochs if line["kind"] == "epoch"] == [1, 2]


@pytest.mark.slow
def test_compiled_and_plain_runs_go_on_from_each_other(tmp_path: Path) -> None:
    _run(tmp_path / "whole", "compile")
    _run(tmp_path / "cut", "compile", "cut", breaks=True)
    state = RunDirectory(tmp_path / "cut").load_snapshot()
    assert state is not None
    assert state["objective"].keys() == {f"model.{name}" for name in _final(tmp_path / "whole")}
    shutil.copytree(tmp_path / "cut", tmp_path / "at first")
    _run(tmp_path / "cut", "compile")
    assert _same(_final(tmp_path / "cut"), _final(tmp_path / "whole"))

    with pytest.raises(PowerCutError):
        pretrain(tmp_path / "plain", RUNTIME, cut=(1, 5))
    shutil.copytree(tmp_path / "plain", tmp_path / "at last")
    _run(tmp_path / "at last", "compile")
    pretrain(tmp_path / "at first", RUNTIME)
    plain = pretrain(tmp_path / "never", RUNTIME).state_dict()
    # The same masks, rounded otherwise; only the bias of the keys has no gradient but rounding, and makes steps of it.
    for name in ("whole", "at first", "at last"):
        for key, value in _final(tmp_path / name).items():
            if not key.endswith("qkv.bias"):
                assert torch.allclose(value, plain[key], atol=1e-4), (name, key)
