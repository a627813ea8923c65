import json
import math
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from facskit.datasets.samples import Batch
from facskit.errors import FacskitError
from facskit.training.loop import TrainingConfig, TrainingPlan, fit
from facskit.training.optimization import OptimizerConfig
from facskit.training.run_directory import RunDirectory
from facskit.training.runtime import seed_everything, start_runtime
from tests.training.tiny_run import OPTIMIZER, RUNTIME, TRAINING, RandomBatches, tiny_objective, train_tiny


class _StopsAt(RandomBatches):
    """Raises a signal, or an error, when a step is asked for the first time."""

    def __init__(self, epoch: int, step: int, number: int | None = None) -> None:
        super().__init__()
        self.place, self.number, self.armed = (epoch, step), number, True

    def batches(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        for step, batch in enumerate(super().batches(epoch, start_step), start=start_step):
            if self.armed and (epoch, step) == self.place:
                self.armed = False
                if self.number is None:
                    raise KeyError("power cut")
                os.kill(os.getpid(), self.number)
            yield batch


def _same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Tensor], Path]:
    folder = tmp_path_factory.mktemp("runs") / "uninterrupted"
    return train_tiny(folder), folder


@pytest.mark.parametrize("apart", [False, True])
def test_equals_the_loop_written_out(apart: bool) -> None:
    """Two accumulated batches per update, clipping, schedule and layer scales, all by hand."""
    training = TrainingConfig(epochs=2, accumulate=2, clip_norm=0.5, clip_apart=apart)
    seed_everything(3)
    expected = tiny_objective()
    optimizer = torch.optim.AdamW(
        [{"params": [p], "name": n} for n, p in expected.named_parameters()], lr=1.0, betas=(0.9, 0.999), eps=1e-8
    )
    source, schedule = RandomBatches(), OptimizerConfig(min_lr=1e-6, warmup_epochs=1.0)
    for epoch in range(2):
        batches = list(source.batches(epoch))
        for step in range(8):
            done = epoch + step / 8
            rate = schedule.rate(done, peak=0.05 * 8 / 256, epochs=2.0)
            expected.progress = done / 2
            for group in optimizer.param_groups:
                name = group["name"]
                low = any(part in name for part in ("cls_token", "pos_embed", "patch_embed"))
                layer = 0 if low else 1 if "blocks.0." in name else 2 if "blocks.1." in name else 3
                group["lr"] = rate * 0.65 ** (3 - layer)
                spared = group["params"][0].ndim == 1 or "cls_token" in name or "pos_embed" in name
                group["weight_decay"] = 0.0 if spared else 0.05
            for batch in batches[2 * step : 2 * step + 2]:
                (expected(batch).loss / 2).backward()
            network, every = list(expected.model.parameters()), list(expected.parameters())
            for cut in (network, every[len(network) :]) if apart else (every,):  # the network's come first
                torch.nn.utils.clip_grad_norm_(cut, 0.5)
            optimizer.step()
            optimizer.zero_grad()

    fabric = start_runtime(RUNTIME)
    seed_everything(3)
    found = tiny_objective()
    run = RunDirectory(Path("unused"))
    run.append_metrics = run.save_snapshot = lambda *_: None  # type: ignore[method-assign,assignment]
    plan = TrainingPlan(training=training, optimizer=OPTIMIZER, batch_size=4)
    fit(found, RandomBatches(), plan, run=run, fabric=fabric)
    for name, value in expected.state_dict().items():
        assert torch.allclose(found.state_dict()[name], value, atol=2e-6), name


def test_the_same_seed_gives_the_same_weights(uninterrupted: tuple[dict[str, Tensor], Path], tmp_path: Path) -> None:
    assert _same(train_tiny(tmp_path / "again"), uninterrupted[0])


@pytest.mark.parametrize(("epoch", "step"), [(0, 0), (0, 9), (1, 0), (2, 15)])
def test_a_run_that_broke_off_goes_on_to_the_same_weights(
    epoch: int, step: int, uninterrupted: tuple[dict[str, Tensor], Path], tmp_path: Path
) -> None:
    with pytest.raises(KeyError):
        train_tiny(tmp_path / "run", _StopsAt(epoch, step))
    source = RandomBatches()
    assert _same(train_tiny(tmp_path / "run", source), uninterrupted[0])
    updates = step // 2 // 2 * 2  # two batches make an update, every second update is saved
    assert source.asked[0] == (epoch, 2 * updates)
    _same_metrics(tmp_path / "run", uninterrupted[1])


def _same_metrics(folder: Path, other: Path) -> None:
    timing = {"images_per_second", "seconds"}
    lines = [
        [{k: v for k, v in json.loads(line).items() if k not in timing} for line in path.read_text().splitlines()]
        for path in (folder / "metrics.jsonl", other / "metrics.jsonl")
    ]
    assert [line["step"] for line in lines[0]] == [line["step"] for line in lines[1]]
    assert lines[0] == [
        {k: pytest.approx(v) if isinstance(v, float) else v for k, v in line.items()} for line in lines[1]
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_save_and_say_how_to_go_on(
    number: int, uninterrupted: tuple[dict[str, Tensor], Path], tmp_path: Path
) -> None:
    usual = signal.getsignal(number)
    message = r"stopped on request in epoch 2 after step 4, and everything is saved in .*; give the same command again"
    with pytest.raises(FacskitError, match=message):
        train_tiny(tmp_path / "run", _StopsAt(1, 7, number), replace(TRAINING, checkpoint_steps=0))
    assert signal.getsignal(number) == usual
    assert _same(train_tiny(tmp_path / "run", training=replace(TRAINING, checkpoint_steps=0)), uninterrupted[0])


def test_a_finished_run_only_returns_its_weights(uninterrupted: tuple[dict[str, Tensor], Path]) -> None:
    source = RandomBatches()
    assert _same(train_tiny(uninterrupted[1], source), uninterrupted[0])
    assert source.asked == []


def test_metrics_hold_every_epoch_with_terms_and_the_callback(uninterrupted: tuple[dict[str, Tensor], Path]) -> None:
    lines = map(json.loads, RunDirectory(uninterrupted[1]).metrics.read_text().splitlines())
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert [line["epoch"] for line in epochs] == [1, 2, 3]
    assert [line["number"] for line in epochs] == [1, 2, 3]
    assert {"loss", "occurrence", "identity", "lr", "images_per_second", "seconds", "largest"} <= epochs[0].keys()
    for line in epochs:
        assert line["loss"] == pytest.approx(line["occurrence"] + line["identity"], rel=1e-5)
    largest = max(value.abs().max().item() for value in uninterrupted[0].values())
    assert epochs[-1]["largest"] == largest  # the callback sees the averaged weights, which are those that ship


def test_a_loss_that_is_no_number_names_epoch_step_and_terms(tmp_path: Path) -> None:
    with pytest.raises(FacskitError, match=r"no longer a number in epoch 2 at step 3 \(loss = nan, occurrence = nan"):
        train_tiny(tmp_path / "run", RandomBatches(poison=(1, 5)))
    state = RunDirectory(tmp_path / "run").load_snapshot()
    assert state is not None
    assert all(torch.isfinite(value).all() for value in state["objective"].values())


def test_too_few_batches_for_an_update(tmp_path: Path) -> None:
    message = "An epoch has 16 batches of 4, too few for one update of 17"
    with pytest.raises(FacskitError, match=message):
        train_tiny(tmp_path / "run", training=TrainingConfig(accumulate=17))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", 0, "epochs must be at least 1, got 0"),
        ("ema_decay", 1.0, "ema_decay must be at least 0 and below 1, got 1.0"),
        ("clip_norm", math.nan, "clip_norm must be at least 0, got nan"),
        ("checkpoint_minutes", 0.0, "checkpoint_minutes must be above 0, got 0.0"),
    ],
)
def test_bad_numbers_are_named(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**{field: value})  # type: ignore[arg-type]


def test_warm_up_longer_than_the_run_is_refused_before_training(tmp_path: Path) -> None:
    fabric = start_runtime(RUNTIME)
    run = RunDirectory.open(tmp_path / "run", "name: tiny\n", device="cpu")
    plan = TrainingPlan(training=TrainingConfig(epochs=1), optimizer=OptimizerConfig(warmup_epochs=2.0), batch_size=4)
    with pytest.raises(ValueError, match="warmup_epochs must be at most the run's 1 epochs, got 2"):
        fit(tiny_objective(), RandomBatches(), plan, run=run, fabric=fabric)
