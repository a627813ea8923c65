"""`facskit curate`: image collections of any size become shards for pre-training, with a report of every decision."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape

from facskit.datasets.curation.config import CropName, CurationConfig
from facskit.datasets.curation.curate import curate
from facskit.datasets.curation.engines import EngineName
from facskit.datasets.curation.report import read_report
from facskit.errors import RecipeError

__all__ = ["main"]

_DESCRIPTION = """Turn image collections into shards for pre-training.

Reads folders, .zip, .tar, .tar.gz and LMDBs. Every image is decoded, filtered and resized; duplicates are dropped
across all sources. Writes OUT/shards/*.tar (as WebDataset reads them), OUT/index.parquet, OUT/rejected.parquet (every
file that was dropped, and why), OUT/report.md and OUT/contact_sheet.jpg. A run that was stopped goes on where it was
when started again with the same options.

Examples:
  facskit curate celeba/ ffhq.zip casia_lmdb/ -o faces/
  facskit curate photographs/ -o faces/ --crop box --max-aspect 0
  facskit curate faces_128/ -o faces/ --min-side 0
"""


def main(arguments: Sequence[str]) -> int:
    """Parse the words after `facskit curate` and do it.

    Returns:
        The exit code.
    """
    return tyro.cli(_run, prog="facskit curate", description=_DESCRIPTION, args=list(arguments))


def _run(  # noqa: PLR0913 (one parameter per option on the command line)
    sources: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SRC ...")],
    *,
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    size: int = CurationConfig.size,
    max_aspect: float = CurationConfig.max_aspect,
    min_side: int = CurationConfig.min_side,
    crop: CropName = CurationConfig.crop,
    min_face: int = CurationConfig.min_face,
    near_duplicates: int = CurationConfig.near_duplicates,
    quality: int = CurationConfig.quality,
    shuffle: bool = CurationConfig.shuffle,
    seed: int = CurationConfig.seed,
    shard_images: int = CurationConfig.shard_images,
    workers: int = 0,
    engine: EngineName = "processes",
) -> int:
    """Turn image collections into shards.

    Args:
        sources: Folders, archives (.zip, .tar, .tar.gz, .tgz, .tar.bz2, .tar.xz) and LMDBs whose values are encoded
            images. Of two equal images the one of the earlier source stays.
        size: Height and width of the stored images in pixels; without a crop, images are stretched to it.
        max_aspect: Drop images whose longer side is more than this many times the shorter one; 0 keeps all.
        min_side: Drop images whose shorter side has fewer pixels; 0 keeps all.
        crop: none keeps the whole image; box (5 % margin) and five-point (upright, eyes level) keep the largest face
            that CenterFace finds.
        min_face: With a crop, drop images whose largest face has fewer pixels along its longer side; 0 keeps all.
        near_duplicates: Drop images that differ from an earlier one in at most this many of 64 bits of a perceptual
            hash, up to 8; 0 keeps all.
        quality: JPEG quality of the stored images. A JPEG that has the wanted size already is stored as it is.
        shuffle: Mix the images of all sources.
        seed: Same seed, same order.
        workers: Processes; 0 for one per processor core.
        engine: processes of this machine, or ray for the machines of a Ray cluster that share a file system.
    """
    if not sources:
        raise RecipeError("found no source; expected at least one folder, archive or LMDB before -o OUT")
    if workers < 0:
        raise RecipeError(f"workers is {workers}; expected at least 0")
    try:
        config = CurationConfig(
            size=size,
            max_aspect=max_aspect,
            min_side=min_side,
            crop=crop,
            min_face=min_face,
            near_duplicates=near_duplicates,
            quality=quality,
            shuffle=shuffle,
            seed=seed,
            shard_images=shard_images,
        )
    except ValueError as error:
        raise RecipeError(str(error)) from error
    index = curate(sources, out, config, workers=workers, engine=engine)
    _print_summary(index.parent)
    return 0


def _print_summary(out: Path) -> None:
    report = read_report(out)
    console = Console(highlight=False, soft_wrap=True)
    for source in report["sources"]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in source["rejected"].items())
        rejected = f"; rejected: {reasons}" if reasons else ""
        console.print(escape(f"{source['name']}: {source['accepted']:,} of {source['found']:,} images{rejected}"))
    images = sum(source["accepted"] for source in report["sources"])
    counted = f"{images:,} image{'' if images == 1 else 's'}"
    console.print(escape(f"{counted} in {_shards(report['shards'])}: {out}, report in {out / 'report.md'}"))


def _shards(count: int) -> str:
    return f"{count:,} shard{'' if count == 1 else 's'}"
