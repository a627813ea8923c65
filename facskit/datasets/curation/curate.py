"""Curation of collections of images into shards for pre-training: what Face9M is, for any sources.

1. Every source is listed, in chunks, and the listing's digest is kept, so that a change between restarts is noticed.
2. Every chunk is examined: decoded, filtered, cropped or resized, hashed. It leaves its images and a table.
3. Duplicates are dropped across all sources, and every image gets its place.
4. Shards are written one by one, then report and index; the index comes last, so where it is, all is there.

A run that is killed at any moment goes on where it was and ends with the same bytes.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.progress import Progress

from facskit.claimed_folder import DatasetFolder
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
from facskit.processes import counting_bar
from facskit.version import __version__

__all__ = ["curate"]

Work = Callable[[int], int]
_INDEX_COLUMNS = ("name", "source", "shard", "offset", "length", "width", "height")


def curate(
    paths: Sequence[Path],
    out: Path,
    config: CurationConfig | None = None,
    *,
    workers: int = 0,
    engine: EngineName = "processes",
) -> Path:
    """Turn collections of images into shards, or finish what was stopped; return the path of their index.

    Args:
        paths: Folders, zip and tar archives, and LMDBs, in the order in which their images count as first.
        workers: How many units of work at a time; 0 for one per core.
        engine: Who does them; with `ray`, sources and `out` lie on a file system that all machines share.

    Raises:
        DatasetError: A source is missing, damaged or changed, the folder holds something else, no image was accepted,
            or a process died.
        FacskitError: Ray isn't installed, or another process works in the folder.
    """
    began = time.perf_counter()
    out = Path(out).resolve()
    sources = name_sources([Path(path) for path in paths])
    place = Workplace(config=config or CurationConfig(), out=out, sources=tuple(sources))
    check_engine(engine)
    _check_apart(sources, out)
    home = _home(place)
    home.claim()
    index = out / INDEX
    if home.is_finished:
        return index
    with home.held():
        if not index.is_file():
            run = partial(run_units, engine, workers=workers)
            with counting_bar() as progress:
                listing = _list(place, progress)
                work, table = partial(examine_chunk, place), partial(place.chunk_file, "table")
                _do_units(run, work, listing.chunks, table, progress, "examining images")
                settled = _settle(place, listing, progress)
                images, size = settled.accepted.height, place.config.shard_images
                counts = [min(size, images - start) for start in range(0, images, size)]
                _do_units(run, partial(write_shard, place), counts, place.shard_file, progress, "writing shards")
            _finish(place, listing, settled, began)
    return index


def _list(place: Workplace, progress: Progress) -> Listing:
    task = progress.add_task("listing the sources", total=None)
    try:
        listing = list_sources(place, lambda text: progress.update(task, description=text))
    except (DatasetError, OSError):
        if not (place.parts / LISTING).is_file():
            _home(place).abandon()  # the next try may leave the faulty source out
        raise
    progress.remove_task(task)
    return listing


def _do_units(
    run: Callable[[Work, Sequence[int]], Iterator[int]],
    work: Work,
    sizes: Sequence[int],
    result: Callable[[int], Path],
    progress: Progress,
    what: str,
) -> None:
    """Do those units that have left no result yet; a unit's size is its number of images."""
    todo = [number for number in range(len(sizes)) if not result(number).is_file()]
    done = sum(sizes) - sum(sizes[number] for number in todo)
    task = progress.add_task(what, total=sum(sizes), completed=done)
    for count in run(work, todo):
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


def _finish(place: Workplace, listing: Listing, settled: Settled, began: float) -> None:
    write_table(settled.rejected, place.out / REJECTED)
    write_contact_sheet(place, settled.accepted)
    write_report(place.out, describe(place, listing, settled, time.perf_counter() - began))
    write_table(settled.accepted.select(_INDEX_COLUMNS), place.out / INDEX)


def _check_apart(sources: list[ImageSource], out: Path) -> None:
    for source in sources:
        if out.is_relative_to(source.path):
            raise DatasetError(f"{out} lies inside the source {source.path}; choose a folder outside of it")
        if source.path.is_relative_to(out):
            raise DatasetError(f"the source {source.path} lies inside {out}; choose another folder for the result")


def _home(place: Workplace) -> DatasetFolder:
    sources = [{"name": source.name, "kind": source.kind, "path": str(source.path)} for source in place.sources]
    settings = {"version": __version__, **asdict(place.config), "sources": sources}
    description = {"kind": "faces curated by facskit", "config": settings}
    return DatasetFolder(path=place.out, result=INDEX, description=description)
