"""Starting a training from weights that somebody trained before: everything but the head, or nothing.

Takes a facskit weight file, or a pre-trained encoder with the parameter names of the published masked autoencoders.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from facskit.errors import CheckpointError
from facskit.models.layers import FaceNetwork, resize_positions

__all__ = ["load_body"]

_HEAD = "head."
"""A head never fits another set of action units, so it is never taken over and may be missing."""
_FRESH = "fc_norm."
"""The norm before the head, which a pre-trained autoencoder doesn't have."""
_AUTOENCODER = ("norm.", "decoder_")
"""Parameters that tell a pre-trained autoencoder from a network that already recognises."""
_LEFT_BEHIND = ("decoder_", "mask_token", "norm.", "head.")
"""Parameters of a pre-trained autoencoder that recognition has no use for."""
_POSITIONS = "pos_embed"


@torch.no_grad()
def load_body(model: FaceNetwork, path: Path) -> None:
    """Replace a network's weights, except its head, by a file's; a pre-trained autoencoder may lack the last norm.

    Args:
        model: The network, changed in place.
        path: A `.safetensors` file. Position embeddings of another image size are interpolated.

    Raises:
        CheckpointError: The file is missing or damaged, or a parameter is missing, unknown, or has another shape, or
            the position embeddings don't belong to a square grid.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such weight file to start from; see initial_weights in the recipe.")
    try:
        stored = safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path}: the weights can't be read: {error}.") from error
    own = model.state_dict()
    if _POSITIONS in own and _POSITIONS in stored:
        stored[_POSITIONS] = _fit_positions(path, stored[_POSITIONS], own[_POSITIONS])
    _check(path, own, stored)
    for name, value in own.items():
        if name in stored and not name.startswith(_HEAD):
            value.copy_(stored[name])


def _fit_positions(path: Path, stored: Tensor, own: Tensor) -> Tensor:
    if stored.ndim != own.ndim:
        return stored  # the check of shapes will say so
    try:
        return resize_positions(stored, math.isqrt(own.shape[1] - 1))
    except ValueError as error:
        raise CheckpointError(f"{path}: {_POSITIONS} doesn't fit the network: {error}.") from error


def _check(path: Path, own: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> None:
    encoder = any(name.startswith(_AUTOENCODER) for name in stored)
    may_miss = (_HEAD, _FRESH) if encoder else (_HEAD,)
    missing = [name for name in own if name not in stored and not name.startswith(may_miss)]
    if missing:
        raise CheckpointError(f"{path}: {missing[0]} is missing, and {len(missing) - 1} more; it is another network.")
    unknown = [name for name in stored if name not in own and not name.startswith(_LEFT_BEHIND)]
    if unknown:
        raise CheckpointError(f"{path}: the network has no {unknown[0]}, nor {len(unknown) - 1} more in the file.")
    for name, value in own.items():
        if name in stored and not name.startswith(_HEAD) and stored[name].shape != value.shape:
            raise CheckpointError(
                f"{path}: {name} has the shape {tuple(stored[name].shape)}, the network needs {tuple(value.shape)}."
            )
