"""Units of preparation on all cores: processes that end with their parent, and a progress bar that counts frames."""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from facskit.datasets.preparation.config import PreparationConfig
from facskit.datasets.preparation.work import Unit, prepare_unit
from facskit.errors import DatasetError
from facskit.files import atomic_path
from facskit.processes import counting_bar, single_threaded_children, start_worker

__all__ = ["part_file", "run_units"]

_PARTS = ".parts"
_STOPPED = -1


def part_file(out: Path, unit: Unit) -> Path:
    """Return where a finished unit leaves its table.

    Args:
        out: Folder of the prepared images.
    """
    return out / _PARTS / f"{unit.number:06d}.parquet"


def run_units(units: Sequence[Unit], root: Path, out: Path, config: PreparationConfig) -> None:
    """Do the units that have no table yet.

    Raises:
        DatasetError: A process died, or an image can't be written.
        MediaError: A picture or video can't be read and `config.on_error` is `stop`.
    """
    todo = [unit for unit in units if not part_file(out, unit).is_file()]
    if not todo:
        return
    context = multiprocessing.get_context("spawn")
    total = sum(unit.rows.height for unit in units)
    counter = context.Value("q", total - sum(unit.rows.height for unit in todo))
    with counting_bar() as progress, single_threaded_children():
        task = progress.add_task("preparing frames", total=total, completed=counter.value)
        workers = min(config.workers or os.cpu_count() or 1, len(todo))
        pool = ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(counter,))
        try:
            # The longest first, so that no core waits for one at the end.
            order = sorted(todo, key=lambda unit: -unit.rows.height)
            waiting = {pool.submit(_work, _Order(unit, root, out, config)) for unit in order}
            while waiting:
                done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
                progress.update(task, completed=counter.value)
        except BrokenProcessPool as error:
            raise DatasetError(
                f"a preparing process died before {out} was complete; run the same command again to go on from there"
            ) from error
        finally:
            counter.value = _STOPPED  # after an error the other units need not be finished
            pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Order:
    """What is sent to a process."""

    unit: Unit
    root: Path
    out: Path
    config: PreparationConfig


class _StoppedError(Exception):
    """The parent wants no more."""


class _Counter:
    """Counts frames into the parent's progress bar."""

    frames: "Synchronized[int] | None" = None

    def tick(self) -> None:
        if self.frames is None:
            return
        with self.frames.get_lock():
            if self.frames.value < 0:
                raise _StoppedError
            self.frames.value += 1


_counter = _Counter()


def _start_worker(frames: "Synchronized[int]") -> None:
    start_worker()
    _counter.frames = frames


def _work(order: _Order) -> None:
    rows = prepare_unit(order.unit, order.root, order.out, order.config, _counter.tick)
    with atomic_path(part_file(order.out, order.unit)) as part:
        rows.write_parquet(part)
