"""Hierarchical multi-scale region layers: convolutions whose filters belong to a region of the face, in a few calls.

A patch convolution cuts a map into a grid and gives each patch its own batch norm and filters, because skin at a mouth
corner and skin on a forehead fold differently. Written as a loop, 84 patches per layer are some 500 small calls. Here
the patches become channels: one batch norm over them all has the statistics of each, one convolution with as many
groups as patches has the filters of each, and its padding meets every patch's border, as the loop's does.
"""

from itertools import pairwise
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["GRIDS", "PatchConvolution", "PatchNorm", "RegionLayer", "join_patches", "split_patches"]

GRIDS = (8, 4, 2)
"""Patches along a side in the three levels of a region layer."""
PatchNorm = Literal["patch", "map"]
"""Whether each patch of a level is normalised by itself, or the whole map at once."""


def split_patches(maps: Float[Tensor, "batch channels height width"], grid: int) -> Float[Tensor, "batch all _ _"]:
    """Turn the patches of a map, whose sides `grid` divides, into channels: the first patch's, then the second's."""
    batch, channels, height, width = maps.shape
    # Channels come last in memory, here and in the result: convolutions and norms of many channels want them so.
    cut = maps.permute(0, 2, 3, 1).reshape(batch, grid, height // grid, grid, width // grid, channels)
    stacked = cut.permute(0, 2, 4, 1, 3, 5).reshape(batch, height // grid, width // grid, grid * grid * channels)
    return stacked.permute(0, 3, 1, 2)


def join_patches(patches: Float[Tensor, "batch all height width"], grid: int) -> Float[Tensor, "batch channels _ _"]:
    """Put patches together again: the reverse of `split_patches`."""
    batch, _, height, width = patches.shape
    cut = patches.permute(0, 2, 3, 1).reshape(batch, height, width, grid, grid, -1)
    joined = cut.permute(0, 3, 1, 4, 2, 5).reshape(batch, grid * height, grid * width, -1)
    return joined.permute(0, 3, 1, 2)


class _Split(torch.autograd.Function):
    """`split_patches`, whose gradient is written out in order.

    Torch's own would be a view with scattered values, and everything before it would crawl: adding up the gradients of
    a region layer takes longer then than its convolutions.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, grid: int) -> Tensor:  # noqa: ANN401 - torch gives it no public type
        ctx.grid = grid
        return split_patches(maps, grid)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - torch gives it no public type
        return join_patches(gradients[0], ctx.grid), None


class _Join(torch.autograd.Function):
    """`join_patches`, whose gradient is written out in order."""

    @staticmethod
    def forward(ctx: Any, patches: Tensor, grid: int) -> Tensor:  # noqa: ANN401 - torch gives it no public type
        ctx.grid = grid
        return join_patches(patches, grid)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - torch gives it no public type
        return split_patches(gradients[0], ctx.grid), None


class PatchConvolution(nn.Module):
    """Batch norm, ReLU and a 3 x 3 convolution, each patch of a grid with its own.

    Rows of the parameters belong to the patches in turn, `inputs` (norm) or `outputs` (convolution) rows to each.

    Args:
        patch_norm: `patch`: statistics, scale and shift of each patch by itself. `map`: of the whole map.
    """

    def __init__(self, inputs: int, outputs: int, grid: int, patch_norm: PatchNorm = "patch") -> None:
        super().__init__()
        self.grid, self.patch_norm = grid, patch_norm
        patches = grid * grid
        self.norm = nn.BatchNorm2d(inputs * patches if patch_norm == "patch" else inputs)
        self.convolution = nn.Conv2d(inputs * patches, outputs * patches, 3, padding=1, groups=patches)

    def forward(self, maps: Float[Tensor, "batch inputs height width"]) -> Float[Tensor, "batch outputs height width"]:
        """Convolve every patch, with zeros around it rather than its neighbours."""
        if self.patch_norm == "map":
            maps = functional.relu(self.norm(maps), inplace=True)
        patches: Tensor = _Split.apply(maps, self.grid)  # type: ignore[no-untyped-call]
        if self.patch_norm == "patch":
            patches = functional.relu(self.norm(patches), inplace=True)
        joined: Tensor = _Join.apply(self.convolution(patches), self.grid)  # type: ignore[no-untyped-call]
        return joined

    def flops(self, size: int) -> int:
        """Return the floating-point operations of the convolution for one map of `size` x `size`, forward only."""
        return 2 * self.convolution.weight.numel() * (size // self.grid) ** 2


class RegionLayer(nn.Module):
    """A convolution refined by patch convolutions on three grids, from fine to coarse.

    Args:
        width: c', a quarter of the channels out.
        patch_norm: As for `PatchConvolution`.

    Paper:
        CIU section 3, R_hm(c', l', l''): X = conv(images), 4c' channels; Y1 = patches of 8 x 8 (X), 2c'; Y2 = of 4 x 4
        (Y1), c'; Y3 = of 2 x 2 (Y2), c'; ReLU(norm(X + [Y1, Y2, Y3])). Norm and ReLU stand before each patch
        convolution and X is added as it is, which the paper leaves open and its group's earlier networks do.
    """

    def __init__(self, inputs: int, width: int, patch_norm: PatchNorm = "patch") -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, 4 * width, 3, padding=1)
        widths = pairwise((4 * width, 2 * width, width, width))
        levels = zip(GRIDS, widths, strict=True)
        self.levels = nn.ModuleList(PatchConvolution(*channels, grid, patch_norm) for grid, channels in levels)
        self.norm = nn.BatchNorm2d(4 * width)

    def forward(self, maps: Float[Tensor, "batch inputs height width"]) -> Float[Tensor, "batch _ height width"]:
        """Describe every place, by filters of the region it lies in; the maps' sides are multiples of 8."""
        plain: Tensor = self.convolution(maps)
        refined = [plain]
        for level in self.levels:
            refined.append(level(refined[-1]))
        described: Tensor = self.norm(plain + torch.cat(refined[1:], dim=1))
        return functional.relu(described, inplace=True)

    def flops(self, size: int) -> int:
        """Return the floating-point operations of the convolutions for one map of `size` x `size`, forward only."""
        levels = sum(level.flops(size) for level in self.levels if isinstance(level, PatchConvolution))
        return 2 * self.convolution.weight.numel() * size**2 + levels
