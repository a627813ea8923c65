"""Milliseconds until `import facskit` and `facskit --help` are done, each in a new process.

Run `python -m benchmarks.import_time` (the best of 5; `--repeats 20` for more). `nothing` is Python's own start.
"""

import argparse
import subprocess
import sys
import time

__all__ = ["measure"]

_PROGRAMS = {
    "nothing": ["-c", "pass"],
    "import facskit": ["-c", "import facskit"],
    "facskit --help": ["-m", "facskit.interfaces.cli", "--help"],
}


def measure(repeats: int) -> dict[str, float]:
    """Return the shortest time of each program, in milliseconds."""
    return {name: min(_milliseconds(words) for _ in range(repeats)) for name, words in _PROGRAMS.items()}


def _milliseconds(words: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    for name, milliseconds in measure(parser.parse_args().repeats).items():
        print(f"{name:<16}{milliseconds:7.0f} ms")


if __name__ == "__main__":
    main()
