"""Images per second of masked pre-training: facskit beside a plain implementation, on the same images and machine.

Run `python -m benchmarks.pretraining_speed`, on a GPU with `--model L --batch 128 --compile`. The plain one is
`plain_pretraining`. Both read the same JPEG files, which have the size that the network sees, with as many worker
processes; half of the steps warm up, the other half is timed. The number formats differ, since that is one of the
optimisations: 16-bit floats with loss scaling against bfloat16 on a GPU, 32-bit floats against bfloat16 on a processor;
`--precision` gives facskit another one.

The input alone is timed too. `of peak` is the share of the device's data sheet that the matrix products take up, for
GPUs whose data sheet facskit knows.
"""

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import polars as pl
import torch
from PIL import Image

from benchmarks.plain_pretraining import PlainAutoencoder, PlainFaces, PlainRun, endless, plain_loader, plain_rate
from facskit.datasets.loaders import EpochLoader, LoaderConfig
from facskit.datasets.packed import packaged_faces
from facskit.datasets.unlabelled.loader import (
    FaceImages,
    ResizeFlip,
    UnlabelledFaces,
    UnlabelledPreparation,
)
from facskit.datasets.unlabelled.sources import UnlabelledImages
from facskit.faces.alignment import WholeImage
from facskit.models.devices import choose_device
from facskit.models.masked_autoencoder import AutoencoderConfig, MaskedAutoencoder
from facskit.models.vision_transformer import SIZES, ViTConfig
from facskit.objectives.reconstruction import MaskedReconstruction, ReconstructionConfig
from facskit.training.device_peaks import peak_flops
from facskit.training.loop import TrainingConfig, TrainingPlan, fit
from facskit.training.metrics_file import read_metrics
from facskit.training.optimization import OptimizerConfig
from facskit.training.run_directory import RunDirectory
from facskit.training.runtime import RuntimeConfig, start_runtime

ModelName = Literal["tiny", "S", "B", "L"]
Precision = Literal["32", "bf16", "fp16"]

TINY = AutoencoderConfig(
    encoder=ViTConfig(image_size=112, dim=192, depth=6, heads=3), decoder_dim=128, decoder_depth=2, decoder_heads=4
)
"""The network of recipes/rendered/pretrain_tiny.yaml."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What both implementations are given."""

    model: AutoencoderConfig
    """Shape of the network."""
    batch: int
    """Images per step."""
    steps: int
    """Timed steps, after as many that aren't."""
    workers: int
    """Processes that prepare images."""
    runtime: RuntimeConfig
    """Device and number format of facskit."""

    @property
    def size(self) -> int:
        """Side of an image in pixels."""
        return self.model.encoder.image_size


def write_images(folder: Path, count: int, size: int) -> Path:
    """Write packaged faces, enlarged where needed, as JPEG files with a manifest.

    Args:
        size: Their side in pixels.

    Returns:
        The manifest.
    """
    faces = packaged_faces()
    names = [f"{row:06d}.jpg" for row in range(count)]
    for row, name in enumerate(names):
        picture = Image.fromarray(faces.image(row % len(faces)))
        picture.resize((size, size), Image.Resampling.BICUBIC).save(folder / name, quality=90)
    table = pl.DataFrame({"image": names, "subject": [str(row % 48) for row in range(count)], "AU01": [0] * count})
    table.write_parquet(folder / "manifest.parquet")
    return folder / "manifest.parquet"


class Endless:
    """An epoch of any length, of batches from as many epochs as it takes."""

    def __init__(self, loader: EpochLoader[FaceImages], steps: int) -> None:
        self.loader, self.steps_per_epoch = loader, steps

    def batches(self, epoch: int, start_step: int = 0) -> Iterator[FaceImages]:
        """Yield the batches of an epoch from a step on."""
        every = itertools.chain.from_iterable(self.loader.batches(number) for number in itertools.count(epoch))
        return itertools.islice(every, start_step, self.steps_per_epoch)


def our_loader(manifest: Path, setting: Setting, cache_gib: float = 0.0) -> EpochLoader[FaceImages]:
    """Open the images as `facskit pretrain` does."""
    source = UnlabelledImages.open(str(manifest))
    preparation = UnlabelledPreparation(crop=WholeImage(size=setting.size), augmentation=ResizeFlip())
    faces = UnlabelledFaces(source, preparation, np.arange(len(source)), cache_gib)
    return EpochLoader(faces, LoaderConfig(batch_size=setting.batch, workers=setting.workers), train=True)


def our_rate(manifest: Path, setting: Setting) -> float:
    """Train with facskit's own loop and return images per second, which the loop measures between two log lines."""
    fabric = start_runtime(setting.runtime)
    objective = MaskedReconstruction(MaskedAutoencoder(setting.model), ReconstructionConfig())
    loader = our_loader(manifest, setting)
    plan = TrainingPlan(
        training=TrainingConfig(epochs=1, log_steps=setting.steps),
        optimizer=OptimizerConfig(base_lr=1e-4, betas=(0.9, 0.95), warmup_epochs=0.5),
        batch_size=setting.batch,
        runtime=setting.runtime,
    )
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory.open(Path(folder) / "run", "name: benchmark\n", device=str(fabric.device))
        fit(objective, Endless(loader, 2 * setting.steps), plan, run=run, fabric=fabric)
        timed = [record for record in read_metrics(run.metrics) if record["kind"] == "step"][-1]
    loader.close()
    return float(timed["images_per_second"])


def input_rate(batches: Iterator[object], setting: Setting) -> float:
    """Return images per second of the input alone."""
    # Every worker has delivered twice before, so that their start isn't timed.
    count = max(8, 4 * setting.workers, min(setting.steps, 4096 // setting.batch))
    for _ in range(2 + 2 * setting.workers):
        next(batches)
    started = time.perf_counter()
    for _ in range(count):
        next(batches)
    return count * setting.batch / (time.perf_counter() - started)


@dataclass(frozen=True)
class Measured:
    """What one implementation reached."""

    input_alone: float
    """Images per second of the input without training."""
    training: float
    """Images per second of the training."""
    memory: float
    """Most memory of the GPU in use at a time, in GiB; 0 without one."""


def measure(manifest: Path, setting: Setting) -> dict[str, Measured]:
    """Measure the input and the training of both, the plain one first."""
    files = sorted(manifest.parent.glob("*.jpg"))
    loader = plain_loader(PlainFaces(files, setting.size), setting.batch, setting.workers)
    plain_input = input_rate(endless(loader), setting)
    device = torch.device(choose_device(setting.runtime.device))
    run = PlainRun(device=device, batch_size=setting.batch, warm_up=setting.steps, steps=setting.steps)
    torch.manual_seed(0)
    _forget_memory(device)
    plain = plain_rate(PlainAutoencoder(setting.model), endless(loader), run)
    plain_memory = _most_memory(device)
    del loader  # ends its workers
    ours = our_loader(manifest, setting)
    our_input = input_rate(Endless(ours, 1_000_000).batches(0), setting)
    ours.close()
    _forget_memory(device)
    training = our_rate(manifest, setting)
    return {
        "plain": Measured(plain_input, plain, plain_memory),
        "facskit": Measured(our_input, training, _most_memory(device)),
    }


def _forget_memory(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _most_memory(device: torch.device) -> float:
    return torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else 0.0


def report(measured: dict[str, Measured], setting: Setting) -> None:
    """Print one line per implementation, and the ratios."""
    device = torch.device(choose_device(setting.runtime.device))
    with torch.device("meta"):
        flops = MaskedAutoencoder(setting.model).flops_per_image()
    formats: dict[str, Precision] = {"plain": "fp16" if device.type == "cuda" else "32"}
    formats["facskit"] = setting.runtime.precision
    print(f"{'':<8} {'format':>7} {'input alone':>14} {'training':>14} {'of peak':>9} {'memory':>9}")
    for name, each in measured.items():
        peak = peak_flops(device, replace(setting.runtime, precision=formats[name]))
        share = f"{each.training * flops / peak:9.1%}" if peak else f"{'unknown':>9}"
        memory = f"{each.memory:5.1f} GiB" if each.memory else f"{'':>9}"
        rates = f"{each.input_alone:>12,.0f}/s {each.training:>12,.0f}/s"
        print(f"{name:<8} {formats[name]:>7} {rates} {share} {memory}")
    plain, ours = measured["plain"], measured["facskit"]
    print(f"{'ratio':<16} {ours.input_alone / plain.input_alone:>13.2f}x {ours.training / plain.training:>13.2f}x")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=get_args(ModelName), default="tiny")
    parser.add_argument("--batch", type=int, default=0, help="images per step (default: 64, on a GPU 128)")
    parser.add_argument("--steps", type=int, default=0, help="timed steps (default: 8, on a GPU 50)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--precision", choices=get_args(Precision), default="bf16", help="facskit's number format")
    parser.add_argument("--compile", action="store_true", help="facskit with torch.compile")
    parser.add_argument("--workers", type=int, default=-1, help="input processes (default: 0, on a GPU 8)")
    parser.add_argument("--threads", type=int, default=0, help="processor threads (default: PyTorch's choice)")
    return parser.parse_args()


def main() -> None:
    """Read the options, measure both, and print."""
    options = _options()
    cuda = choose_device(options.device) == "cuda"
    if options.threads:
        torch.set_num_threads(options.threads)
    setting = Setting(
        model=TINY if options.model == "tiny" else AutoencoderConfig(encoder=SIZES[options.model]),
        batch=options.batch or (128 if cuda else 64),
        steps=options.steps or (50 if cuda else 8),
        # A processor's cores are busy computing; beside a GPU they have nothing else to do.
        workers=options.workers if options.workers >= 0 else min(8, os.cpu_count() or 1) if cuda else 0,
        runtime=RuntimeConfig(
            device=options.device, precision=options.precision, compile=options.compile, threads=options.threads
        ),
    )
    count = max(1024, 2 * setting.batch)
    name = torch.cuda.get_device_name() if cuda else f"processor, {torch.get_num_threads()} threads"
    print(
        f"masked autoencoder {options.model}, batch {setting.batch}, {setting.steps} timed steps after as many, {name}"
        f"{', compiled' if options.compile else ''}; {count} JPEG files of {setting.size} px, {setting.workers} workers"
    )
    with tempfile.TemporaryDirectory() as folder:
        manifest = write_images(Path(folder), count, setting.size)
        report(measure(manifest, setting), setting)


if __name__ == "__main__":
    main()
