"""Images per second of CIU's network: facskit beside a loop over patches and action units, on the same weights.

Run `python -m benchmarks.region_layers`, on a GPU with `--device cuda --batch 48 --units 12`. Outputs and gradients are
compared in 64-bit floats first, on small images. Every time is the best of a few: forward alone, and backward alone of
a training step; on one core, in seconds of the processor, which other programs don't lengthen. `region layers` are the
two trunk layers with their pooling, which the goal is for; `network` is everything, most of it dense convolutions that
a loop over action units computes as fast.
"""

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.looped_attention_network import LoopedAttentionNetwork, looped_state
from facskit.models.attention_network import AttentionConfig, AttentionNetwork

_Forward = Callable[[nn.Module, Tensor], tuple[Tensor, ...]]

GOAL = 2.0
"""How many times as fast as the loop a training step of the region layers should be."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What both are given."""

    config: AttentionConfig
    """Shape of the network."""
    units: int
    """Branches."""
    batch: int
    """Images per step."""
    repeats: int
    """Timed steps, after one that isn't."""
    device: torch.device
    """Where to compute."""

    def images(self) -> Tensor:
        """Return a batch of noise."""
        size = self.config.image_size
        generator = torch.Generator().manual_seed(0)
        return torch.randn(self.batch, 3, size, size, generator=generator).to(self.device)


def largest_differences(setting: Setting) -> tuple[float, float]:
    """Compare ours with the loop in training mode, in 64-bit floats: what differs then is no rounding.

    Returns:
        Largest difference of logits and attention, and largest relative difference of the gradients: Euclidean norm of
        the difference over that of the gradient, per tensor of at least a thousandth of the largest norm.
    """
    small = replace(setting.config, image_size=min(setting.config.image_size, 64))
    setting = replace(setting, config=small, batch=2)
    ours, looped = _networks(setting)
    ours.double()
    looped.double()
    images = setting.images().double()
    outputs = [_ours(ours, images), _looped(looped, images)]
    for output in outputs:
        torch.autograd.backward(_loss(output))
    differences = [(mine - theirs).abs().max().item() for mine, theirs in zip(*outputs, strict=True)]
    gradients = looped_state(ours, gradients=True)
    expected = {name: value.grad for name, value in looped.named_parameters() if value.grad is not None}
    largest = max(value.norm().item() for value in expected.values())
    relative = [
        ((gradients[name] - value).norm() / value.norm()).item()
        for name, value in expected.items()
        if value.norm().item() > 1e-3 * largest  # a bias before a batch norm has no gradient but rounding
    ]
    return max(differences), max(relative)


def step_times(forward: Callable[[], tuple[Tensor, ...]], setting: Setting, bfloat16: bool) -> tuple[float, float]:
    """Time a training step.

    Args:
        forward: Computes the outputs from images that are already there.
        bfloat16: Whether to compute in bfloat16 where that is safe.

    Returns:
        Seconds of the forward and of the backward pass, the best of each.
    """
    times = []
    for _ in range(setting.repeats + 1):
        start = _now(setting.device)
        with _autocast(setting.device, bfloat16):
            loss = _loss(forward())
        middle = _now(setting.device)
        torch.autograd.backward(loss)
        times.append((middle - start, _now(setting.device) - middle))
    forwards, backwards = zip(*times[1:], strict=True)
    return min(forwards), min(backwards)


def measure(setting: Setting) -> list[tuple[str, tuple[float, float], tuple[float, float]]]:
    """Time both in both number formats.

    Returns:
        What was timed, then seconds (forward, backward) of the loop and of ours.
    """
    images, results = setting.images(), []
    parts: dict[str, tuple[_Forward, _Forward]] = {"region layers": (_trunk, _trunk), "network": (_looped, _ours)}
    for bfloat16 in (False, True):
        for part, (loop, batched) in parts.items():
            ours, looped = _networks(setting)
            times = [
                step_times(partial(forward, network, images), setting, bfloat16)
                for forward, network in ((loop, looped), (batched, ours))
            ]
            results.append((f"{part}, {'bfloat16' if bfloat16 else 'float32'}", times[0], times[1]))
    return results


def main() -> int:
    """Compare, then time.

    Returns:
        1 if outputs or gradients differ or a training step misses the goal, else 0.
    """
    setting = _read_arguments()
    values, gradients = largest_differences(setting)
    print(f"largest difference of outputs {values:.1e}, of gradients {gradients:.1e} (relative)")
    print(f"\n{'':28} {'loop ms':>17} {'facskit ms':>17} {'times as fast':>23} {'images/s':>9}")
    print(f"{'':28} {'forward':>8} {'backward':>8} {'forward':>8} {'backward':>8} {'forward':>7} {'backward':>8} step")
    slowest = float("inf")
    for name, loop, ours in measure(setting):
        ratios = [theirs / mine for theirs, mine in zip(loop, ours, strict=True)]
        if name.startswith("region"):
            slowest = min(slowest, sum(loop) / sum(ours))
        milliseconds = " ".join(f"{1000 * value:8.1f}" for value in (*loop, *ours))
        rate = setting.batch / sum(ours)
        print(f"{name:28} {milliseconds} {ratios[0]:7.1f} {ratios[1]:8.1f} {sum(loop) / sum(ours):4.1f} {rate:11.1f}")
    return int(values > 1e-9 or gradients > 1e-6 or slowest < GOAL)


def _networks(setting: Setting) -> tuple[AttentionNetwork, LoopedAttentionNetwork]:
    torch.manual_seed(0)
    ours = AttentionNetwork(setting.config, setting.units)
    return ours.to(setting.device), LoopedAttentionNetwork(ours).to(setting.device)


def _trunk(network: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    regions = network.get_submodule("regions")
    assert isinstance(regions, nn.ModuleList)
    for region in regions:
        images = functional.max_pool2d(region(images), 2)
    return (images,)


def _looped(network: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    outputs: tuple[Tensor, ...] = network(images)
    return outputs


def _ours(network: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    assert isinstance(network, AttentionNetwork)
    look = network.look(images)
    return network.head(look.features), look.attention


def _loss(outputs: tuple[Tensor, ...]) -> Tensor:
    return torch.stack([(output - 0.5).square().mean(dtype=torch.float64) for output in outputs]).sum()


def _autocast(device: torch.device, enabled: bool) -> AbstractContextManager[object]:
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    return time.process_time() if alone else time.perf_counter()


def _read_arguments() -> Setting:
    parser = argparse.ArgumentParser(description="CIU's network beside a loop over patches and action units.")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda")
    parser.add_argument("--batch", type=int, default=8, help="images per step")
    parser.add_argument("--units", type=int, default=8, help="action units, each with a branch")
    parser.add_argument("--size", type=int, default=176, help="side of an image in pixels")
    parser.add_argument("--unit-width", type=int, default=8, help="c; branches have 12 c channels")
    parser.add_argument("--repeats", type=int, default=5, help="timed steps")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="processor cores")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    return Setting(
        config=AttentionConfig(
            image_size=arguments.size,
            unit_width=arguments.unit_width,
            branch_widths=(12 * arguments.unit_width,) * 5,
        ),
        units=arguments.units,
        batch=arguments.batch,
        repeats=arguments.repeats,
        device=torch.device(arguments.device),
    )


if __name__ == "__main__":
    sys.exit(main())
