"""The report on a preparation: `report.md` for people, `report.json` for programs, `sheet.jpg`."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import UInt8

from facskit.columns import EXPRESSION, FRAME, RECORDING, SPLIT, SUBJECT
from facskit.configurations import plain_values
from facskit.datasets.corpora.index import CorpusIndex
from facskit.datasets.folds import published_parts
from facskit.datasets.manifest import Manifest
from facskit.datasets.preparation.work import FACE_SCORE, REASON
from facskit.errors import DatasetError
from facskit.faces.canvas import Canvas
from facskit.faces.images import encode_jpeg
from facskit.files import atomic_path
from facskit.tables import TextTable, write_results

__all__ = ["REPORT", "count_rows", "read_report", "write_report"]

REPORT = "report.json"
_TILE = 168
_CAPTION = 34
_COLUMNS = 6
_TILES = 24
_EXAMPLES = 5
_FINDINGS = 50


def write_report(index: CorpusIndex, manifest: Manifest, done: pl.DataFrame, out: Path) -> None:
    """Write `report.md`, `report.json` and `sheet.jpg`.

    Args:
        manifest: What was prepared; its images are there already.
        done: All rows of the index, with `reason` and `file` for those without image.
    """
    report = _summarize(index, manifest, done)
    write_results(out, _as_text(report), report, name="report")
    with atomic_path(out / "sheet.jpg") as part:
        part.write_bytes(encode_jpeg(_sheet(manifest), quality=88))


def read_report(out: Path) -> dict[str, Any]:
    """Read `report.json` back.

    Raises:
        DatasetError: The report is missing or damaged.
    """
    path = out / REPORT
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path}: can't be read as a report of facskit prepare; delete {out} and run it again"
        ) from error
    return report


def count_rows(index: CorpusIndex) -> dict[str, int]:
    """Count what a corpus's publications count, by the names of `index.expected`, where the index can tell."""
    table = index.table
    coded = pl.concat([table[SUBJECT], _left_out_frames(index)[SUBJECT]])
    counts = {"coded frames": len(coded), "frames with landmarks": table.height, "subjects": table[SUBJECT].n_unique()}
    if RECORDING in table.columns:
        counts["recordings"] = table.select(SUBJECT, RECORDING).n_unique()
    if "coded frames in fold 1" in index.expected:
        for number, people in enumerate(published_parts(index.corpus), start=1):
            counts[f"coded frames in fold {number}"] = int(coded.is_in(people).sum())
    if SPLIT in table.columns:
        sizes = {part: int((table[SPLIT] == part).sum()) for part in ("train", "validation", "test")}
        counts |= {"training images": sizes["train"], "test images": sizes["test"]}
        # AffectNet's validation part is what papers test on
        counts["validation images"] = sizes["validation"] or sizes["test"]
    return {name: counts[name] for name in index.expected if name in counts}


def _left_out_frames(index: CorpusIndex) -> pl.DataFrame:
    """Return each labelled frame that isn't in the index's table once: one frame may have two faults."""
    return index.dropped.filter(pl.col(FRAME).is_not_null()).unique([SUBJECT, RECORDING, FRAME], maintain_order=True)


def _summarize(index: CorpusIndex, manifest: Manifest, done: pl.DataFrame) -> dict[str, Any]:
    before = _left_out_frames(index)
    whole_recordings = index.dropped.filter(pl.col(FRAME).is_null())
    here = done.filter(pl.col(REASON).is_not_null()).rename({REASON: "reason"})
    dropped = pl.concat([lost.select(SUBJECT, "reason", "file") for lost in (before, whole_recordings, here)])
    examples: dict[str, list[str]] = {}
    for (reason,), rows in dropped.group_by("reason", maintain_order=True):
        examples[str(reason)] = rows["file"].drop_nulls().unique(maintain_order=True).head(_EXAMPLES).to_list()
    published = {}
    for name, count in count_rows(index).items():
        published[name] = {"published": index.expected[name], "here": count}
    origin = manifest.origin
    crop = None if origin is None or origin.crop is None else plain_values(origin.crop)
    faces = {}
    if crop is not None:
        detected = done[FACE_SCORE].count()
        faces = {"placed by the corpus's landmarks": len(manifest) - detected, "found by the detector": detected}
    return {
        "corpus": index.corpus,
        "folder": str(index.root),
        "licence": index.licence,
        "frames": {
            "coded": done.height + before.height,
            "with pictures": done.height,
            "prepared": len(manifest),
        },
        "faces": faces,
        "dropped": dict(dropped["reason"].value_counts(sort=True).rows()),
        "examples": examples,
        "published": published,
        "decisions": {} if origin is None else dict(origin.decisions),
        "crop": crop,
        "labels": _label_rates(manifest),
        "subjects": _by_subject(done, dropped),
        "findings": [f"{finding.severity}: {finding}" for finding in index.findings],
        "facskit": "" if origin is None else origin.facskit,
    }


def _by_subject(done: pl.DataFrame, dropped: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Count each subject's frames, those of people included who lost all of theirs."""
    found = dict(done[SUBJECT].value_counts().iter_rows())
    prepared = dict(done.filter(pl.col(REASON).is_null())[SUBJECT].value_counts().iter_rows())
    reasons: dict[str, dict[str, int]] = {}
    counts = dropped.drop_nulls(SUBJECT).group_by(SUBJECT, "reason", maintain_order=True).len()
    for name, reason, count in counts.iter_rows():
        reasons.setdefault(str(name), {})[str(reason)] = count
    return {
        name: {"found": found.get(name, 0), "prepared": prepared.get(name, 0), "left out": reasons.get(name, {})}
        for name in sorted(map(str, {*found, *reasons}))
    }


def _label_rates(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Count present, absent and unknown for each action unit, and the pictures of each expression."""
    rates: dict[str, dict[str, int]] = {}
    for code in manifest.action_units.codes:
        column = manifest.table[code]
        present, unknown = int((column == 1).sum()), column.null_count()
        rates[code] = {"present": present, "absent": len(column) - present - unknown, "unknown": unknown}
    if EXPRESSION in manifest.table.columns:
        counts = manifest.table[EXPRESSION].fill_null("unknown").value_counts(sort=True)
        rates["expression"] = {str(name): int(count) for name, count in counts.rows()}
    return rates


def _as_text(report: Mapping[str, Any]) -> str:
    frames = report["frames"]
    lines = [
        f"# {report['corpus']}: what was prepared",
        "",
        f"{frames['prepared']:,} of {frames['coded']:,} coded frames were prepared; "
        f"{frames['coded'] - frames['prepared']:,} were left out. Read from `{report['folder']}` with facskit "
        f"{report['facskit']}. Licence: {report['licence'].rstrip('.')}.",
    ]
    counts = [(name, f"{pair['published']:,}", f"{pair['here']:,}") for name, pair in report["published"].items()]
    lines += ["", "## Beside the published counts", "", _grid(("count", "published", "here"), counts)]
    crop = report["crop"] or {"kind": "none: whole pictures"}
    decisions = [(name, str(value)) for name, value in report["decisions"].items()]
    decisions += [(f"crop {name}", str(value)) for name, value in crop.items()]
    decisions += [(f"faces {name}", f"{count:,}") for name, count in report["faces"].items()]
    lines += ["", "## Decisions", "", _grid(("option", "value"), decisions, words={1})]
    lines += ["", "## Left out", "", _left_out(report)]
    labels = []
    for label, states in report["labels"].items():
        labels.append((label, ", ".join(f"{count:,} {name}" for name, count in states.items())))
    lines += ["", "## Labels", "", _grid(("label", "counts"), labels, words={1})]
    lines += ["", "## What reading the folder showed", ""]
    lines += [f"- {finding}" for finding in report["findings"][:_FINDINGS]] or ["Nothing."]
    if len(report["subjects"]) <= 500:  # corpora of strangers have one picture of each
        lines += ["", "## Subjects", "", _by_person(report["subjects"])]
    return "\n".join(lines) + "\n"


def _grid(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], words: Collection[int] = ()) -> str:
    return TextTable(title="", header=header, rows=tuple(rows), more_text=words).to_grid()


def _left_out(report: Mapping[str, Any]) -> str:
    if not report["dropped"]:
        return "Nothing."
    rows = []
    for reason, count in report["dropped"].items():
        rows.append((reason, f"{count:,}", "; ".join(report["examples"].get(reason, []))))
    return _grid(("reason", "frames", "for example"), rows, words={2})


def _by_person(subjects: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name, counts in subjects.items():
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in counts["left out"].items()) or "none"
        rows.append((name, f"{counts['found']:,}", f"{counts['prepared']:,}", reasons))
    return _grid(("subject", "with pictures", "prepared", "left out"), rows, words={3})


def _sheet(manifest: Manifest) -> UInt8[np.ndarray, "height width 3"]:
    """Draw crops from all over the manifest with their labels; landmarks as dots on every second row."""
    rows = np.unique(np.linspace(0, len(manifest) - 1, _TILES).round().astype(int)).tolist()
    tiles = [_tile(manifest, row, with_dots=number // _COLUMNS % 2 == 1) for number, row in enumerate(rows)]
    down = -(-len(tiles) // _COLUMNS)
    sheet = np.full((down * (_TILE + _CAPTION), min(len(tiles), _COLUMNS) * _TILE, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // _COLUMNS * (_TILE + _CAPTION), number % _COLUMNS * _TILE
        sheet[top : top + _TILE + _CAPTION, left : left + _TILE] = tile
    return sheet


def _tile(manifest: Manifest, row: int, *, with_dots: bool) -> UInt8[np.ndarray, "height width 3"]:
    image = manifest.image(row)
    height, width = image.shape[:2]
    zoom = (_TILE - 4) / max(height, width)
    canvas = Canvas(_TILE, _TILE + _CAPTION)
    canvas.paste(image, (max(1, round(width * zoom)), max(1, round(height * zoom))))
    landmarks = manifest.landmarks(row) if with_dots else None
    if landmarks is not None:
        for x, y in landmarks[np.isfinite(landmarks[:, 0])].tolist():
            canvas.dot((x + 0.5) * zoom, (y + 0.5) * zoom, 1.2, (0, 230, 60))
    table = manifest.table
    cells = [table[column][row] for column in (SUBJECT, RECORDING, FRAME) if column in table.columns]
    name = " ".join(dict.fromkeys(str(cell) for cell in cells if cell is not None))
    canvas.text(2.0, _TILE + 6.0, name[:30], 11.0, (90, 90, 90))
    canvas.text(2.0, _TILE + 21.0, _labels(manifest, row), 12.0, (0, 0, 0))
    return canvas.pixels()


def _labels(manifest: Manifest, row: int) -> str:
    """Name what is present, and in brackets what is unknown."""
    table = manifest.table
    cells = {unit.number: table[unit.code][row] for unit in manifest.action_units}
    present = " ".join(str(number) for number, cell in cells.items() if cell == 1)
    unknown = " ".join(str(number) for number, cell in cells.items() if cell is None)
    parts = []
    if EXPRESSION in table.columns:
        parts.append(table[EXPRESSION][row] or "")
    if cells:
        parts.append(f"AU {present}" if present else "no AU")
    if unknown:
        parts.append(f"(unknown {unknown})")
    return " ".join(filter(None, parts))[:34]
