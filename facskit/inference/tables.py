"""Recognitions as table rows: CSV, JSON Lines or Parquet, written row by row and visible only when complete.

One row per face and frame. `frame` counts from 0, `timestamp` is in seconds, `AU01` is a probability (never `AU01_r`,
which elsewhere means a 0 to 5 intensity), `AU01_c` the 0 or 1 decision. Weights that know expressions add `expression`,
the most probable one, and a probability for each, such as `expression_happiness`. A frame without a face keeps one row
with `success` 0 and empty face, AU and expression cells; zeros would read as "no action unit".
"""

import csv
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import polars

from facskit.action_units import ActionUnitSet
from facskit.columns import EXPRESSION
from facskit.datasets.table_files import SUFFIXES
from facskit.errors import RecipeError
from facskit.expressions import ExpressionSet
from facskit.files import atomic_path
from facskit.inference.dialects import DIALECTS, Dialect, DialectName, Row
from facskit.inference.recognition import Recognition, RecognizedFrame
from facskit.inference.unfinished_table import UnfinishedTable

__all__ = ["SUFFIXES", "TableWriter", "column_names", "layout", "rows_of", "to_dataframe"]

_KEYS = {
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
}


def _schema(action_units: ActionUnitSet, expressions: ExpressionSet | None) -> dict[str, Any]:
    probabilities = [(code, polars.Float64) for code in action_units.codes]
    decisions = [(f"{code}_c", polars.Int64) for code in action_units.codes]
    schema: dict[str, Any] = dict([*_KEYS.items(), *probabilities, *decisions])
    if expressions is not None:
        schema[EXPRESSION] = polars.String
        schema |= dict.fromkeys((f"{EXPRESSION}_{name}" for name in expressions), polars.Float64)
    return schema


def column_names(action_units: ActionUnitSet, expressions: ExpressionSet | None = None) -> list[str]:
    """Return the columns in order: keys, box, AU probabilities (`AU01`), decisions (`AU01_c`), then expressions."""
    return list(_schema(action_units, expressions))


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
    codes = face.action_units.codes
    row |= {code: round(float(value), 4) for code, value in zip(codes, face.probabilities, strict=True)}
    row |= {f"{code}_c": int(value) for code, value in zip(codes, face.decisions, strict=True)}
    if face.expressions is not None and face.expression_probabilities is not None:
        row[EXPRESSION] = face.expression
        shares = zip(face.expressions, face.expression_probabilities, strict=True)
        row |= {f"{EXPRESSION}_{name}": round(float(share), 4) for name, share in shares}
    return row


def rows_of(frame: RecognizedFrame, action_units: ActionUnitSet, expressions: ExpressionSet | None = None) -> list[Row]:
    """Return a row per face of one photograph or video frame, and one row for a frame without faces."""
    return layout("facskit", action_units, expressions).rows(frame)


def layout(dialect: DialectName, action_units: ActionUnitSet, expressions: ExpressionSet | None = None) -> Dialect:
    """Return how a table is written.

    Args:
        dialect: Whose columns; facskit's own are those of the action units and expressions, others' are fixed.
    """
    if dialect != "facskit":
        return DIALECTS[dialect]
    return Dialect(schema=_schema(action_units, expressions), decimals={}, row=_own_row, names_inputs=True)


def _own_row(frame: RecognizedFrame, face: Recognition | None) -> Row:
    if face is not None:
        return _row(face)
    return {"input": frame.source, "frame": frame.frame, "timestamp": round(frame.timestamp, 4), "success": 0}


def to_dataframe(recognitions: Iterable[Recognition]) -> polars.DataFrame:
    """Put recognitions into one table, one row each; without a recognition it has no column.

    Raises:
        ValueError: The recognitions have different action units or expressions.
    """
    faces = list(recognitions)
    if not faces:
        return polars.DataFrame()
    units, expressions = faces[0].action_units, faces[0].expressions
    if any(face.action_units != units or face.expressions != expressions for face in faces):
        raise ValueError("recognitions in one table must have the same action units and expressions")
    return polars.DataFrame([_row(face) for face in faces], schema=_schema(units, expressions))


class TableWriter:
    """Writes rows to a file that appears under its name only when it is complete; use it as a context manager.

    A run that is interrupted leaves what it has finished beside the table, for the next one to go on with.

    Args:
        path: The table; its ending says the format: `.csv`, `.jsonl` or `.parquet`.
        dialect: Whose columns the table has.
        settings: What decides about the rows; a run with others isn't gone on with.
        resume: Go on with what an interrupted run has left.

    Raises:
        RecipeError: The ending is none of these, the folder can't be written to, or what is left has other settings.
    """

    def __init__(
        self,
        path: Path,
        action_units: ActionUnitSet,
        expressions: ExpressionSet | None = None,
        *,
        dialect: DialectName = "facskit",
        settings: Mapping[str, Any] | None = None,
        resume: bool = False,
    ) -> None:
        self.path = Path(path)
        self.rows = 0
        self._layout = layout(dialect, action_units, expressions)
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
