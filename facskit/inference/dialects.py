"""Tables as other tools write them: the columns, order, frame base and decimals of OpenFace, py-feat and LibreFace.

What the weights don't know - intensities, landmarks - and what has another meaning there is left empty, never filled
with something else: a probability isn't an intensity. `docs/recognition.md` says what each table has, and
`docs/decisions/0021-angles-of-other-tools.md` whose angles mean what.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars

from facskit.columns import POSE
from facskit.inference.recognition import Recognition, RecognizedFrame

__all__ = ["DIALECTS", "Dialect", "DialectName", "Row"]

DialectName = Literal["facskit", "openface", "pyfeat", "libreface"]
Row = dict[str, str | int | float | None]

_OPENFACE_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
_OPENFACE_DECIDED = (*_OPENFACE_UNITS[:-1], 28, 45)
_PYFEAT_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)
_LIBREFACE_UNITS = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
_LIBREFACE_GRADED = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
_CLOSED_EYES = {45: 43}
"""OpenFace's blink on a single frame is what facskit calls closed eyes."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a tool writes a row."""

    schema: Mapping[str, Any]
    """Type of each column, in the tool's order."""
    decimals: Mapping[str, int]
    """Decimals in text files, where the tool has a fixed number."""
    row: Callable[[RecognizedFrame, Recognition | None], Row]
    """From a frame and a face in it, or none, to a row; columns it leaves out are empty."""
    names_inputs: bool
    """Whether a row says which file it is about; without that a table is about one file."""
    one_face: bool = False
    """Whether a frame has one row, of its largest face."""
    intensities: tuple[str, ...] = ()
    """The columns of intensities."""
    knows_intensities: bool = True
    """Whether the weights know intensities; otherwise those columns are empty, also where the tool would write 0."""

    def rows(self, frame: RecognizedFrame) -> list[Row]:
        """Return the rows of one photograph or video frame; a frame without a face has one."""
        # The largest face comes first.
        faces = frame.faces[:1] if self.one_face else frame.faces
        empty: Row = dict.fromkeys(self.schema)
        unknown = {} if self.knows_intensities else dict.fromkeys(self.intensities)
        return [empty | self.row(frame, face) | unknown for face in faces or (None,)]


def _probability(face: Recognition, number: int) -> float | None:
    code = f"AU{_CLOSED_EYES.get(number, number):02d}"
    return float(face.probability(code)) if code in face.action_units.codes else None


def _decision(face: Recognition, number: int) -> float | None:
    code = f"AU{_CLOSED_EYES.get(number, number):02d}"
    if code not in face.action_units.codes:
        return None
    return float(face.decisions[face.action_units.index(code)])


def _intensity(face: Recognition, number: int) -> float | None:
    code = f"AU{_CLOSED_EYES.get(number, number):02d}"
    if face.intensities is None or code not in face.action_units.codes:
        return None
    return float(face.intensities[face.action_units.index(code)])


def _pose(face: Recognition) -> tuple[float, float, float] | None:
    """Return OpenFace's pitch (down), yaw (to the subject's right) and roll (the top to the picture's right), radians.

    They are the weights' where these know them, as in facskit's own table.
    """
    if face.geometry is not None:
        pitch, yaw, roll = (math.radians(angle) for angle in face.geometry.pose.tolist())
        return pitch, yaw, roll
    return None if face.quality is None else face.quality.pose


def _openface_row(frame: RecognizedFrame, face: Recognition | None) -> Row:
    row: Row = {"frame": frame.frame + 1, "face_id": 0, "timestamp": frame.timestamp}
    decided = {f"AU{number:02d}_c": number for number in _OPENFACE_DECIDED}
    graded = {f"AU{number:02d}_r": number for number in _OPENFACE_UNITS}
    if face is None:
        # As OpenFace has it: a failure is 0 in all cells, and `success` says so.
        return row | {"confidence": 0.0, "success": 0} | dict.fromkeys([*_OPENFACE_POSE, *graded, *decided], 0.0)
    row |= {"face_id": face.face_id, "confidence": face.confidence, "success": 1}
    if (pose := _pose(face)) is not None:
        row |= dict(zip(POSE, pose, strict=True))
    row |= {name: _intensity(face, number) for name, number in graded.items()}
    return row | {name: _decision(face, number) for name, number in decided.items()}


def _pyfeat_row(frame: RecognizedFrame, face: Recognition | None) -> Row:
    minutes, seconds = divmod(int(frame.timestamp), 60)
    row: Row = {"input": frame.source, "frame": frame.frame, "approx_time": f"{minutes:02d}:{seconds:02d}"}
    height, width = frame.image.shape[:2]
    row |= {"FrameHeight": float(height), "FrameWidth": float(width)}
    if face is None:
        return row
    left, top, right, bottom = (float(edge) for edge in face.box)
    row |= {"FaceRectX": left, "FaceRectY": top, "FaceRectWidth": right - left, "FaceRectHeight": bottom - top}
    row |= {"FaceScore": face.confidence, "Identity": f"Person_{face.face_id}"}
    if (pose := _pose(face)) is not None:
        # py-feat's pitch looks up, and its head leans to the subject's right, which is the picture's left.
        row |= {"Pitch": -pose[0], "Roll": -pose[2], "Yaw": pose[1]}
    if face.geometry is not None:
        row |= dict(zip(_POINTS, face.geometry.points.T.flatten().tolist(), strict=True))
        up, left_turn = (math.radians(angle) for angle in face.geometry.gaze.tolist())
        angle = math.acos(math.cos(up) * math.cos(left_turn))
        row |= {"gaze_pitch": up, "gaze_yaw": left_turn, "gaze_angle": angle}
    return row | {f"AU{number:02d}": _probability(face, number) for number in _PYFEAT_UNITS}


def _libreface_row(frame: RecognizedFrame, face: Recognition | None) -> Row:
    # LibreFace 0.2 writes seconds there, whatever the column is called.
    row: Row = {"frame_idx": frame.frame, "frame_time_in_ms": frame.timestamp}
    if face is None:
        return row
    decisions = {number: _decision(face, number) for number in _LIBREFACE_UNITS}
    row |= {f"au_{number}": None if value is None else int(value) for number, value in decisions.items()}
    row |= {f"au_{number}_intensity": _intensity(face, number) for number in _LIBREFACE_GRADED}
    return row | {"facial_expression": face.expression if face.expressions is not None else None}


def _numbers(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, polars.Float64)


_OPENFACE_R = [f"AU{number:02d}_r" for number in _OPENFACE_UNITS]
_OPENFACE_C = [f"AU{number:02d}_c" for number in _OPENFACE_DECIDED]
_LIBREFACE_R = [f"au_{number}_intensity" for number in _LIBREFACE_GRADED]
_OPENFACE_POSE = ["pose_Tx", "pose_Ty", "pose_Tz", *POSE]
_POINTS = [f"{axis}_{point}" for axis in "xy" for point in range(68)]

DIALECTS: Mapping[str, Dialect] = {
    "openface": Dialect(
        schema={"frame": polars.Int64, "face_id": polars.Int64}
        | _numbers("timestamp", "confidence")
        | {"success": polars.Int64}
        | _numbers(*_OPENFACE_POSE, *_OPENFACE_R, *_OPENFACE_C),
        decimals={"timestamp": 3, "confidence": 2}
        | dict.fromkeys(_OPENFACE_POSE[:3], 1)
        | dict.fromkeys(POSE, 3)
        | dict.fromkeys(_OPENFACE_R, 2)
        | dict.fromkeys(_OPENFACE_C, 1),
        row=_openface_row,
        intensities=tuple(_OPENFACE_R),
        names_inputs=False,
    ),
    "pyfeat": Dialect(
        schema=_numbers("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore", *_POINTS)
        | _numbers("Pitch", "Roll", "Yaw", "X", "Y", "Z", *(f"AU{number:02d}" for number in _PYFEAT_UNITS))
        | _numbers("gaze_pitch", "gaze_yaw", "gaze_angle", "FrameHeight", "FrameWidth")
        | {"input": polars.String, "frame": polars.Int64, "approx_time": polars.String, "Identity": polars.String},
        decimals={},
        row=_pyfeat_row,
        names_inputs=True,
    ),
    "libreface": Dialect(
        schema={"frame_idx": polars.Int64}
        | _numbers("frame_time_in_ms", "pitch", "yaw", "roll")
        | {f"au_{number}": polars.Int64 for number in _LIBREFACE_UNITS}
        | _numbers(*_LIBREFACE_R)
        | {"facial_expression": polars.String}
        | _numbers("gaze_yaw", "gaze_pitch"),
        decimals={},
        row=_libreface_row,
        intensities=tuple(_LIBREFACE_R),
        names_inputs=False,
        one_face=True,
    ),
}
"""The tools' dialects, by name: what OpenFace 2.2's `FeatureExtraction -pose -aus` writes, py-feat 2.1 without its
emotions, meshes, blendshapes and identity vectors, LibreFace 0.2 without its mesh."""
