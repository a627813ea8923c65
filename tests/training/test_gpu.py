"""The loop on an accelerator: mixed precision, loss scaling with clipping, snapshots."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facskit.datasets.samples import Batch
from facskit.training.loop import TrainingPlan, fit
from facskit.training.run_directory import RunDirectory
from facskit.training.runtime import RuntimeConfig, seed_everything, start_runtime
from tests.training.tiny_run import OPTIMIZER, TRAINING, RandomBatches, tiny_objective

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


class _PowerCut(RandomBatches):
    def batches(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        for step, batch in enumerate(super().batches(epoch, start_step), start=start_step):
            if (epoch, step) == (1, 10):
                raise KeyError("power cut")
            yield batch


def _train(folder: Path, precision: str, source: RandomBatches) -> dict[str, torch.Tensor]:
    config = RuntimeConfig(device="cuda", precision=precision, deterministic=True)  # type: ignore[arg-type]
    fabric = start_runtime(config)
    seed_everything(config.seed)
    objective = tiny_objective()
    run = RunDirectory.open(folder, "name: tiny\n", device="cuda")
    plan = TrainingPlan(training=replace(TRAINING, epochs=2), optimizer=OPTIMIZER, batch_size=4)
    fit(objective, source, plan, run=run, fabric=fabric)
    return {name: value.cpu() for name, value in objective.model.state_dict().items()}


@pytest.mark.parametrize("precision", ["32", "bf16", "fp16"])
def test_goes_on_to_the_same_weights(precision: str, tmp_path: Path) -> None:
    try:
        whole = _train(tmp_path / "whole", precision, RandomBatches())
        with pytest.raises(KeyError):
            _train(tmp_path / "cut", precision, _PowerCut())
        resumed = _train(tmp_path / "cut", precision, RandomBatches())
    finally:
        torch.use_deterministic_algorithms(False)
    for name, value in whole.items():
        assert torch.isfinite(value).all()
        assert torch.equal(value, resumed[name]), name
