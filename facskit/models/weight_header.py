"""The description in a weight file: model, outputs, crop, licence and provenance, as one JSON text.

Two kinds of file share it: a recogniser, whose head gives action units and expressions, and a masked autoencoder, which
has no head and is where a training starts. Files of version 1 know recognisers of action units alone, those of
version 2 none that answer more than presence, those of version 3 none that are calibrated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from facskit.configurations import BY_KIND, keys_left_out, plain_values, read_configuration
from facskit.errors import CheckpointError
from facskit.faces.normalization import Normalization
from facskit.models.build import ModelConfig
from facskit.models.masked_autoencoder import AutoencoderConfig
from facskit.models.recognition_info import (
    FORMAT_VERSION,
    RecognitionHeader,
    RecognitionInfo,
    check_licence,
    with_later_keys,
)

__all__ = ["FORMAT_VERSION", "CheckpointInfo", "EncoderInfo", "header_from_dict", "header_to_dict", "some_names"]


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo(RecognitionInfo):
    """Everything but the weights that a recogniser needs, and what a reader should know about them."""

    model: ModelConfig
    """Shape of the network."""


@dataclass(frozen=True, kw_only=True)
class EncoderInfo:
    """What goes with a pre-trained masked autoencoder, which recognises nothing by itself."""

    model: AutoencoderConfig
    """Shape of encoder and decoder."""
    normalization: Normalization
    """How an image's pixels become numbers."""
    licence: str
    """SPDX expression or name of the weights' licence."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where the weights come from, as JSON-ready values: data, recipe, commit, losses."""

    def __post_init__(self) -> None:
        """Refuse an empty licence."""
        check_licence(self.licence)


@dataclass(frozen=True, kw_only=True)
class _RecognizerHeader(RecognitionHeader):
    """A recogniser's description as the file has it."""

    format_version: int
    kind: Literal["recognizer"]
    model: Annotated[ModelConfig, BY_KIND]


@dataclass(frozen=True, kw_only=True)
class _AutoencoderHeader:
    """An autoencoder's description as the file has it."""

    format_version: int
    kind: Literal["autoencoder"]
    model: AutoencoderConfig
    normalization: Normalization
    licence: str
    provenance: dict[str, Any]


def header_to_dict(info: CheckpointInfo | EncoderInfo) -> dict[str, Any]:
    """Return the description as JSON-ready values, of the newest version."""
    shared = {
        "format_version": FORMAT_VERSION,
        "model": plain_values(info.model),
        "normalization": info.normalization,
        "licence": info.licence,
        "provenance": dict(info.provenance),
    }
    if isinstance(info, EncoderInfo):
        return {"kind": "autoencoder", **shared}
    return {
        "kind": "recognizer",
        **shared,
        "action_units": list(info.action_units.codes),
        "expressions": list(info.expressions or ()),
        "crop": plain_values(info.crop),
        "thresholds": list(info.thresholds),
        "calibration": None if info.calibration is None else plain_values(info.calibration),
        "answers": plain_values(info.answers),
    }


def header_from_dict(path: Path, values: object) -> CheckpointInfo | EncoderInfo:
    """Read back what `header_to_dict` returned; only a crop's keys may be missing, nothing may be unknown.

    Raises:
        CheckpointError: The description is of another version or kind, or wrong.
    """
    values = with_later_keys(path, values)
    try:
        header: _RecognizerHeader | _AutoencoderHeader = read_configuration(
            _RecognizerHeader | _AutoencoderHeader, values
        )
        # The shapes of the weights don't tell everything about a network, so that a default would be a guess.
        if left_out := keys_left_out(values["model"], header.model):
            raise ValueError(f"model.{left_out[0]}: the key is missing")
        if isinstance(header, _RecognizerHeader):
            return CheckpointInfo(model=header.model, **header.fields())
        return EncoderInfo(
            model=header.model,
            normalization=header.normalization,
            licence=header.licence,
            provenance=header.provenance,
        )
    except ValueError as error:
        raise CheckpointError(f"{path} has a wrong description: {error}") from error


def some_names(names: list[str]) -> str:
    """Return the first three names of tensors and how many more there are, for messages about weights."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
