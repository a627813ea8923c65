"""Many training runs at a time, each in a process of its own; one that fails leaves the others alone.

A run is what `facskit train` does, in its own folder, so it can be killed and goes on when it is asked for again. What
its process says goes to a log file.
"""

import multiprocessing
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from rich.progress import Progress

from facskit.errors import FacskitError, RecipeError
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import describe_difference, format_recipe
from facskit.experiments.scoring import PREDICTIONS
from facskit.experiments.train import train
from facskit.processes import counting_bar, single_threaded_children, start_worker
from facskit.training.interruption import catch_interruption
from facskit.training.run_directory import RunDirectory

__all__ = ["PlannedRun", "Slot", "choose_slots", "may_start", "train_runs"]

_TICK = 1.0
_PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A run that is wanted."""

    name: str
    """What to call it in messages."""
    recipe: Recipe
    """Its recipe."""
    folder: Path
    """Its folder."""
    shared: Path | None = None
    """Folder of stages that several runs use; only one of them works in it until they are finished."""

    @property
    def finished(self) -> bool:
        """Whether the weights are there, and the results if anybody was left out to test on."""
        tested, scored = ((self.folder / name).exists() for name in (PREDICTIONS, "results.json"))
        return RunDirectory(self.folder).finished and (scored or not tested)

    @property
    def epochs_done(self) -> int:
        """Epochs that the run has logged."""
        path = RunDirectory(self.folder).metrics
        return path.read_text(encoding="utf-8").count('"kind": "epoch"') if path.exists() else 0


@dataclass(frozen=True)
class Slot:
    """A place where one run at a time is trained."""

    device: str | None = None
    """Number of its GPU; None for the processor."""


def choose_slots(recipe: Recipe, *, jobs: int = 0, devices: Sequence[str] = ()) -> list[Slot]:
    """Decide how many runs are trained at a time, and where.

    Args:
        jobs: Runs at a time; 0 for one per GPU, or one per core of the processor.
        devices: Numbers of the GPUs to use; all there are if empty. Several jobs may share one.

    Raises:
        RecipeError: The recipe's runs want several GPUs each, or there is no such GPU.
    """
    if recipe.runtime.devices > 1:
        raise RecipeError(
            f"runtime.devices: a sweep gives each run one device, found {recipe.runtime.devices}; "
            "set --runtime.devices 1 and name the GPUs with --devices"
        )
    there = _gpus() if recipe.runtime.device in {"auto", "cuda"} else []
    if missing := [device for device in devices if device not in there]:
        found = f"GPUs {', '.join(there)}" if there else "no GPU that the recipe may use"
        raise RecipeError(f"--devices: there is no GPU {missing[0]}; this machine has {found}")
    used = list(devices) or there
    if not used:
        return [Slot()] * (jobs or os.cpu_count() or 1)
    return [Slot(used[job % len(used)]) for job in range(jobs or len(used))]


def train_runs(runs: Sequence[PlannedRun], slots: Sequence[Slot], logs: Path) -> dict[Path, str]:
    """Train the runs that aren't finished, as many at a time as there are slots.

    Args:
        runs: The runs, the most wanted first.

    Returns:
        Why runs failed, by their folder; empty if all are finished.

    Raises:
        FacskitError: Somebody asked the command to stop; runs in progress have saved where they are.
    """
    failures = _foreign(runs)
    todo = [run for run in runs if run.folder not in failures and not run.finished]
    if not todo:
        return failures
    crew = _Crew(todo, list(slots)[: len(todo)], logs)
    with counting_bar() as bar, catch_interruption() as interruption:
        total = sum(run.recipe.training.epochs for run in todo)
        task = bar.add_task("", total=total)
        if before := len(runs) - len(todo) - len(failures):
            bar.console.print(f"{before} of {len(runs)} runs were finished already", highlight=False)
        try:
            while crew.busy:
                crew.start_what_can()
                failures |= crew.hear(bar)
                epochs = sum(run.epochs_done for run in todo)
                bar.update(task, completed=epochs, description=f"{crew.done} of {len(todo)} runs done; epochs")
                if interruption.signal is not None:
                    raise FacskitError(
                        f"stopped on request after {crew.done} of {len(todo)} runs; the others go on from their last "
                        "snapshot when the same command is given again"
                    )
        finally:
            crew.stop()
    return failures


@dataclass(frozen=True)
class _Work:
    run: PlannedRun
    slot: Slot
    process: BaseProcess
    log: Path


class _Crew:
    """The processes at work, and the runs that wait for one."""

    def __init__(self, runs: Sequence[PlannedRun], slots: list[Slot], logs: Path) -> None:
        self.waiting, self.free, self.logs = list(runs), slots, logs
        self.working: dict[Connection, _Work] = {}
        self.alone = len(slots) == 1
        self.done = 0

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self.working)

    def start_what_can(self) -> None:
        """Give each free slot the first waiting run that needn't wait for another one's stages."""
        while self.free:
            working = [work.run for work in self.working.values()]
            run = next((run for run in self.waiting if may_start(run, working)), None)
            if run is None:
                return
            self.waiting.remove(run)
            slot = self.free.pop(0)
            log = self.logs / f"{run.folder.parent.name},{run.folder.name}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            context = multiprocessing.get_context("spawn")
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(run, slot, log, sender), name=run.name)
            with nullcontext() if self.alone or slot.device is not None else single_threaded_children():
                process.start()
            sender.close()
            self.working[receiver] = _Work(run, slot, process, log)

    def hear(self, bar: Progress) -> dict[Path, str]:
        """Wait a moment for processes that end; return why runs failed."""
        failures = {}
        for receiver in wait(list(self.working), timeout=_TICK):
            assert isinstance(receiver, Connection)
            work = self.working.pop(receiver)
            try:
                sentence: str | None = receiver.recv()
            except EOFError:
                sentence = None
            work.process.join()
            self.free.append(work.slot)
            self.done += 1
            if sentence != "":
                code = work.process.exitcode or 0
                how = f"killed by signal {-code} (out of memory?)" if code < 0 else f"ended with exit code {code}"
                failures[work.run.folder] = sentence or f"its process was {how}; the log is {work.log}"
                bar.console.print(f"{work.run.name} failed: {failures[work.run.folder]}", markup=False, highlight=False)
        return failures

    def stop(self) -> None:
        """Ask the processes that still work to save and end; those that don't are ended."""
        for work in self.working.values():
            work.process.terminate()
        for work in self.working.values():
            work.process.join(_PATIENCE)
            work.process.kill()


def may_start(run: PlannedRun, working: Sequence[PlannedRun]) -> bool:
    """Tell whether nobody is busy with stages that a run will use."""
    others = [other for other in working if run.shared is not None and other.shared == run.shared]
    # Whoever has logged something of its own is past the stages.
    return all(RunDirectory(other.folder).metrics.exists() for other in others)


def _work(run: PlannedRun, slot: Slot, log: Path, sender: "Connection") -> None:
    """Train one run in this process; send an empty sentence, or why it failed."""
    start_worker()
    if slot.device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = slot.device
    with log.open("a", encoding="utf-8") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    try:
        train(run.recipe, run.folder)
    except FacskitError as error:
        print(error, file=sys.stderr)
        sender.send(str(error))
    except Exception as error:  # whatever it is, the other runs go on
        traceback.print_exc()
        sender.send(f"{type(error).__name__}: {error}; the log is {log}")
    else:
        sender.send("")


def _foreign(runs: Iterable[PlannedRun]) -> dict[Path, str]:
    """Return the folders that hold runs of other recipes, with a sentence about the difference."""
    failures = {}
    for run in runs:
        file = RunDirectory(run.folder).recipe
        if not file.exists():
            continue
        there, wanted = file.read_text(encoding="utf-8"), format_recipe(run.recipe)
        if there != wanted:
            difference = describe_difference(there, wanted)
            failures[run.folder] = f"{run.folder}: the folder holds a run with another recipe: {difference}"
    return failures


def _gpus() -> list[str]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not torch.cuda.is_available():
        return []
    return visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]
