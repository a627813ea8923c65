"""How long the first answer takes: `python -m benchmarks.cold_start` starts facskit anew for one photograph.

The backends take turns, so that a busy machine slows all of them down. Seconds are those on the clock, from the start
of the process to its end; memory is the most that the process held.
"""

import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

import facskit
from facskit.tables import TextTable

PHOTOGRAPH = Path(facskit.__file__).parent / "assets" / "photographs" / "eileen_collins.jpg"


@dataclass(frozen=True, kw_only=True)
class ColdStart:
    """What to start, and how often."""

    backends: tuple[str, ...] = ("torch", "onnx")
    """What runs the packaged network; `openvino` if it's installed."""
    rounds: int = 5
    """Starts of each."""


def main(config: ColdStart) -> None:
    """Start each backend in turn and print seconds and memory."""
    seconds: dict[str, list[float]] = {backend: [] for backend in config.backends}
    memory: dict[str, int] = {}
    for _ in range(config.rounds + 1):  # the first time files come from the disk
        for backend, times in seconds.items():
            start = time.perf_counter()
            memory[backend] = _recognize(backend)
            times.append(time.perf_counter() - start)
    rows = [
        (backend, f"{statistics.median(times[1:]):.2f}", f"{min(times[1:]):.2f}", f"{memory[backend]:,}")
        for backend, times in seconds.items()
    ]
    table = TextTable(
        title=f"One photograph of one face, {config.rounds} starts each",
        header=("backend", "seconds, median", "least", "memory, MB"),
        rows=tuple(rows),
    )
    print(table.to_markdown())


def _recognize(backend: str) -> int:
    """Recognise the photograph in a process of its own; return the megabytes that it held at most."""
    script = "import resource, sys; from facskit.interfaces import cli; code = cli.main(sys.argv[1:]); "
    script += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
    words = [sys.executable, "-c", script, "recognize", str(PHOTOGRAPH), "--backend", backend]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return int(done.stdout.split()[-1]) * unit // 1_000_000


if __name__ == "__main__":
    main(tyro.cli(ColdStart))
