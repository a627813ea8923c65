"""The pieces the networks are made of, and the contracts they keep: `Network`, and `FaceNetwork` for recognisers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from facskit.models.answer_heads import GeometryHead, IntensityScale

__all__ = [
    "LAYER_NORM_EPSILON",
    "MLP",
    "Attention",
    "AttentiveNetwork",
    "Block",
    "DropPath",
    "FaceNetwork",
    "Look",
    "Network",
    "NetworkConfig",
    "PatchEmbedding",
]

LAYER_NORM_EPSILON = 1e-6
"""Added to the variance in every layer norm, as in the published models; torch's own default is ten times larger."""


class Network(nn.Module, ABC):
    """A network an objective can train on square face crops."""

    undecayed: ClassVar[frozenset[str]] = frozenset()
    """Last parts of the names of parameters that weight decay spares, beside the one-dimensional ones."""
    image_size: int
    """Side of the square crops, in pixels."""

    @abstractmethod
    def layer_ids(self) -> dict[str, int]:
        """Number the layer each parameter belongs to: 0 next to the pixels, the largest next to the answers."""

    def flops_per_image(self) -> int | None:
        """Return the floating-point operations of training on one image, or None where nobody counted them."""
        return None

    def check_size(self, images: Float[Tensor, "batch 3 height width"]) -> None:
        """Refuse crops of another size than `image_size` by a ValueError."""
        height, width = images.shape[-2:]
        if (height, width) != (self.image_size, self.image_size):
            size = self.image_size
            raise ValueError(f"this network takes crops of {size} x {size} px, got {width} x {height} px")


class FaceNetwork(Network):
    """A network from aligned face crops to one logit per answer, in two steps an objective can take apart.

    `forward(images)` is always `head(features(images))`, so an objective may attach further heads to the features.
    """

    dim: int
    """Length of the feature vector."""
    num_outputs: int
    """Answers, one per action unit or expression."""
    head: nn.Module
    """Linear classifier on the features, one output per answer."""

    def __init__(self) -> None:
        super().__init__()
        self.intensity_scale: IntensityScale | None = None
        """Reads intensities from the logits, where the network was built to answer them."""
        self.geometry: GeometryHead | None = None
        """Reads landmarks, pose and gaze from the features, where the network was built to answer them."""

    @abstractmethod
    def features(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        """Describe each crop by one vector.

        Args:
            images: Normalised crops.

        Raises:
            ValueError: The crops aren't of the size the network was built for.
        """

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch outputs"]:
        """Return the logits; for an action unit, a sigmoid makes one a probability."""
        logits: Tensor = self.head(self.features(images))
        return logits


class NetworkConfig(ABC):
    """What a recipe and a weight file say about a recogniser; a frozen dataclass with a `kind` derives from it."""

    kind: str
    image_size: int
    """Side of the square crops, in pixels."""
    attentive: ClassVar[bool] = False
    """Whether it builds an `AttentiveNetwork`, which can be taught where to look."""

    @abstractmethod
    def build(self, num_outputs: int) -> FaceNetwork:
        """Return the network with fresh weights, in training mode."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """What an attentive network sees in a batch of crops."""

    features: Float[Tensor, "batch dim"]
    """As `FaceNetwork.features` returns them."""
    attention: Float[Tensor, "batch aus map map"]
    """How much each action unit's answer heeds each place, over the whole crop."""


class AttentiveNetwork(FaceNetwork):
    """A recogniser that shows where it looks for each action unit, and can be taught where to look."""

    map_size: int
    """Side of an attention map, in cells."""

    @abstractmethod
    def look(self, images: Float[Tensor, "batch 3 height width"]) -> Look:
        """Describe each crop, and say which places the description comes from.

        Args:
            images: Normalised crops.

        Raises:
            ValueError: The crops aren't of the size the network was built for.
        """

    def features(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        """Describe each crop by one vector; see `look`."""
        return self.look(images).features


class PatchEmbedding(nn.Module):
    """Cuts a square image into patches of `patch_size` pixels and projects each to a token."""

    def __init__(self, patch_size: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, kernel_size=patch_size, stride=patch_size)
        # Xavier for the linear map over a flattened patch; for the four-dimensional kernel torch counts other fans.
        nn.init.xavier_uniform_(self.proj.weight.flatten(1))
        if self.proj.bias is not None:
            nn.init.zeros_(self.proj.bias)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch patches dim"]:
        """Return the tokens row by row."""
        tokens: Tensor = self.proj(images)
        return tokens.flatten(2).transpose(1, 2)

    def visible(
        self, images: Float[Tensor, "batch 3 height width"], places: Int64[Tensor, "batch visible"]
    ) -> Float[Tensor, "batch visible dim"]:
        """Return the tokens of the patches at some places, counted row by row, without projecting the others."""
        size, (batch, colours, height, width) = self.proj.kernel_size[0], images.shape
        columns = width // size
        grid = images.view(batch, colours, height // size, size, columns, size).permute(0, 2, 4, 1, 3, 5)
        samples = torch.arange(batch, device=images.device).unsqueeze(1)
        patches = grid[samples, places // columns, places % columns].flatten(2)
        return functional.linear(patches, self.proj.weight.flatten(1), self.proj.bias)


class Attention(nn.Module):
    """Multi-head self-attention with a bias on queries, keys and values; `heads` divides `dim`."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Let every token look at every other."""
        qkv: Tensor = self.qkv(tokens)
        batch, length, _ = tokens.shape
        query, key, value = qkv.view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        projected: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return projected


class MLP(nn.Module):
    """Two linear layers with an exact GELU between them, applied to each token."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Transform each token on its own."""
        transformed: Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return transformed


class DropPath(nn.Module):
    """Drops a residual branch for whole samples while training, and scales the kept ones so the mean stays."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Float[Tensor, "batch *rest"]) -> Float[Tensor, "batch *rest"]:
        """Return the branch, zeroed for the samples drawn."""
        if not self.training or self.rate == 0.0:
            return branch
        shape = (branch.shape[0],) + (1,) * (branch.ndim - 1)
        kept = torch.empty(shape, dtype=branch.dtype, device=branch.device).bernoulli_(1.0 - self.rate)
        return branch * kept / (1.0 - self.rate)


class Block(nn.Module):
    """One pre-norm transformer block: attention, then MLP, each on a residual branch with drop path."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float = 4.0, drop_path: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=LAYER_NORM_EPSILON)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=LAYER_NORM_EPSILON)
        self.mlp = MLP(dim, int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Refine the tokens."""
        tokens = tokens + self.drop_path(self.attn(self.norm1(tokens)))
        refined: Tensor = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return refined

    def flops(self, tokens: int) -> int:
        """Return the floating-point operations of the matrix products for one sample of some tokens, forward only."""
        dim, hidden = self.mlp.fc1.in_features, self.mlp.fc1.out_features
        return 2 * tokens * dim * (4 * dim + 2 * hidden) + 4 * tokens * tokens * dim
