"""The training loop: next batch, objective, backward, update, and never a lost step.

The loop knows no paper and no metric. Everything it needs to go on is in a snapshot, so that a run that was killed and
started again ends with the same weights as one that wasn't.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from facskit.errors import FacskitError
from facskit.objectives.objective import BatchT, Objective, TrainingBatch
from facskit.training.averaging import AveragedWeights
from facskit.training.device_peaks import peak_flops
from facskit.training.interruption import Interruption, catch_interruption
from facskit.training.loss_log import LossLog, NonFiniteLossError
from facskit.training.optimization import build_optimizer, set_rates
from facskit.training.plan import TrainingConfig, TrainingPlan
from facskit.training.progress import TrainingProgress
from facskit.training.run_directory import RunDirectory
from facskit.training.snapshots import Position, TrainedParts

__all__ = ["BatchSource", "EpochEnd", "TrainingConfig", "TrainingPlan", "fit"]

_BatchT_co = TypeVar("_BatchT_co", bound=TrainingBatch, covariant=True)

EpochEnd = Callable[[int, nn.Module], Mapping[str, float]]
"""Called after each epoch with its number, from 1, and the model as it would ship; what it returns is logged."""


@runtime_checkable
class BatchSource(Protocol[_BatchT_co]):
    """Where batches come from: the same ones in the same order for the same epoch, from any step on."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""

    def batches(self, epoch: int, start_step: int = 0) -> Iterator[_BatchT_co]:
        """Yield the batches of an epoch from a step on."""


def fit(
    objective: Objective[BatchT],
    source: BatchSource[BatchT],
    plan: TrainingPlan,
    *,
    run: RunDirectory,
    fabric: Fabric,
    on_epoch_end: EpochEnd | None = None,
) -> None:
    """Train an objective, or go on where the run in the folder stopped; `objective.model` ends with the final weights.

    Raises:
        FacskitError: The loss is no longer a number, or somebody asked the run to stop.
        CheckpointError: The snapshots in the folder can't be read.
    """
    if source.steps_per_epoch < plan.training.accumulate:
        raise FacskitError(
            f"An epoch has {source.steps_per_epoch} batches of {plan.batch_size}, too few for one update of "
            f"{plan.training.accumulate}; use a smaller batch or more training samples."
        )
    trainer = _Trainer(objective, source, plan, run=run, fabric=fabric)
    with catch_interruption() as interruption, trainer.progress:
        while trainer.at.epoch < plan.training.epochs:
            trainer.run_epoch(interruption)
            trainer.finish_epoch(on_epoch_end)
    if trainer.average is not None:
        trainer.average.adopt()


class _SealedBatch(Generic[BatchT]):
    """Carries a batch past Fabric, which looks for tensors inside arguments and can't copy frozen values."""

    def __init__(self, batch: BatchT) -> None:
        self.batch = batch


class _ObjectiveStep(nn.Module, Generic[BatchT]):
    """An objective in the form Fabric can wrap and divide among processes: it returns plain tensors."""

    def __init__(self, objective: Objective[BatchT]) -> None:
        super().__init__()
        self.objective = objective

    def forward(self, sealed: _SealedBatch[BatchT]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss to minimise, and everything to log, detached."""
        output = self.objective(sealed.batch)
        terms = {name: term.detach() for name, term in output.terms.items()}
        return output.loss, {"loss": output.loss.detach(), **terms}


class _Trainer(Generic[BatchT]):
    """One run: the parts that learn, and where it stands."""

    def __init__(
        self,
        objective: Objective[BatchT],
        source: BatchSource[BatchT],
        plan: TrainingPlan,
        *,
        run: RunDirectory,
        fabric: Fabric,
    ) -> None:
        self.config, self.schedule = plan.training, plan.schedule(fabric.world_size)
        self.source, self.run, self.fabric = source, run, fabric
        self.objective = objective.to(fabric.device)
        scales = getattr(fabric.strategy.precision, "scaler", None) is not None
        may_fuse = not (scales and self.config.clip_norm)
        optimizer = build_optimizer(self.objective, plan.optimizer, allow_fused=may_fuse)
        if plan.runtime.compile:
            # In place, so that names in snapshots stay; with torch's own random numbers, so that masks stay.
            self.objective.compile(options={"fallback_random": True})
        self.step_module, self.optimizer = fabric.setup(_ObjectiveStep(self.objective), optimizer)
        ema = self.config.ema_decay
        self.average = AveragedWeights(self.objective.model, ema) if ema else None
        self.parts = TrainedParts(
            objective=self.objective, optimizer=optimizer, average=self.average, fabric=self.fabric
        )
        self.steps = source.steps_per_epoch // self.config.accumulate
        self.images = plan.batch_size * fabric.world_size
        flops, peak = self.objective.flops_per_image(), peak_flops(fabric.device, plan.runtime)
        # images per second if all devices only multiplied matrices; None if nobody knows
        self.fastest = None if flops is None or peak is None else fabric.world_size * peak / flops
        self.progress = TrainingProgress(self.config.epochs, self.steps, shown=fabric.is_global_zero)
        self.losses = LossLog()
        self.at = self.parts.restore(run)
        self.clock = self.saved = time.monotonic()
        self.progress.update(self.at.epoch, self.at.step)

    def run_epoch(self, interruption: Interruption) -> None:
        """Make the remaining updates of the present epoch."""
        self.objective.train()
        self.clock = time.monotonic()
        batches = self.source.batches(self.at.epoch, self.at.step * self.config.accumulate)
        while self.at.step < self.steps:
            try:
                group = [batch.to(self.fabric.device) for batch in itertools.islice(batches, self.config.accumulate)]
            except RuntimeError:
                if interruption.signal is None:  # Ctrl-C also ends the loader's workers, mostly before this process
                    raise
                self._stop(together=False)
            self._update(group)
            self.at.step += 1
            logged = self.at.step % self.config.log_steps == 0 or self.at.step == self.steps
            if logged:
                self._read_losses()
            self._save_or_stop(interruption, logged=logged)

    def finish_epoch(self, on_epoch_end: EpochEnd | None) -> None:
        """Log the epoch, call back, and take its snapshot."""
        count = self.steps * self.config.accumulate
        means = {name: total / count for name, total in self.at.sums.items()}
        if on_epoch_end is not None and self.fabric.is_global_zero:
            model = self.objective.model.eval()
            with nullcontext() if self.average is None else self.average.in_place():
                means |= on_epoch_end(self.at.epoch + 1, model)
        self._log("epoch", means | self._pace(count, self.at.seconds) | {"seconds": self.at.seconds})
        self.progress.finish_epoch(self.at.epoch, means)
        self.at = Position(epoch=self.at.epoch + 1)
        self.save()

    def save(self, *, together: bool = True) -> None:
        """Take a snapshot, after a look at the losses: a broken run must not overwrite a good snapshot.

        Args:
            together: Whether all processes do so after the same step; else only this one's losses are looked at.
        """
        self._read_losses(together=together)
        self.parts.save(self.run, self.at.epoch * self.steps + self.at.step, self.at)
        self.saved = time.monotonic()

    def _update(self, group: list[BatchT]) -> None:
        """Make one update from one or several batches, without waiting for the accelerator."""
        done = self.at.epoch + self.at.step / self.steps
        self.objective.progress = done / self.config.epochs
        set_rates(self.optimizer.param_groups, self.schedule(done))
        for position, batch in enumerate(group, start=1):
            with self.fabric.no_backward_sync(self.step_module, enabled=position < len(group)):
                loss, terms = self.step_module(_SealedBatch(batch))
                self.fabric.backward(loss / len(group))
            self.losses.add(terms)
        if self.config.clip_norm:
            self._clip_gradients()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update()

    def _clip_gradients(self) -> None:
        longest = self.config.clip_norm
        if not self.config.clip_apart:
            self.fabric.clip_gradients(self.step_module, self.optimizer, max_norm=longest, error_if_nonfinite=False)
            return
        # Fabric cuts the parameters of an optimiser as one vector alone, so its own steps are taken here by hand.
        self.fabric.strategy.precision.unscale_gradients(self.parts.optimizer)
        network = list(self.objective.model.parameters())
        of_network = {id(parameter) for parameter in network}
        beside = [parameter for parameter in self.objective.parameters() if id(parameter) not in of_network]
        for group in (network, beside):
            nn.utils.clip_grad_norm_(group, longest)

    def _read_losses(self, *, together: bool = True) -> None:
        """Read the waiting losses back, check them, and log their means, over all processes if they read together."""
        count = len(self.losses)
        if not count:
            return
        try:
            totals = self.losses.read(self._mean_over_processes if together and self.fabric.world_size > 1 else None)
        except NonFiniteLossError as error:
            step = self.at.step - error.batches_ago // self.config.accumulate
            raise FacskitError(
                f"The loss is no longer a number in epoch {self.at.epoch + 1} at step {step} ({error}); "
                "lower optimizer.base_lr, set training.clip_norm, or use runtime.precision 32 or bf16."
            ) from error
        now = time.monotonic()
        seconds, self.clock = now - self.clock, now
        self.at.seconds += seconds
        for name, total in totals.items():
            self.at.sums[name] = self.at.sums.get(name, 0.0) + total
        means = {name: total / count for name, total in totals.items()}
        pace = self._pace(count, seconds)
        self.progress.update(self.at.epoch, self.at.step, loss=means["loss"], rate=self._rate, pace=pace)
        self._log("step", means | pace)

    def _save_or_stop(self, interruption: Interruption, *, logged: bool) -> None:
        due = self.config.checkpoint_steps > 0 and self.at.step % self.config.checkpoint_steps == 0
        late = time.monotonic() - self.saved > 60 * self.config.checkpoint_minutes
        stop = interruption.signal is not None
        if self.fabric.world_size > 1:  # one process's clock or signal must not leave the others waiting for it
            late, stop = self._agree(late, stop) if logged else (False, False)
        if stop:
            self._stop()
        if (due or late) and self.at.step < self.steps:
            self.save()

    def _mean_over_processes(self, values: Tensor) -> Tensor:
        mean = self.fabric.all_reduce(values, reduce_op="mean")
        assert isinstance(mean, Tensor)
        return mean

    def _agree(self, *wishes: bool) -> tuple[bool, ...]:
        """Ask all processes, and grant what any of them wishes."""
        asked = torch.tensor([float(wish) for wish in wishes], device=self.fabric.device)
        torch.distributed.all_reduce(asked, torch.distributed.ReduceOp.MAX)
        return tuple(wish > 0 for wish in asked.tolist())

    def _stop(self, *, together: bool = True) -> None:
        self.save(together=together)
        raise FacskitError(
            f"The run stopped on request in epoch {self.at.epoch + 1} after step {self.at.step}, and everything is "
            f"saved in {self.run.path}; give the same command again to go on."
        )

    def _log(self, kind: str, values: Mapping[str, float]) -> None:
        if self.fabric.is_global_zero:
            place = {"kind": kind, "epoch": self.at.epoch + 1, "step": self.at.epoch * self.steps + self.at.step}
            self.run.append_metrics({**place, **values, "lr": self._rate})

    @property
    def _rate(self) -> float:
        return float(max(group["lr"] for group in self.optimizer.param_groups))

    def _pace(self, batches: int, seconds: float) -> dict[str, float]:
        speed = batches * self.images / max(seconds, 1e-9)
        share = {} if self.fastest is None else {"flops_utilisation": speed / self.fastest}
        return {"images_per_second": speed, **share}
