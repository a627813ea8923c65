"""Result tables of other tools as labels: OpenFace 2, py-feat, LibreFace, and facskit's own.

The same column name means different things in them: `AU01` is a probability in py-feat and facskit, `AU01_c` a decision
in OpenFace and facskit, `AU01_r` OpenFace's estimate of intensity from 0 to 5. Here `AU01` is always what it is in a
manifest, 1, 0 or unknown, and what it was decided from is kept beside it. A face that wasn't found is unknown: OpenFace
writes zeros there, which are no labels.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import polars as pl

from facskit.action_units import ActionUnit, ActionUnitSet, parse_action_unit
from facskit.columns import FRAME
from facskit.datasets.findings import Finding
from facskit.datasets.manifest_checks import first_wrong
from facskit.errors import DatasetError

__all__ = ["INPUT", "SUCCESS", "LabelSource", "TableKind", "guess_table", "read_foreign_table"]

TableKind = Literal["openface", "py-feat", "libreface", "facskit"]
"""Whose table it is."""
INPUT = "input"
"""Column with the video or picture that a row is about."""
SUCCESS = "success"
"""Column that is 1 where a face was found."""
_DECISION = re.compile(r"AU(\d\d)_c")
_ESTIMATE = re.compile(r"AU(\d\d)_r")
_PLAIN = re.compile(r"AU(\d\d)")
_LIBREFACE = re.compile(r"au_(\d+)")
_KEPT = ("face_id", "timestamp", "confidence", "FaceScore", "FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")
_LAST_PLACE = 5.0


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelSource:
    """Labels by input and frame, ready to be joined onto pictures."""

    kind: TableKind
    """Whose table it was."""
    path: Path
    """Where it was."""
    table: pl.DataFrame
    """`input`, `frame` (counted from 0), `success`, an Int8 column per AU, and what the labels were decided from:
    `AU01_r` (OpenFace, 0 to 5), `AU01_probability` (py-feat, facskit); other columns under their own names."""
    action_units: ActionUnitSet
    """The AU columns."""
    findings: tuple[Finding, ...] = ()
    """What was decided and lost."""
    decisions: Mapping[str, str] = field(default_factory=dict)
    """Choices that changed labels, by name."""


def guess_table(path: Path) -> TableKind | None:
    """Tell whose table a CSV file is by its first line; None for any other, such as a manifest."""
    try:
        names = set(_header(path))
    except (OSError, UnicodeDecodeError):
        return None
    decisions = any(map(_DECISION.fullmatch, names))
    plain = any(map(_PLAIN.fullmatch, names))
    if decisions and plain and INPUT in names:
        return "facskit"
    if decisions and "confidence" in names:
        return "openface"
    if plain and ({"FaceScore", "approx_time", "Identity"} & names) and INPUT in names:
        return "py-feat"
    if "frame_idx" in names and any(map(_LIBREFACE.fullmatch, names)):
        return "libreface"
    return None


def read_foreign_table(path: Path, kind: TableKind, *, threshold: float = 0.5) -> LabelSource:
    """Read a tool's result table.

    Args:
        threshold: For py-feat and facskit: the probability from which an AU is present. Facskit's own decisions
            (`AU01_c`) aren't used, so that tables are comparable.

    Returns:
        The labels; rows without a face have unknown labels.

    Raises:
        DatasetError: The file isn't such a table, or a cell holds text where a number belongs.
    """
    path = Path(path)
    raw = _read(path)
    match kind:
        case "openface":
            return _openface(path, raw)
        case "py-feat" | "facskit":
            return _probabilities(path, raw, kind, threshold)
        case "libreface":
            return _libreface(path, raw)


def _openface(path: Path, raw: pl.DataFrame) -> LabelSource:
    labels = _units(raw, _DECISION)
    estimates = [name for name in raw.columns if _ESTIMATE.fullmatch(name)]
    if not labels:
        raise DatasetError(f"{path}: there are no columns AU01_c; run OpenFace with -aus")
    table = _numbers(path, raw, [*labels.values(), *estimates, *_there(raw, ("frame", SUCCESS, *_KEPT))])
    _check_codes(path, table, labels.values())
    found = pl.col(SUCCESS).fill_null(0) == 1 if SUCCESS in table.columns else pl.lit(value=True)
    shown = [pl.when(found).then(pl.col(name)).cast(pl.Int8).alias(unit.code) for unit, name in labels.items()]
    graded = [pl.when(found).then(pl.col(name)).alias(name) for name in estimates]
    # A video's frames count from 1; tables of single pictures have no frame.
    frame = (pl.col("frame").cast(pl.Int64) - 1) if "frame" in table.columns else pl.lit(0, pl.Int64)
    table = table.select(
        pl.lit(path.stem).alias(INPUT),
        frame.alias(FRAME),
        found.cast(pl.Int8).alias(SUCCESS),
        *(pl.col(name) for name in _there(table, _KEPT)),
        *shown,
        *graded,
    )
    notes = [_note(path, "OpenFace counts frames from 1; here they count from 0", "frame" in raw.columns)]
    lost = int((table[SUCCESS] == 0).sum())
    notes.append(_note(path, f"frames without a face ({lost:,}) have unknown labels, not OpenFace's zeros", lost))
    outside = sum(int((~table[name].is_between(0, _LAST_PLACE)).sum()) for name in estimates)
    sentence = f"{outside:,} estimates are outside 0 to 5; was OpenFace interrupted?"
    notes.append(_note(path, sentence, outside, "warning"))
    return _source("openface", path, table, labels, notes, {"AU from": "AUxx_c (OpenFace's decision)"})


def _probabilities(path: Path, raw: pl.DataFrame, kind: TableKind, threshold: float) -> LabelSource:
    if not 0 < threshold < 1:
        raise DatasetError(f"threshold must be between 0 and 1, got {threshold:g}")
    labels, strangers = _units(raw, _PLAIN), _strangers(raw, _PLAIN)
    if not labels:
        raise DatasetError(f"{path}: there are no columns such as AU01")
    table = _numbers(path, raw, [*labels.values(), *_there(raw, ("frame", SUCCESS, *_KEPT))])
    for name in labels.values():
        row = first_wrong(~table[name].is_between(0, 1))
        if row is not None:
            found = raw[name][row]
            raise DatasetError(f"{path}: line {row + 2}: found {name} {found}, expected a probability from 0 to 1")
    any_known = pl.any_horizontal(pl.col(name).is_not_null() for name in labels.values())
    table = table.select(
        pl.col(INPUT) if INPUT in table.columns else pl.lit(path.stem).alias(INPUT),
        (pl.col("frame").cast(pl.Int64) if "frame" in table.columns else pl.lit(0, pl.Int64)).alias(FRAME),
        any_known.cast(pl.Int8).alias(SUCCESS),
        *(pl.col(name) for name in _there(table, _KEPT)),
        *((pl.col(name) >= threshold).cast(pl.Int8).alias(unit.code) for unit, name in labels.items()),
        *(pl.col(name).alias(f"{unit.code}_probability") for unit, name in labels.items()),
    )
    lost = int((table[SUCCESS] == 0).sum())
    notes = [
        _note(path, f"an AU is present from a probability of {threshold:g}"),
        _note(path, f"rows without a face ({lost:,}) have unknown labels", lost),
        _note(path, f"{', '.join(strangers)} left out: facskit doesn't know such an AU", strangers, "warning"),
    ]
    return _source(kind, path, table, labels, notes, {"AU from": f"probability >= {threshold:g}"})


def _libreface(path: Path, raw: pl.DataFrame) -> LabelSource:
    labels = _units(raw, _LIBREFACE)
    graded = [name for name in raw.columns if name.startswith("au_") and name.endswith("_intensity")]
    table = _numbers(path, raw, [*labels.values(), *graded, "frame_idx", *_there(raw, ("frame_time_in_ms",))])
    _check_codes(path, table, labels.values())
    time = [pl.col("frame_time_in_ms").alias("timestamp")] if "frame_time_in_ms" in table.columns else []
    any_known = pl.any_horizontal(pl.col(name).is_not_null() for name in labels.values())
    table = table.select(
        pl.lit(path.stem).alias(INPUT),
        pl.col("frame_idx").cast(pl.Int64).alias(FRAME),
        any_known.cast(pl.Int8).alias(SUCCESS),
        *time,
        *(pl.col(name).cast(pl.Int8).alias(unit.code) for unit, name in labels.items()),
        *(pl.col(name) for name in graded),
    )
    notes = [
        _note(path, "frame_time_in_ms holds seconds in LibreFace 0.2; it is kept as timestamp", time),
        _note(path, f"{', '.join(graded[:2])} ... are kept as they are", graded),
    ]
    return _source("libreface", path, table, labels, notes, {"AU from": "au_N (LibreFace's decision)"})


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig") as file:
        return [name.strip().strip('"') for name in file.readline().strip().split(",")]


def _read(path: Path) -> pl.DataFrame:
    """Read all cells as text, with names and cells stripped: OpenFace 2.0 puts blanks after its commas."""
    try:
        table = pl.read_csv(path, infer_schema=False, glob=False, truncate_ragged_lines=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DatasetError(f"{path}: can't be read as a CSV file with a header ({reason})") from error
    table = table.rename({name: name.strip() for name in table.columns})
    if table.height == 0:
        raise DatasetError(f"{path}: there are no rows; expected one per frame")
    return table.with_columns(pl.all().str.strip_chars())


def _numbers(path: Path, raw: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Turn columns into numbers; nan, in any of the spellings tools use, becomes null."""
    nothing = pl.all().str.to_lowercase().str.contains(r"^[+-]?nan(\(ind\))?$|^$|^null$|^none$")
    empty = raw.select(names).select(nothing)
    table = raw.with_columns(pl.col(name).cast(pl.Float64, strict=False).fill_nan(None) for name in names)
    for name in names:
        row = first_wrong(table[name].is_null() & ~empty[name].fill_null(value=True))
        if row is not None:
            raise DatasetError(f"{path}: line {row + 2}, column {name}: found {raw[name][row]!r}, expected a number")
    return table


def _check_codes(path: Path, table: pl.DataFrame, names: Iterable[str]) -> None:
    for name in names:
        row = first_wrong(~table[name].is_in([0.0, 1.0]) & table[name].is_not_null())
        if row is not None:
            raise DatasetError(f"{path}: line {row + 2}, column {name}: found {table[name][row]:g}, expected 0 or 1")


def _units(raw: pl.DataFrame, pattern: re.Pattern[str]) -> dict[ActionUnit, str]:
    units = {}
    for name in raw.columns:
        match = pattern.fullmatch(name)
        if match is not None and match[1] not in {number[2:] for number in _strangers(raw, pattern)}:
            units[parse_action_unit(match[1])] = name
    return units


def _strangers(raw: pl.DataFrame, pattern: re.Pattern[str]) -> list[str]:
    strangers = []
    for match in filter(None, map(pattern.fullmatch, raw.columns)):
        try:
            parse_action_unit(match[1])
        except ValueError:
            strangers.append(f"AU{match[1]}")
    return strangers


def _there(table: pl.DataFrame, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name in table.columns]


def _note(
    path: Path, sentence: str, wanted: object = True, severity: Literal["note", "warning"] = "note"
) -> Finding | None:
    return Finding(severity=severity, place=str(path), sentence=sentence) if wanted else None


def _source(
    kind: TableKind,
    path: Path,
    table: pl.DataFrame,
    labels: Mapping[ActionUnit, str],
    notes: list[Finding | None],
    decisions: Mapping[str, str],
) -> LabelSource:
    return LabelSource(
        kind=kind,
        path=path,
        table=table,
        action_units=ActionUnitSet(tuple(labels)),
        findings=tuple(note for note in notes if note is not None),
        decisions={"list": kind, **decisions},
    )
