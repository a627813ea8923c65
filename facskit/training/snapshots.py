"""Snapshots: everything a run needs to go on as if it had never stopped, as one dictionary and back."""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from lightning_fabric import Fabric

from facskit.objectives.objective import Objective
from facskit.training.averaging import AveragedWeights
from facskit.training.run_directory import RunDirectory
from facskit.training.runtime import random_states, restore_random_states

__all__ = ["Position", "TrainedParts"]


@dataclass
class Position:
    """How far a run is, and what its present epoch has added up."""

    epoch: int = 0
    """Epochs done."""
    step: int = 0
    """Updates done within the present epoch."""
    sums: dict[str, float] = field(default_factory=dict)
    """Sums of the losses over the present epoch's batches."""
    seconds: float = 0.0
    """Time the present epoch has taken."""


@dataclass(frozen=True, kw_only=True)
class TrainedParts:
    """Everything whose state changes with an update."""

    objective: Objective[Any]
    """Model and loss."""
    optimizer: torch.optim.Optimizer
    """The update rule with its averages."""
    average: AveragedWeights | None
    """The averaged weights, if they are what ships."""
    fabric: Fabric
    """The runtime, which scales losses in 16-bit runs."""

    def save(self, run: RunDirectory, number: int, position: Position) -> None:
        """Write the snapshot of an update's number; every process takes part, the main one writes."""
        states: list[Any] = [random_states()]
        if self.fabric.world_size > 1:
            gathered: list[Any] = [None] * self.fabric.world_size
            torch.distributed.all_gather_object(gathered, states[0])
            states = gathered
        if self.fabric.is_global_zero:
            state = {
                "position": asdict(position),
                "objective": self.objective.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "precision": self.fabric.strategy.precision.state_dict(),
                "average": None if self.average is None else self.average.state_dict(),
                "random": states,
            }
            run.save_snapshot(number, state)
        self.fabric.barrier()

    def restore(self, run: RunDirectory) -> Position:
        """Take over the newest snapshot, and return how far the run is; the beginning if there is none.

        Raises:
            CheckpointError: There are snapshots, but none can be read.
        """
        # The main process goes first: it also cuts the log back, which must not happen twice at once.
        state = run.load_snapshot() if self.fabric.is_global_zero else None
        self.fabric.barrier()
        if not self.fabric.is_global_zero:
            state = run.load_snapshot()
        if state is None:
            return Position()
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        restore_random_states(state["random"][self.fabric.global_rank])
        return Position(**state["position"])
