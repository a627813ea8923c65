"""The Vision Transformer of FMAE-IAT, with the parameter names of the published checkpoints.

Sizes S, B, L and H are the paper's (H exists in the authors' code alone); `tiny` is ours, for tests and the demo.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facskit.models.layers import LAYER_NORM_EPSILON, Block, FaceNetwork, NetworkConfig, PatchEmbedding
from facskit.models.positions import sincos_positions

__all__ = ["SIZES", "ViTConfig", "VisionTransformer", "encoder_layer"]


@dataclass(frozen=True, kw_only=True)
class ViTConfig(NetworkConfig):
    """Shape of a Vision Transformer; `dataclasses.replace(SIZES["B"], image_size=112)` changes a named size."""

    kind: Literal["vit"] = "vit"
    image_size: int = 224
    """Side of the square crop, in pixels."""
    patch_size: int = 16
    """Side of a patch, in pixels; divides `image_size`."""
    dim: int = 1024
    """Length of a token (paper: D)."""
    depth: int = 24
    """Number of transformer blocks."""
    heads: int = 16
    """Attention heads per block; divides `dim`."""
    mlp_ratio: float = 4.0
    """Hidden width of each block's MLP as a multiple of `dim`."""
    drop_path: float = 0.1
    """Probability of dropping a residual branch in the last block; grows linearly from 0 in the first."""
    pooling: Literal["mean", "class-token"] = "mean"
    """Features: mean of the patch tokens (paper) or the class token."""

    def __post_init__(self) -> None:
        """Refuse numbers out of range, or that don't fit each other."""
        for field in ("image_size", "patch_size", "dim", "depth", "heads"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1, got {getattr(self, field)}")
        if self.image_size % self.patch_size:
            raise ValueError(f"image_size must be a multiple of patch_size {self.patch_size}, got {self.image_size}")
        if self.dim % self.heads or self.dim % 4:
            raise ValueError(f"dim must be a multiple of 4 and of heads {self.heads}, got {self.dim}")
        if self.mlp_ratio <= 0:
            raise ValueError(f"mlp_ratio must be positive, got {self.mlp_ratio}")
        if not 0.0 <= self.drop_path < 1.0:
            raise ValueError(f"drop_path must be in [0, 1), got {self.drop_path}")
        if self.pooling not in {"mean", "class-token"}:
            raise ValueError(f"pooling must be mean or class-token, got {self.pooling!r}")

    def build(self, num_outputs: int) -> "VisionTransformer":
        """Return the network with fresh weights, in training mode."""
        return VisionTransformer(self, num_outputs)

    @property
    def grid(self) -> int:
        """Patches along one side of the crop."""
        return self.image_size // self.patch_size


SIZES: Mapping[str, ViTConfig] = MappingProxyType(
    {
        "tiny": ViTConfig(image_size=112, dim=128, depth=6, heads=4),
        "S": ViTConfig(dim=384, depth=12, heads=6),
        "B": ViTConfig(dim=768, depth=12, heads=12),
        "L": ViTConfig(dim=1024, depth=24, heads=16),
        "H": ViTConfig(patch_size=14, dim=1280, depth=32, heads=16),
    }
)
"""Named sizes; FMAE-IAT's results use L."""


class VisionTransformer(FaceNetwork):
    """Vision Transformer encoder with a linear head.

    Paper:
        FMAE-IAT section 3: patch projection, class token and positions, pre-norm blocks, mean over the patch tokens,
        layer norm, linear head. Positions start as fixed sine-cosine values and are trained along.
    """

    undecayed: ClassVar[frozenset[str]] = frozenset({"cls_token", "pos_embed"})
    head: nn.Linear

    def __init__(self, config: ViTConfig, num_outputs: int) -> None:
        super().__init__()
        self.config = config
        self.dim, self.num_outputs = config.dim, num_outputs
        self.image_size = config.image_size
        self.patch_embed = PatchEmbedding(config.patch_size, config.dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.grid**2 + 1, config.dim))
        rates = [config.drop_path * index / max(config.depth - 1, 1) for index in range(config.depth)]
        self.blocks = nn.ModuleList(Block(config.dim, config.heads, config.mlp_ratio, rate) for rate in rates)
        # The published files call the final norm by its place: fc_norm after the mean, norm before the class token.
        norm = nn.LayerNorm(config.dim, eps=LAYER_NORM_EPSILON)
        self.add_module("fc_norm" if config.pooling == "mean" else "norm", norm)
        self.head = nn.Linear(config.dim, num_outputs)
        for layer in self.blocks.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        nn.init.trunc_normal_(self.head.weight, std=2e-5)
        with torch.no_grad():
            self.pos_embed.copy_(sincos_positions(self.dim, config.grid, class_token=True))

    def features(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        """Describe each crop by the pooled, normalised tokens; see `FaceNetwork.features`."""
        self.check_size(images)
        patches = self.patch_embed(images)
        tokens: Tensor = torch.cat([self.cls_token.expand(images.shape[0], -1, -1), patches], dim=1) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        if self.config.pooling == "mean":
            pooled: Tensor = self.get_submodule("fc_norm")(tokens[:, 1:].mean(dim=1))
        else:
            pooled = self.get_submodule("norm")(tokens)[:, 0]
        return pooled

    def layer_ids(self) -> dict[str, int]:
        """Number the layers for layer-wise learning rates; see `encoder_layer`."""
        return {name: encoder_layer(name, self.config.depth) for name, _ in self.named_parameters()}

    def flops_per_image(self) -> int:
        """Return the floating-point operations of one image's training step: the matrix products alone.

        The backward pass counts twice the forward pass, but nobody needs the gradient of the pixels.
        """
        projection = 2 * self.patch_embed.proj.weight.numel() * self.config.grid**2
        blocks = sum(block.flops(self.config.grid**2 + 1) for block in self.blocks if isinstance(block, Block))
        return 2 * projection + 3 * (blocks + 2 * self.head.weight.numel())


def encoder_layer(name: str, depth: int) -> int:
    """Return the layer a transformer's parameter belongs to, by its name in the state dict.

    Returns:
        0 for class token, positions and patch projection, i + 1 for block i, `depth` + 1 for everything after it.
    """
    match name.split("."):
        case ["cls_token" | "pos_embed" | "patch_embed", *_]:
            return 0
        case ["blocks", index, *_]:
            return int(index) + 1
    return depth + 1
