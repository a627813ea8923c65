"""`facskit curate`: image collections of any size become shards for pre-training, with a report of every decision."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape

from facskit.datasets.curation.config import CurationConfig
from facskit.datasets.curation.curate import curate
from facskit.datasets.curation.engines import EngineName
from facskit.datasets.curation.report import read_report
from facskit.datasets.findings import counted
from facskit.errors import RecipeError

__all__ = ["CurateCommand", "main"]

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


@dataclass(frozen=True, kw_only=True)
class CurateCommand:
    """Turn image collections into shards for pre-training."""

    sources: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SRC ...")]
    """Folders, archives (.zip, .tar, .tar.gz, .tgz, .tar.bz2, .tar.xz) and LMDBs whose values are encoded images. Of
    two equal images the one of the earlier source stays."""
    out: Annotated[Path, tyro.conf.arg(aliases=("-o",))]
    """Folder for the shards, their index and the report."""
    config: Annotated[CurationConfig, tyro.conf.arg(name="")] = field(default_factory=CurationConfig)
    """What is asked of an image, and what it becomes."""
    workers: int = 0
    """Processes; 0 for one per processor core."""
    engine: EngineName = "processes"
    """Processes of this machine, or Ray for the machines of a Ray cluster that share a file system."""

    def __post_init__(self) -> None:
        """Refuse to work without sources, or with fewer workers than none."""
        if not self.sources:
            raise RecipeError("found no source; expected at least one folder, archive or LMDB before -o OUT")
        if self.workers < 0:
            raise RecipeError(f"workers is {self.workers}; expected at least 0")


def main(words: Sequence[str]) -> int:
    """Parse the words after `facskit curate`, do it, and say what became of each source; return the exit code."""
    try:
        command = tyro.cli(CurateCommand, prog="facskit curate", description=_DESCRIPTION, args=list(words))
    except ValueError as error:
        raise RecipeError(f"on the command line: {error}") from error
    index = curate(command.sources, command.out, command.config, workers=command.workers, engine=command.engine)
    out = index.parent
    report = read_report(out)
    console = Console(highlight=False, soft_wrap=True)
    for source in report["sources"]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in source["rejected"].items())
        rejected = f"; rejected: {reasons}" if reasons else ""
        console.print(escape(f"{source['name']}: {source['accepted']:,} of {source['found']:,} images{rejected}"))
    images = sum(source["accepted"] for source in report["sources"])
    where = f"{counted(images, 'image')} in {counted(report['shards'], 'shard')}: {out}"
    console.print(escape(f"{where}, report in {out / 'report.md'}"))
    return 0
