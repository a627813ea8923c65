"""A tiny masked autoencoder in training: `python -m tests.training.tiny_pretraining FOLDER [compile] [cut] [two]`.

`compile` translates the step, `cut` breaks off in the second epoch, `two` trains with two processes.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from facskit.datasets.unlabelled.loader import FaceImages
from facskit.models.masked_autoencoder import AutoencoderConfig, MaskedAutoencoder
from facskit.models.vision_transformer import ViTConfig
from facskit.objectives.reconstruction import MaskedReconstruction, ReconstructionConfig
from facskit.training.loop import fit
from facskit.training.optimization import OptimizerConfig
from facskit.training.plan import TrainingConfig, TrainingPlan
from facskit.training.run_directory import RunDirectory
from facskit.training.runtime import RuntimeConfig, seed_everything, start_runtime

MODEL = AutoencoderConfig(
    encoder=ViTConfig(image_size=16, patch_size=4, dim=16, depth=2, heads=2),
    decoder_dim=8,
    decoder_depth=1,
    decoder_heads=2,
)
TRAINING = TrainingConfig(epochs=2, accumulate=2, ema_decay=0.9, log_steps=2, checkpoint_steps=2)
OPTIMIZER = OptimizerConfig(base_lr=0.1, betas=(0.9, 0.95), warmup_epochs=1.0)


class PowerCutError(Exception):
    """The source of batches broke off."""


class RandomFaces:
    """Eight random batches of four images per epoch, the same for the same epoch and step."""

    steps_per_epoch = 8

    def __init__(self, cut: tuple[int, int] | None = None) -> None:
        self.cut = cut

    def batches(self, epoch: int, start_step: int = 0) -> Iterator[FaceImages]:
        for step in range(start_step, self.steps_per_epoch):
            if (epoch, step) == self.cut:
                raise PowerCutError
            generator = torch.Generator().manual_seed(1000 * epoch + step)
            images = torch.randint(0, 256, (4, 3, 16, 16), generator=generator, dtype=torch.uint8)
            yield FaceImages(images=images, indices=torch.arange(4))


def pretrain(folder: Path, runtime: RuntimeConfig, cut: tuple[int, int] | None = None) -> MaskedAutoencoder:
    """Train or go on, and return the trained model."""
    fabric = start_runtime(runtime)
    torch.manual_seed(0)
    model = MaskedAutoencoder(MODEL)
    seed_everything(runtime.seed, fabric.global_rank)
    if fabric.is_global_zero:
        RunDirectory.open(folder, "name: tiny\n", device="cpu")
    fabric.barrier()
    plan = TrainingPlan(training=TRAINING, optimizer=OPTIMIZER, batch_size=4, runtime=runtime)
    objective = MaskedReconstruction(model, ReconstructionConfig())
    fit(objective, RandomFaces(cut), plan, run=RunDirectory(folder), fabric=fabric)
    torch.save(model.state_dict(), folder / f"final-{fabric.global_rank}.pt")
    return model


if __name__ == "__main__":
    options = set(sys.argv[2:])
    config = RuntimeConfig(
        device="cpu", seed=7, threads=1, compile="compile" in options, devices=2 if "two" in options else 1
    )
    pretrain(Path(sys.argv[1]), config, cut=(1, 5) if "cut" in options else None)
