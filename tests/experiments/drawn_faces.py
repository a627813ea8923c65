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
