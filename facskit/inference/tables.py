"""Recognitions as table rows: CSV, JSON Lines or Parquet, written row by row and visible only when complete.

One row per face and frame. `frame` counts from 0, `timestamp` is in seconds, `AU01` is a probability, `AU01_c` the 0 or
1 decision. `reliable` is 0 where something stands in the way, and `unreliable_because` says what. Weights that know
intensities add `AU01_r`, 0 to 5; those that know the face's geometry add gaze and the 68 landmarks, and a pose that is
better than the one from the detector's five points. Weights that know expressions add `expression`, the most probable
one, and a probability for each, such as `expression_happiness`. A frame without a face keeps one row with `success` 0
and empty face, AU and expression cells; zeros would read as "no action unit".
"""

import csv
import json
import math
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import polars

from facskit.action_units import ActionUnitSet
from facskit.columns import EXPRESSION, GAZE, LANDMARKS_X, LANDMARKS_Y, POSE
from facskit.datasets.table_files import SUFFIXES
from facskit.errors import RecipeError
from facskit.expressions import ExpressionSet
from facskit.files import atomic_path
from facskit.inference.dialects import DIALECTS, Dialect, DialectName, Row
from facskit.inference.face_geometry import FaceGeometry
from facskit.inference.recognition import Recognition, RecognizedFrame
from facskit.inference.unfinished_table import UnfinishedTable
from facskit.models.answers import PRESENCE_ALONE, Answers

__all__ = ["KEYS", "SUFFIXES", "TableWriter", "column_names", "layout", "rows_of", "to_dataframe"]

KEYS = {
    "input": polars.String,
    "frame": polars.Int64,
    "face_id": polars.Int64,
    "timestamp": polars.Float64,
    "confidence": polars.Float64,
    "success": polars.Int64,
    "FaceRectX": polars.Float64,
    "FaceRectY": polars.Float64,
    "FaceRectWidth": polars.Float64,
    "FaceRectHeight": polars.Float64,
    "reliable": polars.Int64,
    "unreliable_because": polars.String,
    **dict.fromkeys(POSE, polars.Float64),
    "sharpness": polars.Float64,
    "brightness": polars.Float64,
}


def _schema(
    action_units: ActionUnitSet, expressions: ExpressionSet | None, answers: Answers = PRESENCE_ALONE
) -> dict[str, Any]:
    probabilities = [(code, polars.Float64) for code in action_units.codes]
    decisions = [(f"{code}_c", polars.Int64) for code in action_units.codes]
    schema: dict[str, Any] = dict([*KEYS.items(), *probabilities, *decisions])
    if answers.intensities:
        schema |= dict.fromkeys((f"{code}_r" for code in action_units.codes), polars.Float64)
    if answers.geometry:
        schema |= dict.fromkeys((*GAZE, *LANDMARKS_X, *LANDMARKS_Y), polars.Float64)
    if expressions is not None:
        schema[EXPRESSION] = polars.String
        schema |= dict.fromkeys((f"{EXPRESSION}_{name}" for name in expressions), polars.Float64)
    return schema


def column_names(
    action_units: ActionUnitSet, expressions: ExpressionSet | None = None, answers: Answers = PRESENCE_ALONE
) -> list[str]:
    """Return the columns in order: keys, box, reliability and pose, probabilities, decisions, then what else is known.

    That is intensities (`AU01_r`), gaze, landmarks, expressions.
    """
    return list(_schema(action_units, expressions, answers))


def _row(face: Recognition) -> Row:
    left, top, right, bottom = (float(edge) for edge in face.box)
    row: Row = {
        "input": face.source,
        "frame": face.frame,
        "face_id": face.face_id,
        "timestamp": round(face.timestamp, 4),
        "confidence": round(face.confidence, 4),
        "success": 1,
        "FaceRectX": round(left, 2),
        "FaceRectY": round(top, 2),
        "FaceRectWidth": round(right - left, 2),
        "FaceRectHeight": round(bottom - top, 2),
    }
    if face.quality is not None:
        row |= {"reliable": int(face.reliable), "unreliable_because": "; ".join(face.unreliable_because) or None}
        row |= {name: round(angle, 3) for name, angle in zip(POSE, face.quality.pose, strict=True)}
        row |= {"sharpness": round(face.quality.sharpness, 2), "brightness": round(face.quality.brightness)}
    codes = face.action_units.codes
    row |= {code: round(float(value), 4) for code, value in zip(codes, face.probabilities, strict=True)}
    row |= {f"{code}_c": int(value) for code, value in zip(codes, face.decisions, strict=True)}
    if face.intensities is not None:
        row |= {f"{code}_r": round(float(value), 2) for code, value in zip(codes, face.intensities, strict=True)}
    if face.geometry is not None:
        row |= _geometry_cells(face.geometry)
    if face.expressions is not None and face.expression_probabilities is not None:
        row[EXPRESSION] = face.expression
        shares = zip(face.expressions, face.expression_probabilities, strict=True)
        row |= {f"{EXPRESSION}_{name}": round(float(share), 4) for name, share in shares}
    return row


def _geometry_cells(geometry: FaceGeometry) -> Row:
    """Return pose in radians as OpenFace has it, gaze in degrees, landmarks in pixels."""
    row: Row = {name: round(math.radians(angle), 4) for name, angle in zip(POSE, geometry.pose.tolist(), strict=True)}
    row |= {name: round(angle, 2) for name, angle in zip(GAZE, geometry.gaze.tolist(), strict=True)}
    for names, places in zip((LANDMARKS_X, LANDMARKS_Y), geometry.points.T.tolist(), strict=True):
        row |= {name: round(place, 2) for name, place in zip(names, places, strict=True)}
    return row


def answers_of(face: Recognition) -> Answers:
    """Return what is known of a face beside presence."""
    return Answers(intensities=face.intensities is not None, geometry=face.geometry is not None)


def rows_of(frame: RecognizedFrame, action_units: ActionUnitSet, expressions: ExpressionSet | None = None) -> list[Row]:
    """Return a row per face of one photograph or video frame, and one row for a frame without faces."""
    answers = answers_of(frame.faces[0]) if frame.faces else PRESENCE_ALONE
    return layout("facskit", action_units, expressions, answers).rows(frame)


def layout(
    dialect: DialectName,
    action_units: ActionUnitSet,
    expressions: ExpressionSet | None = None,
    answers: Answers = PRESENCE_ALONE,
) -> Dialect:
    """Return how a table is written.

    Args:
        dialect: Whose columns; facskit's own are those of what is recognised, others' are fixed.
    """
    if dialect != "facskit":
        return replace(DIALECTS[dialect], knows_intensities=answers.intensities)
    return Dialect(schema=_schema(action_units, expressions, answers), decimals={}, row=_own_row, names_inputs=True)


def _own_row(frame: RecognizedFrame, face: Recognition | None) -> Row:
    if face is not None:
        return _row(face)
    return {"input": frame.source, "frame": frame.frame, "timestamp": round(frame.timestamp, 4), "success": 0}


def to_dataframe(recognitions: Iterable[Recognition]) -> polars.DataFrame:
    """Put recognitions into one table, one row each; without a recognition it has no column.

    Raises:
        ValueError: The recognitions are of different action units or expressions, or not all know the same.
    """
    faces = list(recognitions)
    if not faces:
        return polars.DataFrame()
    known = faces[0].action_units, faces[0].expressions, answers_of(faces[0])
    if any((face.action_units, face.expressions, answers_of(face)) != known for face in faces):
        raise ValueError("recognitions in one table must have the same action units, expressions and other answers")
    return polars.DataFrame([_row(face) for face in faces], schema=_schema(*known))


class TableWriter:
    """Writes rows to a file that appears under its name only when it is complete; use it as a context manager.

    A run that is interrupted leaves what it has finished beside the table, for the next one to go on with.

    Args:
        path: The table; its ending says the format: `.csv`, `.jsonl` or `.parquet`.
        layout: Whose columns the table has, and of what, from `layout`.
        settings: What decides about the rows; a run with others isn't gone on with.
        resume: Go on with what an interrupted run has left.

    Raises:
        RecipeError: The ending is none of these, the folder can't be written to, or what is left has other settings.
    """

    def __init__(
        self,
        path: Path,
        layout: Dialect,
        *,
        settings: Mapping[str, Any] | None = None,
        resume: bool = False,
    ) -> None:
        self.path = Path(path)
        self.rows = 0
        self._layout = layout
        self._kind = self.path.suffix.lower()
        if self._kind not in SUFFIXES:
            raise RecipeError(f"{path}: found the ending {self.path.suffix!r}, expected {', '.join(SUFFIXES)}")
        if self.path.is_dir():
            raise RecipeError(f"{path}: found a folder, expected the name of a table to write")
        self.unfinished = UnfinishedTable(self.path, settings or {}, resume=resume)
        self._file = self.unfinished.file
        self._csv = csv.DictWriter(self._file, list(self._layout.schema), lineterminator="\n")
        if self._kind != ".jsonl" and not self.unfinished.finished:
            self._csv.writeheader()

    def write(self, frame: RecognizedFrame) -> None:
        """Append the rows of one photograph or video frame."""
        for row in self._layout.rows(frame):
            if self._kind == ".jsonl":
                self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
            else:
                self._csv.writerow({name: self._text(name, value) for name, value in row.items()})
            self.rows += 1

    def _text(self, name: str, value: str | int | float | None) -> str | int | float | None:
        """Return a cell with the dialect's number of decimals."""
        decimals = self._layout.decimals.get(name)
        return value if decimals is None or value is None else f"{value:.{decimals}f}"

    def __enter__(self) -> "TableWriter":
        """Return the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Move the finished table into place; after an interruption keep what there is, after an error nothing."""
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        rows = self.unfinished.close(keep=interrupted)
        if interrupted:
            return
        try:
            if kind is None:
                with atomic_path(self.path) as table:
                    if self._kind == ".parquet":
                        # The rows, so far kept as CSV, are streamed: a Parquet file can't grow row by row.
                        polars.scan_csv(rows, schema=dict(self._layout.schema)).sink_parquet(table)
                    else:
                        shutil.copyfile(rows, table)
        finally:
            rows.unlink(missing_ok=True)
