"""The units of curation that processes and machines share out: examine a chunk of a source, write a shard.

Every unit leaves its result in the folder of parts in one stroke, and doing one again gives the same bytes.
"""

import os
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float, UInt8, UInt64

from facskit.claimed_folder import PARTS
from facskit.datasets.curation.config import CurationConfig
from facskit.datasets.curation.image_bytes import ReadEntry, open_source
from facskit.datasets.curation.image_sources import Entry, ImageSource
from facskit.datasets.curation.reasons import Reason
from facskit.datasets.curation.shards import SHARDS, ShardWriter, shard_name
from facskit.errors import MediaError
from facskit.faces.alignment import crop_matrix
from facskit.faces.detection import Face, FaceDetector
from facskit.faces.detectors import ONE_THREAD, build_detector
from facskit.faces.filters import one_thread
from facskit.faces.fingerprints import perceptual_hashes, pixel_digest
from facskit.faces.images import decode_image, encode_jpeg, warp
from facskit.files import atomic_path

__all__ = ["HASHES", "PLAN", "Workplace", "examine_chunk", "write_shard"]

HASHES = ("hash_0", "hash_1", "hash_2", "hash_3", "hash_4")
"""Columns of the perceptual hashes."""
PLAN = "plan.parquet"
"""Which image goes where in the shards."""

SCHEMA = pl.Schema(
    {
        "source": pl.Int32,
        "key": pl.String,
        "size": pl.Int64,
        "reason": pl.String,
        "detail": pl.String,
        "width": pl.Int32,
        "height": pl.Int32,
        "start": pl.Int64,
        "length": pl.Int64,
        "digest_0": pl.UInt64,
        "digest_1": pl.UInt64,
        **dict.fromkeys(HASHES, pl.UInt64),
        "seconds": pl.Float64,
    }
)


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """What a process needs to know to do any unit of the work."""

    config: CurationConfig
    """What is asked of an image."""
    out: Path
    """Folder of the collection."""
    sources: tuple[ImageSource, ...]
    """The sources."""

    @property
    def parts(self) -> Path:
        """Folder of everything that isn't final."""
        return self.out / PARTS

    def place(self, number: int) -> Path:
        """Return where the bytes of a source are: compressed archives were unpacked among the parts."""
        source = self.sources[number]
        return self.parts / f"unpacked-{number:03d}.tar" if source.kind == "packed-tar" else source.path

    def chunk_file(self, kind: str, number: int) -> Path:
        """Return a file of a chunk: its list, its table or its images."""
        suffix = "tar" if kind == "images" else "parquet"
        return self.parts / f"{kind}-{number:06d}.{suffix}"

    def shard_file(self, number: int) -> Path:
        """Return the path of a shard."""
        return self.out / SHARDS / shard_name(number)


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """An image that passed."""

    data: bytes
    size: tuple[int, int]
    digest: tuple[int, int]
    hashes: UInt64[np.ndarray, "5"]


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """An image that didn't."""

    reason: Reason
    detail: str = ""
    size: tuple[int, int] | None = None


def examine_chunk(place: Workplace, number: int) -> int:
    """Examine a list's images; leave the accepted ones in a tar file, then a table of all; return their number."""
    listed = pl.read_parquet(place.chunk_file("list", number))
    source = int(listed["source"][0])
    entries = [Entry(*row) for row in listed.drop("source").iter_rows()]
    images = place.chunk_file("images", number)
    with (
        one_thread(),
        open_source(place.sources[source].kind, place.place(source)) as read,
        atomic_path(images) as part,
        ShardWriter(part) as writer,
    ):
        rows = [_row(entry, read, writer, place.config, index) for index, entry in enumerate(entries)]
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row").with_columns(pl.lit(source, pl.Int32).alias("source"))
    with atomic_path(place.chunk_file("table", number)) as part:
        table.write_parquet(part)
    return len(entries)


def write_shard(place: Workplace, number: int) -> int:
    """Write one shard from the images of the parts, as the plan says; return how many images it has."""
    size = place.config.shard_images
    rows = pl.scan_parquet(place.parts / PLAN, glob=False).slice(number * size, size).collect()
    stored: dict[int, bytes] = {}
    for (chunk,), images in rows.with_row_index().sort("chunk", "start").group_by("chunk", maintain_order=True):
        with place.chunk_file("images", int(str(chunk))).open("rb") as file:
            for index, start, length in images.select("index", "start", "length").iter_rows():
                stored[index] = os.pread(file.fileno(), length, start)
    with atomic_path(place.shard_file(number)) as part, ShardWriter(part) as writer:
        for index, offset in enumerate(rows["offset"].to_list()):
            written = writer.add(f"{number * size + index:09d}.jpg", stored[index])
            if written != offset or len(stored[index]) != rows["length"][index]:
                raise RuntimeError(f"image {index} of shard {number} begins at {written}; the plan says {offset}")
    return rows.height


def _row(entry: Entry, read: ReadEntry, writer: ShardWriter, config: CurationConfig, index: int) -> tuple[object, ...]:
    """Examine one entry and return its row of the chunk's table."""
    began = time.perf_counter()
    found = _examine(entry, read, config)
    start = None
    if isinstance(found, Accepted):
        start = writer.add(f"{index:06d}.jpg", found.data)
    seconds = time.perf_counter() - began
    head = (None, entry.key, entry.size)
    if isinstance(found, Rejected):
        width, height = found.size or (None, None)
        return (*head, found.reason, found.detail, width, height, None, None, *[None] * 7, seconds)
    return (*head, None, None, *found.size, start, len(found.data), *found.digest, *found.hashes.tolist(), seconds)


def _examine(entry: Entry, read: ReadEntry, config: CurationConfig) -> Accepted | Rejected:
    if entry.refused:
        return Rejected(reason=entry.refused)
    try:
        data = read(entry)
    except MediaError as error:
        return Rejected(reason="can't be read", detail=str(error))
    try:
        image = decode_image(data, "")
    except MediaError as error:
        return Rejected(reason="damaged or no image", detail=str(error).removeprefix(": "))
    height, width = image.shape[:2]
    rejected = _misfit(width, height, config)
    if rejected:
        return rejected
    matrix = _matrix(image, config)
    if isinstance(matrix, Rejected):
        return matrix
    picture = warp(image, matrix, config.size)
    stored = data if _is_finished(data, (width, height), config) else encode_jpeg(picture, config.quality)
    hashes = perceptual_hashes(picture) if config.near_duplicates else np.zeros(len(HASHES), np.uint64)
    return Accepted(data=stored, size=(width, height), digest=pixel_digest(image), hashes=hashes)


def _misfit(width: int, height: int, config: CurationConfig) -> Rejected | None:
    aspect = max(width, height) / min(width, height)
    if config.max_aspect and aspect > config.max_aspect:
        return Rejected(reason="aspect ratio", detail=f"{aspect:.2f}", size=(width, height))
    if min(width, height) < config.min_side:
        return Rejected(reason="too small", detail=f"{min(width, height)} pixels", size=(width, height))
    return None


def _matrix(image: UInt8[np.ndarray, "height width 3"], config: CurationConfig) -> Float[np.ndarray, "2 3"] | Rejected:
    """Return the map from the image to what is stored of it."""
    height, width = image.shape[:2]
    face: Face | None = None
    if config.crop != "none":
        face = next(iter(_detector().detect(image)), None)
        if face is None:
            return Rejected(reason="no face", size=(width, height))
        side = max(face.box[2] - face.box[0], face.box[3] - face.box[1])
        if side < config.min_face:
            return Rejected(reason="face too small", detail=f"{side:.0f} pixels", size=(width, height))
    points, box = (None, None) if face is None else (face.landmarks, face.box)
    try:
        return crop_matrix(config.recipe, landmarks=points, box=box, image_size=(width, height))
    except ValueError as error:
        return Rejected(reason="no face", detail=str(error), size=(width, height))


def _is_finished(data: bytes, size: tuple[int, int], config: CurationConfig) -> bool:
    """Tell whether a file can be stored as it is: a JPEG of the wanted size without notes on how to turn it."""
    if config.crop != "none" or size != (config.size, config.size):
        return False
    return data.startswith(b"\xff\xd8") and b"Exif\0\0" not in data[:65536]


@lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    return build_detector(ONE_THREAD)
