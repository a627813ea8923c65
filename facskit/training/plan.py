"""The plan of a training besides objective and batches: the run's length and how parameters are updated."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from facskit.training.optimization import OptimizerConfig
from facskit.training.runtime import RuntimeConfig

__all__ = ["TrainingConfig", "TrainingPlan"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Length of a run and what happens at each update."""

    epochs: int = 30
    """Passes over the training samples."""
    accumulate: int = 1
    """Batches per update; the effective batch is that many times larger."""
    clip_norm: float = 0.0
    """Longest gradient allowed, as the norm over all parameters; 0 doesn't clip."""
    clip_apart: bool = False
    """Whether the network and what an objective learns beside it, such as a subject head, are cut each for itself: the
    gradient of one then doesn't shorten that of the other."""
    ema_decay: float = 0.0
    """Share of the old value that the running average of the weights keeps at each update; 0 ships the last weights."""
    log_steps: int = 50
    """Updates between two lines of the log; only then does the processor wait for the accelerator."""
    checkpoint_minutes: float = 10.0
    """Minutes between two snapshots within an epoch; every epoch ends with one."""
    checkpoint_steps: int = 0
    """Updates between two snapshots within an epoch; 0 leaves it to the clock."""
    keep_every: int = 0
    """Epochs between two weight files kept in the run's `epochs` folder (a pre-training's `encoders`), for probes of
    how features change; 0 keeps none. The first and the last epoch are kept too."""

    def __post_init__(self) -> None:
        limits = {"epochs": 1, "accumulate": 1, "log_steps": 1, "checkpoint_steps": 0, "keep_every": 0}
        for name, limit in limits.items():
            if getattr(self, name) < limit:
                raise ValueError(f"{name} must be at least {limit}, got {getattr(self, name)}")
        if not self.clip_norm >= 0:
            raise ValueError(f"clip_norm must be at least 0, got {self.clip_norm}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must be at least 0 and below 1, got {self.ema_decay}")
        if not self.checkpoint_minutes > 0:
            raise ValueError(f"checkpoint_minutes must be above 0, got {self.checkpoint_minutes}")

    def keeps(self, epoch: int) -> bool:
        """Say whether the weights after an epoch, from 1, are kept."""
        return bool(self.keep_every) and (epoch in {1, self.epochs} or epoch % self.keep_every == 0)


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """Everything `fit` has to know besides objective and batches."""

    training: TrainingConfig
    """Length of the run."""
    optimizer: OptimizerConfig
    """How parameters are updated."""
    batch_size: int
    """Samples in each batch of each process."""
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    """How it computes: the loop reads `compile`, `precision` and `peak_tflops`."""

    def schedule(self, world_size: int) -> Callable[[float], float]:
        """Return the learning rate as a function of the fractional epoch."""
        peak = self.optimizer.peak_rate(self.batch_size * self.training.accumulate * world_size)
        return partial(self.optimizer.rate, peak=peak, epochs=float(self.training.epochs))
