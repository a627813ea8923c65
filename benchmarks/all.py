"""All benchmarks that end in minutes, one after another: `make bench`, or `python -m benchmarks.all`.

Each is run as the command that its page names, and figures are read from what it prints. They go into a JSON file and
are compared with those of `benchmarks/figures.json`. Ratios of one run are compared as they are; times and rates only
after both were divided by what a fixed loop took on the same machine at the same time, so that another machine
doesn't look like a change.
"""

import argparse
import itertools
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from facskit.files import write_text
from facskit.interfaces.report_printing import table_console
from facskit.tables import TextTable

KEPT = Path(__file__).with_name("figures.json")
SLOWER = 0.7
"""Below this share of the kept speed a figure counts as slower; less is noise on a shared machine."""

Kind = Literal["ratio", "time", "rate"]


@dataclass(frozen=True)
class Figure:
    """A number that a benchmark prints."""

    name: str
    """What it is called in the file."""
    pattern: str
    """A regular expression that finds it; its one group is the number."""
    kind: Kind = "ratio"
    """How many times as fast as something else, how long something takes, or how many are done in a second."""

    def read(self, output: str) -> float:
        """Find the number in what the benchmark printed.

        Raises:
            ValueError: It isn't there.
        """
        found = re.search(self.pattern, output, re.MULTILINE)
        if found is None:
            raise ValueError(f"{self.name}: found no line like {self.pattern!r} in:\n{output}")
        return float(found.group(1).replace(",", ""))


BENCHMARKS: Mapping[str, tuple[Figure, ...]] = {
    "benchmarks.pretraining_speed --steps 8 --threads 1": (
        Figure("pre-training input, against the plain form", r"^ratio +([\d.]+)x"),
        Figure("pre-training step, against the plain form", r"^ratio +[\d.]+x +([\d.]+)x"),
    ),
    "benchmarks.region_layers --batch 4 --units 8 --threads 1 --repeats 5": (
        Figure("region layers fp32, against the loop", r"^region layers, float32 .* ([\d.]+) +[\d.]+$"),
        Figure("region layers bf16, against the loop", r"^region layers, bfloat16 .* ([\d.]+) +[\d.]+$"),
        Figure("attention network fp32, against the loop", r"^network, float32 .* ([\d.]+) +[\d.]+$"),
        Figure("attention network bf16, against the loop", r"^network, bfloat16 .* ([\d.]+) +[\d.]+$"),
    ),
    "benchmarks.attention_targets": (
        Figure("attention targets, against tables", r"^tables .* ([\d.]+) times as long"),
    ),
    "benchmarks.loader_speed": (
        Figure(
            "a sample of the compact recipe, ms",
            r"^ *compact, decoding each time +([\d.]+) ms",
            "time",
        ),
        Figure("a sample of bp4d_fmae, ms", r"^ *bp4d_fmae, decoding each time +([\d.]+) ms", "time"),
        Figure("5 million rows from Parquet, s", r"^parquet .* in ([\d.]+) s", "time"),
    ),
    "benchmarks.inference_speed": (
        Figure("the packaged network, a face, ms", r"^compact network +([\d.]+) ms", "time"),
        Figure("the tiny transformer, a face, ms", r"^tiny transformer +([\d.]+) ms", "time"),
    ),
    "benchmarks.import_time": (Figure("facskit --help, ms", r"^facskit --help +([\d.]+) ms", "time"),),
    "benchmarks.evaluation_speed --frames 100000": (
        Figure("100,000 frames scored with 1,000 draws, s", r"^report, .*: ([\d.]+) s,", "time"),
    ),
}
"""What is run, and what is read from it."""


def calibrate(repeats: int = 5) -> float:
    """Time a fixed loop of Python and matrix products on one core; return milliseconds, the median."""
    rng = np.random.default_rng(0)
    left, right = rng.random((400, 400), np.float32), rng.random((400, 400), np.float32)
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        total = 0
        for number in range(300_000):
            total += number % 7
        for _ in range(20):
            left @ right
        taken.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(taken), 2)


def speed_against(now: Mapping[str, Any], then: Mapping[str, Any], name: str, kind: Kind) -> float:
    """Return how many times as fast a figure is as it was; times and rates as seen from the fixed loop.

    Args:
        now: What a run found: `calibration_ms`, and each figure by its name in `figures`.
        then: The same of the run to compare with.
    """
    ratio = now["figures"][name] / then["figures"][name]
    slower_machine = now["calibration_ms"] / then["calibration_ms"]
    match kind:
        case "ratio":
            return float(ratio)
        case "rate":
            return float(ratio * slower_machine)
        case "time":
            return float(slower_machine / ratio)


def run_all() -> dict[str, Any]:
    """Run every benchmark and return what was found, with the machine it was found on.

    Raises:
        ValueError: A benchmark failed before it printed its figures.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    figures: dict[str, float] = {}
    calibrations = [calibrate()]
    for command, wanted in BENCHMARKS.items():
        print(f"python -m {command} ...", flush=True)
        call = [sys.executable, "-m", *command.split()]
        # Some benchmarks end with 1 where their own goal is missed; their figures count all the same.
        done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
        figures |= {figure.name: figure.read(done.stdout + done.stderr) for figure in wanted}
        calibrations.append(calibrate())
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return {"machine": machine, "calibration_ms": statistics.median(calibrations), "figures": figures}


def compare(now: Mapping[str, Any], then: Mapping[str, Any] | None) -> list[str]:
    """Print each figure beside the kept one, and return the names of those that are slower."""
    rows: list[tuple[str, ...]] = []
    slower = []
    for figure in itertools.chain.from_iterable(BENCHMARKS.values()):
        unit = "x" if figure.kind == "ratio" else ""
        before, times_as_fast = "", ""
        if then is not None and figure.name in then["figures"]:
            speed = speed_against(now, then, figure.name, figure.kind)
            before, times_as_fast = f"{then['figures'][figure.name]:g}{unit}", f"{speed:.2f}"
            if speed < SLOWER:
                slower.append(figure.name)
        rows.append((figure.name, f"{now['figures'][figure.name]:g}{unit}", before, times_as_fast))
    title = f"{now['machine']}; fixed loop {now['calibration_ms']:.1f} ms"
    table = TextTable(title=title, header=("figure", "now", "kept", "times as fast"), rows=tuple(rows))
    table_console().print(table.to_terminal())
    return slower


def main() -> None:
    """Run everything, write the figures, and exit with 1 if something became slower."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"), help="file to write")
    parser.add_argument("--keep", action="store_true", help=f"also write {KEPT.name}, to compare with from now on")
    options = parser.parse_args()
    now = run_all()
    then = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else None
    slower = compare(now, then)
    for path in (options.out, KEPT) if options.keep else (options.out,):
        write_text(path, json.dumps(now, indent=2) + "\n")
    print(f"Figures: {options.out}")
    if slower:
        sys.exit(f"slower than {SLOWER:g} times what {KEPT} says: {', '.join(slower)}")


if __name__ == "__main__":
    main()
