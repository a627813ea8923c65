"""What the page and programs are told about faces, as JSON; OpenAPI describes it from here."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, Field

from facskit.inference.recognition import Recognition, RecognizedFrame
from facskit.models.recognition_info import RecognitionInfo

__all__ = ["Face", "Looked", "Unit", "WhatIsKnown", "looked_at", "what_is_known"]


class Unit(BaseModel):
    """An action unit that the weights know."""

    code: str = Field(description="Such as AU12")
    name: str = Field(description="What moves, such as: Lip corner puller")
    threshold: float = Field(description="Probability from which it counts as present")


class WhatIsKnown(BaseModel):
    """What this server recognises, and what it takes."""

    version: str
    units: list[Unit]
    expressions: list[str]
    intensities: bool = Field(description="Whether faces have intensities, 0 to 5")
    attention: bool = Field(description="Whether pictures of where the network looks can be had")
    dialects: list[str]
    max_megabytes: float
    max_minutes: float


class Face(BaseModel):
    """One face of a picture."""

    id: int = Field(description="Stays with the face through a video")
    box: list[float] = Field(description="Left, top, right, bottom in pixels")
    confidence: float = Field(description="How sure the detector is that this is a face")
    probabilities: list[float] = Field(description="That each action unit is present; no intensities")
    present: list[bool] = Field(description="The decisions")
    intensities: list[float] | None = Field(default=None, description="0 (absent) to 5 (FACS level E)")
    expressions: list[float] | None = Field(default=None, description="Probability of each expression")
    landmarks: list[list[float]] | None = Field(default=None, description="The 68 iBUG points, x and y in pixels")


class Looked(BaseModel):
    """A photograph or a frame of a video, and its faces, largest first."""

    time: float = Field(description="Seconds from the video's start; 0 for a photograph")
    width: int
    height: int
    faces: list[Face]


def what_is_known(info: RecognitionInfo) -> tuple[list[Unit], list[str]]:
    """Return the action units and expressions of weights."""
    units = []
    for unit, threshold in zip(info.action_units, info.thresholds, strict=True):
        units.append(Unit(code=unit.code, name=unit.name, threshold=round(threshold, 4)))
    return units, list(info.expressions or ())


def looked_at(frame: RecognizedFrame) -> Looked:
    """Say what is known of a picture."""
    height, width = frame.image.shape[:2]
    faces = [_face(face) for face in frame.faces]
    return Looked(time=round(frame.timestamp, 4), width=width, height=height, faces=faces)


def _face(face: Recognition) -> Face:
    shown = None if face.expression_probabilities is None else _rounded(face.expression_probabilities, 3)
    graded = None if face.intensities is None else _rounded(face.intensities, 2)
    points = None if face.geometry is None else np.round(face.geometry.points, 1).tolist()
    return Face(
        id=face.face_id,
        box=_rounded(face.box, 1),
        confidence=round(face.confidence, 3),
        probabilities=_rounded(face.probabilities, 3),
        present=face.decisions.tolist(),
        intensities=graded,
        expressions=shown,
        landmarks=points,
    )


def _rounded(values: np.ndarray | Sequence[float], decimals: int) -> list[float]:
    return [round(float(value), decimals) for value in values]
