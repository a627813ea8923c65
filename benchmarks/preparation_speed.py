"""How many frames a second `facskit prepare` cuts out, with face detection, on all cores and on one.

Run `python -m benchmarks.preparation_speed` (1,000 frames; `--frames 10000` for more). The corpus is made here:
packaged faces inside pictures of 640 x 480, as JPEG files in recordings of 100 frames. Frames per second are wall-clock
and include starting the processes, decoding, detection, cropping, encoding, the manifest and the report; other programs
running slow them down. Processor time per frame hardly depends on them. Each measurement prepares all frames once.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from facskit.action_units import ActionUnitSet
from facskit.columns import FRAME, RECORDING, SUBJECT
from facskit.datasets.corpora.index import MEDIA, MEDIA_FRAME, CorpusIndex
from facskit.datasets.packed import packaged_faces
from facskit.datasets.preparation.config import PreparationConfig
from facskit.datasets.preparation.prepare import prepare
from facskit.faces.alignment import BoxCrop
from facskit.faces.drawing import resize
from facskit.faces.images import encode_jpeg

_RECORDING = 100
_SIDE = 256


def make_corpus(root: Path, frames: int) -> CorpusIndex:
    """Write pictures of one face each, which moves a little from frame to frame."""
    faces = packaged_faces()
    rows = []
    for number in range(frames):
        recording, step = divmod(number, _RECORDING)
        face = resize(faces.image((recording * 30 + step // 10) % len(faces)), (_SIDE, _SIDE))
        picture = np.full((480, 640, 3), 110, np.uint8)
        left, top = 100 + 2 * step, 80 + step // 2
        picture[top : top + _SIDE, left : left + _SIDE] = face
        media = f"S{recording:03d}/{step:04d}.jpg"
        (root / media).parent.mkdir(parents=True, exist_ok=True)
        (root / media).write_bytes(encode_jpeg(picture, 92))
        rows.append({MEDIA: media, SUBJECT: f"S{recording:03d}", RECORDING: "T1", FRAME: step, "AU12": number % 2})
    table = pl.DataFrame(rows).with_columns(pl.lit(None, pl.Int64).alias(MEDIA_FRAME), pl.col("AU12").cast(pl.Int8))
    return CorpusIndex(corpus="bp4d", root=root, action_units=ActionUnitSet.parse("12"), table=table)


def measure(index: CorpusIndex, out: Path, workers: int) -> tuple[float, float]:
    """Prepare the corpus once with FMAE's crop; return seconds on the clock and of all processes' work."""
    config = PreparationConfig(crop=BoxCrop(stretch=True), points="detector", workers=workers)
    begin, work = time.perf_counter(), _processor_seconds()
    prepare(index, config, out)
    return time.perf_counter() - begin, _processor_seconds() - work


def _processor_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Print frames per second on all cores and on one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes; by default all cores")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        index = make_corpus(Path(folder) / "corpus", arguments.frames)
        for workers in dict.fromkeys((1, arguments.workers)):
            seconds, work = measure(index, Path(folder) / f"out{workers}", workers)
            rate = len(index) / seconds
            print(
                f"{len(index):,} frames of 640 x 480, {workers} process(es): {rate:.1f} frames/s, {rate / workers:.1f} "
                f"per process; {1000 * work / len(index):.1f} ms of processor time per frame"
            )


if __name__ == "__main__":
    main()
