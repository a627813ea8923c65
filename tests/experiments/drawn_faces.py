"""Thirty-two pixel "faces" whose action units are coloured squares: learnable in seconds."""

from pathlib import Path

import numpy as np
import polars as pl

from facskit.faces.images import encode_jpeg

PLACES = {"AU01": (4, 4), "AU12": (18, 20)}


def write_drawn_faces(path: Path, subjects: int = 6, images: int = 24) -> Path:
    """Write a packed manifest in which each subject has its own background."""
    generator = np.random.default_rng(0)
    rows = []
    for subject in range(subjects):
        background = generator.integers(60, 120, 3)
        for image in range(images):
            pixels = np.clip(background + generator.normal(0, 6, (32, 32, 3)), 0, 255)
            labels = {"AU01": image % 2, "AU12": image // 2 % 2}
            for unit, (top, left) in PLACES.items():
                if labels[unit]:
                    pixels[top : top + 8, left : left + 8] = 230
            rows.append(
                {
                    "image": f"{subject}_{image}.jpg",
                    "image_bytes": encode_jpeg(pixels.astype(np.uint8)),
                    "subject": f"S{subject}",
                    **labels,
                }
            )
    pl.DataFrame(rows).write_parquet(path)
    return path


def write_drawn_expressions(path: Path, subjects: int = 6, images: int = 24, *, split: bool = False) -> Path:
    """Write a packed manifest of three "expressions": a square in one place, in the other, or in both; some unknown.

    With `split`, the last two subjects are the corpus's own test part.
    """
    write_drawn_faces(path, subjects, images)
    table = pl.read_parquet(path)
    shown = {(1, 0): "surprise", (0, 1): "happiness", (1, 1): "anger", (0, 0): None}
    names = [shown[row] for row in table.select("AU01", "AU12").rows()]
    table = table.drop("AU01", "AU12").with_columns(expression=pl.Series(names))
    if split:
        last = {f"S{subject}" for subject in range(subjects - 2, subjects)}
        table = table.with_columns(
            split=pl.Series(["test" if subject in last else "train" for subject in table["subject"]])
        )
    table.write_parquet(path)
    return path
