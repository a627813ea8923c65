"""How long a training sample takes from packed JPEG to normalised crop, and how reading a large manifest scales.

Run `python -m benchmarks.loader_speed`. Images are random waves of colour of 128 pixels, crops are 112 pixels, one core
prepares them; the median of the repeats in processor time is printed. The ratio says how many samples a setting
prepares in the time that the slowest setting takes for one.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from facskit.action_units import BP4D
from facskit.columns import IMAGE_BYTES, LANDMARKS_X, LANDMARKS_Y
from facskit.datasets.augmentation import AugmentationConfig
from facskit.datasets.face_dataset import FaceDataset, Preparation
from facskit.datasets.loaders import LoaderConfig, train_loader
from facskit.datasets.manifest import Manifest, read_manifest
from facskit.experiments.recipe_files import read_recipe
from facskit.faces.filters import one_thread
from facskit.faces.images import encode_jpeg

ROWS = 1024
RECIPES = Path(__file__).parents[1] / "recipes"


def waves(rng: np.random.Generator) -> bytes:
    """Draw an image that JPEG compresses about as well as a face."""
    across, down = np.meshgrid(np.arange(128), np.arange(128))
    grey = sum(np.sin(across * x + down * y) for x, y in rng.uniform(0.02, 0.3, (6, 2)))
    image = 128 + 18 * np.asarray(grey)[..., None] * rng.uniform(0.6, 1.2, 3)
    return encode_jpeg(np.clip(image, 0, 255).astype(np.uint8))


def packed(rows: int) -> Manifest:
    """Make a packed manifest with landmarks in memory."""
    rng = np.random.default_rng(0)
    points = rng.uniform(30, 98, (68, 2))
    points[36:42], points[42:48], points[30], points[48], points[54] = (46, 50), (82, 50), (64, 67), (50, 89), (78, 89)
    columns: dict[str, object] = {
        "image": [f"{row}.jpg" for row in range(rows)],
        IMAGE_BYTES: [waves(rng) for _ in range(rows)],
        "subject": [f"p{row % 40}" for row in range(rows)],
    }
    columns |= {code: rng.integers(0, 2, rows).astype(np.int8) for code in BP4D.codes}
    for names, axis in ((LANDMARKS_X, 0), (LANDMARKS_Y, 1)):
        columns |= {name: np.full(rows, points[point, axis], np.float32) for point, name in enumerate(names)}
    return Manifest(table=pl.DataFrame(columns), root=Path(), action_units=BP4D)


def median_seconds(action: Callable[[], object], repeats: int) -> float:
    """Time an action after one unmeasured run, in seconds of this process's work: other programs count little."""
    action()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return statistics.median(times)


def augmentations() -> dict[str, AugmentationConfig]:
    """Return what is timed: nothing, and what the recipes for rendered faces and for FMAE on BP4D ask for."""
    files = [next(RECIPES.rglob(f"{name}.yaml")) for name in ("compact", "bp4d_fmae")]
    return {"none": AugmentationConfig()} | {file.stem: read_recipe(file).data.augmentation for file in files}


def sample_times(repeats: int) -> None:
    """Print the milliseconds per sample of each augmentation, with and without decoding."""
    manifest = packed(ROWS)
    found: dict[str, float] = {}
    for name, augmentation in augmentations().items():
        preparation = Preparation(augmentation=augmentation)
        for cache_gib, decoding in ((0.0, "decoding each time"), (1.0, "decoded ahead")):
            loader = train_loader(FaceDataset(manifest, preparation, cache_gib=cache_gib), LoaderConfig(batch_size=64))
            with one_thread():
                seconds = median_seconds(lambda loader=loader: sum(len(b) for b in loader.batches(0)), repeats)  # type: ignore[misc]
            found[f"{name:>10}, {decoding}"] = 1000 * seconds / ROWS
    slowest = max(found.values())
    for setting, milliseconds in found.items():
        print(f"{setting:<32} {milliseconds:6.3f} ms per sample   x{slowest / milliseconds:.2f}")


def manifest_times(rows: int) -> None:
    """Print the seconds it takes to read and check a manifest of many rows without landmarks."""
    rng = np.random.default_rng(0)
    table = pl.DataFrame(
        {
            "image": pl.Series(np.arange(rows)).cast(pl.String),
            "subject": pl.Series(rng.integers(0, 140, rows)).cast(pl.String),
            **{code: rng.integers(0, 2, rows).astype(np.int8) for code in BP4D.codes},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("parquet", "csv"):
            path = Path(folder) / f"many.{suffix}"
            (table.write_parquet if suffix == "parquet" else table.write_csv)(path)
            start = time.perf_counter()
            manifest = read_manifest(path, check_images=False)
            seconds = time.perf_counter() - start
            size = manifest.table.estimated_size("mb")
            print(f"{suffix:<8} {rows:,} rows in {seconds:.2f} s ({rows / seconds / 1e6:.1f} M rows/s), {size:.0f} MB")


def main() -> None:
    """Read the options and print all times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=int, default=5_000_000)
    options = parser.parse_args()
    sample_times(options.repeats)
    manifest_times(options.rows)


if __name__ == "__main__":
    main()
