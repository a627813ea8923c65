"""A manifest read as a corpus, so that its faces can be cropped once and for all: rendered ones, or anybody's own.

All labels, subjects and landmarks are the manifest's; nothing is left to decide.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from facskit.columns import FRAME, IMAGE, RECORDING, SUBJECT
from facskit.datasets.corpora.index import MEDIA, MEDIA_FRAME, CorpusIndex
from facskit.datasets.manifest import Manifest, read_manifest
from facskit.datasets.origin import UNNAMED
from facskit.datasets.packed import packaged_faces
from facskit.errors import DatasetError

__all__ = ["read_listed"]


def read_listed(path: Path, columns: Mapping[str, str] | None = None) -> CorpusIndex:
    """Read a manifest of whole pictures.

    Args:
        path: A manifest file, a folder with a `manifest.parquet` as `facskit synthesize` writes it, or `packaged`.
        columns: The file's names of columns by those that a manifest has, where they differ.

    Returns:
        Every row. An index of images packed into the manifest has them in the column `image_bytes`.

    Raises:
        DatasetError: Something is wrong with the manifest, or its images are crops already.
    """
    if str(path) == "packaged" and not path.exists():
        manifest = packaged_faces()
    else:
        manifest = read_manifest(path / "manifest.parquet" if path.is_dir() else path, columns=columns)
    origin = manifest.origin
    if origin is not None and origin.crop is not None:
        raise DatasetError(
            f"{manifest.name}: the images are {origin.crop.kind} crops of {origin.crop.size} px already; expected "
            "whole pictures, so prepare the corpus again that they come from"
        )
    root, media = _places(manifest)
    table = manifest.table.drop(IMAGE).with_columns(
        media, pl.lit(None, pl.Int64).alias(MEDIA_FRAME), pl.col(SUBJECT).cast(pl.String)
    )
    if RECORDING in table.columns:
        table = table.with_columns(pl.col(RECORDING).cast(pl.String))
        if FRAME not in table.columns:
            table = table.with_columns(pl.int_range(pl.len()).over(SUBJECT, RECORDING).alias(FRAME))
    return CorpusIndex(
        corpus=UNNAMED if origin is None else origin.corpus,
        root=root,
        action_units=manifest.action_units,
        table=table.sort([name for name in (SUBJECT, RECORDING, FRAME) if name in table.columns], maintain_order=True),
        decisions={} if origin is None else origin.decisions,
        licence="unknown" if origin is None else origin.licence,
    )


def _places(manifest: Manifest) -> tuple[Path, pl.Series]:
    """Return the folder that holds all images, and the images in it; for packed images the manifest and their names."""
    names = manifest.table[IMAGE].alias(MEDIA)
    if manifest.is_packed:
        return Path(manifest.name), names
    files = [(manifest.root / name).absolute() for name in names]
    root = Path(os.path.commonpath({file.parent for file in files}))
    return root, pl.Series(MEDIA, [os.path.relpath(file, root) for file in files])
