"""Engines that do the units of curation: processes of this machine, or the machines of a Ray cluster."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from facskit.errors import DatasetError, FacskitError
from facskit.processes import run_in_processes

__all__ = ["EngineName", "run_units"]

EngineName = Literal["processes", "ray"]
"""`processes` of this machine, or `ray`."""


def run_units(
    engine: EngineName, work: Callable[[int], int], numbers: Sequence[int], workers: int = 0
) -> Iterator[int]:
    """Do units of work in any order, many at a time.

    Args:
        work: Does the unit of a number, and returns how many pieces it had; it can be pickled.
        workers: How many at a time; 0 for one per core of the machine or the cluster.

    Yields:
        How many more pieces are done, now and then.

    Raises:
        DatasetError: A worker process died, or the work raised it.
        FacskitError: Ray isn't installed.
    """
    if not numbers:
        return
    match engine:
        case "processes":
            yield from run_in_processes(work, numbers, workers, what="curating")
        case "ray":
            yield from _on_ray(work, numbers, workers)


def check_engine(engine: EngineName) -> None:
    """Say early if an engine can't be had.

    Raises:
        FacskitError: Ray isn't installed.
    """
    if engine == "ray":
        _ray()


def _on_ray(work: Callable[[int], int], numbers: Sequence[int], workers: int) -> Iterator[int]:
    ray = _ray()
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="error")  # joins the cluster of RAY_ADDRESS, or starts one here
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # it would report beside the progress bar
    ray.data.DataContext.get_current().enable_progress_bars = False
    units = ray.data.from_items([{"number": number} for number in numbers], override_num_blocks=len(numbers))
    size = min(workers or len(numbers), len(numbers))
    strategy = ray.data.TaskPoolStrategy(size=size)
    done = units.map(_on_row, fn_kwargs={"work": work}, num_cpus=1, compute=strategy)
    for row in done.iter_rows():
        if row["error"]:
            raise DatasetError(row["error"])
        yield int(row["count"])


def _on_row(row: dict[str, Any], work: Callable[[int], int]) -> dict[str, Any]:
    """Do a unit as Ray Data wants it, a row in, a row out; Ray would wrap what is raised, so sentences are returned."""
    try:
        return {"count": work(int(row["number"])), "error": ""}
    except FacskitError as error:
        return {"count": 0, "error": str(error)}


def _ray() -> Any:  # noqa: ANN401 (an optional module)
    try:
        import ray  # noqa: PLC0415 (optional)
        import ray.data  # noqa: PLC0415
    except ImportError as error:
        raise FacskitError("engine is ray, which isn't installed; run: pip install 'facskit[ray]'") from error
    return ray
