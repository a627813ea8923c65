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
from facskit.datasets.corpora.lists.table_cells import ENDINGS, PLACE, STEM, header_names, read_cells
from facskit.datasets.findings import Finding, Severity
from facskit.datasets.manifest_checks import first_wrong
from facskit.errors import DatasetError
from facskit.faces.media_files import IMAGE_SUFFIXES

__all__ = ["INPUT", "SUCCESS", "LabelSource", "TableKind", "guess_table", "read_foreign_table", "tables_in"]

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
_NO_NUMBER = r"(?i)^([+-]?nan(\(ind\))?|n/?a|#n/a|null|none)$"
"""What tools and spreadsheets write where there is no number, beside nothing at all."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelSource:
    """Labels by input and frame, ready to be joined onto pictures."""

    kind: TableKind
    """Whose table it was."""
    path: Path
    """Where it was: a file, or a folder of them."""
    table: pl.DataFrame
    """`input`, `frame` (counted from 0), `success`, an Int8 column per AU, and what the labels were decided from:
    `AU01_r` (OpenFace, 0 to 5), `AU01_probability` (py-feat, facskit); other columns under their own names."""
    action_units: ActionUnitSet
    """The AU columns."""
    names: Literal["videos", "pictures", "stems"]
    """What `input` names: videos, picture files, or picture files without their endings (OpenFace's tables of single
    pictures, which are called like them)."""
    findings: tuple[Finding, ...] = ()
    """What was decided and lost."""
    decisions: Mapping[str, str] = field(default_factory=dict)
    """Choices that changed labels, by name."""


def guess_table(path: Path) -> TableKind | None:
    """Tell whose table a file is by the names of its columns; None for any other, such as a manifest."""
    try:
        names = set(header_names(path))
    except DatasetError:
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


def tables_in(folder: Path) -> dict[TableKind, list[Path]]:
    """Find the result tables that lie in a folder, by whose they are."""
    found: dict[TableKind, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in ENDINGS and file.is_file() and (kind := guess_table(file)) is not None:
            found.setdefault(kind, []).append(file)
    return found


def read_foreign_table(
    path: Path, kind: TableKind, *, threshold: float = 0.5, own_decisions: bool = False
) -> LabelSource:
    """Read a tool's result table, or all such tables of a folder as one.

    Args:
        threshold: For py-feat and facskit: the probability from which an AU is present.
        own_decisions: Take facskit's decisions (`AU01_c`), at the thresholds of its weights, instead.

    Raises:
        DatasetError: The file isn't such a table, tables of a folder have other columns than the first one, or a cell
            holds text where a number belongs.
    """
    path = Path(path)
    raw = _read_folder(path, kind) if path.is_dir() else read_cells(path)
    match kind:
        case "openface":
            return _openface(path, raw)
        case "py-feat" | "facskit":
            return _probabilities(path, raw, kind, threshold, own_decisions=own_decisions)
        case "libreface":
            return _libreface(path, raw)


def _read_folder(folder: Path, kind: TableKind) -> pl.DataFrame:
    files = tables_in(folder).get(kind, [])
    if not files:
        raise DatasetError(f"{folder}: this folder has no tables of {kind}")
    tables = [read_cells(file) for file in files]
    columns = tables[0].columns
    for file, table in zip(files, tables, strict=True):
        if set(table.columns) != set(columns):
            raise DatasetError(f"{file}: its columns aren't those of {files[0].name}; convert it by itself")
    return pl.concat([table.select(columns) for table in tables])


def _openface(path: Path, raw: pl.DataFrame) -> LabelSource:
    labels, _ = _units(raw, _DECISION)
    estimates = [name for name in raw.columns if _ESTIMATE.fullmatch(name)]
    if not labels:
        raise DatasetError(f"{path}: there are no columns AU01_c; run OpenFace with -aus")
    raw = raw.rename({"face": "face_id"}, strict=False)  # so called in tables of single pictures
    table = _numbers(raw, [*labels.values(), *estimates, *_there(raw, ("frame", SUCCESS, *_KEPT))])
    _check_codes(table, labels.values())
    found = pl.col(SUCCESS).fill_null(0) == 1 if SUCCESS in table.columns else pl.lit(value=True)
    of_videos = "frame" in table.columns  # a video's frames count from 1; tables of single pictures have no frame
    table = table.select(
        pl.col(STEM).alias(INPUT),
        (pl.col("frame").cast(pl.Int64) - 1 if of_videos else pl.lit(0, pl.Int64)).alias(FRAME),
        found.cast(pl.Int8).alias(SUCCESS),
        *_there(table, _KEPT),
        *(pl.when(found).then(pl.col(name)).cast(pl.Int8).alias(unit.code) for unit, name in labels.items()),
        *(pl.when(found).then(pl.col(name)).alias(name) for name in estimates),
    )
    lost = int((table[SUCCESS] == 0).sum())
    outside = sum(int((~table[name].is_between(0, _LAST_PLACE)).sum()) for name in estimates)
    warnings = {f"{outside:,} estimates are outside 0 to 5; was OpenFace interrupted?": outside}
    notes = {
        "OpenFace counts frames from 1; here they count from 0": of_videos,
        f"frames without a face ({lost:,}) have unknown labels, not OpenFace's zeros": lost,
    }
    return LabelSource(
        kind="openface",
        path=path,
        table=table,
        action_units=ActionUnitSet(tuple(labels)),
        names="videos" if of_videos else "stems",
        findings=_findings(path, notes) + _findings(path, warnings, "warning"),
        decisions={"list": "openface", "AU from": "AUxx_c (OpenFace's decision)"},
    )


def _probabilities(
    path: Path, raw: pl.DataFrame, kind: TableKind, threshold: float, *, own_decisions: bool
) -> LabelSource:
    if not 0 < threshold < 1:
        raise DatasetError(f"threshold must be between 0 and 1, got {threshold:g}")
    labels, strangers = _units(raw, _PLAIN)
    if not labels:
        raise DatasetError(f"{path}: there are no columns such as AU01")
    decided = {unit: f"{unit.code}_c" for unit in labels if own_decisions and f"{unit.code}_c" in raw.columns}
    table = _numbers(raw, [*labels.values(), *decided.values(), *_there(raw, ("frame", SUCCESS, *_KEPT))])
    _check_codes(table, decided.values())
    for name in labels.values():
        row = first_wrong(~table[name].is_between(0, 1))
        if row is not None:
            found = raw[name][row]
            raise DatasetError(f"{raw[PLACE][row]}, column {name}: found {found}, expected a probability from 0 to 1")
    any_known = pl.any_horizontal(pl.col(name).is_not_null() for name in labels.values())
    table = table.select(
        pl.col(INPUT) if INPUT in table.columns else pl.col(STEM).alias(INPUT),
        (pl.col("frame").cast(pl.Int64) if "frame" in table.columns else pl.lit(0, pl.Int64)).alias(FRAME),
        any_known.cast(pl.Int8).alias(SUCCESS),
        *_there(table, _KEPT),
        *(
            (pl.col(decided[unit]) if unit in decided else pl.col(name) >= threshold).cast(pl.Int8).alias(unit.code)
            for unit, name in labels.items()
        ),
        *(pl.col(name).alias(f"{unit.code}_probability") for unit, name in labels.items()),
    )
    lost = int((table[SUCCESS] == 0).sum())
    warnings = {f"{', '.join(strangers)} left out: facskit doesn't know such an AU": strangers}
    notes = {
        f"an AU is present from a probability of {threshold:g}": len(decided) < len(labels),
        "facskit's own decisions were taken, at the thresholds of its weights": decided,
        f"rows without a face ({lost:,}) have unknown labels": lost,
    }
    endings = table[INPUT].str.extract(r"(\.[^./\\]+)$", 1).str.to_lowercase()
    of_pictures = bool(endings.is_in(list(IMAGE_SUFFIXES)).fill_null(value=False).all())
    return LabelSource(
        kind=kind,
        path=path,
        table=table,
        action_units=ActionUnitSet(tuple(labels)),
        names="pictures" if of_pictures else "videos",
        findings=_findings(path, notes) + _findings(path, warnings, "warning"),
        decisions={"list": kind, "AU from": f"probability >= {threshold:g}"},
    )


def _libreface(path: Path, raw: pl.DataFrame) -> LabelSource:
    labels, _ = _units(raw, _LIBREFACE)
    graded = [name for name in raw.columns if name.startswith("au_") and name.endswith("_intensity")]
    if "frame_idx" not in raw.columns or not labels:
        raise DatasetError(f"{path}: there are no columns frame_idx and au_1; expected LibreFace's table of a video")
    table = _numbers(raw, [*labels.values(), *graded, "frame_idx", *_there(raw, ("frame_time_in_ms",))])
    _check_codes(table, labels.values())
    time = [pl.col("frame_time_in_ms").alias("timestamp")] if "frame_time_in_ms" in table.columns else []
    any_known = pl.any_horizontal(pl.col(name).is_not_null() for name in labels.values())
    table = table.select(
        pl.col(STEM).alias(INPUT),
        pl.col("frame_idx").cast(pl.Int64).alias(FRAME),
        any_known.cast(pl.Int8).alias(SUCCESS),
        *time,
        *(pl.col(name).cast(pl.Int8).alias(unit.code) for unit, name in labels.items()),
        *graded,
    )
    notes = {
        "frame_time_in_ms holds seconds in LibreFace 0.2; it is kept as timestamp": time,
        f"{', '.join(graded[:2])} ... are kept as they are": graded,
    }
    return LabelSource(
        kind="libreface",
        path=path,
        table=table,
        action_units=ActionUnitSet(tuple(labels)),
        names="videos",
        findings=_findings(path, notes),
        decisions={"list": "libreface", "AU from": "au_N (LibreFace's decision)"},
    )


def _numbers(raw: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Turn columns into numbers; a cell that says there is none becomes null."""
    table = raw
    for name in names:
        number = raw[name].cast(pl.Float64, strict=False).fill_nan(None)
        row = first_wrong(number.is_null() & ~raw[name].str.contains(_NO_NUMBER).fill_null(value=True))
        if row is not None:
            raise DatasetError(f"{raw[PLACE][row]}, column {name}: found {raw[name][row]!r}, expected a number")
        table = table.with_columns(number)
    return table


def _check_codes(table: pl.DataFrame, names: Iterable[str]) -> None:
    for name in names:
        row = first_wrong(~table[name].is_in([0.0, 1.0]) & table[name].is_not_null())
        if row is not None:
            raise DatasetError(f"{table[PLACE][row]}, column {name}: found {table[name][row]:g}, expected 0 or 1")


def _units(raw: pl.DataFrame, pattern: re.Pattern[str]) -> tuple[dict[ActionUnit, str], list[str]]:
    """Return the columns of AUs by the AU, and the AUs that facskit doesn't know."""
    units, strangers = {}, []
    for name in raw.columns:
        match = pattern.fullmatch(name)
        if match is None:
            continue
        try:
            units[parse_action_unit(match[1])] = name
        except ValueError:
            strangers.append(f"AU{match[1]}")
    return units, strangers


def _there(table: pl.DataFrame, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name in table.columns]


def _findings(path: Path, sentences: Mapping[str, object], severity: Severity = "note") -> tuple[Finding, ...]:
    """Make findings of the sentences that apply."""
    applying = [sentence for sentence, applies in sentences.items() if applies]
    return tuple(Finding(severity=severity, place=str(path), sentence=sentence) for sentence in applying)
