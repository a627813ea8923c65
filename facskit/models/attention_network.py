"""CIU's network: region layers, then one attentive branch per action unit that learns where its unit shows.

Every branch is a small network of its own. All of them run together: a convolution with one group per unit is the
branches' convolutions side by side. `docs/ciu.md` tells how the parts that the paper leaves open were read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facskit.models.layers import AttentiveNetwork, Look, NetworkConfig
from facskit.models.region_layers import PatchNorm, RegionLayer
from facskit.models.unit_branches import BranchConfig, UnitBranches, UnitHeads

__all__ = ["MAP_SCALE", "AttentionConfig", "AttentionNetwork", "about_attention", "attention_taught"]

MAP_SCALE = 4
"""Pixels of the crop along a side of an attention map's cell."""


@dataclass(frozen=True, kw_only=True)
class AttentionConfig(BranchConfig, NetworkConfig):
    """Shape of the attention network; the defaults are CIU's, where the paper names them."""

    kind: Literal["attention"] = "attention"
    attentive: ClassVar[bool] = True
    image_size: int = 176
    """Side of the square crop, in pixels (paper: l); a multiple of 16."""
    unit_width: int = 8
    """Channels the region layers are multiples of (paper: c)."""
    patch_norm: PatchNorm = "patch"
    """Whether region layers normalise each patch by itself, or the whole map."""

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        super().__post_init__()
        if self.image_size < 16 or self.image_size % 16:
            raise ValueError(f"image_size must be a multiple of 16, got {self.image_size}")
        if self.unit_width < 1:
            raise ValueError(f"unit_width must be at least 1, got {self.unit_width}")
        if self.patch_norm not in get_args(PatchNorm):
            raise ValueError(f"patch_norm must be one of {', '.join(get_args(PatchNorm))}, got {self.patch_norm!r}")

    def build(self, num_outputs: int) -> "AttentionNetwork":
        """Return the network with fresh weights, in training mode."""
        return AttentionNetwork(self, num_outputs)

    @property
    def map_size(self) -> int:
        """Side of an attention map, in cells of 4 x 4 pixels (paper: l / 4)."""
        return self.image_size // MAP_SCALE


class AttentionNetwork(AttentiveNetwork):
    """Two region layers with pooling, a branch per action unit, and a linear answer per branch.

    In `branches` and `head` the first dimension of every tensor holds the units in turn, as many rows for each; so a
    unit's share of the weights can be cut out.

    Args:
        num_outputs: Action units, each with a branch of its own.

    Paper:
        CIU section 3 and figure 2. Weights start as torch starts them.
    """

    head: UnitHeads

    def __init__(self, config: AttentionConfig, num_outputs: int) -> None:
        super().__init__()
        self.config = config
        self.image_size, self.map_size = config.image_size, config.map_size
        self.dim, self.num_outputs = num_outputs * config.branch_widths[-1], num_outputs
        fine = RegionLayer(3, config.unit_width, config.patch_norm)
        coarse = RegionLayer(4 * config.unit_width, 2 * config.unit_width, config.patch_norm)
        self.regions = nn.ModuleList([fine, coarse])
        self.branches = UnitBranches(config, 8 * config.unit_width, num_outputs)
        self.head = UnitHeads(num_outputs, config.branch_widths[-1])
        # A training step takes a quarter less time on a processor than in torch's usual layout; values are the same.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def look(self, images: Float[Tensor, "batch 3 height width"]) -> Look:
        """Describe each crop unit by unit, and say where each unit's branch looked; see `AttentiveNetwork.look`."""
        self.check_size(images)
        maps = images.contiguous(memory_format=torch.channels_last)
        for region in self.regions:
            maps = functional.max_pool2d(region(maps), 2)
        features, attention = self.branches(maps)
        return Look(features=features, attention=attention)

    def layer_ids(self) -> dict[str, int]:
        """Number the layers for layer-wise learning rates.

        Returns:
            Parameter name -> 0 and 1 for the region layers, 2 for the branches, 3 for the answers.
        """
        ids = {}
        for name, _ in self.named_parameters():
            match name.split("."):
                case ["regions", index, *_]:
                    ids[name] = int(index)
                case ["branches", *_]:
                    ids[name] = 2
                case _:
                    ids[name] = 3
        return ids

    def flops_per_image(self) -> int:
        """Return the floating-point operations of one image's training step: convolutions and answers alone.

        The backward pass counts twice the forward pass, but nobody needs the gradient of the pixels.
        """
        first = self.regions[0]
        assert isinstance(first, RegionLayer)
        layers = (layer for layer in self.regions if isinstance(layer, RegionLayer))
        regions = sum(layer.flops(self.image_size // 2**index) for index, layer in enumerate(layers))
        pixels = 2 * first.convolution.weight.numel() * self.image_size**2
        branches = self.branches.flops(self.map_size)
        return 3 * (regions + branches + 2 * self.head.weight.numel()) - pixels


def about_attention(*, taught: bool) -> dict[str, str]:
    """Return what weights say about their attention: whether an objective taught it where to look."""
    return {"attention": "taught" if taught else "never taught"}


def attention_taught(provenance: Mapping[str, Any]) -> bool:
    """Return whether attention maps of weights mean anything; those that don't say are believed to."""
    return bool(provenance.get("attention") != "never taught")
