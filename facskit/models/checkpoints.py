"""One weight file per model: weights, shape, AU list, crop recipe, thresholds, licence and provenance together.

The file is a plain safetensors file whose metadata holds one JSON text, so reading it never runs code. Loading is
strict: a missing key, another shape or an unknown version is an error, never a randomly initialised layer.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from facskit.action_units import ActionUnitSet
from facskit.errors import CheckpointError
from facskit.faces.alignment import CropRecipe, recipe_from_dict, recipe_to_dict
from facskit.faces.normalization import Normalization
from facskit.files import atomic_path
from facskit.models.build import ModelConfig, build_model, config_from_dict, config_to_dict
from facskit.models.layers import FaceNetwork

__all__ = ["FORMAT_VERSION", "CheckpointInfo", "load_checkpoint", "read_checkpoint_info", "save_checkpoint"]

FORMAT_VERSION = 1
"""Version of the file's layout; a reader refuses every other."""

_METADATA_KEY = "facskit"
_FIELDS: dict[str, type] = {
    "format_version": int,
    "model": dict,
    "action_units": list,
    "crop": dict,
    "normalization": str,
    "thresholds": list,
    "licence": str,
    "provenance": dict,
}


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """Everything but the weights that a recogniser needs, and what a reader should know about them."""

    model: ModelConfig
    """Shape of the network."""
    action_units: ActionUnitSet
    """What the outputs mean, in order."""
    crop: CropRecipe
    """How a face is cut out before the network sees it."""
    normalization: Normalization
    """How a crop's pixels become numbers."""
    thresholds: tuple[float, ...]
    """Probability from which an AU counts as present, one per AU, each in (0, 1)."""
    licence: str
    """SPDX expression or name of the weights' licence."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where the weights come from, as JSON-ready values: data, recipe, commit, scores."""

    def __post_init__(self) -> None:
        """Check the fields against each other.

        Raises:
            ValueError: A field is out of range; the message names it.
        """
        if len(self.thresholds) != len(self.action_units):
            raise ValueError(f"thresholds must number {len(self.action_units)}, one per AU, got {len(self.thresholds)}")
        if not all(0.0 < threshold < 1.0 for threshold in self.thresholds):
            raise ValueError(f"thresholds must lie strictly between 0 and 1, got {self.thresholds}")
        if not self.licence.strip():
            raise ValueError("licence must name the licence of the weights, got an empty text")


def save_checkpoint(
    path: Path, model: FaceNetwork, info: CheckpointInfo, storage: Literal["float32", "float16"] = "float32"
) -> None:
    """Write a model to one file; a crash leaves the old file or the new one, never half of one.

    Args:
        path: The file to write, by convention ending in `.safetensors`; missing folders are made.
        model: The network; nothing an objective adds to it is stored.
        info: What goes with the weights.
        storage: `float16` halves matrices and convolution kernels; vectors, which hold statistics, stay float32.

    Raises:
        CheckpointError: The weights don't belong to `info`, aren't finite, or the file can't be written.
    """
    _check_tensors(path, model.state_dict(), _blank_model(path, info), len(info.action_units))
    tensors = {name: _stored(tensor, storage) for name, tensor in model.state_dict().items()}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{path} was not written: {name} holds a value that is not finite in {tensor.dtype}")
    try:
        metadata = {_METADATA_KEY: json.dumps(_info_to_dict(info), allow_nan=False)}
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path} was not written: its provenance is not plain JSON ({error})") from error
    _write(path, safetensors.torch.save(tensors, metadata))


def load_checkpoint(path: Path) -> tuple[FaceNetwork, CheckpointInfo]:
    """Read a model, on the processor and in evaluation mode, all weights in float32.

    Args:
        path: A file that `save_checkpoint` wrote.

    Returns:
        The network and what goes with it.

    Raises:
        CheckpointError: The file is missing, damaged, of another kind or version, or doesn't match its own description.
    """
    info = read_checkpoint_info(path)
    try:
        stored = safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged: its weights can't be read ({error})") from error
    model = _blank_model(path, info)
    _check_tensors(path, stored, model, len(info.action_units))
    tensors = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in stored.items()}
    model.to_empty(device="cpu").load_state_dict(tensors, strict=True)  # copying keeps the model's memory layout
    return model.eval(), info


def read_checkpoint_info(path: Path) -> CheckpointInfo:
    """Read what goes with the weights, without the weights.

    Args:
        path: A file that `save_checkpoint` wrote.

    Returns:
        The description in the file's metadata.

    Raises:
        CheckpointError: The file is missing, damaged, of another kind or version, or its description is wrong.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file; expected a facskit weight file (.safetensors)")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged or not a safetensors file ({error})") from error
    if _METADATA_KEY not in metadata:
        raise CheckpointError(f"{path} was not written by facskit: its metadata has no {_METADATA_KEY!r} entry")
    try:
        values = json.loads(metadata[_METADATA_KEY])
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: its {_METADATA_KEY!r} metadata is not JSON ({error})") from error
    return _info_from_dict(path, values)


def _blank_model(path: Path, info: CheckpointInfo) -> FaceNetwork:
    try:
        with torch.device("meta"):
            return build_model(info.model, len(info.action_units))
    except (RuntimeError, ValueError, MemoryError) as error:
        raise CheckpointError(f"{path} describes a model that can't be built: {error}") from error


def _check_tensors(path: Path, stored: Mapping[str, Tensor], model: nn.Module, num_outputs: int) -> None:
    expected = model.state_dict()
    if missing := sorted(expected.keys() - stored.keys()):
        raise CheckpointError(f"{path} lacks the weights {_some(missing)}, which its model needs")
    if unknown := sorted(stored.keys() - expected.keys()):
        raise CheckpointError(f"{path} holds the weights {_some(unknown)}, which its model doesn't have")
    rows = stored["head.weight"].shape[0] if stored["head.weight"].ndim else 0
    if rows != num_outputs:
        raise CheckpointError(f"{path} has a head with {rows} outputs, but names {num_outputs} action units")
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


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _stored(tensor: Tensor, storage: Literal["float32", "float16"]) -> Tensor:
    halved = storage == "float16" and tensor.is_floating_point() and tensor.ndim > 1
    # The file's layout is row-major whatever layout the network computes in.
    return tensor.detach().to("cpu", torch.float16 if halved else tensor.dtype).contiguous()


def _info_to_dict(info: CheckpointInfo) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "model": config_to_dict(info.model),
        "action_units": list(info.action_units.codes),
        "crop": recipe_to_dict(info.crop),
        "normalization": info.normalization,
        "thresholds": list(info.thresholds),
        "licence": info.licence,
        "provenance": dict(info.provenance),
    }


def _info_from_dict(path: Path, values: object) -> CheckpointInfo:
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is damaged: its description must be a JSON object, got {type(values).__name__}")
    version = values.get("format_version")
    if version != FORMAT_VERSION:
        raise CheckpointError(f"{path} has the format version {version!r}, but this facskit reads {FORMAT_VERSION}")
    if different := sorted(_FIELDS.keys() ^ values.keys()):
        raise CheckpointError(f"{path} has missing or unknown entries in its description: {', '.join(different)}")
    for name, expected in _FIELDS.items():
        if type(values[name]) is not expected:
            raise CheckpointError(f"{path} has a wrong description: {name} must be a JSON {expected.__name__}")
    if values["normalization"] not in get_args(Normalization):
        kinds = " or ".join(get_args(Normalization))
        raise CheckpointError(f"{path} has the normalization {values['normalization']!r}; expected {kinds}")
    try:
        return CheckpointInfo(
            model=config_from_dict(values["model"]),
            action_units=ActionUnitSet.parse(values["action_units"]),
            crop=recipe_from_dict(values["crop"]),
            normalization=values["normalization"],
            thresholds=tuple(float(threshold) for threshold in values["thresholds"]),
            licence=values["licence"],
            provenance=dict(values["provenance"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} has a wrong description: {error}") from error


def _write(path: Path, content: bytes) -> None:
    try:
        with atomic_path(path) as part:
            part.write_bytes(content)
    except OSError as error:
        raise CheckpointError(f"{path} can't be written ({error})") from error
