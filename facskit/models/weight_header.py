"""The description in a weight file: model, outputs, crop, licence and provenance, as one JSON text.

Two kinds of file share it: a recogniser, whose head gives action units and expressions, and a masked autoencoder, which
has no head and is where a training starts. Files of version 1 know recognisers of action units alone, those of
version 2 none that answer more than presence, those of version 3 none that are calibrated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from facskit.action_units import NO_ACTION_UNITS, ActionUnitSet
from facskit.configurations import BY_KIND, keys_left_out, plain_values, read_configuration
from facskit.errors import CheckpointError
from facskit.expressions import ExpressionSet
from facskit.faces.alignment import CropRecipe
from facskit.faces.normalization import Normalization
from facskit.models.answers import PRESENCE_ALONE, Answers
from facskit.models.build import ModelConfig
from facskit.models.calibration import Calibration
from facskit.models.masked_autoencoder import AutoencoderConfig

__all__ = ["FORMAT_VERSION", "CheckpointInfo", "EncoderInfo", "header_from_dict", "header_to_dict", "some_names"]

FORMAT_VERSION = 4
"""Version of the file's layout; a reader takes this one and those before, and refuses every other."""


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """Everything but the weights that a recogniser needs, and what a reader should know about them."""

    model: ModelConfig
    """Shape of the network."""
    action_units: ActionUnitSet
    """What the first outputs mean, in order; each goes through a sigmoid. May be `NO_ACTION_UNITS`."""
    expressions: ExpressionSet | None = None
    """What the outputs after the action units mean, in order; they go through one softmax."""
    crop: CropRecipe
    """How a face is cut out before the network sees it."""
    normalization: Normalization
    """How a crop's pixels become numbers."""
    thresholds: tuple[float, ...]
    """Probability from which an AU counts as present, one per AU, each in (0, 1); a calibrated one, if there are."""
    calibration: Calibration | None = None
    """What turns the network's logits of presence into those of its probabilities; None if it was never calibrated."""
    answers: Answers = PRESENCE_ALONE
    """What the network answers beside them."""
    licence: str
    """SPDX expression or name of the weights' licence."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where the weights come from, as JSON-ready values: data, recipe, commit, scores."""

    def __post_init__(self) -> None:
        """Refuse fields that don't fit each other, or are out of range."""
        if not self.num_outputs:
            raise ValueError("a recogniser needs action_units or expressions, got neither")
        if len(self.thresholds) != len(self.action_units):
            raise ValueError(f"thresholds must number {len(self.action_units)}, one per AU, got {len(self.thresholds)}")
        if not all(0.0 < threshold < 1.0 for threshold in self.thresholds):
            raise ValueError(f"thresholds must lie strictly between 0 and 1, got {self.thresholds}")
        if self.calibration is not None and len(self.calibration) != len(self.action_units):
            raise ValueError(f"calibration must have {len(self.action_units)} AUs, got {len(self.calibration)}")
        if self.answers.intensities and self.expressions is not None:
            raise ValueError("intensities are answered for action units alone, but there are expressions too")
        _check_licence(self.licence)

    @property
    def num_outputs(self) -> int:
        """Outputs of the network's head: the action units, then the expressions."""
        return len(self.action_units) + (0 if self.expressions is None else len(self.expressions))


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
        _check_licence(self.licence)


@dataclass(frozen=True, kw_only=True)
class _Header:
    """What both kinds of descriptions have, as the file has it."""

    format_version: int
    normalization: Normalization
    licence: str
    provenance: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _RecognizerHeader(_Header):
    kind: Literal["recognizer"]
    model: Annotated[ModelConfig, BY_KIND]
    action_units: tuple[str, ...]
    expressions: tuple[str, ...]
    crop: Annotated[CropRecipe, BY_KIND]
    thresholds: tuple[float, ...]
    calibration: Calibration | None
    answers: Answers


@dataclass(frozen=True, kw_only=True)
class _AutoencoderHeader(_Header):
    kind: Literal["autoencoder"]
    model: AutoencoderConfig


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
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is damaged: its description must be a JSON object, got {type(values).__name__}")
    version = values.get("format_version")
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        known = f"1 to {FORMAT_VERSION}"
        raise CheckpointError(f"{path} has the format version {version!r}, but this facskit reads {known}")
    later = _later_keys(version, values)
    if early := sorted(later.keys() & values.keys()):
        raise CheckpointError(f"{path} has a wrong description: unknown key {early[0]!r} in format version {version}")
    values = later | values
    try:
        header: _RecognizerHeader | _AutoencoderHeader = read_configuration(
            _RecognizerHeader | _AutoencoderHeader, values
        )
        # The shapes of the weights don't tell everything about a network, so that a default would be a guess.
        if left_out := keys_left_out(values["model"], header.model):
            raise ValueError(f"model.{left_out[0]}: the key is missing")
        shared = {name: getattr(header, name) for name in ("model", "normalization", "licence", "provenance")}
        if isinstance(header, _AutoencoderHeader):
            return EncoderInfo(**shared)
        return CheckpointInfo(
            **shared,
            action_units=ActionUnitSet.parse(header.action_units) if header.action_units else NO_ACTION_UNITS,
            expressions=ExpressionSet.parse(header.expressions) if header.expressions else None,
            crop=header.crop,
            thresholds=header.thresholds,
            calibration=header.calibration,
            answers=header.answers,
        )
    except ValueError as error:
        raise CheckpointError(f"{path} has a wrong description: {error}") from error


def _later_keys(version: int, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an older version of the description means without saying it."""
    later: dict[str, Any] = {}
    if version == 1:  # recognisers of action units, before there was anything else
        later = {"kind": "recognizer", "expressions": []}
    if version == 1 or values.get("kind") == "recognizer":
        if version < 3:
            later["answers"] = plain_values(PRESENCE_ALONE)
        if version < 4:
            later["calibration"] = None
    return later


def _check_licence(licence: str) -> None:
    if not licence.strip():
        raise ValueError("licence must name the licence of the weights, got an empty text")


def some_names(names: list[str]) -> str:
    """Return the first three names of tensors and how many more there are, for messages about weights."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
