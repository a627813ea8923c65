"""The base of all recipes: what a training is, whatever it learns from and whatever it learns.

`recipe` trains recognisers, `pretraining_recipe` encoders; `recipe_files` reads and writes both.
"""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from facskit.datasets.loaders import LoaderConfig
from facskit.training.optimization import OptimizerConfig
from facskit.training.plan import TrainingConfig, TrainingPlan
from facskit.training.runtime import RuntimeConfig

__all__ = ["About", "BaseRecipe"]


@dataclass(frozen=True, kw_only=True)
class About:
    """What a recipe reproduces; the comment at the top of its file says where, and which score to expect."""

    paper: str = "our choice"
    """The paper whose experiment this is; weights keep it."""


@runtime_checkable
class _Faces(Protocol):
    """What all sections `data` have."""

    @property
    def loader(self) -> LoaderConfig:
        """Batch size and worker processes."""


@dataclass(frozen=True, kw_only=True)
class BaseRecipe:
    """A training; running the same recipe again gives the same result."""

    name: str
    """Short name, which also names the trained weights."""
    about: About = field(default_factory=About)
    """What it reproduces."""
    # Each kind of recipe narrows these three; they stand here for their place in a recipe file.
    data: _Faces
    model: object
    initial_weights: str = ""
    objective: object
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """The update rule."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    """Length of the run."""
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    """Device, precision and seed."""
    licence: str = "not stated"
    """Licence of the trained weights, for you to state; those from restricted faces are restricted too."""

    def __post_init__(self) -> None:
        """Check the parts against each other."""
        for key in ("name", "licence"):
            if not getattr(self, key).strip():
                raise ValueError(f"{key} must not be empty")
        if self.optimizer.warmup_epochs > self.training.epochs:
            raise ValueError(
                f"optimizer.warmup_epochs must be at most the {self.training.epochs} of training.epochs, "
                f"got {self.optimizer.warmup_epochs:g}"
            )

    @property
    def effective_batch(self) -> int:
        """Images per update, over all processes and accumulated batches."""
        return self.data.loader.batch_size * self.training.accumulate * self.runtime.devices

    @property
    def learning_rate(self) -> float:
        """The rate after warm-up, which follows from `base_lr` and the effective batch."""
        return self.optimizer.peak_rate(self.effective_batch)

    @property
    def plan(self) -> TrainingPlan:
        """What the training loop has to know."""
        return TrainingPlan(
            training=self.training,
            optimizer=self.optimizer,
            batch_size=self.data.loader.batch_size,
            runtime=self.runtime,
        )
