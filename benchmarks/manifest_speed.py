"""How long reading a manifest of millions of rows takes, and how much memory.

Run `python -m benchmarks.manifest_speed` (5,000,000 rows; `--rows 500000` for fewer). The manifest is made here: a
Parquet file with 12 action units (every hundredth label unknown), subject, recording, frame and image names. It's read
in a process of its own by `read_manifest(path, check_images=False)`, once, with the file in the system's cache; peak
memory is that process's largest resident set, Python and libraries included.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from facskit.action_units import BP4D

__all__ = ["make_manifest", "measure"]

_READ = """
import json, resource, sys, time
from pathlib import Path
from facskit.datasets.manifest import read_manifest
begin = time.perf_counter()
manifest = read_manifest(Path(sys.argv[1]), check_images=False)
seconds = time.perf_counter() - begin
status = Path("/proc/self/status")  # rusage would count the parent's memory too, from which Linux forked us
if status.is_file():
    peak = 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"rows": len(manifest), "seconds": seconds, "peak_bytes": peak}))
"""
_RECORDING, _PERSON = 1_000, 8_000


def make_manifest(path: Path, rows: int) -> Path:
    """Write a manifest of made-up rows: recordings of 1,000 frames, 8 of each person."""
    rng = np.random.default_rng(0)
    row = pl.int_range(rows, eager=True).alias("row")
    person = pl.format("S{}", (pl.col("row") // _PERSON).cast(pl.String).str.zfill(4))
    recording = pl.format("R{}", pl.col("row") % _PERSON // _RECORDING)
    frame = pl.col("row") % _RECORDING
    image = pl.format("images/{}/{}/{}.jpg", person, recording, frame.cast(pl.String).str.zfill(5))
    named = {"image": image, "subject": person, "recording": recording, "frame": frame}
    table = pl.DataFrame([row]).select(**named)
    for code in BP4D.codes:
        labels = pl.Series(code, rng.choice(np.array([0, 1, 9], np.int8), rows, p=(0.79, 0.2, 0.01)))
        table = table.with_columns(labels.replace(9, None))
    table.write_parquet(path, compression="zstd")
    return path


def measure(rows: int) -> dict[str, float]:
    """Make a manifest and read it in a new process; return rows, seconds and peak_bytes."""
    with tempfile.TemporaryDirectory(prefix="facskit-") as folder:
        path = make_manifest(Path(folder) / "manifest.parquet", rows)
        command = [sys.executable, "-c", _READ, str(path)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(answer.stdout)
    return result


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    found = measure(parser.parse_args().rows)
    print(f"{found['rows']:,} rows: {found['seconds']:.1f} s, {found['peak_bytes'] / 1e9:.2f} GB at most")


if __name__ == "__main__":
    main()
