"""Small made-up data sets: noise images, five people, two action units."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.action_units import ActionUnitSet
from facskit.columns import LANDMARKS_X, LANDMARKS_Y
from facskit.datasets.manifest import Manifest, read_manifest
from facskit.faces.images import write_image

PAIR = ActionUnitSet.parse("AU06,AU12")
FACE = np.random.default_rng(5).uniform(20, 44, (68, 2)).round(2)
# Eyes, a nose and a mouth where a crop expects them.
FACE[36:42], FACE[42:48], FACE[30], FACE[48], FACE[54] = (24, 28), (40, 28), (32, 36), (26, 44), (38, 44)


def table(rows: int = 10, *, landmarks: bool = False) -> pl.DataFrame:
    """Rows `images/00.png`.. of the people p0..p4 in turn, AU06 in a pattern with unknowns, AU12 on odd rows."""
    columns: dict[str, list[object]] = {
        "image": [f"images/{row:02d}.png" for row in range(rows)],
        "subject": [f"p{row % 5}" for row in range(rows)],
        "AU06": [(1, 0, None)[row % 3] for row in range(rows)],
        "AU12": [row % 2 for row in range(rows)],
    }
    if landmarks:
        for names, axis in ((LANDMARKS_X, 0), (LANDMARKS_Y, 1)):
            columns |= {name: [float(FACE[point, axis])] * rows for point, name in enumerate(names)}
    return pl.DataFrame(columns)


def write_images(folder: Path, rows: int = 10) -> None:
    """Write one noise picture of 72 x 64 pixels per row."""
    rng = np.random.default_rng(0)
    for row in range(rows):
        write_image(folder / f"images/{row:02d}.png", rng.integers(0, 256, (64, 72, 3), dtype=np.uint8))


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Ten images on disk with landmarks."""
    write_images(tmp_path)
    table(landmarks=True).write_parquet(tmp_path / "faces.parquet")
    return read_manifest(tmp_path / "faces.parquet", PAIR)
