"""Labelled face crops on their way to a model: label states, one sample, and a batch.

A label has three states, never a magic 9 or 999: an AU that nobody could code must change neither loss nor score.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import torch
from jaxtyping import Float, Float32, Int8, Int64
from torch import Tensor

from facskit.action_units import ActionUnitSet

__all__ = ["Batch", "LabelState", "Sample", "unknown_landmarks"]

_TENSORS = ("images", "labels", "subjects", "indices", "expressions", "landmarks", "levels", "angles")
"""The parts of a batch that have one entry per sample."""


class LabelState(IntEnum):
    """What is known about one action unit in one image; the values are those stored in int8 label arrays."""

    UNKNOWN = -1
    ABSENT = 0
    PRESENT = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One normalised face crop with its labels, to look at; `FaceDataset.sample` makes it."""

    image: Float[Tensor, "3 height width"]
    """Normalised crop."""
    labels: Int8[Tensor, "aus"]
    """`LabelState` values, one per action unit."""
    subject: int
    """Index into the training subjects' names; -1 for a person who isn't among them."""
    index: int
    """Row of the manifest the sample comes from."""
    action_units: ActionUnitSet
    """What the columns of `labels` mean."""
    expression: int = -1
    """Position in the expression set that the sample was loaded for; -1 is unknown."""
    landmarks: Float32[Tensor, "68 2"] = field(default_factory=lambda: unknown_landmarks(1)[0])
    """The iBUG points (x, y) in pixels of the crop as it is; NaN where unknown, and so are all if left out."""

    def __post_init__(self) -> None:
        """Refuse labels that don't belong to `action_units`, and subjects and expressions below -1."""
        _check_labels(self.labels, self.action_units)
        if self.expression < -1:
            raise ValueError(f"expression must be an index or -1 for unknown, got {self.expression}")
        if self.subject < -1:
            raise ValueError(f"subject must be an index or -1 for an unknown person, got {self.subject}")


def unknown_landmarks(count: int, device: torch.device | None = None) -> Float32[Tensor, "batch 68 2"]:
    """Return landmarks of faces whose landmarks nobody knows: NaN."""
    return torch.full((count, 68, 2), torch.nan, dtype=torch.float32, device=device)


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Normalised face crops with their labels, ready for an objective; the action units may be none."""

    images: Float[Tensor, "batch 3 height width"]
    """Normalised crops."""
    labels: Int8[Tensor, "batch aus"]
    """`LabelState` values."""
    subjects: Int64[Tensor, "batch"]
    """Indices into the training subjects' names; -1 for a person who isn't among them."""
    indices: Int64[Tensor, "batch"]
    """Rows of the manifest the samples come from."""
    action_units: ActionUnitSet
    """What the columns of `labels` mean."""
    expressions: Int64[Tensor, "batch"] = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    """Positions in the expression set that the samples were loaded for; -1 is unknown, and so are all if left out."""
    landmarks: Float32[Tensor, "batch 68 2"] = field(default_factory=lambda: unknown_landmarks(0))
    """The iBUG points (x, y) in pixels of the crops as they are, random changes included; in a mirrored crop left and
    right are exchanged, so that point 36 is always in the eye on the image's left. NaN where unknown, and so are all if
    left out."""
    levels: Int8[Tensor, "batch aus"] = field(default_factory=lambda: torch.empty(0, 0, dtype=torch.int8))
    """FACS level of each action unit: 0 for absent, 1 to 5 for A to E, -1 for unknown, as all are if left out."""
    angles: Float32[Tensor, "batch 5"] = field(default_factory=lambda: torch.empty(0, 5))
    """Pose of the head and gaze in degrees, as `facskit.faces.angles` names them, as they are in the crops;
    NaN where unknown, and so are all if left out."""
    views: Mapping[str, Float[Tensor, "batch 3 _ _"]] = field(default_factory=dict)
    """The same faces prepared in other ways, by name, where the objective asked for them: see `Preparation.views`."""
    unlabelled: "Batch | None" = None
    """Faces without labels, which an objective learns from beside these."""

    def __post_init__(self) -> None:
        """Refuse parts of different lengths, labels that don't belong to `action_units`, and impossible expressions."""
        if not len(self.expressions):
            object.__setattr__(self, "expressions", torch.full_like(self.subjects, -1))
        if not len(self.landmarks):
            object.__setattr__(self, "landmarks", unknown_landmarks(len(self.labels), self.images.device))
        if not len(self.levels):
            object.__setattr__(self, "levels", torch.full_like(self.labels, -1))
        if not len(self.angles):
            unknown = torch.full((len(self.labels), 5), torch.nan, device=self.images.device)
            object.__setattr__(self, "angles", unknown)
        lengths = {name: len(getattr(self, name)) for name in _TENSORS}
        lengths |= {f"the view {name}": len(images) for name, images in self.views.items()}
        if len(set(lengths.values())) != 1:
            found = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise ValueError(f"a batch needs one entry per sample in every part, got {found}")
        if self.images.ndim != 4 or self.images.shape[1] != 3:
            raise ValueError(f"images must have the shape (batch, 3, height, width), got {tuple(self.images.shape)}")
        if self.landmarks.shape[1:] != (68, 2):
            raise ValueError(f"landmarks must have the shape (batch, 68, 2), got {tuple(self.landmarks.shape)}")
        _check_labels(self.labels, self.action_units)
        if self.expressions.device.type == "cpu" and bool((self.expressions < -1).any()):
            raise ValueError(f"an expression must be an index or -1 for unknown, got {int(self.expressions.min())}")

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "Batch":
        """Return the batch on another device; copies from pinned memory don't wait."""
        moved: dict[str, Any] = {name: getattr(self, name).to(device, non_blocking=True) for name in _TENSORS}
        views = {name: images.to(device, non_blocking=True) for name, images in self.views.items()}
        unlabelled = None if self.unlabelled is None else self.unlabelled.to(device)
        return replace(self, **moved, views=views, unlabelled=unlabelled)


def _check_labels(labels: Tensor, action_units: ActionUnitSet) -> None:
    if labels.dtype != torch.int8:
        raise ValueError(f"labels must be int8 with the values of LabelState, got {labels.dtype}")
    if labels.shape[-1] != len(action_units):
        raise ValueError(
            f"labels have {labels.shape[-1]} columns, but there are {len(action_units)} action units: {action_units}"
        )
    # Reading values back from an accelerator would stall it; they were checked before they went there.
    if labels.device.type == "cpu" and labels.numel() and not bool(((labels >= -1) & (labels <= 1)).all()):
        found = labels[(labels < -1) | (labels > 1)][0].item()
        raise ValueError(f"a label must be -1 (unknown), 0 (absent) or 1 (present), got {found}")
