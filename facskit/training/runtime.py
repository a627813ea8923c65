"""The runtime of a run: device, precision, processes, seeds, determinism.

Lightning Fabric moves, casts and distributes; this module chooses for it and keeps it quiet.
"""

import logging
import math
import os
import random
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.strategies.strategy import Strategy

from facskit.errors import RecipeError
from facskit.models.devices import Device, DeviceName, choose_device

__all__ = ["RuntimeConfig", "random_states", "restore_random_states", "seed_everything", "start_runtime"]

_PRECISIONS: dict[str, Any] = {"32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


@dataclass(frozen=True, kw_only=True)
class RuntimeConfig:
    """Device, number format, processes and seed of a run."""

    device: Device = "auto"
    """What computes; `auto` takes an accelerator if there is one."""
    precision: Literal["32", "bf16", "fp16"] = "32"
    """Number format of the expensive operations; parameters stay 32-bit."""
    devices: int = 1
    """Processes on this machine, each with its own accelerator; under `torchrun`, its number of processes."""
    seed: int = 0
    """Start of every random number: weights, order of the images, augmentation, dropout."""
    deterministic: bool = False
    """Refuse operations whose result depends on timing; slower, and a repeated run on one machine is bit-identical."""
    threads: int = 0
    """CPU threads of each process; 0 leaves PyTorch's choice."""
    compile: bool = False
    """Translate the objective's step with torch.compile: the first steps take minutes, the others less time."""
    peak_tflops: float = 0.0
    """Peak of one device in 10^12 operations per second; 0 takes that of a known accelerator, and logs none else."""

    def __post_init__(self) -> None:
        for field, limit in (("devices", 1), ("seed", 0), ("threads", 0)):
            if getattr(self, field) < limit:
                raise ValueError(f"{field} must be at least {limit}, got {getattr(self, field)}")
        if not (math.isfinite(self.peak_tflops) and self.peak_tflops >= 0):
            raise ValueError(f"peak_tflops must be at least 0, got {self.peak_tflops}")


def start_runtime(config: RuntimeConfig) -> Fabric:
    """Start the processes of a run, seed them and set PyTorch's global switches.

    Raises:
        RecipeError: The machine doesn't have what the recipe asks for.
    """
    device = _check_device(config)
    for name in ("lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning_fabric\..*")
    warnings.filterwarnings("ignore", message=r".*does not have many workers.*")
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.use_deterministic_algorithms(config.deterministic)
    torch.backends.cudnn.benchmark = not config.deterministic
    if config.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats itself only with fixed buffers
    elif device == "cuda":
        torch.set_float32_matmul_precision("high")
    strategy: str | Strategy = "auto" if config.devices == 1 else DDPStrategy(gradient_as_bucket_view=True)
    fabric = Fabric(
        accelerator=device, devices=config.devices, precision=_PRECISIONS[config.precision], strategy=strategy
    )
    fabric.launch()
    seed_everything(config.seed, fabric.global_rank)
    return fabric


def seed_everything(seed: int, rank: int = 0) -> None:
    """Seed Python, NumPy and PyTorch on every device, each process differently, so that they drop other activations."""
    mixed = np.random.SeedSequence([seed, rank]).generate_state(1)[0].item()
    random.seed(mixed)
    np.random.seed(mixed)  # noqa: NPY002 - third-party code may still use NumPy's global generator
    torch.manual_seed(mixed)


def random_states() -> dict[str, Any]:
    """Return the state of every global random generator, in types that load without running code."""
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        "python": random.getstate(),
        "numpy": [str(name), [int(key) for key in keys], int(position), int(has_gauss), float(gauss)],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Set every global random generator to what `random_states` returned; accelerators only where there are some."""
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, numpy_gauss = states["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), position, has_gauss, numpy_gauss))  # noqa: NPY002
    torch.set_rng_state(states["torch"].cpu())
    if states["cuda"] and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
    if states.get("mps") is not None and torch.backends.mps.is_available():  # older snapshots have no such entry
        torch.mps.set_rng_state(states["mps"].cpu())


def _check_device(config: RuntimeConfig) -> DeviceName:
    try:
        device = choose_device(config.device, ("cuda", "mps", "cpu") if config.devices == 1 else ("cuda", "cpu"))
    except LookupError as error:
        raise RecipeError(f"runtime.device: {error}.") from error
    if device == "cuda" and config.devices > torch.cuda.device_count():
        raise RecipeError(
            f"runtime.devices: the recipe asks for {config.devices} GPUs, this machine has {torch.cuda.device_count()}."
        )
    if device == "cpu" and config.precision == "fp16":
        raise RecipeError("runtime.precision: 'fp16' needs a GPU; on a CPU use '32' or 'bf16'.")
    return device
