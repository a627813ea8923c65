"""A pre-training of seconds on drawn faces; `python -m tests.experiments.tiny_pretraining FACES OUT PROCESSES`."""

import sys
from pathlib import Path

from facskit.datasets.loaders import LoaderConfig
from facskit.experiments.pretraining.pretrain import pretrain
from facskit.experiments.pretraining_recipe import PretrainingDataConfig, PretrainRecipe
from facskit.experiments.reconstruction_pictures import PicturesConfig
from facskit.faces.alignment import WholeImage
from facskit.models.masked_autoencoder import AutoencoderConfig
from facskit.models.vision_transformer import ViTConfig
from facskit.training.loop import TrainingConfig
from facskit.training.optimization import OptimizerConfig
from facskit.training.runtime import RuntimeConfig


def tiny_recipe(faces: Path, devices: int = 1) -> PretrainRecipe:
    """Return a recipe for drawn faces: 120 of 144 to learn from, 3 epochs of 7 updates for one process."""
    return PretrainRecipe(
        name="tiny",
        data=PretrainingDataConfig(
            images=str(faces),
            crop=WholeImage(size=32),
            loader=LoaderConfig(batch_size=16 // devices, cache_gib=0.01),
            validation_fraction=0.1,
        ),
        model=AutoencoderConfig(
            encoder=ViTConfig(image_size=32, patch_size=8, dim=32, depth=2, heads=2),
            decoder_dim=32,
            decoder_depth=1,
            decoder_heads=2,
        ),
        optimizer=OptimizerConfig(base_lr=0.05, betas=(0.9, 0.95), warmup_epochs=1.0),
        training=TrainingConfig(epochs=3, log_steps=2, checkpoint_steps=1, keep_every=1),
        runtime=RuntimeConfig(device="cpu", threads=1, devices=devices),
        pictures=PicturesConfig(every=2, faces=3),
        licence="CC0-1.0",
    )


if __name__ == "__main__":
    pretrain(tiny_recipe(Path(sys.argv[1]), int(sys.argv[3])), Path(sys.argv[2]))
