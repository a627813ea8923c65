"""A small residual network for everyday recognition: milliseconds a face on one processor core.

Dense 3 x 3 convolutions with batch normalisation train fastest on two processor cores in bfloat16 (depthwise and
group-normalised rivals were about half as fast: `docs/decisions/0004-compact-network.md`). The features keep the place:
an AU is a crease at one spot of an aligned face, and a global average would forget where it was.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facskit.models.layers import FaceNetwork, NetworkConfig

__all__ = ["CompactConfig", "CompactNetwork", "LocatedPooling"]


@dataclass(frozen=True, kw_only=True)
class CompactConfig(NetworkConfig):
    """Shape of the compact network."""

    kind: Literal["compact"] = "compact"
    image_size: int = 112
    """Side of the square crop, in pixels; a multiple of 2 to the power of the number of stages."""
    widths: tuple[int, ...] = (32, 64, 128, 192)
    """Channels of each stage; every stage halves the resolution (112 px: 56, 28, 14, 7)."""
    depths: tuple[int, ...] = (1, 2, 2, 2)
    """Residual blocks of each stage."""
    places: int = 16
    """Places of the face the pooling looks at, each through a learned soft map."""
    place_dim: int = 32
    """Numbers kept from each place."""
    dropout: float = 0.1
    """Probability of dropping a feature while training."""

    def __post_init__(self) -> None:
        """Refuse numbers out of range, or that don't fit each other."""
        if not self.widths or len(self.widths) != len(self.depths):
            raise ValueError(f"depths must name one number per entry of widths {self.widths}, got {self.depths}")
        if any(type(number) is not int or number < 1 for number in (*self.widths, *self.depths)):
            raise ValueError(f"widths and depths must be whole numbers from 1, got {self.widths} and {self.depths}")
        for field in ("places", "place_dim"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1, got {getattr(self, field)}")
        if self.image_size < 1 or self.image_size % 2 ** len(self.widths):
            raise ValueError(f"image_size must be a multiple of {2 ** len(self.widths)}, got {self.image_size}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")

    def build(self, num_outputs: int) -> "CompactNetwork":
        """Return the network with fresh weights, in training mode."""
        return CompactNetwork(self, num_outputs)

    @property
    def grid(self) -> int:
        """Side of the last feature map."""
        side: int = self.image_size // 2 ** len(self.widths)
        return side


class CompactNetwork(FaceNetwork):
    """Residual stages, located pooling, layer norm and a linear head."""

    def __init__(self, config: CompactConfig, num_outputs: int) -> None:
        super().__init__()
        self.config = config
        self.image_size = config.image_size
        self.dim, self.num_outputs = config.places * config.place_dim, num_outputs
        self.stem = _normalised(nn.Conv2d(3, config.widths[0], 3, stride=2, padding=1, bias=False))
        self.stages = nn.ModuleList(_stage(config, index) for index in range(len(config.widths)))
        self.pooling = LocatedPooling(config.widths[-1], config.grid, config.places, config.place_dim)
        self.norm = nn.LayerNorm(self.dim)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(self.dim, num_outputs)
        nn.init.trunc_normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        # The layout the processor's convolutions are written for; shapes and values are the same.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def features(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        """Describe each crop by what each place of the face shows; see `FaceNetwork.features`."""
        self.check_size(images)
        maps: Tensor = functional.relu(self.stem(images.contiguous(memory_format=torch.channels_last)))
        for stage in self.stages:
            maps = stage(maps)
        described: Tensor = self.dropout(self.norm(self.pooling(maps)))
        return described

    def layer_ids(self) -> dict[str, int]:
        """Number the layers for layer-wise learning rates.

        Returns:
            Parameter name -> 0 for the stem, i + 1 for stage i, the number of stages + 1 for pooling, norm and head.
        """
        ids = {}
        for name, _ in self.named_parameters():
            match name.split("."):
                case ["stem", *_]:
                    ids[name] = 0
                case ["stages", index, *_]:
                    ids[name] = int(index) + 1
                case _:
                    ids[name] = len(self.stages) + 1
        return ids


class ResidualBlock(nn.Module):
    """Two normalised 3 x 3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = _normalised(nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False))
        self.second = _normalised(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False))
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            # Averaging before the projection looks at every pixel; a strided projection would skip three of four.
            projection = _normalised(nn.Conv2d(inputs, outputs, 1, bias=False))
            self.shortcut = nn.Sequential(nn.AvgPool2d(stride), projection)
        batch_norm = self.second[1]
        if isinstance(batch_norm, nn.BatchNorm2d):
            nn.init.zeros_(batch_norm.weight)  # the block starts as its shortcut

    def forward(self, maps: Float[Tensor, "batch inputs height width"]) -> Float[Tensor, "batch outputs _ _"]:
        """Refine the feature maps."""
        refined = self.second(functional.relu(self.first(maps)))
        return functional.relu(refined + self.shortcut(maps))


class LocatedPooling(nn.Module):
    """Pools a feature map at several learned places of the face.

    Each place has a soft map over the grid, from a learned position bias and from what the features show there; a part
    of the features is averaged under that map. Faces are aligned, so a place means the same spot on every face.
    """

    def __init__(self, channels: int, grid: int, places: int, place_dim: int) -> None:
        super().__init__()
        self.place_dim = place_dim
        self.content = nn.Conv2d(channels, places, 1)
        self.values = nn.Conv2d(channels, places * place_dim, 1)
        self.bias = nn.Parameter(_spread_places(places, grid))
        nn.init.zeros_(self.content.weight)  # places start as fixed spots and learn to move with the face
        if self.content.bias is not None:
            nn.init.zeros_(self.content.bias)

    def forward(self, maps: Float[Tensor, "batch channels grid grid"]) -> Float[Tensor, "batch dim"]:
        """Return what each place shows, place after place."""
        places = torch.softmax(self.content(maps).flatten(2) + self.bias, dim=-1)
        values = self.values(maps).flatten(2).view(maps.shape[0], -1, self.place_dim, places.shape[-1])
        return torch.einsum("bpg,bpdg->bpd", places, values).flatten(1)


def _normalised(convolution: nn.Conv2d) -> nn.Sequential:
    nn.init.kaiming_uniform_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels))


def _stage(config: CompactConfig, index: int) -> nn.Sequential:
    width = config.widths[index]
    inputs = config.widths[max(index - 1, 0)]
    # The stem has already halved the resolution for the first stage.
    first = ResidualBlock(inputs, width, stride=1 if index == 0 else 2)
    return nn.Sequential(first, *(ResidualBlock(width, width, stride=1) for _ in range(config.depths[index] - 1)))


def _spread_places(places: int, grid: int) -> Float[Tensor, "places cells"]:
    """Start each place as a Gaussian spot, spread over the face on a sunflower spiral."""
    cells = [(index + 0.5) / grid for index in range(grid)]  # middles of the cells, in sides of the map
    spots = []
    for rank in range(places):
        radius = 0.48 * math.sqrt((rank + 0.5) / places)  # nearly to the map's edge
        angle = rank * 2.399963  # the golden angle covers a disc evenly for any number of places
        row, column = 0.5 + radius * math.sin(angle), 0.5 + radius * math.cos(angle)
        spot = []
        for y in cells:
            spot += [-((y - row) ** 2 + (x - column) ** 2) / (2 * 0.15**2) for x in cells]  # 0.15 sides wide
        spots.append(spot)
    return torch.tensor(spots)
