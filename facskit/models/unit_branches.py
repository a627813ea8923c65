"""The branches of an attention network: one small network per action unit, all of them run together.

A convolution with one group per unit is the units' convolutions side by side, so a dozen branches cost the calls of
one. What comes last in a branch, a bare convolution and a mean over all places, isn't run over the places at all.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Activation", "BranchConfig", "MeanConvolution", "Product", "UnitBranches", "UnitHeads"]

Activation = Literal["sigmoid", "relu", "identity"]
Product = Literal["before-norm", "after-relu"]


@dataclass(frozen=True, kw_only=True)
class BranchConfig:
    """Shape of an action unit's branch; the defaults are how CIU is read where the paper leaves things open."""

    branch_widths: tuple[int, ...] = (96, 96, 96, 96, 96)
    """Channels of a branch's five convolutions; the last is the length of a unit's feature (paper: 12c)."""
    activation: Activation = "sigmoid"
    """What turns the attention convolution's output into attention."""
    attention_bias: float = 0.0
    """Initial bias of the attention convolution; below 0, a sigmoid starts by looking at little."""
    product: Product = "before-norm"
    """Whether attention multiplies the fourth convolution's output itself, or what norm and ReLU make of it."""
    further: int = 1
    """Convolutions after the product, at least 1; the last of them is bare unless `further_norm`."""
    further_norm: bool = False
    """Whether norm and ReLU follow the last convolution too."""

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        if len(self.branch_widths) != 5 or any(type(width) is not int or width < 1 for width in self.branch_widths):
            raise ValueError(f"branch_widths must be five whole numbers from 1, got {self.branch_widths}")
        if self.further < 1:
            raise ValueError(f"further must be at least 1, got {self.further}")
        for field, allowed in (("activation", get_args(Activation)), ("product", get_args(Product))):
            if getattr(self, field) not in allowed:
                raise ValueError(f"{field} must be one of {', '.join(allowed)}, got {getattr(self, field)!r}")


class UnitBranches(nn.Module):
    """The attentive branches of all action units, side by side.

    Args:
        inputs: Channels in, seen by every branch.

    Paper:
        CIU section 3: three convolutions; one of a single channel, whose output is the attention; a fourth beside it,
        multiplied by the attention; further ones; the mean over all places.
    """

    def __init__(self, config: BranchConfig, inputs: int, units: int) -> None:
        super().__init__()
        self.config, self.units = config, units
        first, second, third, fourth, last = config.branch_widths
        self.body = nn.Sequential(
            nn.Conv2d(inputs, units * first, 3, padding=1),
            *_norm_relu(units * first),
            _grouped(units, first, second),
            *_norm_relu(units * second),
            _grouped(units, second, third),
            *_norm_relu(units * third),
        )
        self.attention = _grouped(units, third, 1)
        self.fourth = _grouped(units, third, fourth)
        self.norm = nn.BatchNorm2d(units * fourth)
        self.further = nn.Sequential()
        *between, end = pairwise((fourth, *(last,) * config.further))
        for widths in between:
            self.further.extend((_grouped(units, *widths), *_norm_relu(units * last)))
        if config.further_norm:
            self.further.extend((_grouped(units, *end), *_norm_relu(units * last), _PlaceMean()))
        else:
            self.further.append(MeanConvolution(units, *end))
        if self.attention.bias is not None:
            nn.init.constant_(self.attention.bias, config.attention_bias)

    def forward(
        self, maps: Float[Tensor, "batch channels map map"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch aus map map"]]:
        """Return the features, unit after unit, and the attention of each unit."""
        maps = self.body(maps)
        attention: Tensor = self.attention(maps)
        match self.config.activation:
            case "sigmoid":
                attention = torch.sigmoid(attention)
            case "relu":
                attention = functional.relu(attention)
        described: Tensor = self.fourth(maps)
        if self.config.product == "before-norm":
            described = functional.relu(self.norm(self._attended(described, attention)), inplace=True)
        else:
            described = self._attended(functional.relu(self.norm(described), inplace=True), attention)
        features: Tensor = self.further(described)
        return features, attention

    def flops(self, size: int) -> int:
        """Return the floating-point operations of the convolutions for maps of `size` x `size`, forward only."""
        places = {layer: size**2 for layer in self.modules() if isinstance(layer, nn.Conv2d)}
        places |= {layer: 1 for layer in self.modules() if isinstance(layer, MeanConvolution)}
        return sum(2 * layer.weight.numel() * count for layer, count in places.items())

    def _attended(
        self, maps: Float[Tensor, "batch channels map map"], attention: Float[Tensor, "batch aus map map"]
    ) -> Float[Tensor, "batch channels map map"]:
        """Multiply all channels of a unit by its attention."""
        split = maps.view(maps.shape[0], self.units, -1, *maps.shape[2:])
        return (split * attention.unsqueeze(2)).flatten(1, 2)


class MeanConvolution(nn.Conv2d):
    """The mean over all places of a 3 x 3 convolution with one group per unit, without the convolution.

    Both are linear, so the mean may come first: each of the nine taps of the filter sees the map but for the row or the
    column that the padding pushes out, and the filter is applied once, to the nine means.
    """

    def __init__(self, units: int, inputs: int, outputs: int) -> None:
        super().__init__(units * inputs, units * outputs, 3, padding=1, groups=units)

    def forward(self, maps: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch dim"]:
        """Return the mean of each channel out."""
        batch, _, height, width = maps.shape
        touched = []
        for size in (height, width):
            places = torch.arange(size, device=maps.device)
            # The first tap of three misses the last place, the middle one none, the last one the first.
            touched.append(torch.stack([places < size - 1, places >= 0, places > 0]).to(maps.dtype))
        rows, columns = touched
        seen = (rows[:, None, :, None] * columns[None, :, None, :]).flatten(0, 1).flatten(1)
        means = (seen @ maps.permute(0, 2, 3, 1).flatten(1, 2)) / (height * width)
        split = means.view(batch, 9, self.groups, -1)
        filters = self.weight.view(self.groups, -1, *self.weight.shape[1:]).flatten(3)
        answers = torch.einsum("btui,uoit->buo", split, filters).flatten(1)
        return answers if self.bias is None else answers + self.bias


class UnitHeads(nn.Module):
    """One linear answer per action unit, from that unit's part of the features alone."""

    def __init__(self, units: int, length: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(units, length))
        self.bias = nn.Parameter(torch.empty(units))
        for parameter in self.parameters():  # as torch starts `units` layers nn.Linear(length, 1)
            nn.init.uniform_(parameter, -(length**-0.5), length**-0.5)

    def forward(self, features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch aus"]:
        """Return the logits from the features of all units, one after the other."""
        answers = torch.einsum("bul,ul->bu", features.view(features.shape[0], *self.weight.shape), self.weight)
        return answers + self.bias


class _PlaceMean(nn.Module):
    def forward(self, maps: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels"]:
        return maps.mean(dim=(2, 3))


def _grouped(units: int, inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(units * inputs, units * outputs, 3, padding=1, groups=units)


def _norm_relu(channels: int) -> tuple[nn.BatchNorm2d, nn.ReLU]:
    return nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
