"""A training run small enough to be killed often; `python -m tests.training.tiny_run FOLDER` runs it to its end."""

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import Batch
from facskit.models.build import build_model
from facskit.models.vision_transformer import ViTConfig
from facskit.objectives.identity_adversarial import IdentityAdversarial, IdentityAdversarialConfig
from facskit.training.loop import TrainingConfig, TrainingPlan, fit
from facskit.training.optimization import OptimizerConfig
from facskit.training.run_directory import RunDirectory
from facskit.training.runtime import RuntimeConfig, seed_everything, start_runtime

ACTION_UNITS = ActionUnitSet.parse("AU01,AU12,AU25")
MODEL = ViTConfig(image_size=16, patch_size=8, dim=16, depth=2, heads=2, drop_path=0.5)
OPTIMIZER = OptimizerConfig(base_lr=0.05, warmup_epochs=1.0, layer_decay=0.65, min_lr=1e-6)
TRAINING = TrainingConfig(epochs=3, accumulate=2, clip_norm=1.0, ema_decay=0.9, log_steps=3, checkpoint_steps=2)
RUNTIME = RuntimeConfig(device="cpu", seed=7, threads=1)


class RandomBatches:
    """Sixteen random batches of four images per epoch, the same for the same epoch and step."""

    steps_per_epoch = 16

    def __init__(self, pause: float = 0.0, poison: tuple[int, int] | None = None) -> None:
        self.pause, self.poison = pause, poison
        self.asked: list[tuple[int, int]] = []

    def batches(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        self.asked.append((epoch, start_step))
        for step in range(start_step, self.steps_per_epoch):
            time.sleep(self.pause)
            generator = torch.Generator().manual_seed(1000 * epoch + step)
            images = torch.randn(4, 3, 16, 16, generator=generator)
            if (epoch, step) == self.poison:
                images[0] = float("nan")
            yield Batch(
                images=images,
                labels=torch.randint(-1, 2, (4, 3), generator=generator, dtype=torch.int8),
                subjects=torch.randint(0, 3, (4,), generator=generator),
                indices=torch.arange(4),
                action_units=ACTION_UNITS,
            )


def tiny_objective() -> IdentityAdversarial:
    config = IdentityAdversarialConfig(schedule="dann")
    return IdentityAdversarial(build_model(MODEL, len(ACTION_UNITS)), config, [20, 20, 24])


def train_tiny(
    folder: Path, source: RandomBatches | None = None, training: TrainingConfig = TRAINING
) -> dict[str, Tensor]:
    """Train or go on, and return the model's final weights."""
    fabric = start_runtime(RUNTIME)
    seed_everything(RUNTIME.seed)
    objective = tiny_objective()
    run = RunDirectory.open(folder, "name: tiny\n", device="cpu")

    def evaluate(epoch: int, model: nn.Module) -> dict[str, float]:
        assert not model.training
        return {"largest": max(value.abs().max().item() for value in model.state_dict().values()), "number": epoch}

    plan = TrainingPlan(training=training, optimizer=OPTIMIZER, batch_size=4)
    fit(objective, source or RandomBatches(), plan, run=run, fabric=fabric, on_epoch_end=evaluate)
    return objective.model.state_dict()


if __name__ == "__main__":
    steps = replace(TRAINING, checkpoint_steps=1)
    weights = train_tiny(Path(sys.argv[1]), RandomBatches(pause=0.01), steps)
    torch.save(weights, Path(sys.argv[1]) / "final.pt")
