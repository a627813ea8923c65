"""The attention network as published code writes it: one call per patch and per action unit.

It is what `region_layers` times facskit's network against, and what its tests compare it with. Parameters have the same
values; only their arrangement differs.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from facskit.models.attention_network import AttentionConfig, AttentionNetwork
from facskit.models.region_layers import GRIDS

__all__ = ["LoopedAttentionNetwork", "LoopedPatches", "LoopedRegionLayer", "looped_state"]


class LoopedPatches(nn.Module):
    """Patch by patch: batch norm, ReLU, convolution, and the results joined as they come."""

    def __init__(self, inputs: int, outputs: int, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.norms = nn.ModuleList(nn.BatchNorm2d(inputs) for _ in range(grid * grid))
        self.convolutions = nn.ModuleList(nn.Conv2d(inputs, outputs, 3, padding=1) for _ in range(grid * grid))

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve every patch by itself."""
        size, whole = maps.shape[-1] // self.grid, maps[:, :, :0]
        for row in range(self.grid):
            strip = maps[..., :0]
            for column in range(self.grid):
                patch = maps[:, :, row * size : (row + 1) * size, column * size : (column + 1) * size]
                index = row * self.grid + column
                described = self.convolutions[index](functional.relu(self.norms[index](patch)))
                strip = described if column == 0 else torch.cat([strip, described], dim=3)
            whole = strip if row == 0 else torch.cat([whole, strip], dim=2)
        return whole


class LoopedRegionLayer(nn.Module):
    """A region layer of looped patches.

    Args:
        width: c', a quarter of the channels out.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, 4 * width, 3, padding=1)
        widths = zip(GRIDS, pairwise((4 * width, 2 * width, width, width)), strict=True)
        self.levels = nn.ModuleList(LoopedPatches(*channels, grid) for grid, channels in widths)
        self.norm = nn.BatchNorm2d(4 * width)

    def forward(self, maps: Tensor) -> Tensor:
        """Describe every place."""
        plain: Tensor = self.convolution(maps)
        refined = [plain]
        for level in self.levels:
            refined.append(level(refined[-1]))
        return functional.relu(self.norm(plain + torch.cat(refined[1:], dim=1)))


class _Branch(nn.Module):
    """One action unit's branch and answer."""

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        first, second, third, fourth, last = config.branch_widths
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((8 * config.unit_width, first, second, third)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.attention = nn.Conv2d(third, 1, 3, padding=1)
        self.fourth = nn.Conv2d(third, fourth, 3, padding=1)
        self.norm = nn.BatchNorm2d(fourth)
        self.further = nn.Sequential(nn.Conv2d(fourth, last, 3, padding=1))
        self.head = nn.Linear(last, 1)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.body(maps)
        attention = torch.sigmoid(self.attention(maps))
        described = self.further(functional.relu(self.norm(self.fourth(maps) * attention)))
        return self.head(described.mean(dim=(2, 3))), attention


class LoopedAttentionNetwork(nn.Module):
    """CIU's network with the default reading of what the paper leaves open, one branch after the other.

    Args:
        model: The network to copy; its config has no other switches than widths and sizes.
    """

    def __init__(self, model: AttentionNetwork) -> None:
        super().__init__()
        config = model.config
        width = config.unit_width
        self.regions = nn.ModuleList([LoopedRegionLayer(3, width), LoopedRegionLayer(4 * width, 2 * width)])
        self.branches = nn.ModuleList(_Branch(config) for _ in range(model.num_outputs))
        self.load_state_dict(looped_state(model))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and attention."""
        maps = images
        for region in self.regions:
            maps = functional.max_pool2d(region(maps), 2)
        logits, attention = zip(*(branch(maps) for branch in self.branches), strict=True)
        return torch.cat(logits, dim=1), torch.cat(attention, dim=1)


def looped_state(model: AttentionNetwork, gradients: bool = False) -> dict[str, Tensor]:
    """Return a network's parameters and statistics, arranged for the looped one.

    Args:
        gradients: Return the gradients of its parameters instead.
    """
    if gradients:
        values = {name: value.grad for name, value in model.named_parameters() if value.grad is not None}
    else:
        values = model.state_dict()
    return dict(entry for name, value in values.items() for entry in _pieces(name, value, model.num_outputs))


def _pieces(name: str, value: Tensor, units: int) -> Iterator[tuple[str, Tensor]]:
    """Cut one of our tensors into those of the patches or the units."""
    match name.split("."):
        case ["regions", layer, "levels", level, part, leaf]:
            count = GRIDS[int(level)] ** 2
            names = [f"regions.{layer}.levels.{level}.{part}s.{index}.{leaf}" for index in range(count)]
        case ["branches", *rest]:
            names = [f"branches.{index}.{'.'.join(rest)}" for index in range(units)]
        case ["head", leaf]:
            names = [f"branches.{index}.head.{leaf}" for index in range(units)]
        case _:
            names = [name]
    shares = value.chunk(len(names)) if value.ndim else [value] * len(names)
    yield from zip(names, (share.clone() for share in shares), strict=True)
