"""`facskit prepare`: from a corpus as it was released to cropped images and a manifest that recipes can train on."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Literal, get_args

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facskit.datasets.corpora.decisions import CorpusName, Decisions, OnError, PaperName
from facskit.datasets.corpora.importers import read_corpus
from facskit.datasets.corpora.index import CorpusIndex
from facskit.datasets.corpora.listed import read_listed
from facskit.datasets.corpora.reading.published_counts import PAPER_FRAMES
from facskit.datasets.preparation.config import PointsFrom, PreparationConfig, paper_preparation
from facskit.datasets.preparation.prepare import prepare, refuse_inside
from facskit.datasets.preparation.report import count_rows, read_report
from facskit.errors import RecipeError
from facskit.faces.alignment import BoxCrop, CropRecipe, EyeSimilarityCrop, Similarity49Crop

__all__ = ["PrepareOptions", "main", "next_command"]

_DESCRIPTION = """Cut the faces out of a corpus you hold a licence for, and write images and a manifest.

Writes OUT/images, OUT/manifest.parquet, OUT/report.md and OUT/sheet.jpg, and nothing into ROOT. A run that was stopped
goes on where it was when started again with the same options. To see what a folder must look like, without any
licence: facskit example-tree CORPUS FOLDER

Faces that facskit rendered, and pictures of your own with a manifest, are cropped once in the same way: CORPUS is then
the word manifest, and ROOT the manifest or its folder.

Examples:
  facskit prepare bp4d /data/BP4D -o data/bp4d --as fmae-iat
  facskit prepare disfa /data/DISFA -o data/disfa --camera right --threshold 2 --crop five-point --size 224
  facskit prepare raf-db /data/RAF-DB -o data/raf_db
  facskit prepare manifest data/rendered -o data/rendered_aligned --as ciu
"""

Source = CorpusName | Literal["manifest"]
CropKind = Literal["box", "similarity-49", "five-point", "none"]
Missing = Literal["unknown", "negative", "drop-frame"]
Camera = Literal["left", "right"]
Frames = Literal["all", "landmarks"]
Coding = Literal["occurrence", "intensity"]


def _unset(shown: object = "INT", name: str | None = None) -> object:
    """Describe an option whose default depends on others: help shows its values, not that it is None before."""
    metavar = shown if isinstance(shown, str) else "{" + ",".join(get_args(shown)) + "}"
    return tyro.conf.arg(metavar=metavar, name=name, help_behavior_hint="")


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """Cut the faces out of a corpus you hold a licence for, and write images and a manifest."""

    corpus: Annotated[Source, tyro.conf.Positional]
    """Which corpus the folder holds; manifest for faces that have a manifest, such as rendered ones."""
    root: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="ROOT")]
    """Its folder, as it was unpacked; or the manifest."""
    out: Annotated[Path, tyro.conf.arg(aliases=("-o",))]
    """New folder for images, manifest and report."""
    like: Annotated[PaperName | None, _unset(PaperName, name="as")] = None
    """Do all that this paper's code did; options given beside it win."""
    crop: Annotated[CropKind | None, _unset(CropKind)] = None
    """How to cut faces out: box (FMAE), similarity-49 (JAA-Net, CIU), five-point (facskit's own), or none to keep
    whole pictures. By default five-point, for RAF-DB and AffectNet none."""
    size: Annotated[int | None, _unset()] = None
    """Side of the crops in pixels; by default 224, for similarity-49 200."""
    points: Annotated[PointsFrom | None, _unset(PointsFrom)] = None
    """Whether the corpus's landmarks place the crop where it has them (default), or always the detector."""
    max_side: int = PreparationConfig.max_side
    """With --crop none, shrink pictures to this longer side; 0 keeps their size."""
    missing: Annotated[Missing | None, _unset(Missing)] = None
    """What "can't be coded" (9) means: an unknown label (default), an absent AU, or the frame left out."""
    threshold: Annotated[int | None, _unset()] = None
    """Intensity from which an AU counts as present, 1 to 5; by default 2."""
    camera: Annotated[Camera | None, _unset(Camera)] = None
    """Which of DISFA's two videos; by default left."""
    frame_offset: Annotated[int | None, _unset()] = None
    """Added to a label's frame number to get the picture's; by default the corpus's own."""
    frames: Annotated[Frames | None, _unset(Frames)] = None
    """All coded frames (default), or only those with landmarks in the corpus."""
    action_units: Annotated[str | None, _unset("AUS")] = None
    """Name of a set or a list such as "1 2 4 12"; by default the corpus's usual set."""
    coding: Annotated[Coding | None, _unset(Coding)] = None
    """For BP4D and BP4D+: the occurrence files (default), or the intensity files cut at --threshold."""
    on_error: OnError = "stop"
    """Stop at the first damaged file, or report it and leave its frames out."""
    workers: int = PreparationConfig.workers
    """Processes; 0 for one per processor core."""

    def decisions(self) -> Decisions:
        """Return how to read the corpus: the paper's choices, and over them the user's."""
        base = Decisions()
        if self.like is not None and self.corpus != "manifest":  # its labels have been decided on
            base = Decisions.as_paper(self.like, self.corpus)
        names = {field.name for field in fields(Decisions)} - {"on_error"}
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        chosen = replace(base, on_error=self.on_error, **given)
        applying = set() if self.corpus == "manifest" else chosen.describe(self.corpus).keys()
        for name in sorted(given.keys() - applying):
            raise RecipeError(f"--{name.replace('_', '-')} has no effect on {self.corpus}; leave it out")
        return chosen

    def preparation(self) -> PreparationConfig:
        """Return how to cut faces out: the paper's way, and over it the user's."""
        crop: CropRecipe | None
        points: PointsFrom
        crop, points = None if self.corpus in ("raf-db", "affectnet") else EyeSimilarityCrop(size=224), "corpus"
        if self.like is not None:
            crop, points = paper_preparation(self.like, self.corpus)
        crop = _crop_of_kind(self.crop, crop)
        if self.size is not None:
            if crop is None:
                raise RecipeError(
                    f"--size {self.size} is for crops, but whole pictures are kept; add --crop or use --max-side"
                )
            crop = replace(crop, size=self.size)
        return PreparationConfig(
            crop=crop,
            points=self.points or points,
            max_side=self.max_side,
            on_error=self.on_error,
            workers=self.workers,
        )


def _crop_of_kind(kind: CropKind | None, usual: CropRecipe | None) -> CropRecipe | None:
    """Return a crop of the kind asked for; the usual one if it is of that kind already."""
    if kind is None or (usual is not None and usual.kind == kind):
        return usual
    match kind:
        case "box":
            return BoxCrop()
        case "similarity-49":
            return Similarity49Crop()
        case "five-point":
            return EyeSimilarityCrop(size=224)
        case "none":
            return None


def main(arguments: Sequence[str]) -> int:
    """Parse the words after `facskit prepare` and prepare a corpus.

    Returns:
        The exit code.
    """
    options = tyro.cli(PrepareOptions, prog="facskit prepare", description=_DESCRIPTION, args=list(arguments))
    try:
        decisions, config = options.decisions(), options.preparation()
    except ValueError as error:
        raise RecipeError(str(error)) from error
    refuse_inside(options.out, options.root)
    console = Console(highlight=False, soft_wrap=True)
    if options.corpus == "manifest":
        index = read_listed(options.root)
    else:
        index = read_corpus(options.corpus, options.root, decisions)
    _print_index(console, index, config)
    manifest = prepare(index, config, options.out)
    _print_result(console, index, manifest)
    if options.like is not None and options.corpus != "manifest" and (options.like, options.corpus) in PAPER_FRAMES:
        count = PAPER_FRAMES[options.like, options.corpus]
        console.print(f"{options.like}'s own lists have {count:,} frames of {options.corpus}.")
    console.print(f"Next: {escape(next_command(index, config, manifest))}")
    return 0


def _print_index(console: Console, index: CorpusIndex, config: PreparationConfig) -> None:
    console.print(f"[bold]{index.corpus}[/] in {escape(str(index.root))}: {len(index):,} labelled pictures")
    crop = "whole pictures" if config.crop is None else f"{config.crop.kind}, {config.crop.size} px"
    console.print("[bold]Decisions[/]  " + escape("  ".join(f"{k}={v}" for k, v in index.decisions.items())))
    console.print(f"[bold]Crop[/]       {crop}" + ("" if config.crop is None else f", points={config.points}"))
    console.print(f"[bold]Licence[/]    {escape(index.licence)}")
    for finding in index.findings[:10]:
        colour = {"error": "red", "warning": "yellow", "note": "dim"}[finding.severity]
        console.print(f"[{colour}]{finding.severity}[/]  {escape(str(finding))}")
    if len(index.findings) > 10:
        console.print(f"[dim]and {len(index.findings) - 10} more findings, in report.md[/]")


def _print_result(console: Console, index: CorpusIndex, manifest: Path) -> None:
    report = read_report(manifest.parent)
    coded, prepared = report["frames"]["coded"], report["frames"]["prepared"]
    console.print(f"\n[bold]{prepared:,} of {coded:,}[/] labelled pictures prepared: {escape(str(manifest))}")
    for reason, count in report["dropped"].items():
        console.print(f"  left out, {escape(reason)}: {count:,}")
    here = count_rows(index)
    if here:
        table = Table("count", "published", "here", box=None, header_style="dim", pad_edge=False)
        for name, count in here.items():
            table.add_row(name, f"{index.expected[name]:,}", f"{count:,}")
        console.print(table)
    console.print(f"Look at {escape(str(manifest.parent / 'sheet.jpg'))}; details in report.md beside it.")


def next_command(index: CorpusIndex, config: PreparationConfig, manifest: Path) -> str:
    """Return a command that can be typed next with what was prepared."""
    expressions = {"raf-db": "raf_db_fmae", "affectnet": "affectnet8_fmae"}
    if index.corpus in expressions:
        return f"facskit train recipes/expression/{expressions[index.corpus]}.yaml --data.manifest {manifest}"
    if isinstance(config.crop, BoxCrop) and config.crop.stretch and index.corpus in ("bp4d", "bp4d-plus", "disfa"):
        recipe = f"recipes/fmae_iat/{index.corpus.replace('-', '_')}_fmae_iat.yaml"
        return f"facskit cross-validate {recipe} --data.manifest {manifest}"
    if isinstance(config.crop, Similarity49Crop) and index.corpus in ("bp4d", "disfa"):
        return f"facskit cross-validate recipes/ciu/{index.corpus}.yaml --data.manifest {manifest}"
    if isinstance(config.crop, EyeSimilarityCrop):
        return f"facskit evaluate packaged {manifest}"
    kind = "none" if config.crop is None else config.crop.kind
    return f"facskit train RECIPE.yaml --data.manifest {manifest}, where the recipe has data.crop.kind {kind}"
