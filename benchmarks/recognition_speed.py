"""How fast recognition is, step by step: decode, detect, crop, and a video from file to table.

```text
python -m benchmarks.recognition_speed            # two threads, the packaged photographs
python -m benchmarks.recognition_speed --threads 8
```
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from statistics import median

import numpy as np

from facskit.faces.alignment import EyeSimilarityCrop, crop_matrix
from facskit.faces.centerface import CenterFace, CenterFaceConfig
from facskit.faces.images import read_image, warp
from facskit.faces.normalization import normalize
from facskit.faces.tracking import FaceTracker
from facskit.faces.video import VideoWriter, frames

REAL_TIME = 25.0
"""Frames per second a video usually has."""
PHOTOGRAPHS = Path(str(files("facskit"))) / "assets" / "photographs"


def milliseconds(step: Callable[[], object], repeats: int = 15) -> float:
    """Return the median time of a step after one warm-up."""
    step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return 1000 * median(times)


def measure_photograph(path: Path, threads: int) -> None:
    """Print the time of each step on one photograph."""
    image = read_image(path)
    height, width = image.shape[:2]
    print(f"{path.name} ({width} x {height})")
    print(f"  decode                  {milliseconds(lambda: read_image(path)):7.1f} ms")
    for side in (320, 480, 640):
        detector = CenterFace(CenterFaceConfig(max_side=side, threads=threads))
        print(f"  detect, longer side {side} {milliseconds(lambda: detector.detect(image)):7.1f} ms")  # noqa: B023
    (face,) = detector.detect(image)
    recipe = EyeSimilarityCrop()

    def crop() -> object:
        matrix = crop_matrix(recipe, landmarks=face.landmarks, box=face.box, image_size=(width, height))
        return normalize(warp(image, matrix, recipe.size), "per-image")

    print(f"  crop and normalise      {milliseconds(crop):7.1f} ms")


def measure_video(threads: int, length: int = 60) -> None:
    """Print frames per second for decoding, detecting and tracking a 1280 x 720 video."""
    portrait = read_image(PHOTOGRAPHS / "grace_hopper.jpg")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        with VideoWriter(path, 25.0) as writer:
            for number in range(length):
                walk = np.array([[1.2, 0.0, 200.0 + 4 * number], [0.0, 1.2, 0.0]])
                writer.write(warp(portrait, walk, (1280, 720)), number / 25)
        for side in (320, 480, 640):
            detector = CenterFace(CenterFaceConfig(max_side=side, second_look=False, threads=threads))
            tracker = FaceTracker()
            start = time.perf_counter()
            ids = [face_id for frame in frames(path) for face_id in tracker.update(detector.detect(frame.image))]
            speed = length / (time.perf_counter() - start)
            found = f"{len(ids)} of {length} faces, {len(set(ids))} id"
            ratio = speed / REAL_TIME
            print(f"video 1280 x 720, detection at {side}: {speed:6.1f} frames/s, {ratio:.1f} x real time ({found})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="processor threads of the detector")
    threads = parser.parse_args().threads
    for path in sorted(PHOTOGRAPHS.glob("*.jpg")):
        measure_photograph(path, threads)
    measure_video(threads)


if __name__ == "__main__":
    main()
