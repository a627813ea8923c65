"""From collections of images to shards for pre-training: what Face9M is, for any sources.

1. Every source is listed, in chunks, and the listing's digest is kept, so that a change between restarts is noticed.
2. Every chunk is examined: decoded, filtered, cropped or resized, hashed. It leaves its images and a table.
3. Duplicates are dropped across all sources, and every image gets its place.
4. Shards are written one by one, then report and index; the index comes last, so where it is, all is there.

A run that is killed at any moment goes on where it was and ends with the same bytes.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

from rich.progress import Progress, TaskID

from facskit.datasets.curation.config import CurationConfig
from facskit.datasets.curation.engines import EngineName, check_engine, run_units
from facskit.datasets.curation.image_sources import ImageSource, name_sources
from facskit.datasets.curation.listing import LISTING, Listing, list_sources
from facskit.datasets.curation.places import Settled, settle
from facskit.datasets.curation.report import REJECTED, describe, write_contact_sheet, write_report
from facskit.datasets.curation.shards import INDEX
from facskit.datasets.curation.work import PLAN, Workplace, examine_chunk, write_shard
from facskit.datasets.table_files import write_table
from facskit.errors import DatasetError
from facskit.files import PART_PATTERN, is_vacant, write_text
from facskit.processes import counting_bar
from facskit.version import __version__

__all__ = ["curate"]

DESCRIPTION = "dataset.json"
_INDEX_COLUMNS = ("name", "source", "shard", "offset", "length", "width", "height")


def curate(
    paths: Sequence[Path],
    out: Path,
    config: CurationConfig | None = None,
    *,
    workers: int = 0,
    engine: EngineName = "processes",
) -> Path:
    """Turn collections of images into shards, or finish what was stopped.

    Args:
        paths: Folders, zip and tar archives, and LMDBs, in the order in which their images count as first.
        out: Folder for the shards, their index, the report and the description.
        config: What is asked of an image.
        workers: How many units of work at a time; 0 for one per core.
        engine: Who does them; with `ray`, sources and `out` lie on a file system that all machines share.

    Returns:
        Path of the index.

    Raises:
        DatasetError: A source is missing, damaged or changed, the folder holds something else, no image was accepted,
            or a process died.
        FacskitError: Ray isn't installed.
    """
    began = time.perf_counter()
    out = Path(out).resolve()
    sources = name_sources([Path(path) for path in paths])
    place = Workplace(config=config or CurationConfig(), out=out, sources=tuple(sources))
    check_engine(engine)
    _check_apart(sources, out)
    _claim(place)
    index = out / INDEX
    with _held(place):
        if not index.is_file():
            place.parts.mkdir(exist_ok=True)
            run = partial(run_units, engine, workers=workers)
            with counting_bar() as progress:
                listing = _list(place, progress)
                _examine(place, listing, run, progress)
                settled = _settle(place, listing, progress)
                _write_shards(place, settled, run, progress)
            _finish(place, listing, settled, began)
        shutil.rmtree(place.parts, ignore_errors=True)
        for left_behind in out.rglob(PART_PATTERN):
            left_behind.unlink()
    return index


Run = Callable[[Callable[[int], int], Sequence[int]], Any]


def _list(place: Workplace, progress: Progress) -> Listing:
    task = progress.add_task("listing the sources", total=None)
    try:
        listing = list_sources(place, lambda text: progress.update(task, description=text))
    except (DatasetError, OSError):
        _give_up(place)
        raise
    progress.remove_task(task)
    return listing


def _examine(place: Workplace, listing: Listing, run: Run, progress: Progress) -> None:
    numbers = range(len(listing.chunks))
    todo = [number for number in numbers if not place.chunk_file("table", number).is_file()]
    task = _task(progress, "examining images", sum(listing.found), sum(listing.chunks[number] for number in todo))
    for count in run(partial(examine_chunk, place), todo):
        progress.advance(task, count)


def _settle(place: Workplace, listing: Listing, progress: Progress) -> Settled:
    task = progress.add_task("dropping duplicates", total=None)
    settled = settle(place, listing)
    progress.remove_task(task)
    if settled.accepted.is_empty():
        write_table(settled.rejected, place.out / REJECTED)
        reasons = settled.rejected["reason"].value_counts(sort=True)
        raise DatasetError(
            f"none of the {sum(listing.found)} files was accepted, {reasons['count'][0]} for the reason "
            f"'{reasons['reason'][0]}'; {place.out / REJECTED} says why for each (to try other options, delete "
            f"{place.out} or choose another folder)"
        )
    if not (place.parts / PLAN).is_file():
        write_table(settled.accepted, place.parts / PLAN)
    return settled


def _write_shards(place: Workplace, settled: Settled, run: Run, progress: Progress) -> None:
    size, images = place.config.shard_images, settled.accepted.height
    counts = [min(size, images - start) for start in range(0, images, size)]
    todo = [number for number in range(len(counts)) if not place.shard_file(number).is_file()]
    task = _task(progress, "writing shards", images, sum(counts[number] for number in todo))
    for count in run(partial(write_shard, place), todo):
        progress.advance(task, count)


def _finish(place: Workplace, listing: Listing, settled: Settled, began: float) -> None:
    write_table(settled.rejected, place.out / REJECTED)
    write_contact_sheet(place, settled.accepted)
    write_report(place.out, describe(place, listing, settled, time.perf_counter() - began))
    write_table(settled.accepted.select(_INDEX_COLUMNS), place.out / INDEX)


def _task(progress: Progress, what: str, total: int, todo: int) -> TaskID:
    return progress.add_task(what, total=total, completed=total - todo)


def _give_up(place: Workplace) -> None:
    """Leave the folder vacant if nothing was begun: the next try may leave the faulty source out."""
    if not (place.parts / LISTING).is_file():
        shutil.rmtree(place.parts, ignore_errors=True)
        (place.out / DESCRIPTION).unlink(missing_ok=True)
        if not any(place.out.iterdir()):
            place.out.rmdir()


def _check_apart(sources: list[ImageSource], out: Path) -> None:
    for source in sources:
        if out.is_relative_to(source.path):
            raise DatasetError(f"{out} lies inside the source {source.path}; choose a folder outside of it")
        if source.path.is_relative_to(out):
            raise DatasetError(f"the source {source.path} lies inside {out}; choose another folder for the result")


def _claim(place: Workplace) -> None:
    """Write `dataset.json`, or check that the folder's one says the same."""
    out, path = place.out, place.out / DESCRIPTION
    sources = [{"name": s.name, "kind": s.kind, "path": str(s.path)} for s in place.sources]
    wanted = {"version": __version__, **asdict(place.config), "sources": sources}
    if not path.is_file():
        if not is_vacant(out):
            raise DatasetError(f"{out} is not empty and holds no {DESCRIPTION}; expected a new or empty folder")
        write_text(path, json.dumps({"kind": "faces curated by facskit", "config": wanted}, indent=2) + "\n")
        return
    try:
        there: dict[str, Any] = json.loads(path.read_text())
        found = dict(there["config"])
        if there["kind"] != "faces curated by facskit":
            raise KeyError("kind")
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} is no description of curated images; choose another folder") from error
    for key, value in wanted.items():
        if found.get(key) != value:
            there_text, here_text = _short(found.get(key)), _short(value)
            raise DatasetError(
                f"{out} was begun with {key} {there_text}, this run has {here_text}; choose another folder"
            )


@contextmanager
def _held(place: Workplace) -> Iterator[None]:
    """Keep other processes from curating into the folder: they would delete each other's parts."""
    if fcntl is None:
        yield
        return
    with (place.out / DESCRIPTION).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DatasetError(
                f"{place.out}: another process is curating into this folder; wait for it, or choose another folder"
            ) from error
        except OSError:  # a file system without locks
            pass
        yield


def _short(value: Any) -> str:  # noqa: ANN401 (whatever JSON holds)
    if isinstance(value, list):
        return ", ".join(str(source["path"]) if isinstance(source, dict) else str(source) for source in value)
    return repr(value)
