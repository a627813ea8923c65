"""Starting a training from weights that somebody trained before: everything but the head, or nothing.

An attention network is the exception, whose branches and answers belong to action units: see `initial_branches`.

Takes a facskit recogniser, a masked autoencoder of `facskit pretrain` or `facskit weights import`, and a bare
safetensors file with the parameter names of the published masked autoencoders.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from facskit.action_units import NO_ACTION_UNITS, ActionUnitSet
from facskit.datasets.people import People, people_of_weights
from facskit.errors import CheckpointError
from facskit.experiments.initial_branches import load_branches
from facskit.models.attention_network import AttentionNetwork
from facskit.models.checkpoints import EncoderInfo, read_weight_info
from facskit.models.layers import FaceNetwork
from facskit.models.positions import resize_positions
from facskit.models.vision_transformer import ViTConfig
from facskit.models.weight_files import find_weights

__all__ = [
    "Body",
    "describe_body",
    "describe_start",
    "load_body",
    "provenance_of_people",
    "provenance_of_start",
    "provenance_of_teachers",
]

_ANSWERS = ("head.", "intensity_scale.", "geometry.")
"""A head never fits another set of action units, so it is never taken over and may be missing; so are other answers."""
_FRESH = "fc_norm."
"""The norm before the head, which a pre-trained autoencoder doesn't have."""
_AUTOENCODER = ("norm.", "decoder_")
"""Parameters that tell a pre-trained autoencoder from a network that already recognises."""
_LEFT_BEHIND = ("decoder_", "mask_token", "norm.", *_ANSWERS)
"""Parameters of a pre-trained autoencoder that recognition has no use for."""
_POSITIONS = "pos_embed"


@torch.no_grad()
def load_body(model: FaceNetwork, weights: str | Path, units: ActionUnitSet = NO_ACTION_UNITS) -> None:
    """Replace a network's weights, except its head, by a file's; a pre-trained autoencoder may lack the last norm.

    An attention network takes the region layers, and for every action unit that the file has a branch for (its own or a
    substitute's) that branch, its attention and its answer included. So a network for the same units starts as the
    file's network, answers and all: CIU starts like from like. Units without a source stay fresh.

    Args:
        weights: Name of installed or packaged weights, a `.safetensors` file, or a run's folder. Position embeddings of
            another image size are interpolated.
        units: What the network's first outputs mean; only attention networks need it, and without it take the region
            layers alone.

    Raises:
        CheckpointError: The file is missing or damaged, or a parameter is missing, unknown, or has another shape, or
            the position embeddings don't belong to a square grid, or an attention network differs from the file's.
    """
    path = _find(weights)
    if isinstance(model, AttentionNetwork):
        load_branches(model, path, units)
        return
    try:
        stored = safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path}: the weights can't be read: {error}.") from error
    own = model.state_dict()
    if _POSITIONS in own and _POSITIONS in stored:
        stored[_POSITIONS] = _fit_positions(path, stored[_POSITIONS], own[_POSITIONS])
    _check(path, own, stored)
    _check_heads(path, model)
    for name, value in own.items():
        if name in stored and not name.startswith(_ANSWERS):
            value.copy_(stored[name])


@dataclass(frozen=True, kw_only=True)
class Body:
    """What is known of the weights that a training starts from."""

    name: str
    """Name of the file, with that of its run's folder."""
    sha256: str
    """Digest of the whole file."""
    kind: Literal["recognizer", "autoencoder", "unknown"]
    """What the file holds; `unknown` for a bare file without a description."""
    licence: str = "unknown"
    """Licence of the weights."""
    action_units: ActionUnitSet = NO_ACTION_UNITS
    """What a recogniser's first outputs mean."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """What the file says of itself."""

    @property
    def people(self) -> tuple[People, ...]:
        """Whom it was trained on, as far as the file says: also before, where its own training started."""
        return people_of_weights(self.provenance)

    @property
    def training_subjects(self) -> list[str]:
        """Names of these people."""
        return sorted({name for people in self.people for name in people.subjects})


def describe_body(weights: str | Path, key: str = "initial_weights") -> Body:
    """Read what a weight file says of itself, and the file's digest; look once and hand it down.

    Args:
        weights: As for `load_body`.
        key: The recipe's key that names it, for messages.
    """
    path = _find(weights, key)
    # A run's weights are named by the run's folder, since all are called the same.
    name = f"{path.resolve().parent.name}/{path.name}" if path.stem in {"weights", "encoder"} else path.name
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not _described(path):
        return Body(name=name, sha256=digest, kind="unknown")
    info = read_weight_info(path)
    return Body(
        name=name,
        sha256=digest,
        kind="autoencoder" if isinstance(info, EncoderInfo) else "recognizer",
        licence=info.licence,
        action_units=NO_ACTION_UNITS if isinstance(info, EncoderInfo) else info.action_units,
        provenance=dict(info.provenance),
    )


def describe_start(weights: str | Path) -> Body | None:
    """Return what `describe_body` says, or None for a training that starts from nothing, whose `weights` are empty."""
    return describe_body(weights) if weights else None


def provenance_of_start(start: Body | None) -> dict[str, Any]:
    """Say which weights a training started from, and on whom those were trained: they are no strangers either.

    Returns:
        Entries for the provenance of what comes out: `initial_weights`, and if there are such weights
        `initial_training_subjects` and `initial_people`, which says whose names they are.
    """
    if start is None:
        return {"initial_weights": ""}
    return {
        "initial_weights": {key: getattr(start, key) for key in ("name", "sha256", "kind", "licence")},
        "initial_training_subjects": start.training_subjects,
        "initial_people": [asdict(people) for people in start.people],
    }


def provenance_of_teachers(teachers: Mapping[str, Body]) -> dict[str, Any]:
    """Say which networks taught another one, by name."""
    told = {
        name: {"recipe": body.provenance.get("recipe", ""), "sha256": body.sha256, "name": body.name}
        for name, body in teachers.items()
    }
    return {"teachers": told}


def provenance_of_people(groups: Iterable[People]) -> dict[str, Any]:
    """Say whom a network knows that isn't in its own training part: they are no strangers to it either.

    Args:
        groups: People of its initial weights, of its teachers, and of the unlabelled faces it learned from.

    Returns:
        `initial_training_subjects` and `initial_people`, in the place of those of `provenance_of_start`; nothing if
        there are no such people.
    """
    people: list[dict[str, Any]] = []
    for group in groups:
        told = {"corpus": group.corpus, "subjects": list(group.subjects)}
        if told not in people:  # several teachers mostly start from the same weights
            people.append(told)
    if not people:
        return {}
    names = sorted({name for group in people for name in group["subjects"]})
    return {"initial_people": people, "initial_training_subjects": names}


def _find(weights: str | Path, key: str = "initial_weights") -> Path:
    path = find_weights(weights)
    if not path.is_file():
        use = "start from" if key == "initial_weights" else "learn from"
        raise CheckpointError(f"{path}: there is no such weight file to {use}; see {key} in the recipe.")
    return path


def _described(path: Path) -> bool:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return "facskit" in (file.metadata() or {})
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path}: the weights can't be read: {error}.") from error


def _check_heads(path: Path, model: FaceNetwork) -> None:
    """Refuse another number of attention heads, which no shape shows."""
    own = getattr(model, "config", None)
    if not isinstance(own, ViTConfig) or not _described(path):
        return
    info = read_weight_info(path)
    stored = info.model.encoder if isinstance(info, EncoderInfo) else info.model
    if isinstance(stored, ViTConfig) and stored.heads != own.heads:
        raise CheckpointError(f"{path}: its network has {stored.heads} attention heads, the recipe's has {own.heads}.")


def _fit_positions(path: Path, stored: Tensor, own: Tensor) -> Tensor:
    if stored.ndim != own.ndim:
        return stored  # the check of shapes will say so
    try:
        return resize_positions(stored, math.isqrt(own.shape[1] - 1))
    except ValueError as error:
        raise CheckpointError(f"{path}: {_POSITIONS} doesn't fit the network: {error}.") from error


def _check(path: Path, own: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> None:
    encoder = any(name.startswith(_AUTOENCODER) for name in stored)
    may_miss = (*_ANSWERS, _FRESH) if encoder else _ANSWERS
    missing = [name for name in own if name not in stored and not name.startswith(may_miss)]
    if missing:
        raise CheckpointError(f"{path}: {missing[0]} is missing, and {len(missing) - 1} more; it is another network.")
    unknown = [name for name in stored if name not in own and not name.startswith(_LEFT_BEHIND)]
    if unknown:
        raise CheckpointError(f"{path}: the network has no {unknown[0]}, nor {len(unknown) - 1} more in the file.")
    for name, value in own.items():
        if name in stored and not name.startswith(_ANSWERS) and stored[name].shape != value.shape:
            raise CheckpointError(
                f"{path}: {name} has the shape {tuple(stored[name].shape)}, the network needs {tuple(value.shape)}."
            )
