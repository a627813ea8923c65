"""One weight file per model: weights, shape, outputs, crop recipe, thresholds, licence and provenance together.

The file is a plain safetensors file whose metadata holds one JSON text, so reading it never runs code. Loading is
strict: a missing key, another shape or an unknown version is an error, never a randomly initialised layer. A file with
a pre-trained masked autoencoder has no head, so it's never taken for a recogniser.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from facskit.errors import CheckpointError
from facskit.files import atomic_path
from facskit.models.build import build_model
from facskit.models.layers import FaceNetwork
from facskit.models.masked_autoencoder import MaskedAutoencoder
from facskit.models.published_pickle import is_torch_file
from facskit.models.weight_header import (
    FORMAT_VERSION,
    CheckpointInfo,
    EncoderInfo,
    header_from_dict,
    header_to_dict,
    some_names,
)

__all__ = [
    "FORMAT_VERSION",
    "CheckpointInfo",
    "EncoderInfo",
    "load_checkpoint",
    "load_encoder",
    "read_weight_info",
    "save_checkpoint",
    "weights_digest",
]

_METADATA_KEY = "facskit"


def save_checkpoint(
    path: Path,
    model: FaceNetwork | MaskedAutoencoder,
    info: CheckpointInfo | EncoderInfo,
    storage: Literal["float32", "float16"] = "float32",
) -> None:
    """Write a recogniser, or a pre-trained masked autoencoder with its decoder, to one file.

    A crash leaves the old file or the new one, never half of one.

    Args:
        path: The file to write, by convention ending in `.safetensors`; missing folders are made.
        model: The network; nothing an objective adds to it is stored.
        storage: `float16` halves matrices and convolution kernels; vectors, which hold statistics, stay float32.

    Raises:
        CheckpointError: The weights don't belong to `info`, aren't finite, or the file can't be written.
    """
    state = model.state_dict()
    _check_tensors(path, state, _blank_model(path, info), info)
    tensors = {}
    for name, tensor in state.items():
        halved = storage == "float16" and tensor.is_floating_point() and tensor.ndim > 1
        # The file's layout is row-major whatever layout the network computes in.
        stored = tensor.detach().to("cpu", torch.float16 if halved else tensor.dtype).contiguous()
        if not torch.isfinite(stored).all():
            raise CheckpointError(f"{path} was not written: {name} holds a value that is not finite in {stored.dtype}")
        tensors[name] = stored
    try:
        metadata = {_METADATA_KEY: json.dumps(header_to_dict(info), allow_nan=False)}
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path} was not written: its provenance is not plain JSON ({error})") from error
    try:
        with atomic_path(path) as part:
            safetensors.torch.save_file(tensors, part, metadata)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path} can't be written ({error})") from error


def weights_digest(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of tensors with their names, types and shapes: what tells one trained network from another.

    The description beside the weights doesn't count, so that a calibration fitted later keeps the digest.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def load_checkpoint(path: Path) -> tuple[FaceNetwork, CheckpointInfo]:
    """Read a recogniser, on the processor and in evaluation mode, all weights in float32.

    Raises:
        CheckpointError: The file is missing, damaged, of another kind or version, or doesn't match its own description.
    """
    info = read_weight_info(path)
    if isinstance(info, EncoderInfo):
        raise CheckpointError(
            f"{path} has no trained head, because it holds a pre-trained autoencoder; fine-tune it first (facskit "
            "train, with the file as initial_weights)"
        )
    model = _load(path, info)
    assert isinstance(model, FaceNetwork)
    return model, info


def load_encoder(path: Path) -> tuple[MaskedAutoencoder, EncoderInfo]:
    """Read a pre-trained masked autoencoder, on the processor and in evaluation mode.

    Raises:
        CheckpointError: The file is missing, damaged, of another kind or version, or doesn't match its own description.
    """
    info = read_weight_info(path)
    if not isinstance(info, EncoderInfo):
        raise CheckpointError(f"{path} holds a recogniser; expected a pre-trained masked autoencoder, with its decoder")
    model = _load(path, info)
    assert isinstance(model, MaskedAutoencoder)
    return model, info


def read_weight_info(path: Path) -> CheckpointInfo | EncoderInfo:
    """Read the description in a weight file of either kind, without the weights.

    Raises:
        CheckpointError: The file is missing, damaged, of another version, or its description is wrong.
    """
    if not path.is_file():
        found = "a folder without weights.safetensors" if path.is_dir() else "nothing there"
        raise CheckpointError(
            f"{path}: found {found}, expected a finished run's folder or a weight file (.safetensors)"
        )
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, safetensors.SafetensorError) as error:
        if is_torch_file(path):
            raise CheckpointError(
                f"{path} is a PyTorch file, which can run code when opened; facskit weights import {path} turns a "
                "published one into a weight file safely"
            ) from error
        raise CheckpointError(f"{path} is damaged or not a safetensors file ({error})") from error
    if _METADATA_KEY not in metadata:
        raise CheckpointError(
            f"{path} was not written by facskit: its metadata has no {_METADATA_KEY!r} entry; facskit weights import "
            "reads published files"
        )
    try:
        values = json.loads(metadata[_METADATA_KEY])
    except (RecursionError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: its {_METADATA_KEY!r} metadata is not JSON ({error})") from error
    return header_from_dict(path, values)


def _blank_model(path: Path, info: CheckpointInfo | EncoderInfo) -> FaceNetwork | MaskedAutoencoder:
    try:
        with torch.device("meta"):
            if isinstance(info, EncoderInfo):
                return MaskedAutoencoder(info.model)
            return build_model(info.model, info.num_outputs, info.answers)
    except (RuntimeError, ValueError, MemoryError) as error:
        raise CheckpointError(f"{path} describes a model that can't be built: {error}") from error


def _load(path: Path, info: CheckpointInfo | EncoderInfo) -> FaceNetwork | MaskedAutoencoder:
    model = _blank_model(path, info)
    try:
        stored = safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged: its weights can't be read ({error})") from error
    _check_tensors(path, stored, model, info)
    tensors = {}
    for name, blank in model.state_dict().items():
        # The file is row-major; the network computes in its own layout. (`to_empty` would import sympy: 0.3 s.)
        tensors[name] = torch.empty_strided(blank.shape, blank.stride(), dtype=blank.dtype).copy_(stored[name])
    model.load_state_dict(tensors, strict=True, assign=True)
    return model.eval()


def _check_tensors(
    path: Path, stored: Mapping[str, Tensor], model: nn.Module, info: CheckpointInfo | EncoderInfo
) -> None:
    expected = model.state_dict()
    if missing := sorted(expected.keys() - stored.keys()):
        raise CheckpointError(f"{path} lacks the weights {some_names(missing)}, which its model needs")
    if unknown := sorted(stored.keys() - expected.keys()):
        raise CheckpointError(f"{path} holds the weights {some_names(unknown)}, which its model doesn't have")
    if isinstance(info, CheckpointInfo):
        rows = stored["head.weight"].shape[0] if stored["head.weight"].ndim else 0
        if rows != info.num_outputs:
            named = f"{len(info.action_units)} action units"
            named += f" and {len(info.expressions)} expressions" if info.expressions else ""
            raise CheckpointError(f"{path} has a head with {rows} outputs, but names {named}")
    for name, tensor in stored.items():
        wanted = expected[name]
        if tensor.shape != wanted.shape:
            shapes = f"{tuple(tensor.shape)}, but its model needs {tuple(wanted.shape)}"
            raise CheckpointError(f"{path} holds {name} in the shape {shapes}")
        allowed = {torch.float32, torch.float16} if wanted.is_floating_point() else {wanted.dtype}
        if tensor.dtype not in allowed:
            types = " or ".join(sorted(str(dtype).removeprefix("torch.") for dtype in allowed))
            found = str(tensor.dtype).removeprefix("torch.")
            raise CheckpointError(f"{path} holds {name} as {found}, but its model needs {types}")
