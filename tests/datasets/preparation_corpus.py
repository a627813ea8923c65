"""A small corpus for the tests of preparation: packaged faces inside larger pictures, as image files and as a video."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float, UInt8

from facskit import columns
from facskit.action_units import ActionUnitSet
from facskit.datasets.corpora.index import MEDIA, MEDIA_FRAME, CorpusIndex
from facskit.datasets.manifest import Manifest
from facskit.datasets.packed import packaged_faces
from facskit.faces.images import write_image
from facskit.faces.video import VideoWriter

UNITS = ActionUnitSet.parse("1 12 25")
WIDTH, HEIGHT = 320, 240
FRAMES = 5
"""Frames of each recording."""


def placed(faces: Manifest, row: int, step: int) -> tuple[UInt8[np.ndarray, "240 320 3"], Float[np.ndarray, "68 2"]]:
    """Put a packaged face of 128 px into a grey picture; it moves to the right from step to step."""
    picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    left, top = 60 + 8 * step, 50
    picture[top : top + 128, left : left + 128] = faces.image(row)
    landmarks = faces.landmarks(row)
    assert landmarks is not None
    return picture, landmarks.astype(np.float64) + np.array([left, top])


def small_corpus(root: Path, *, landmarks: bool = True) -> CorpusIndex:
    """Write two people's pictures (A, B) and one person's video (C), and return what an importer would."""
    faces = packaged_faces()
    rows: list[dict[str, object]] = []
    for person, start in (("A", 0), ("B", 300), ("C", 900)):
        for task in ("T1", "T2") if person == "A" else ("T1",):
            pictures = [placed(faces, start + step + 10 * (task == "T2"), step) for step in range(FRAMES)]
            media = _write_media(root, person, task, [picture for picture, _ in pictures])
            for step, (_, points) in enumerate(pictures):
                row: dict[str, object] = {
                    MEDIA: media[step],
                    MEDIA_FRAME: 2 * step if person == "C" else None,
                    columns.SUBJECT: person,
                    columns.RECORDING: task,
                    columns.FRAME: 2 * step + 1 if person == "C" else 100 + step,
                    "AU01": step % 2,
                    "AU12": None if step == 3 else 1,
                    "AU25": 0,
                }
                if landmarks:
                    row |= zip(columns.LANDMARKS_X, points[:, 0].tolist(), strict=True)
                    row |= zip(columns.LANDMARKS_Y, points[:, 1].tolist(), strict=True)
                rows.append(row)
    table = pl.DataFrame(rows).with_columns(
        pl.col(UNITS.codes).cast(pl.Int8), pl.col("^[xy]_[0-9]+$").cast(pl.Float32), pl.col(MEDIA_FRAME).cast(pl.Int64)
    )
    return CorpusIndex(
        corpus="bp4d",
        root=root,
        action_units=UNITS,
        table=table,
        decisions={"missing": "unknown"},
        licence="nobody's",
        expected={"coded frames": 21, "subjects": 3},
    )


def without(index: CorpusIndex, person: str) -> CorpusIndex:
    return replace(index, table=index.table.filter(pl.col(columns.SUBJECT) != person))


def _write_media(root: Path, person: str, task: str, pictures: list[UInt8[np.ndarray, "240 320 3"]]) -> list[str]:
    if person == "C":  # every second frame of the video is labelled
        name = f"videos/{person}_{task}.mp4"
        (root / "videos").mkdir(parents=True, exist_ok=True)
        with VideoWriter(root / name, fps=25.0) as video:
            for step, picture in enumerate(np.repeat(np.stack(pictures), 2, axis=0)):
                video.write(picture, step / 25)
        return [name] * len(pictures)
    names = [f"{person}/{task}/{100 + step}.png" for step in range(len(pictures))]
    for name, picture in zip(names, pictures, strict=True):
        write_image(root / name, picture)
    return names
