"""How long does a report take? `python -m benchmarks.evaluation_speed` scores a million frames, 1,000 draws of people.

Every number of a report is computed: F1 and its interval over people, areas, calibration, baselines. Beside it stands
the paired comparison of two networks on the same frames, areas under each draw included.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tyro
from rich.console import Console

from facskit.action_units import BP4D
from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.evaluation.paired_comparison import compare_predictions
from facskit.evaluation.predictions import Predictions
from facskit.evaluation.reports import build_report


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """How much to score."""

    frames: int = 1_000_000
    """Rows of the predictions."""
    subjects: int = 41
    """People; BP4D has 41."""
    draws: int = 1000
    """Draws of the bootstrap."""


def main(benchmark: Benchmark) -> None:
    """Print seconds on the clock and of processor time."""
    first, second = (_predictions(benchmark, noise) for noise in (0, 1))
    config = BootstrapConfig(resamples=benchmark.draws)
    console = Console(highlight=False, soft_wrap=True)
    what = f"{benchmark.frames:,} frames x {len(BP4D)} AUs, {benchmark.subjects} people, {benchmark.draws:,} draws"
    _time(console, f"report, {what}", lambda: build_report(first, title="speed", bootstrap=config).to_dict())
    _time(console, f"paired comparison, {what}", lambda: compare_predictions(first, second, config))


def _predictions(benchmark: Benchmark, noise: int) -> Predictions:
    rng = np.random.default_rng(7)
    shape = (benchmark.frames, len(BP4D))
    labels = (rng.random(shape) < 0.3).astype(np.int8)
    labels[rng.random(shape) < 0.05] = -1
    drawn = np.random.default_rng(noise).normal(size=shape) + 1.5 * labels
    people = np.arange(benchmark.frames) % benchmark.subjects
    return Predictions(
        action_units=BP4D,
        probabilities=(1 / (1 + np.exp(-drawn))).astype(np.float32),
        labels=labels,
        subjects=np.array([f"F{person:03d}" for person in range(benchmark.subjects)])[people],
        names=np.array([f"{row}.jpg" for row in range(benchmark.frames)]),
        folds=(people % 3).astype(np.int64),
        seeds=np.zeros(benchmark.frames, np.int64),
        thresholds=np.full(shape, 0.5, np.float32),
    )


def _time(console: Console, name: str, work: Callable[[], object]) -> None:
    clock, processor = time.perf_counter(), time.process_time()
    work()
    seconds, busy = time.perf_counter() - clock, time.process_time() - processor
    console.print(f"{name}: {seconds:.1f} s, {busy:.1f} s of processor time")


if __name__ == "__main__":
    main(tyro.cli(Benchmark))
