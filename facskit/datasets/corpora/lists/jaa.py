"""The lists of JAA-Net, ARL and their descendants: files that belong together by the start of their names.

```text
BP4D_combine_1_2_path.txt      BP4D/F001/T1/2440.jpg      (BP4D's lists end lines with CR LF)
BP4D_combine_1_2_AUoccur.txt   0 0 0 0 0 1 1 0 0 0 0 9
BP4D_combine_1_2_land.txt      49 points x, y, separated by tabs, in pixels of the aligned image
BP4D_combine_1_2_biocular.txt  squared distance of the eye centres
BP4D_combine_1_2_weight.txt    loss weight of each AU
```
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float

from facskit.action_units import ActionUnitSet
from facskit.columns import IMAGE, LANDMARKS_X, LANDMARKS_Y, SUBJECT
from facskit.datasets.corpora.lists.label_lists import (
    LabelList,
    class_weights,
    columns_for,
    guess_list_corpus,
    labelled_table,
    merged,
    rows_by_part,
    weights_line,
)
from facskit.datasets.corpora.lists.list_files import (
    label_codes,
    read_lines,
    read_numbers,
    refuse_repeated,
    write_exactly,
    write_rows,
)
from facskit.datasets.corpora.reading.label_files import MISSING_CODE
from facskit.datasets.corpora.reading.landmark_files import landmark_columns
from facskit.datasets.findings import Finding
from facskit.datasets.manifest import Manifest
from facskit.errors import DatasetError
from facskit.faces.landmarks import POINTS_49

__all__ = [
    "biocular",
    "is_jaa_folder",
    "is_jaa_list",
    "list_prefix",
    "read_jaa_list",
    "read_jaa_parts",
    "write_jaa_list",
    "write_jaa_parts",
]

_ENDINGS = ("_path.txt", "_AUoccur.txt", "_land.txt", "_biocular.txt", "_weight.txt")
_LEFT_EYE, _RIGHT_EYE = slice(19, 25), slice(25, 31)
_TOLERANCE = 0.01
_OF_BP4D = re.compile(r"[FM]\d{3}")
_PART_LIST = re.compile(r"(?P<name>.+)_part(?P<part>\d)_path\.txt")
_COMBINATIONS = ((1, 2), (1, 3), (2, 3))


def list_prefix(path: Path) -> Path:
    """Return what the names of a list's files have in common, given any of them, or the common part itself.

    Raises:
        DatasetError: There is no list of paths with that name.
    """
    path = Path(path)
    for ending in _ENDINGS:
        if path.name.endswith(ending):
            path = path.with_name(path.name[: -len(ending)])
            break
    if not _file(path, "_path.txt").is_file():
        raise DatasetError(f"{path}_path.txt: there is no such file; expected the list of image paths")
    return path


def is_jaa_list(path: Path) -> bool:
    """Tell whether a path is one of a list's files, or the common part of their names."""
    try:
        list_prefix(path)
    except DatasetError:
        return False
    return True


def read_jaa_list(path: Path, action_units: ActionUnitSet | None = None) -> LabelList:
    """Read a list with its labels, and landmarks where it has them.

    Args:
        path: Any of its files, or their common part, for example `list/BP4D_part1`.
        action_units: What the label columns are; by default BP4D's 12 or DISFA's 8 by their number.

    Returns:
        The list; code 9 is unknown, landmarks lack the points that the 49 lack.

    Raises:
        DatasetError: A file is missing or has another number of lines, or a line is wrong.
    """
    prefix = list_prefix(path)
    images = read_lines(_file(prefix, "_path.txt"))
    refuse_repeated(images, _file(prefix, "_path.txt"))
    occurrences = _file(prefix, "_AUoccur.txt")
    if not occurrences.is_file():
        raise DatasetError(
            f"{occurrences}: there is no such file; JAA-Net's authors publish the list of paths without labels: "
            "prepare the corpus with --as ciu, which follows the same lists"
        )
    labels = label_codes(read_numbers(occurrences, len(images)), occurrences)
    units = columns_for(labels.shape[1], str(occurrences), action_units)
    table, findings = labelled_table(images, labels, units, str(_file(prefix, "_path.txt")))
    points = _read_points(prefix, len(images))
    if points is not None:
        table = table.hstack(landmark_columns(points))
        findings += _check_biocular(prefix, points)
    return LabelList(
        table=table,
        action_units=units,
        corpus=guess_list_corpus(table[IMAGE], table[SUBJECT]),
        findings=(*findings, *_check_weights(prefix, class_weights(labels))),
        decisions={"list": "jaa", "missing (9)": "unknown"},
    )


def is_jaa_folder(folder: Path) -> bool:
    """Tell whether a folder holds lists of parts, such as `BP4D_part1_path.txt`."""
    return folder.is_dir() and any(_PART_LIST.fullmatch(entry.name) for entry in folder.iterdir())


def read_jaa_parts(folder: Path, action_units: ActionUnitSet | None = None) -> LabelList:
    """Read all lists of parts in a folder as one with a column `part`.

    Lists of combined parts say nothing more and are left alone.

    Raises:
        DatasetError: There are parts of two corpora, an image stands in two parts, or only some parts have landmarks.
    """
    matches = sorted((match[0], match) for entry in folder.iterdir() if (match := _PART_LIST.fullmatch(entry.name)))
    names = sorted({match["name"] for _, match in matches})
    if len(names) != 1:
        found = " and ".join(names) or "no lists"
        raise DatasetError(
            f"{folder}: found {found} of parts, expected lists such as BP4D_part1_path.txt of one corpus"
        )
    parts = [(int(match["part"]), read_jaa_list(folder / file, action_units)) for file, match in matches]
    columns = {tuple(part.table.columns) for _, part in parts}
    if len(columns) != 1:
        raise DatasetError(f"{folder}: only some parts have landmarks (_land.txt), expected all or none")
    numbered = [replace(part, table=part.table.with_columns(pl.lit(number).alias("part"))) for number, part in parts]
    return merged(numbered, folder)


def _file(prefix: Path, ending: str) -> Path:
    return prefix.with_name(prefix.name + ending)


def biocular(points: Float[np.ndarray, "rows 49 2"]) -> Float[np.ndarray, "rows"]:
    """Return the squared distance between the centres of the eyes, by which JAA-Net scales landmark errors."""
    distance = points[:, _LEFT_EYE].mean(axis=1) - points[:, _RIGHT_EYE].mean(axis=1)
    squared: Float[np.ndarray, "rows"] = (distance**2).sum(axis=1)
    return squared


def write_jaa_list(manifest: Manifest, prefix: Path, rows: Sequence[int] | None = None) -> tuple[Finding, ...]:
    """Write a list with its labels and weights, and with landmarks if the manifest has them.

    Paths stay as they are, relative to the manifest's folder. Weights are computed from the rows written.
    Return what the format can't hold.

    Args:
        prefix: The common part of the names, for example `list/BP4D_part1`.
        rows: Which rows in which order; by default all.
    """
    chosen = np.arange(len(manifest)) if rows is None else np.asarray(rows, np.int64)
    prefix = Path(prefix)
    points = _points_of(manifest, chosen)
    findings = _about_points(points, prefix)
    if points is not None:
        complete = np.isfinite(points).all(axis=(1, 2))
        chosen, points = chosen[complete], points[complete]
        _write_points(prefix, points)
    images = manifest.table[IMAGE].gather(chosen).to_list()
    labels = manifest.labels[chosen]
    end = "\r\n" if any(map(_OF_BP4D.fullmatch, manifest.subjects[chosen])) else "\n"
    write_exactly(_file(prefix, "_path.txt"), "".join(image + end for image in images))
    codes = np.where(labels < 0, MISSING_CODE, labels)
    write_rows(_file(prefix, "_AUoccur.txt"), codes)
    weights = class_weights(labels)
    write_exactly(_file(prefix, "_weight.txt"), weights_line(weights))
    return (*findings, *_about_weights(manifest, labels, weights, _file(prefix, "_weight.txt")))


def write_jaa_parts(manifest: Manifest, folder: Path, corpus: str) -> tuple[Finding, ...]:
    """Write the lists of BP4D's or DISFA's three parts and of each two of them, as the authors keep them.

    Return what the format can't hold, once.
    """
    parts = rows_by_part(manifest, corpus)
    title = corpus.upper()
    findings: dict[str, Finding] = {}
    for number, rows in enumerate(parts, start=1):
        written = write_jaa_list(manifest, folder / f"{title}_part{number}", rows)
        findings |= {finding.sentence: finding for finding in written}
    for one, other in _COMBINATIONS:
        rows = parts[one - 1] + parts[other - 1]
        write_jaa_list(manifest, folder / f"{title}_combine_{one}_{other}", rows)
    return tuple(findings.values())


def _read_points(prefix: Path, rows: int) -> Float[np.ndarray, "rows 49 2"] | None:
    path = _file(prefix, "_land.txt")
    if not path.is_file():
        return None
    numbers = read_numbers(path, rows)
    if numbers.shape[1] != 2 * len(POINTS_49):
        raise DatasetError(f"{path}: found {numbers.shape[1]} numbers a line, expected 98 (49 points x, y)")
    return numbers.reshape(rows, len(POINTS_49), 2)


def _points_of(manifest: Manifest, rows: np.ndarray) -> Float[np.ndarray, "rows 49 2"] | None:
    if LANDMARKS_X[0] not in manifest.table.columns:
        return None
    # Not `Manifest.all_landmarks`: its single precision would change the sixth decimal of what was just read.
    table = manifest.table[rows]
    across = table.select([LANDMARKS_X[place] for place in POINTS_49]).cast(pl.Float64)
    down = table.select([LANDMARKS_Y[place] for place in POINTS_49]).cast(pl.Float64)
    return np.stack([across.to_numpy(), down.to_numpy()], axis=2)


def _write_points(prefix: Path, points: Float[np.ndarray, "rows 49 2"]) -> None:
    flat = points.reshape(len(points), -1).tolist()
    line = "\t".join(["{:f}"] * 2 * len(POINTS_49)) + "\n"
    write_exactly(_file(prefix, "_land.txt"), "".join(line.format(*row) for row in flat))
    # From the positions as the file has them, because the authors' tool reads them from there.
    distances = biocular(points.round(6))
    write_exactly(_file(prefix, "_biocular.txt"), "".join(f"{value:f}\n" for value in distances))


def _about_points(points: Float[np.ndarray, "rows 49 2"] | None, prefix: Path) -> list[Finding]:
    if points is None:
        sentence = "the manifest has no landmarks, so there are no _land.txt and _biocular.txt, which JAA-Net needs"
        return [Finding(severity="warning", place=str(prefix), sentence=sentence)]
    lacking = int((~np.isfinite(points).all(axis=(1, 2))).sum())
    sentence = f"{lacking:,} rows without landmarks are left out, as in the authors' lists"
    return [Finding(severity="warning", place=str(prefix), sentence=sentence)] if lacking else []


def _check_biocular(prefix: Path, points: Float[np.ndarray, "rows 49 2"]) -> list[Finding]:
    path = _file(prefix, "_biocular.txt")
    if not path.is_file():
        return []
    written, computed = read_numbers(path, len(points))[:, 0], biocular(points)
    apart = np.abs(written - computed) > _TOLERANCE * np.maximum(computed, 1)
    if not apart.any():
        return []
    row = int(np.argmax(apart))
    sentence = (
        f"{apart.sum():,} lines don't fit the landmarks; line {row + 1} has {written[row]:g}, the eyes are "
        f"{computed[row]:g} apart (squared): are the files of the same list and in the same order?"
    )
    return [Finding(severity="warning", place=str(path), sentence=sentence)]


def _check_weights(prefix: Path, weights: Float[np.ndarray, "aus"]) -> list[Finding]:
    path = _file(prefix, "_weight.txt")
    if not path.is_file():
        return []
    written = read_numbers(path, 1)[0]
    if written.shape == weights.shape and np.allclose(written, weights, rtol=_TOLERANCE, equal_nan=True):
        return []
    sentence = "the weights don't belong to the labels of this list; they come from other frames"
    return [Finding(severity="note", place=str(path), sentence=sentence)]


def _about_weights(
    manifest: Manifest, labels: np.ndarray, weights: Float[np.ndarray, "aus"], path: Path
) -> list[Finding]:
    findings = []
    never = [code for code, weight in zip(manifest.action_units.codes, weights, strict=True) if not np.isfinite(weight)]
    if never:
        sentence = f"{', '.join(never)} never occurs in these rows, so the weights aren't usable"
        findings.append(Finding(severity="warning", place=str(path), sentence=sentence))
    if unknown := int((labels < 0).sum()):
        sentence = f"{unknown:,} unknown labels are written as 9 and count as occurrences in the weights, as published"
        findings.append(Finding(severity="note", place=str(path), sentence=sentence))
    return findings
