"""Learning rates and parameter groups: what the optimiser does to which parameter, and when.

The schedule is a pure function of the fractional epoch and the layer scales are a pure function of parameter names, so
both can be checked against published numbers without training anything.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch

from facskit.objectives.objective import Objective

__all__ = ["OptimizerConfig", "build_optimizer", "parameter_groups", "set_rates"]

_BATCH_OF_BASE_RATE = 256
_FUSED_DEVICES = ("cpu", "cuda", "mps")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """How parameters are updated, and how fast at each moment of the run; the defaults are those of FMAE."""

    kind: Literal["adamw", "sgd"] = "adamw"
    """The rule that updates the parameters: AdamW, or stochastic gradient descent with momentum."""
    base_lr: float = 5e-4
    """Highest learning rate, for the number of images per update that `scaling` says."""
    scaling: Literal["linear-256", "none"] = "linear-256"
    """`linear-256`: the rate in use is `base_lr * effective batch / 256`; `none`: it is `base_lr`, as in CIU."""
    weight_decay: float = 0.05
    """Decay of matrices and convolution kernels, beside the gradient for adamw and as part of it for sgd; biases, other
    one-dimensional parameters and those that the network names are spared."""
    betas: tuple[float, float] = (0.9, 0.999)
    """For adamw: decay rates of the running averages of the gradient and of its square."""
    eps: float = 1e-8
    """For adamw: added to the denominator of the update."""
    momentum: float = 0.9
    """For sgd: share of the last step that the next one keeps."""
    nesterov: bool = True
    """For sgd: look at the gradient one step of the momentum ahead."""
    layer_decay: float = 1.0
    """Factor between the learning rates of neighbouring layers, from the top down; 1 gives all layers one rate."""
    warmup_epochs: float = 0.0
    """Epochs during which the rate grows linearly from 0."""
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    """What the rate does after the warm-up: falls by half a cosine, falls by steps, or stays."""
    step_epochs: float = 2.0
    """For step: epochs between two steps, counted from the start of the run."""
    step_factor: float = 0.3
    """For step: what each step multiplies the rate by."""
    min_lr: float = 0.0
    """Lowest rate after the warm-up, before the layer's factor; a cosine ends there."""

    def __post_init__(self) -> None:
        for field, limit in (("weight_decay", 0.0), ("warmup_epochs", 0.0), ("min_lr", 0.0)):
            value = getattr(self, field)
            if not (math.isfinite(value) and value >= limit):
                raise ValueError(f"{field} must be at least {limit:g}, got {value}")
        for field in ("base_lr", "eps", "step_epochs"):
            value = getattr(self, field)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{field} must be above 0, got {value}")
        for field in ("layer_decay", "step_factor"):
            if not 0 < getattr(self, field) <= 1:
                raise ValueError(f"{field} must be above 0 and at most 1, got {getattr(self, field)}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be at least 0 and below 1, got {self.betas}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, got {self.momentum}")
        if self.kind == "sgd" and self.nesterov and not self.momentum:
            raise ValueError("nesterov must be false without momentum, got true with momentum 0")

    def peak_rate(self, effective_batch: int) -> float:
        """Return the rate after warm-up for a number of images per update, over all processes and accumulated steps.

        Paper: linear scaling rule, `lr = base_lr * effective_batch / 256`.
        """
        return self.base_lr * effective_batch / _BATCH_OF_BASE_RATE if self.scaling == "linear-256" else self.base_lr

    def rate(self, epoch: float, *, peak: float, epochs: float) -> float:
        """Return the learning rate at a moment of the run, before any layer's factor: warm-up, then the schedule.

        Args:
            epoch: Fraction of epochs done, for example 1.5 in the middle of the second.
            peak: Rate after the warm-up, from `peak_rate`.
            epochs: Length of the run in epochs.

        Raises:
            ValueError: The warm-up is longer than the run.

        Paper:
            `step` with its defaults is the public code that CIU builds on: 0.3 every 2 epochs.
        """
        if self.warmup_epochs > epochs:
            raise ValueError(f"warmup_epochs must be at most the run's {epochs:g} epochs, got {self.warmup_epochs:g}")
        if epoch < self.warmup_epochs:
            return peak * epoch / self.warmup_epochs
        if self.schedule != "cosine":
            steps = math.floor(epoch / self.step_epochs) if self.schedule == "step" else 0
            return max(peak * self.step_factor**steps, self.min_lr)
        if epochs == self.warmup_epochs:
            return peak
        progress = min((epoch - self.warmup_epochs) / (epochs - self.warmup_epochs), 1.0)
        return self.min_lr + (peak - self.min_lr) * 0.5 * (1.0 + math.cos(math.pi * progress))

    def describe_rate(self, effective_batch: int) -> str:
        """Say how high the rate is and where it comes from, for the person at the terminal."""
        origin = f" = {self.base_lr:g} x {effective_batch} / {_BATCH_OF_BASE_RATE}"
        return f"learning rate {self.peak_rate(effective_batch):.3g}{origin if self.scaling == 'linear-256' else ''}"


def parameter_groups(objective: Objective[Any], *, weight_decay: float, layer_decay: float) -> list[dict[str, Any]]:
    """Sort an objective's trainable parameters into groups of one learning-rate factor and one weight decay.

    What the objective learns beside its model, such as a subject head, has the full rate times the objective's own
    factor.

    Returns:
        Groups for a PyTorch optimiser, each also with `lr_scale` and the `names` of its parameters.

    Paper: FMAE-IAT, fine-tuning with layer decay 0.65: `scale = 0.65 ** (depth + 1 - layer)`.
    """
    layers = objective.model.layer_ids()
    top = max(layers.values(), default=0)
    beside = objective.rate_factors()
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in objective.named_parameters():
        if not parameter.requires_grad:
            continue
        layer = layers.get(name.removeprefix("model."))
        scale = beside.get(name, 1.0) if layer is None else layer_decay ** (top - layer)
        spared = parameter.ndim <= 1 or name.rpartition(".")[2] in objective.model.undecayed
        decay = 0.0 if spared else weight_decay
        empty: dict[str, Any] = {"params": [], "names": [], "weight_decay": decay, "lr_scale": scale}
        group = groups.setdefault((scale, decay), empty)
        group["params"].append(parameter)
        group["names"].append(name)
    return list(groups.values())


def build_optimizer(
    objective: Objective[Any], config: OptimizerConfig, *, allow_fused: bool = True
) -> torch.optim.Optimizer:
    """Build the optimiser for an objective on its device; `set_rates` sets its rates before each update.

    Args:
        allow_fused: Whether one fused kernel may update all parameters; it is faster, but it also undoes the loss
            scaling of 16-bit floats itself, which gradient clipping can't be combined with.
    """
    groups = parameter_groups(objective, weight_decay=config.weight_decay, layer_decay=config.layer_decay)
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    fused = allow_fused and devices <= set(_FUSED_DEVICES)
    match config.kind:
        case "adamw":
            return torch.optim.AdamW(groups, lr=config.base_lr, betas=config.betas, eps=config.eps, fused=fused)
        case "sgd":
            momentum, nesterov = config.momentum, config.nesterov
            return torch.optim.SGD(groups, lr=config.base_lr, momentum=momentum, nesterov=nesterov, fused=fused)


def set_rates(groups: Iterable[dict[str, Any]], rate: float) -> None:
    """Give each group of an optimiser the rate times its layer's factor."""
    for group in groups:
        group["lr"] = rate * group["lr_scale"]
