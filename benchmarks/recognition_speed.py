"""How fast recognition is, step by step: photographs, and videos of one and three faces from file to table.

The whole way is run in turns with the plain form, which searches every frame for faces, so that whatever else the
machine does meets both.

```text
python -m benchmarks.recognition_speed            # two threads, the packaged photographs
python -m benchmarks.recognition_speed --threads 8
```
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.people_clips import arrival, made_clip
from facskit.faces.alignment import EyeSimilarityCrop, crop_matrix, detection_matrix
from facskit.faces.appearance import appearance
from facskit.faces.centerface import CenterFace, CenterFaceConfig
from facskit.faces.detectors import FOR_VIDEO, build_detector
from facskit.faces.face_following import FaceFollower, FollowingConfig
from facskit.faces.images import read_image, warp
from facskit.faces.normalization import normalize
from facskit.faces.tracking import FaceTracker
from facskit.faces.video import VideoWriter, frames
from facskit.inference.open_network import open_network
from facskit.inference.recognizer import Recognizer, RecognizerConfig
from facskit.inference.tables import TableWriter, layout

REAL_TIME = 25.0
"""Frames per second a video usually has."""
SIZE = (1280, 720)
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


def write_clip(path: Path, people: int) -> int:
    """Write a 1280 x 720 clip of people at their places; return the number of frames."""
    persons = arrival(0, people, SIZE)
    settled = [replace(person, places=np.repeat(person.places[-1:], 75, axis=0)) for person in persons]
    with VideoWriter(path, REAL_TIME) as writer:
        for frame in made_clip(settled, 0, SIZE):
            writer.write(frame.image, frame.timestamp)
    return 75


def measure_steps(path: Path, threads: int, recognizer: Recognizer) -> None:
    """Print the time of each step for one frame, one after the other."""
    pictures = list(frames(path))
    times: dict[str, float] = {"decode": milliseconds(lambda: list(frames(path)), 3) / len(pictures)}
    detector = build_detector(replace(FOR_VIDEO, threads=threads))
    times["detect (whole picture)"] = milliseconds(lambda: detector.detect(pictures[0].image))
    follower, tracker, start = FaceFollower(detector), FaceTracker(), time.perf_counter()
    found = [follower.find(frame.image, frame.timestamp) for frame in pictures]
    times["follow (searches among it)"] = 1000 * (time.perf_counter() - start) / len(pictures)
    start = time.perf_counter()
    for frame, faces in zip(pictures, found, strict=True):
        tracker.update(faces, frame.timestamp, [appearance(frame.image, face) for face in faces])
    times["who is who"] = 1000 * (time.perf_counter() - start) / len(pictures)
    recipe, start, crops = recognizer.info.crop, time.perf_counter(), []
    for frame, faces in zip(pictures, found, strict=True):
        crops += [warp(frame.image, detection_matrix(recipe, face, SIZE), recipe.size) for face in faces]
    times["crop"] = 1000 * (time.perf_counter() - start) / len(pictures)
    network = open_network("packaged", "cpu")
    start = time.perf_counter()
    for first in range(0, len(crops), 8):
        network.answer(np.stack(crops[first : first + 8]))
    times["network"] = 1000 * (time.perf_counter() - start) / len(pictures)
    results = list(recognizer.recognize_file(path))
    start = time.perf_counter()
    with table(path.with_suffix(".csv"), recognizer) as writer:
        for result in results:
            writer.write(result)
    times["writing"] = 1000 * (time.perf_counter() - start) / len(pictures)
    for name, value in times.items():
        print(f"  {name:26} {value:7.1f} ms a frame")


def table(path: Path, recognizer: Recognizer) -> TableWriter:
    """Begin a table of what a recogniser knows."""
    info = recognizer.info
    return TableWriter(path, layout("facskit", info.action_units, info.expressions, info.answers))


def measure_video(people: int, threads: int, rounds: int) -> None:
    """Print the steps of a video, and frames a second from file to table, in both forms."""
    detection = replace(FOR_VIDEO, threads=threads)
    forms = {
        "plain, every frame searched": RecognizerConfig(
            video_detection=detection, following=FollowingConfig(search_every=0.0)
        ),
        "followed": RecognizerConfig(video_detection=detection),
    }
    recognizers = {name: Recognizer.from_checkpoint("packaged", "cpu", config) for name, config in forms.items()}
    rates: dict[str, list[float]] = {name: [] for name in forms}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        length = write_clip(path, people)
        print(f"video 1280 x 720, faces: {people}")
        measure_steps(path, threads, recognizers["followed"])
        for _ in range(rounds):
            for name, recognizer in recognizers.items():
                start, faces = time.perf_counter(), 0
                with table(path.with_suffix(".csv"), recognizer) as writer:
                    for result in recognizer.recognize_file(path):
                        writer.write(result)
                        faces += len(result.faces)
                rates[name].append(length / (time.perf_counter() - start))
                print(f"  {name:28} {rates[name][-1]:6.1f} frames/s, {faces} faces in {length} frames")
    plain, followed = rates.values()
    ratios = [fast / slow for fast, slow in zip(followed, plain, strict=True)]
    print(f"  followed / plain: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="processor threads of the detector")
    parser.add_argument("--rounds", type=int, default=3, help="how often both forms take turns")
    options = parser.parse_args()
    for path in sorted(PHOTOGRAPHS.glob("*.jpg")):
        measure_photograph(path, options.threads)
    for people in (1, 3):
        measure_video(people, options.threads, options.rounds)


if __name__ == "__main__":
    main()
