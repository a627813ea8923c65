"""What is known of a recogniser's answers, whatever runs it: outputs, crop, thresholds, licence, provenance.

Nothing here imports PyTorch, so that an exported network is opened without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from facskit.action_units import NO_ACTION_UNITS, ActionUnitSet
from facskit.configurations import BY_KIND, plain_values, read_configuration
from facskit.errors import CheckpointError
from facskit.expressions import ExpressionSet
from facskit.faces.alignment import CropRecipe
from facskit.faces.normalization import Normalization
from facskit.models.answers import PRESENCE_ALONE, Answers
from facskit.models.calibration import Calibration

__all__ = [
    "FORMAT_VERSION",
    "RecognitionHeader",
    "RecognitionInfo",
    "check_licence",
    "recognition_from_dict",
    "with_later_keys",
]

FORMAT_VERSION = 4
"""Version of the description's layout; a reader takes this one and those before, and refuses every other."""


@dataclass(frozen=True, kw_only=True)
class RecognitionInfo:
    """Everything that is needed to show faces to a recogniser and to read its answers."""

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
        check_licence(self.licence)

    @property
    def num_outputs(self) -> int:
        """Outputs of the network's head: the action units, then the expressions."""
        return len(self.action_units) + (0 if self.expressions is None else len(self.expressions))


@dataclass(frozen=True, kw_only=True)
class RecognitionHeader:
    """The same as a file has it."""

    action_units: tuple[str, ...]
    expressions: tuple[str, ...]
    crop: Annotated[CropRecipe, BY_KIND]
    normalization: Normalization
    thresholds: tuple[float, ...]
    calibration: Calibration | None
    answers: Answers
    licence: str
    provenance: dict[str, Any]

    def fields(self) -> dict[str, Any]:
        """Return the fields of the `RecognitionInfo`.

        Raises:
            ValueError: There is no such action unit or expression.
        """
        return {
            "action_units": ActionUnitSet.parse(self.action_units) if self.action_units else NO_ACTION_UNITS,
            "expressions": ExpressionSet.parse(self.expressions) if self.expressions else None,
            "crop": self.crop,
            "normalization": self.normalization,
            "thresholds": self.thresholds,
            "calibration": self.calibration,
            "answers": self.answers,
            "licence": self.licence,
            "provenance": self.provenance,
        }


def recognition_from_dict(path: Path, values: object) -> RecognitionInfo:
    """Read what a file's description says of a recogniser's answers, and not what network it is.

    Args:
        values: What `weight_header.header_to_dict` returned.

    Raises:
        CheckpointError: The description is of another version or kind, or wrong.
    """
    values = with_later_keys(path, values)
    if values.get("kind") != "recognizer":
        raise CheckpointError(f"{path} describes {values.get('kind')!r}; expected a recognizer")
    mine = {key: value for key, value in values.items() if key not in {"kind", "format_version", "model"}}
    try:
        return RecognitionInfo(**read_configuration(RecognitionHeader, mine).fields())
    except ValueError as error:
        raise CheckpointError(f"{path} has a wrong description: {error}") from error


def with_later_keys(path: Path, values: object) -> Mapping[str, Any]:
    """Return a description with the keys that came after its version.

    Raises:
        CheckpointError: It's of a version that isn't known, or has keys that its version hasn't.
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
    return later | values


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


def check_licence(licence: str) -> None:
    """Refuse an empty licence by a ValueError."""
    if not licence.strip():
        raise ValueError("licence must name the licence of the weights, got an empty text")
