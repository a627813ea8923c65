"""Sources of faces without labels: curated shards, a manifest, or the packaged faces, all by row number.

What a loader's worker touches is plain arrays and files: no table library survives a fork.
"""

import json
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from facskit.action_units import NO_ACTION_UNITS
from facskit.datasets.curation.config import CurationConfig
from facskit.datasets.curation.shards import ShardedImages
from facskit.datasets.data_record import DataRecord, manifest_digests
from facskit.datasets.face_dataset import needed_landmarks
from facskit.datasets.image_store import ImageStore
from facskit.datasets.manifest import Manifest, read_manifest
from facskit.datasets.origin import DataOrigin
from facskit.datasets.packed import packaged_faces
from facskit.errors import DatasetError
from facskit.faces.alignment import CropRecipe, WholeImage
from facskit.faces.images import decode_image

__all__ = ["Pictures", "UnlabelledImages"]


@runtime_checkable
class Pictures(Protocol):
    """Some of the images, by position; safe to use in worker processes."""

    def name(self, position: int) -> str:
        """Return what messages call an image."""

    def image(self, position: int) -> UInt8[np.ndarray, "height width 3"]:
        """Return an image as RGB pixels; `MediaError` if it is missing or damaged."""


class UnlabelledImages:
    """All images of a source, with what pre-training wants to know of them."""

    def __init__(self, name: str, source: Manifest | ShardedImages, origin: DataOrigin | None) -> None:
        self.name = name
        self.origin = origin
        self._source = source

    @classmethod
    def open(cls, images: str) -> "UnlabelledImages":
        """Open a source by its name in a recipe.

        Args:
            images: A folder that `facskit curate` or `facskit synthesize` wrote, a manifest file, or `packaged`.

        Raises:
            DatasetError: There is nothing, or it is damaged.
        """
        if images == "packaged":
            return cls("the packaged faces", packaged_faces(), None)
        path = Path(images)
        manifest = path / "manifest.parquet"
        if path.is_dir() and manifest.is_file():
            path = manifest
        if not path.exists():
            raise DatasetError(
                f"{images}: found nothing there, expected a folder that facskit curate wrote, a manifest file, or "
                "packaged"
            )
        if path.is_dir():
            return cls(images, ShardedImages(path), _origin_of_curated(path))
        found = read_manifest(path, NO_ACTION_UNITS)
        return cls(images, found, found.origin)

    def __len__(self) -> int:
        return len(self._source)

    def record(self) -> DataRecord:
        """Return what a pre-training keeps of its images, to know them again."""
        if isinstance(self._source, Manifest):
            return DataRecord(images=len(self), digests=manifest_digests(self._source, expressions=False))
        return DataRecord(images=len(self), digests={"image": self._source.digest})

    @cached_property
    def subjects(self) -> Int64[np.ndarray, "images"]:
        """A number for each image's subject; where nobody is named, each image counts as a subject of its own."""
        if isinstance(self._source, Manifest):
            return self._source.subject_indices
        return np.arange(len(self))

    def subject_names(self, rows: Int64[np.ndarray, "rows"]) -> list[str]:
        """Return who is in some images, sorted by name; nobody where nobody is named."""
        return sorted(set(self._source.subjects[rows])) if isinstance(self._source, Manifest) else []

    def remaining_crop(self, wanted: CropRecipe) -> CropRecipe:
        """Return what is left to crop of images that may be crops already.

        Raises:
            DatasetError: The images were cropped in another way, or the crop needs landmarks that there can't be.
        """
        left = wanted if self.origin is None else self.origin.remaining_crop(wanted, self.name)
        if not isinstance(self._source, Manifest) and not isinstance(left, WholeImage):
            raise DatasetError(
                f"{self.name}: a {left.kind} crop needs landmarks, which curated images don't have; expected "
                f"data.crop.kind 'none', or images from `facskit curate --crop {left.kind}`"
            )
        return left

    def landmarks(self, rows: Int64[np.ndarray, "rows"], recipe: CropRecipe) -> Float32[np.ndarray, "rows 68 2"]:
        """Return the landmarks that a crop of some images needs.

        Raises:
            DatasetError: The source has no landmarks, or not of all these images.
        """
        if not isinstance(self._source, Manifest):
            raise DatasetError(
                f"{self.name}: found no landmarks, which a {recipe.kind} crop needs; expected a manifest"
            )
        return needed_landmarks(self._source, rows, recipe)

    def pictures(self, rows: Int64[np.ndarray, "rows"], cache_gib: float = 0.0) -> Pictures:
        """Return some of the images for loader workers.

        Args:
            cache_gib: How many GiB of decoded images to keep in memory.
        """
        if isinstance(self._source, Manifest):
            return ImageStore(self._source, rows, cache_gib)
        return _ShardPictures(self._source, rows)

    def hold_out(self, fraction: float, seed: int) -> tuple[Int64[np.ndarray, "train"], Int64[np.ndarray, "held"]]:
        """Return rows to train with, and rows of a few subjects, drawn at random, to measure with; both ascending.

        Args:
            fraction: Share of the subjects; a source of several subjects gives up at least one. 0 sets nobody aside.
            seed: Same seed, same subjects.

        Raises:
            DatasetError: There is only one subject, so that nobody would be left.
        """
        names = np.unique(self.subjects)
        count = max(1, round(fraction * len(names))) if fraction > 0 else 0
        if count >= len(names):
            raise DatasetError(
                f"{self.name}: found {len(names)} subject(s), too few to set {fraction:.1%} aside; "
                "set data.validation_fraction to 0"
            )
        held = np.isin(self.subjects, np.random.default_rng((seed, len(names))).permutation(names)[:count])
        return np.flatnonzero(~held), np.flatnonzero(held)


@dataclass(frozen=True, eq=False)
class _ShardPictures:
    """Some images of a curated folder."""

    shards: ShardedImages
    rows: Int64[np.ndarray, "rows"]

    def name(self, position: int) -> str:
        return self.shards.name(int(self.rows[position]))

    def image(self, position: int) -> UInt8[np.ndarray, "height width 3"]:
        return decode_image(self.shards.encoded(int(self.rows[position])), self.name(position))


def _origin_of_curated(folder: Path) -> DataOrigin | None:
    """Read how images were curated; a folder that another tool filled doesn't say."""
    path = folder / "dataset.json"
    if not path.is_file():
        return None
    known = {entry.name for entry in fields(CurationConfig)}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))["config"]
        config = CurationConfig(**{name: value for name, value in values.items() if name in known})
        corpus = "curated " + ", ".join(source["name"] for source in values["sources"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} doesn't describe curated images; expected what facskit curate writes") from error
    crop = None if config.crop == "none" else config.recipe
    return DataOrigin(corpus=corpus, crop=crop, facskit=str(values.get("version", "")))
