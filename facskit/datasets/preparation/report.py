"""What a preparation found, used and left out: `report.md` for people, `report.json` for programs, `sheet.jpg`."""

import json
from collections.abc import Mapping
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
from facskit.files import atomic_path, write_text

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
        index: The corpus as it was read.
        manifest: What was prepared; its images are there already.
        done: All rows of the index, with `reason` and `file` for those without image.
        out: Folder of the prepared images.
    """
    report = _summarize(index, manifest, done)
    write_text(out / REPORT, json.dumps(report, indent=2) + "\n")
    write_text(out / "report.md", _as_text(report))
    with atomic_path(out / "sheet.jpg") as part:
        part.write_bytes(encode_jpeg(_sheet(manifest), quality=88))


def read_report(out: Path) -> dict[str, Any]:
    """Read `report.json` back.

    Args:
        out: Folder of the prepared images.

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
    """Count what a corpus's publications count, under their names.

    Args:
        index: The corpus as it was read.

    Returns:
        One number for each entry of `index.expected` that the index can be asked for.
    """
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
    lost = done.filter(pl.col(REASON).is_not_null())
    before = _left_out_frames(index)
    whole = index.dropped.filter(pl.col(FRAME).is_null())
    both = [frame.select(SUBJECT, "reason", "file") for frame in (before, whole, lost.rename({REASON: "reason"}))]
    dropped = pl.concat(both)
    scores = done[FACE_SCORE].drop_nulls()
    origin = manifest.origin
    crop = None if origin is None or origin.crop is None else plain_values(origin.crop)
    return {
        "corpus": index.corpus,
        "folder": str(index.root),
        "licence": index.licence,
        "frames": {
            "coded": done.height + before.height,
            "with pictures": done.height,
            "prepared": len(manifest),
        },
        "faces": {"placed by the corpus's landmarks": len(manifest) - len(scores), "found by the detector": len(scores)}
        if crop
        else {},
        "dropped": dict(dropped["reason"].value_counts(sort=True).rows()),
        "examples": {
            str(reason): rows["file"].drop_nulls().unique(maintain_order=True).head(_EXAMPLES).to_list()
            for (reason,), rows in dropped.group_by("reason", maintain_order=True)
        },
        "published": {
            name: {"published": index.expected[name], "here": count} for name, count in count_rows(index).items()
        },
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
    lines = [f"# {report['corpus']}: what was prepared", ""]
    lines += [f"{frames['prepared']:,} of {frames['coded']:,} coded frames were prepared; "]
    lines[-1] += f"{frames['coded'] - frames['prepared']:,} were left out. Read from `{report['folder']}` with facskit "
    lines[-1] += f"{report['facskit']}. Licence: {report['licence'].rstrip('.')}."
    lines += ["", "## Beside the published counts", "", "| count | published | here |", "|---|---|---|"]
    lines += [f"| {name} | {pair['published']:,} | {pair['here']:,} |" for name, pair in report["published"].items()]
    lines += ["", "## Decisions", "", "| option | value |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in report["decisions"].items()]
    crop = report["crop"] or {"kind": "none: whole pictures"}
    lines += [f"| crop {name} | {value} |" for name, value in crop.items()]
    lines += [f"| faces {name} | {count:,} |" for name, count in report["faces"].items()]
    lines += ["", "## Left out", "", *_left_out(report)]
    lines += ["", "## Labels", "", "| label | counts |", "|---|---|"]
    for label, counts in report["labels"].items():
        lines.append(f"| {label} | {', '.join(f'{count:,} {name}' for name, count in counts.items())} |")
    lines += ["", "## What reading the folder showed", ""]
    lines += [f"- {finding}" for finding in report["findings"][:_FINDINGS]] or ["Nothing."]
    lines += _subject_lines(report["subjects"])
    return "\n".join(lines) + "\n"


def _left_out(report: Mapping[str, Any]) -> list[str]:
    if not report["dropped"]:
        return ["Nothing."]
    rows = [
        f"| {reason} | {count:,} | {'; '.join(report['examples'].get(reason, []))} |"
        for reason, count in report["dropped"].items()
    ]
    return ["| reason | frames | for example |", "|---|---|---|", *rows]


def _subject_lines(subjects: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if len(subjects) > 500:  # corpora of strangers, one picture each
        return []
    lines = ["", "## Subjects", "", "| subject | with pictures | prepared | left out |", "|---|---|---|---|"]
    for name, counts in subjects.items():
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in counts["left out"].items()) or "none"
        lines.append(f"| {name} | {counts['found']:,} | {counts['prepared']:,} | {reasons} |")
    return lines


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
    expression = table[EXPRESSION][row] if EXPRESSION in table.columns else None
    parts = [expression or "", f"AU {present}" if present else ("no AU" if cells else "")]
    parts.append(f"(unknown {unknown})" if unknown else "")
    return " ".join(part for part in parts if part)[:34]
