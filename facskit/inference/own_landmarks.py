"""Landmarks for pictures that came without: the 68 points that packaged or trained weights see in the largest face."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float, UInt8

from facskit.columns import FRAME, IMAGE_BYTES, LANDMARKS_X, LANDMARKS_Y, RECORDING, SUBJECT
from facskit.datasets.corpora.index import DROPPED_SCHEMA, MEDIA, MEDIA_FRAME, CorpusIndex
from facskit.datasets.corpora.reading.media import read_media_bytes
from facskit.datasets.landmark_columns import landmark_columns, read_landmarks
from facskit.datasets.preparation.work import NO_FACE
from facskit.errors import DatasetError
from facskit.faces.images import decode_image
from facskit.files import atomic_path
from facskit.inference.recognizer import Recognizer
from facskit.processes import counting_bar

__all__ = ["locate_landmarks"]

_CHUNK = 500
"""Pictures after which what was found is kept on disk."""
_NOSE_TIP = 30


def locate_landmarks(index: CorpusIndex, store: Path, weights: str = "packaged") -> CorpusIndex:
    """Give each picture that has no landmarks those of its largest face, as weights see them.

    Pictures with landmarks keep theirs; one without any face leaves the index, with that reason. A search that was
    stopped goes on: after each 500 pictures what was found is kept in `store`, under a mark of the weights and of these
    very pictures, and may be deleted once the index isn't needed again.

    Args:
        weights: Weights that answer with landmarks: a name, a file, or a run's folder.

    Returns:
        The index with landmark columns, and the decision `landmarks` that says whose they are.

    Raises:
        DatasetError: The index is of videos, or the weights don't know landmarks.
        MediaError: A picture can't be read.
    """
    table = index.table
    if table[MEDIA_FRAME].null_count() < table.height:
        raise DatasetError(f"{index.root}: --landmarks ours is for pictures, and this corpus comes as videos")
    recognizer = Recognizer.from_checkpoint(weights)
    known = read_landmarks(table)
    points = np.full((table.height, 68, 2), np.nan) if known is None else known.astype(np.float64)
    lacking = np.flatnonzero(np.isnan(points[:, _NOSE_TIP, 0]))
    with counting_bar() as progress:
        task = progress.add_task("locating landmarks", total=len(lacking))
        for start in range(0, len(lacking), _CHUNK):
            rows = lacking[start : start + _CHUNK]
            kept = store / f"{_mark(index, rows.tolist(), weights)}.npy"
            points[rows] = _located(index, recognizer, rows.tolist(), kept)
            progress.advance(task, len(rows))
    table = table.drop(*LANDMARKS_X, *LANDMARKS_Y, strict=False).with_columns(**landmark_columns(points))
    found = ~np.isnan(points[:, _NOSE_TIP, 0])
    whose = f"ours ({weights})" if known is None else f"the corpus's, elsewhere ours ({weights})"
    return replace(
        index,
        table=table.filter(found),
        dropped=pl.concat([index.dropped, _without_face(table.filter(~found))]),
        decisions={**index.decisions, "landmarks": whose},
    )


def _without_face(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `CorpusIndex.dropped` for pictures without a face."""
    named = [pl.col(name) if name in rows.columns else pl.lit(None).alias(name) for name in (SUBJECT, RECORDING, FRAME)]
    reason = (pl.lit(NO_FACE).alias("reason"), pl.col(MEDIA).alias("file"))
    return rows.select(*named, *reason).cast(DROPPED_SCHEMA)


def _located(index: CorpusIndex, recognizer: Recognizer, rows: list[int], kept: Path) -> Float[np.ndarray, "rows 68 2"]:
    """Return the landmarks of some pictures, NaN where no face is found; from disk if they were looked for before."""
    if kept.is_file():
        found: Float[np.ndarray, "rows 68 2"] = np.load(kept)
        return found
    found = np.full((len(rows), 68, 2), np.nan)
    for place, row in enumerate(rows):
        faces = recognizer.recognize(_picture(index, row))
        if not faces:
            continue
        if faces[0].geometry is None:
            raise DatasetError("the weights don't answer with landmarks; take packaged ones, or others that do")
        found[place] = faces[0].geometry.points
    with atomic_path(kept) as part, part.open("wb") as file:
        np.save(file, found)
    return found


def _mark(index: CorpusIndex, rows: list[int], weights: str) -> str:
    """Return a name that other pictures, other contents of packed ones, or other weights don't have."""
    digest = hashlib.sha256(f"{weights}\n{index.root.resolve()}\n".encode())
    packed = index.table[IMAGE_BYTES] if IMAGE_BYTES in index.table.columns else None
    for row in rows:
        name = str(index.table[MEDIA][row])
        digest.update(f"{name}\n".encode())
        if packed is not None:
            digest.update(packed[row])
    return digest.hexdigest()[:32]


def _picture(index: CorpusIndex, row: int) -> UInt8[np.ndarray, "height width 3"]:
    name = str(index.table[MEDIA][row])
    if IMAGE_BYTES in index.table.columns:
        return decode_image(index.table[IMAGE_BYTES][row], name)
    return decode_image(read_media_bytes(index.root, name), str(index.root / name))
