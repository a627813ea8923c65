"""How fast faces are rendered: people and pictures as a corpus has them, painting, camera flaws and JPEG included.

```text
python -m benchmarks.render_speed                 # 8 people, 25 pictures each, 256 px, two processes
python -m benchmarks.render_speed --processes 1
```

The first line counts everything, as a user waits for it; the second leaves out the processes' start.
"""

import argparse
import tempfile
import time
from pathlib import Path

from facskit.synthesis.corpus import SynthesisConfig, synthesize


def seconds(config: SynthesisConfig) -> float:
    """Return how long it takes to render a corpus."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        synthesize(config, Path(folder) / "faces")
        return time.perf_counter() - start


def main() -> None:
    """Time a corpus and a tiny one, whose difference is the rendering alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=8)
    parser.add_argument("--frames", type=int, default=25)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    processes, size = options.processes, options.size
    faces = options.subjects * options.frames
    whole = seconds(SynthesisConfig(subjects=options.subjects, frames=options.frames, size=size, workers=processes))
    start = seconds(SynthesisConfig(subjects=processes, frames=1, size=size, workers=processes))
    print(f"{faces} faces of {options.subjects} people at {size} px, {processes} processes")
    print(f"  with the processes' start     {faces / whole:6.1f} faces/s")
    print(f"  rendering alone               {(faces - processes) / (whole - start):6.1f} faces/s")


if __name__ == "__main__":
    main()
