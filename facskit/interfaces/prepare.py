"""`facskit prepare`: from a corpus as it was released to cropped images and a manifest that recipes can train on."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Literal, get_args

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facskit.columns import LANDMARKS_X
from facskit.datasets.corpora.decisions import CorpusName, Decisions, PaperName
from facskit.datasets.corpora.importers import read_corpus
from facskit.datasets.corpora.index import CorpusIndex
from facskit.datasets.corpora.listed import read_listed
from facskit.datasets.corpora.reading.published_counts import PAPER_FRAMES
from facskit.datasets.own_columns import parse_columns
from facskit.datasets.preparation.config import PointsFrom, PreparationConfig, paper_preparation
from facskit.datasets.preparation.prepare import prepare, refuse_inside
from facskit.datasets.preparation.report import count_rows, read_report
from facskit.errors import RecipeError
from facskit.faces.alignment import BoxCrop, CropRecipe, EyeSimilarityCrop, Similarity49Crop

__all__ = ["PrepareCommand", "main", "next_command", "plan"]

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
  facskit prepare manifest mine.csv -o data/mine --crop none --landmarks ours --columns image=path,subject=id,AU12=smile
"""

Source = CorpusName | Literal["manifest"]
CropKind = Literal["box", "similarity-49", "five-point", "none"]


def _unset(shown: object = "INT", name: str | None = None) -> object:
    """Describe an option whose default depends on others: help shows its values, not that it is None before."""
    metavar = shown if isinstance(shown, str) else "{" + ",".join(get_args(shown)) + "}"
    return tyro.conf.arg(metavar=metavar, name=name, help_behavior_hint="")


@dataclass(frozen=True, kw_only=True)
class PrepareCommand:
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
    points: PointsFrom = PreparationConfig.points
    """Whether the corpus's landmarks place the crop where it has them, or always the detector."""
    landmarks: Literal["corpus", "ours"] = "corpus"
    """Whose 68 landmarks: the corpus's, if it has any, or for pictures without them `ours`, as the packaged weights see
    them: CIU's attention is taught by landmarks, and crops are placed by them."""
    columns: str = ""
    """For a manifest of your own: what its columns are called, `image=path,subject=id,AU12=smile`; those that have
    a manifest's names already needn't be named."""
    max_side: int = PreparationConfig.max_side
    """With --crop none, shrink pictures to this longer side; 0 keeps their size."""
    workers: int = PreparationConfig.workers
    """Processes; 0 for one per processor core."""
    decisions: Annotated[Decisions, tyro.conf.arg(name="")] = field(default_factory=Decisions)
    """How to read the corpus."""


def plan(words: Sequence[str]) -> tuple[PrepareCommand, Decisions, PreparationConfig]:
    """Read the words after `facskit prepare`.

    Returns:
        The command, how to read the corpus, and how to cut faces out: a paper's way, and over it the options given.
    """
    # Where a paper and the option itself have different defaults, only the words tell what somebody asked for.
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    given = {option.removeprefix("--").replace("-", "_") for option in options}
    try:
        command = tyro.cli(PrepareCommand, prog="facskit prepare", description=_DESCRIPTION, args=list(words))
        return command, _decisions(command, given), _preparation(command, given)
    except ValueError as error:
        raise RecipeError(f"on the command line: {error}") from error


def _decisions(command: PrepareCommand, given: set[str]) -> Decisions:
    base, applying = Decisions(), {"on_error"}
    if command.like is not None and command.corpus != "manifest":  # its labels have been decided on
        base = Decisions.as_paper(command.like, command.corpus)
    asked = given & {entry.name for entry in fields(Decisions)}
    chosen = replace(base, **{name: getattr(command.decisions, name) for name in asked})
    if command.corpus != "manifest":
        applying |= chosen.describe(command.corpus).keys()
    for name in sorted(asked - applying):
        raise RecipeError(f"--{name.replace('_', '-')} has no effect on {command.corpus}; leave it out")
    return chosen


def _preparation(command: PrepareCommand, given: set[str]) -> PreparationConfig:
    crop: CropRecipe | None = None if command.corpus in ("raf-db", "affectnet") else EyeSimilarityCrop(size=224)
    points = command.points
    if command.like is not None:
        crop, points = paper_preparation(command.like, command.corpus)
    crop = _crop_of_kind(command.crop, crop)
    if command.size is not None:
        if crop is None:
            raise RecipeError(
                f"--size {command.size} is for crops, but whole pictures are kept; add --crop or use --max-side"
            )
        crop = replace(crop, size=command.size)
    return PreparationConfig(
        crop=crop,
        points=command.points if "points" in given else points,
        max_side=command.max_side,
        on_error=command.decisions.on_error,
        workers=command.workers,
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


def main(words: Sequence[str]) -> int:
    """Parse the words after `facskit prepare` and prepare a corpus; return the exit code."""
    command, decisions, config = plan(words)
    if command.columns and command.corpus != "manifest":
        raise RecipeError(f"--columns has no effect on {command.corpus}; leave it out")
    refuse_inside(command.out, command.root)
    console = Console(highlight=False, soft_wrap=True)
    if command.corpus == "manifest":
        index = read_listed(command.root, parse_columns(command.columns))
    else:
        index = read_corpus(command.corpus, command.root, decisions)
    found_here = command.out.with_name(f"{command.out.name}.landmarks")
    if command.landmarks == "ours":
        index = _with_landmarks(index, found_here)
    _print_index(console, index, config)
    manifest = prepare(index, config, command.out)
    shutil.rmtree(found_here, ignore_errors=True)
    _print_result(console, index, manifest)
    if command.like is not None and command.corpus != "manifest" and (command.like, command.corpus) in PAPER_FRAMES:
        count = PAPER_FRAMES[command.like, command.corpus]
        console.print(f"{command.like}'s own lists have {count:,} frames of {command.corpus}.")
    console.print(f"Next: {escape(next_command(index, config, manifest))}")
    return 0


def _with_landmarks(index: CorpusIndex, store: Path) -> CorpusIndex:
    # Recognition takes a while to import, and few preparations need it.
    from facskit.inference.own_landmarks import locate_landmarks

    return locate_landmarks(index, store)


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
    # The small recipes take crops of their own size, or cut whole pictures with landmarks themselves.
    croppable = config.crop is None and LANDMARKS_X[0] in index.table.columns
    if index.action_units and (croppable or config.crop == EyeSimilarityCrop(size=112)):
        units = ",".join(index.action_units.codes)
        recipe = "recipes/packaged/fmae_tiny.yaml"
        return f"facskit cross-validate {recipe} --data.manifest {manifest} --data.action-units {units}"
    if isinstance(config.crop, EyeSimilarityCrop):
        return f"facskit evaluate packaged {manifest}"
    kind = "none" if config.crop is None else config.crop.kind
    return f"facskit train RECIPE.yaml --data.manifest {manifest}, where the recipe has data.crop.kind {kind}"
