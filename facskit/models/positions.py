"""Position embeddings: sines and cosines that say where a patch lies in the image, and the way to another grid."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

__all__ = ["resize_positions", "sincos_positions"]


def sincos_positions(dim: int, grid: int, class_token: bool) -> Float[Tensor, "1 tokens dim"]:
    """Fixed two-dimensional sine-cosine position embeddings of a square grid.

    Computed in float64 and returned in float32, as the published checkpoints hold them. A token at column x and row y
    is [sin(x w), cos(x w), sin(y w), cos(y w)]: the column comes first.

    Args:
        class_token: Whether a row of zeros for the class token comes first; the other tokens follow row by row.

    Paper:
        w_i = 10000^(-i / (dim / 4)), i = 0 .. dim / 4 - 1 (FMAE, as in MAE).
    """
    if dim % 4:
        raise ValueError(f"dim must be a multiple of 4 for sine-cosine positions, got {dim}")
    frequencies = 10000.0 ** (-np.arange(dim // 4) / (dim / 4))
    rows, columns = np.divmod(np.arange(grid * grid), grid)
    across, down = np.outer(columns, frequencies), np.outer(rows, frequencies)
    positions = np.concatenate([np.sin(across), np.cos(across), np.sin(down), np.cos(down)], axis=1)
    if class_token:
        positions = np.concatenate([np.zeros((1, dim)), positions])
    return torch.from_numpy(positions.astype(np.float32)).unsqueeze(0)


def resize_positions(
    positions: Float[Tensor, "1 tokens dim"], grid: int, class_token: bool = True
) -> Float[Tensor, "1 new_tokens dim"]:
    """Bring position embeddings to another grid, so weights of one image size serve another.

    The class token's embedding stays; the others are laid out as a square, interpolated bicubically (corners not
    aligned) and read row by row again.

    Args:
        grid: Patches along one side of the new grid.
        class_token: Whether the first embedding belongs to a class token.

    Raises:
        ValueError: The embeddings don't belong to a square grid.
    """
    extra = int(class_token)
    patches = positions.shape[1] - extra
    side = math.isqrt(patches)
    if side * side != patches:
        raise ValueError(f"positions of a square grid are needed, got {patches} patches")
    if side == grid:
        return positions
    square = positions[:, extra:].transpose(1, 2).reshape(1, -1, side, side)
    resized = functional.interpolate(square, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([positions[:, :extra], resized.flatten(2).transpose(1, 2)], dim=1)
