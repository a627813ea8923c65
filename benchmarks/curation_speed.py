"""What curating millions of images costs: `python -m benchmarks.curation_speed`.

Takes packaged faces, enlarges them to sizes that collections have, encodes them as JPEG, and measures one core's images
per second for each way of cropping, with everything that `facskit curate` does to an image: read, decode, filter, crop
or resize, hash, encode, write. The table says what 9 million images of the size cost at that rate.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import get_args

import numpy as np

from facskit.datasets.curation.config import CropName, CurationConfig
from facskit.datasets.curation.image_sources import name_sources
from facskit.datasets.curation.listing import list_sources
from facskit.datasets.curation.work import Workplace, examine_chunk
from facskit.datasets.packed import packaged_faces
from facskit.faces.images import encode_jpeg, warp

FACE9M = 9_000_000
"""Images of the collection that FMAE was trained on."""
SIDES = (250, 512, 1024)
"""Pixels: CASIA-WebFace and most crawls; a photograph for the web; FFHQ."""
CORES = 64
"""A common server."""


def write_images(folder: Path, side: int, count: int) -> None:
    """Write enlarged packaged faces with some grain: JPEG must not find them easier than photographs."""
    faces, rng = packaged_faces(), np.random.default_rng(0)
    zoom = side / 128
    folder.mkdir()
    for row in range(count):
        image = warp(faces.image(row), np.array([[zoom, 0, (zoom - 1) / 2], [0, zoom, (zoom - 1) / 2]]), side)
        grain = rng.normal(0, 4, image.shape)
        noisy = np.clip(image + grain, 0, 255).astype(np.uint8)
        (folder / f"{row:04d}.jpg").write_bytes(encode_jpeg(noisy, 90))


def seconds_per_image(folder: Path, out: Path, config: CurationConfig) -> float:
    """Examine a folder in this process.

    Args:
        out: A new folder.

    Returns:
        Processor time per image, in seconds; other programs count little.
    """
    place = Workplace(config=config, out=out, sources=tuple(name_sources([folder])))
    place.parts.mkdir(parents=True)
    (count,) = list_sources(place, lambda _: None).found
    if config.crop != "none":
        _load_detector(folder, out, config)
    began = time.process_time()
    examine_chunk(place, 0)
    return (time.process_time() - began) / count


def _load_detector(folder: Path, out: Path, config: CurationConfig) -> None:
    """Examine one image first: a process loads its detector once in its life."""
    single = folder.parent / "single"
    single.mkdir(exist_ok=True)
    (single / "face.jpg").write_bytes((folder / "0000.jpg").read_bytes())
    place = Workplace(config=config, out=out / "single", sources=tuple(name_sources([single])))
    place.parts.mkdir(parents=True)
    list_sources(place, lambda _: None)
    examine_chunk(place, 0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100, help="images per size, at most 1000")
    count = parser.parse_args().images
    print(f"processor time of one core, {count} images per row; hours of {FACE9M:,} images of that size")
    print("side  crop        images/s/core  ms/image  core-hours   hours on 1 / 16 / 64 cores")
    with tempfile.TemporaryDirectory() as folder:
        for side in SIDES:
            images = Path(folder) / f"images-{side}"
            write_images(images, side, count)
            for crop in get_args(CropName):
                out = Path(folder) / f"out-{side}-{crop}"
                cost = seconds_per_image(images, out, CurationConfig(crop=crop))
                hours = cost * FACE9M / 3600
                print(
                    f"{side:4d}  {crop:10s}  {1 / cost:13.1f}  {1000 * cost:8.1f}  {hours:10.1f}   "
                    f"{hours:.1f} / {hours / 16:.1f} / {hours / CORES:.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
