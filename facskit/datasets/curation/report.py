"""The report on a curation: counts by source and reason, bytes, durations, and a sheet of samples."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from facskit.datasets.curation.listing import Listing
from facskit.datasets.curation.places import Settled
from facskit.datasets.curation.reasons import REASONS
from facskit.datasets.curation.shards import INDEX, SHARDS
from facskit.datasets.curation.work import Workplace
from facskit.datasets.findings import counted
from facskit.errors import DatasetError
from facskit.faces.alignment import WholeImage, crop_matrix
from facskit.faces.canvas import Canvas
from facskit.faces.images import decode_image, encode_jpeg, warp
from facskit.files import atomic_path
from facskit.tables import TextTable, write_results
from facskit.version import __version__

__all__ = ["REJECTED", "describe", "read_report", "write_contact_sheet", "write_report"]

REJECTED = "rejected.parquet"
"""Name of the table of everything that was dropped."""
REPORT = "report.json"
CONTACT_SHEET = "contact_sheet.jpg"
_COLUMNS, _ROWS, _SIDE, _HEADER = 16, 9, 80, 24

Report = dict[str, Any]
"""What `report.json` holds."""


def describe(place: Workplace, listing: Listing, settled: Settled, seconds: float) -> Report:
    """Count everything; all but `timing` is the same whenever and wherever the work is done."""
    sources = []
    for source, found in zip(place.sources, listing.found, strict=True):
        accepted = settled.accepted.filter(pl.col("source") == source.name)
        reasons = settled.rejected.filter(pl.col("source") == source.name)["reason"].value_counts()
        counts = dict(reasons.iter_rows())
        rejected = {reason: counts[reason] for reason in REASONS if reason in counts}
        if accepted.height + sum(rejected.values()) != found:
            raise RuntimeError(f"{source.name}: accepted and rejected images aren't the {found} found")
        sources.append(
            {
                "name": source.name,
                "path": str(source.path),
                "found": found,
                "read_bytes": settled.read_bytes[source.name],
                "accepted": accepted.height,
                "stored_bytes": int(accepted["length"].sum()),
                "rejected": rejected,
            }
        )
    timing = {"last_run_seconds": round(seconds, 1), "core_seconds": round(settled.seconds, 1)}
    shards = settled.accepted["shard"].n_unique()
    return {"facskit": __version__, "sources": sources, "shards": shards, "timing": timing}


def write_report(out: Path, report: Report) -> None:
    """Write `report.json`, and `report.md` for people."""
    write_results(out, _as_text(report), report, name="report")


def read_report(out: Path) -> Report:
    """Read `report.json`.

    Raises:
        DatasetError: There is none, or it is damaged.
    """
    try:
        report: Report = json.loads((out / REPORT).read_text())
    except (OSError, ValueError) as error:
        raise DatasetError(f"{out / REPORT}: can't be read; expected the report that facskit curate writes") from error
    return report


def _as_text(report: Report) -> str:
    sources, totals = report["sources"], Counter[str]()
    for source in sources:
        totals.update({name: source[name] for name in ("found", "accepted", "read_bytes", "stored_bytes")})
        totals.update(source["rejected"])
    used = [reason for reason in REASONS if totals[reason]]
    found, accepted = totals["found"], totals["accepted"]
    timing = report["timing"]
    lines = [
        f"# {accepted:,} of {found:,} images",
        "",
        f"{accepted:,} accepted + {found - accepted:,} rejected = {found:,} found. "
        f"{_bytes(totals['read_bytes'])} were read; {_bytes(totals['stored_bytes'])} of images are stored in "
        f"{counted(report['shards'], 'shard')}. "
        f"Examining them took {_duration(timing['core_seconds'])} of work added up over processes; "
        f"the last run took {_duration(timing['last_run_seconds'])}.",
        "",
    ]
    rows = []
    for source in sources:
        counts = [f"{source['rejected'].get(reason, 0):,}" for reason in used]
        rows.append((source["name"], f"{source['found']:,}", f"{source['accepted']:,}", *counts))
    if len(sources) > 1:
        rows.append(("**all**", f"{found:,}", f"{accepted:,}", *(f"{totals[reason]:,}" for reason in used)))
    lines.append(TextTable(title="", header=("source", "found", "accepted", *used), rows=tuple(rows)).to_grid())
    lines += ["", *(f"- **{reason}**: {REASONS[reason]}" for reason in used), ""]
    lines += [f"Every rejected file is a row of [{REJECTED}]({REJECTED}). Where every image lies is in {INDEX}.", ""]
    lines += [f"![samples]({CONTACT_SHEET})", ""]
    lines += ["Sources:", "", *(f"- {source['name']}: `{source['path']}`" for source in sources), ""]
    return "\n".join(lines)


def write_contact_sheet(place: Workplace, accepted: pl.DataFrame) -> None:
    """Write samples spread evenly over the collection as one picture."""
    count = min(_COLUMNS * _ROWS, accepted.height)
    rows = accepted[np.linspace(0, accepted.height - 1, count).round().astype(np.int64)]
    canvas = Canvas(_COLUMNS * _SIDE, _HEADER)
    canvas.text(4.0, _HEADER / 2, f"{count:,} of {accepted.height:,} images, evenly spread", 14.0, (0, 0, 0))
    lines = -(-count // _COLUMNS)
    sheet = np.full((_HEADER + lines * _SIDE, _COLUMNS * _SIDE, 3), 255, np.uint8)
    sheet[:_HEADER] = canvas.pixels()
    for index, (name, shard, offset, length) in enumerate(rows.select("name", "shard", "offset", "length").rows()):
        top, left = _HEADER + index // _COLUMNS * _SIDE, index % _COLUMNS * _SIDE
        with (place.out / SHARDS / shard).open("rb") as file:
            image = decode_image(os.pread(file.fileno(), length, offset), name)
        size = (image.shape[1], image.shape[0])
        matrix = crop_matrix(WholeImage(size=_SIDE), landmarks=None, box=None, image_size=size)
        sheet[top : top + _SIDE, left : left + _SIDE] = warp(image, matrix, _SIDE)
    with atomic_path(place.out / CONTACT_SHEET) as part:
        part.write_bytes(encode_jpeg(sheet, 85))


def _bytes(count: int) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1000:.1f} kB"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
