"""A corpus's frames as cropped images and one manifest: cut into recordings, on all cores, resumable after a kill.

```text
OUT/images/SUBJECT/RECORDING/FRAME.jpg   the crops (images/PART/0000/NAME.jpg where a corpus has no recordings)
OUT/manifest.parquet                     written last: labels, subjects, landmarks in crop pixels, and their origin
OUT/report.md, report.json, sheet.jpg    what was found, used and left out; some crops to look at
OUT/dataset.json                         the configuration, which a later run must repeat
```

The corpus's own folder is only read.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from facskit.claimed_folder import DatasetFolder
from facskit.columns import FRAME, IMAGE, IMAGE_BYTES, LANDMARKS_X, LANDMARKS_Y, RECORDING, SUBJECT
from facskit.configurations import plain_values
from facskit.datasets.corpora.index import CorpusIndex
from facskit.datasets.manifest import Manifest, write_manifest
from facskit.datasets.manifest_checks import missing_images
from facskit.datasets.origin import DataOrigin
from facskit.datasets.preparation.config import PreparationConfig
from facskit.datasets.preparation.report import write_report
from facskit.datasets.preparation.work import FACE_SCORE, FILE, REASON, Unit, do_unit, part_file
from facskit.errors import DatasetError, MediaError
from facskit.processes import counting_bar, run_in_processes
from facskit.version import __version__

__all__ = ["MANIFEST", "prepare", "refuse_inside", "units_of"]

MANIFEST = "manifest.parquet"
_CHUNK = 500
"""Pictures of a unit where a corpus has no recordings."""


def prepare(index: CorpusIndex, config: PreparationConfig, out: Path) -> Path:
    """Crop every usable frame of a corpus, or finish a run that was stopped; return the path of the manifest.

    Args:
        index: The corpus, from `facskit.datasets.corpora.importers.read_corpus`.
        out: A new folder outside the corpus, or that of a run with the same corpus and configuration.

    Raises:
        DatasetError: `out` lies in the corpus, holds something else or was made in another way; no frame could be used;
            or a process died.
        MediaError: A picture or video can't be read and `config.on_error` is `stop`.
        FacskitError: Another process works in the folder.
    """
    refuse_inside(out, index.root)
    if not len(index):
        raise DatasetError(
            f"{index.root}: found no usable frame; expected a folder of {index.corpus} with labels and pictures"
        )
    manifest = out / MANIFEST
    home = _home(index, config, out)
    home.claim()
    if home.is_finished and _has_all_images(manifest):
        return manifest
    with home.held():
        if not manifest.is_file() or not _has_all_images(manifest):
            units = units_of(index)
            _run(units, index.root, out, config)
            parts = [pl.read_parquet(part_file(out, unit)) for unit in units]
            _finish(pl.concat(parts), index, config, out)
    return manifest


def refuse_inside(out: Path, root: Path) -> None:
    """Refuse to write into a corpus.

    Raises:
        DatasetError: `out` is the folder or lies in it.
    """
    if out.resolve().is_relative_to(root.resolve()):
        raise DatasetError(f"{out} lies inside the corpus {root}, which is never written to; choose another folder")


def units_of(index: CorpusIndex) -> list[Unit]:
    """Cut a corpus into recordings, or 500 pictures where it has none, with each row's file in the column `image`."""
    table = index.table
    keys = [SUBJECT, RECORDING]
    if RECORDING in table.columns and not table[RECORDING].null_count():
        groups = table.select(keys).n_unique()
        if groups == 1 or 2 * groups <= table.height:
            pieces = _named(table, keys, FRAME).partition_by(keys, maintain_order=True)
            return [Unit(number=number, rows=rows, follows=True) for number, rows in enumerate(pieces)]
    chunk = (pl.row_index() // _CHUNK).cast(pl.String).str.zfill(4)
    parts = [RECORDING] if RECORDING in table.columns else []
    table = _named(table.with_columns(_chunk=chunk), [*parts, "_chunk"], SUBJECT).drop("_chunk")
    starts = range(0, table.height, _CHUNK)
    return [
        Unit(number=number, rows=table[start : start + _CHUNK], follows=False) for number, start in enumerate(starts)
    ]


def _named(table: pl.DataFrame, folders: list[str], name: str) -> pl.DataFrame:
    """Add the path of each row's image, made of the values of columns."""
    last = pl.col(name).cast(pl.String)
    parts = [*(pl.col(column).cast(pl.String) for column in folders)]
    parts.append(last.str.zfill(5) if table.schema[name].is_integer() else last)
    safe = [part.str.replace_all(r"[^\w.+-]", "_").str.replace(r"^\.", "_") for part in parts]
    path = pl.concat_str([pl.lit("images"), *safe], separator="/")
    again = pl.int_range(pl.len()).over(path)
    suffix = pl.when(again > 0).then(pl.format("-{}.jpg", again + 1)).otherwise(pl.lit(".jpg"))
    return table.select((path + suffix).alias(IMAGE), pl.all())


def _has_all_images(manifest: Path) -> bool:
    """Tell whether every image of a finished manifest is still there; otherwise all is prepared again."""
    images = pl.scan_parquet(manifest).select(IMAGE).collect()[IMAGE]
    return not missing_images(manifest.parent, images).any()


def _run(units: list[Unit], root: Path, out: Path, config: PreparationConfig) -> None:
    """Do the units that have no table yet."""
    todo = [unit for unit in units if not part_file(out, unit).is_file()]
    todo.sort(key=lambda unit: -unit.rows.height)  # the longest first, so that no core waits for one at the end
    total = sum(unit.rows.height for unit in units)
    with counting_bar() as progress:
        done = total - sum(unit.rows.height for unit in todo)
        task = progress.add_task("preparing frames", total=total, completed=done)
        work = partial(do_unit, root, out, config)
        for count in run_in_processes(work, todo, config.workers, what="preparing"):
            progress.advance(task, count)


def _finish(done: pl.DataFrame, index: CorpusIndex, config: PreparationConfig, out: Path) -> None:
    """Write the report and, last of all, the manifest."""
    if config.on_error == "stop":  # units done while the user wanted a report
        for sentence in done[FILE].drop_nulls().head(1):
            raise MediaError(sentence)
    used = done.filter(pl.col(REASON).is_null())
    if not used.height:
        raise DatasetError(
            f"{index.root}: none of the {done.height:,} labelled frames could be prepared "
            f"({done[REASON].value_counts(sort=True)[REASON][0]}); look at the pictures, or choose another crop"
        )
    table = used.drop(REASON, FILE)
    if table[FACE_SCORE].null_count() == table.height:
        table = table.drop(FACE_SCORE)
    marks = [name for name in (*LANDMARKS_X, *LANDMARKS_Y) if name in table.columns]
    table = table.with_columns(pl.col(marks).round(2)) if marks else table
    origin = DataOrigin(
        corpus=index.corpus,
        decisions=_decisions(index, config),
        crop=config.crop,
        licence=index.licence,
        facskit=__version__,
    )
    manifest = Manifest(
        table=table.with_columns(pl.col(SUBJECT).cast(pl.Categorical)),
        root=out,
        action_units=index.action_units,
        name=str(out / MANIFEST),
        origin=origin,
    )
    write_report(index, manifest, done, out)
    write_manifest(manifest, out / MANIFEST)


def _decisions(index: CorpusIndex, config: PreparationConfig) -> Mapping[str, str]:
    """Add what this step decided to what reading the corpus did."""
    return dict(index.decisions) | ({} if config.crop is None else {"points": config.points})


def _home(index: CorpusIndex, config: PreparationConfig, out: Path) -> DatasetFolder:
    """Return the folder with everything that its images and labels depend on, one value per key."""
    settings: dict[str, object] = {"corpus": index.corpus, "facskit": __version__}
    settings |= {name: str(value) for name, value in _decisions(index, config).items()}
    crop = {"kind": "none"} if config.crop is None else plain_values(config.crop)
    settings |= {f"crop.{name}": value for name, value in crop.items()}
    settings |= {name: getattr(config, name) for name in ("max_side", "quality")}
    settings |= {f"detector.{name}": value for name, value in asdict(config.detector).items() if name != "threads"}
    settings["labels"] = _fingerprint(index)
    changed = "was prepared from other labels or pictures: the corpus's folder has changed since"
    return DatasetFolder(path=out, result=MANIFEST, description={"config": settings}, meanings={"labels": changed})


def _fingerprint(index: CorpusIndex) -> str:
    """Return a short name for the corpus's frames, labels and landmarks, which changes when any of them does."""
    marks = [name for name in (*LANDMARKS_X, *LANDMARKS_Y) if name in index.table.columns]
    digest = hashlib.sha256(index.table.drop(*marks, IMAGE_BYTES, strict=False).write_csv().encode())
    for image in index.table[IMAGE_BYTES] if IMAGE_BYTES in index.table.columns else ():
        digest.update(image)
    for name in marks:
        digest.update(np.ascontiguousarray(index.table[name].cast(pl.Float32).fill_null(np.nan).to_numpy()).tobytes())
    return digest.hexdigest()[:16]
