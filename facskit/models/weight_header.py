"""What a weight file says about itself: model, outputs, crop, licence and provenance, as one JSON text.

Two kinds of file share it: a recogniser, whose head gives action units and expressions, and a masked autoencoder, which
has no head and is where a training starts. Files of version 1 know recognisers of action units alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from facskit.action_units import NO_ACTION_UNITS, ActionUnitSet
from facskit.errors import CheckpointError
from facskit.expressions import ExpressionSet
from facskit.faces.alignment import CropRecipe, recipe_from_dict, recipe_to_dict
from facskit.faces.normalization import Normalization
from facskit.models.build import ModelConfig, config_from_dict, config_to_dict
from facskit.models.masked_autoencoder import AutoencoderConfig

__all__ = ["FORMAT_VERSION", "CheckpointInfo", "EncoderInfo", "header_from_dict", "header_to_dict", "some_names"]

FORMAT_VERSION = 2
"""Version of the file's layout; a reader takes this one and 1, and refuses every other."""

_SHARED: dict[str, type] = {
    "format_version": int,
    "model": dict,
    "normalization": str,
    "licence": str,
    "provenance": dict,
}
_RECOGNIZER = _SHARED | {"action_units": list, "crop": dict, "thresholds": list}
_FIELDS: dict[tuple[int, str], dict[str, type]] = {
    (1, "recognizer"): _RECOGNIZER,
    (2, "recognizer"): _RECOGNIZER | {"kind": str, "expressions": list},
    (2, "autoencoder"): _SHARED | {"kind": str},
}


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
        if not self.num_outputs:
            raise ValueError("a recogniser needs action_units or expressions, got neither")
        if len(self.thresholds) != len(self.action_units):
            raise ValueError(f"thresholds must number {len(self.action_units)}, one per AU, got {len(self.thresholds)}")
        if not all(0.0 < threshold < 1.0 for threshold in self.thresholds):
            raise ValueError(f"thresholds must lie strictly between 0 and 1, got {self.thresholds}")
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
        """Check the fields.

        Raises:
            ValueError: The licence is empty.
        """
        _check_licence(self.licence)


def header_to_dict(info: CheckpointInfo | EncoderInfo) -> dict[str, Any]:
    """Return the description as JSON-ready values, of the newest version."""
    shared = {
        "format_version": FORMAT_VERSION,
        "model": config_to_dict(info.model),
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
        "crop": recipe_to_dict(info.crop),
        "thresholds": list(info.thresholds),
    }


def header_from_dict(path: Path, values: object) -> CheckpointInfo | EncoderInfo:
    """Read back what `header_to_dict` returned; nothing may be missing, unknown or of another type.

    Raises:
        CheckpointError: The description is of another version or kind, or wrong.
    """
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is damaged: its description must be a JSON object, got {type(values).__name__}")
    kind = _check_entries(path, values)
    if values["normalization"] not in get_args(Normalization):
        kinds = ", ".join(get_args(Normalization))
        raise CheckpointError(f"{path} has the normalization {values['normalization']!r}; expected one of {kinds}")
    try:
        return _encoder(values) if kind == "autoencoder" else _recognizer(values)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} has a wrong description: {error}") from error


def _check_entries(path: Path, values: Mapping[str, Any]) -> str:
    version, kind = values.get("format_version"), values.get("kind", "recognizer")
    if type(version) is not int or version not in {known for known, _ in _FIELDS}:
        known = " and ".join(str(number) for number in range(1, FORMAT_VERSION + 1))
        raise CheckpointError(f"{path} has the format version {version!r}, but this facskit reads {known}")
    if not isinstance(kind, str) or (version, kind) not in _FIELDS:
        raise CheckpointError(f"{path} has the kind {kind!r}; expected recognizer or autoencoder")
    fields = _FIELDS[version, kind]
    if different := sorted(fields.keys() ^ values.keys()):
        raise CheckpointError(f"{path} has missing or unknown entries in its description: {', '.join(different)}")
    for name, expected in fields.items():
        if type(values[name]) is not expected:
            raise CheckpointError(f"{path} has a wrong description: {name} must be a JSON {expected.__name__}")
    return kind


def _recognizer(values: Mapping[str, Any]) -> CheckpointInfo:
    model = config_from_dict(values["model"])
    if isinstance(model, AutoencoderConfig):
        raise ValueError("a recogniser's model must be a vit, compact or attention network, got an autoencoder")
    units, expressions = values["action_units"], values.get("expressions", [])
    return CheckpointInfo(
        model=model,
        action_units=ActionUnitSet.parse(units) if units else NO_ACTION_UNITS,
        expressions=ExpressionSet.parse(expressions) if expressions else None,
        crop=recipe_from_dict(values["crop"]),
        normalization=values["normalization"],
        thresholds=tuple(float(threshold) for threshold in values["thresholds"]),
        licence=values["licence"],
        provenance=dict(values["provenance"]),
    )


def _encoder(values: Mapping[str, Any]) -> EncoderInfo:
    model = config_from_dict(values["model"])
    if not isinstance(model, AutoencoderConfig):
        raise ValueError(f"an autoencoder file's model must be of kind mae, got {model.kind!r}")
    return EncoderInfo(
        model=model,
        normalization=values["normalization"],
        licence=values["licence"],
        provenance=dict(values["provenance"]),
    )


def _check_licence(licence: str) -> None:
    if not licence.strip():
        raise ValueError("licence must name the licence of the weights, got an empty text")


def some_names(names: list[str]) -> str:
    """Return the first three names and how many more there are, for messages about weights.

    Args:
        names: Names of tensors, at least one.
    """
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
