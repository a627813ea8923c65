"""`facskit describe MANIFEST...`: how often labels occur, with whom, together with what, and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facskit.datasets.corpora.lists.foreign_tables import guess_table
from facskit.datasets.corpora.lists.table_cells import header_names
from facskit.datasets.fold import Fold
from facskit.datasets.folds import make_folds
from facskit.datasets.folds_config import FoldsConfig, GivenSplit, PublishedFolds, SubjectFolds
from facskit.datasets.manifest import Manifest, read_manifest
from facskit.datasets.packed import packaged_faces
from facskit.datasets.statistics.numbers import describe_manifest
from facskit.datasets.statistics.report import statistics_dict, statistics_markdown, statistics_tables
from facskit.datasets.table_files import SUFFIXES
from facskit.errors import DatasetError, RecipeError
from facskit.interfaces.describe_recognition import describe_recognition
from facskit.tables import TextTable, write_results

__all__ = ["DescribeCommand", "main"]

_DESCRIPTION = """Say in numbers and pictures what manifests, or a table of facskit recognize, hold.

Of manifests: how often each action unit occurs (per corpus, subject and fold), which occur together, how long they
stay, what is unknown, and how many pictures each expression has; several stand side by side. Of a table of facskit
recognize: who is seen, how reliably, what they show and when.

Examples:
  facskit describe result.csv -o described/interviews --bin 10
  facskit describe data/bp4d/manifest.parquet --folds published:bp4d -o described/bp4d
  facskit describe data/bp4d/manifest.parquet data/disfa/manifest.parquet -o described/both
  facskit describe packaged --folds subjects=3
"""
_WIDTH_IN_FILES = 160
_PUBLISHED = ("bp4d", "bp4d-plus", "disfa")


@dataclass(frozen=True, kw_only=True)
class DescribeCommand:
    """Say in numbers and pictures what manifests hold."""

    manifests: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="MANIFEST ...")]]
    """Manifests (.parquet, .csv, .jsonl), or folders that hold a manifest.parquet; `packaged` takes the faces that come
    with facskit. Or one table of facskit recognize."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="DIR")] = None
    """Folder for describe.md, describe.json and describe.png (one page of pictures); for a table of facskit recognize,
    people.csv, people_episodes.csv and timelines."""
    bin: float | None = None
    """For a table of facskit recognize: people_bins.csv too, over time in bins of so many seconds."""
    folds: Annotated[str | None, tyro.conf.arg(metavar="FOLDS")] = None
    """Count folds too: published:bp4d, published:bp4d-plus, published:disfa, subjects=K, or given (the column
    split)."""
    fps: Annotated[float | None, tyro.conf.arg(metavar="FPS")] = None
    """Frames per second of the recordings; by default the corpus's, where it is known."""


def main(words: Sequence[str]) -> int:
    """Parse the words after `facskit describe`, count, and print; return the exit code."""
    command = tyro.cli(DescribeCommand, prog="facskit describe", description=_DESCRIPTION, args=list(words))
    if not command.manifests:
        raise RecipeError("found no manifest; expected a path, or packaged for the faces that come with facskit")
    if command.fps is not None and not command.fps > 0:
        raise RecipeError(f"--fps is {command.fps:g}; expected more than 0")
    if any(map(_is_recognition_table, command.manifests)):
        return _describe_recognition(command)
    if command.bin is not None:
        raise RecipeError("--bin is about a table of facskit recognize, found manifests")
    config = parse_folds(command.folds)
    manifests = [_read(name) for name in command.manifests]
    names = _names(command.manifests, manifests)
    parts = [
        describe_manifest(manifest, name=name, folds=_folds(config, manifest), fps=command.fps)
        for name, manifest in zip(names, manifests, strict=True)
    ]
    if command.out is not None:
        from facskit.datasets.statistics.figure import draw_statistics

        draw_statistics(parts, command.out / "describe.png")
        write_results(command.out, statistics_markdown(parts), statistics_dict(parts), name="describe")
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH_IN_FILES)
    for table in statistics_tables(parts, short=True):
        _print(console, table)
    if command.out is None:
        console.print("[dim]-o DIR writes this, every person's numbers and a page of pictures.[/]")
        return 0
    console.print(
        f"Results: {escape(str(command.out / 'describe.md'))}, describe.json and describe.png beside it", soft_wrap=True
    )
    return 0


def _is_recognition_table(name: str) -> bool:
    return Path(name).is_file() and guess_table(Path(name)) == "facskit"


def _describe_recognition(command: DescribeCommand) -> int:
    if len(command.manifests) > 1:
        raise RecipeError(
            f"{command.manifests[0]}: a table of facskit recognize is described by itself, found "
            f"{len(command.manifests)} inputs"
        )
    if command.bin is not None and not command.bin > 0:
        raise RecipeError(f"--bin is {command.bin:g}; expected more than 0 seconds")
    if command.folds is not None or command.fps is not None:
        raise RecipeError(f"{command.manifests[0]}: --folds and --fps are about manifests, this is a result table")
    describe_recognition(Path(command.manifests[0]), command.out, command.bin)
    return 0


def parse_folds(words: str | None) -> FoldsConfig | None:
    """Read the option --folds.

    Raises:
        RecipeError: It is none of the forms that help names.
    """
    if words is None:
        return None
    kind, _, value = words.replace("=", ":").partition(":")
    if kind == "published" and value in _PUBLISHED:
        return PublishedFolds(dataset=value, validation_fraction=0.0)  # type: ignore[arg-type]
    if kind == "subjects" and value.isdigit() and int(value) > 1:
        return SubjectFolds(k=int(value), validation_fraction=0.0)
    if kind == "given" and not value:
        return GivenSplit()
    forms = ", ".join(f"published:{name}" for name in _PUBLISHED)
    raise RecipeError(f"--folds is {words!r}; expected {forms}, subjects=K with K of at least 2, or given")


def _read(name: str) -> Manifest:
    if name == "packaged":
        return packaged_faces()
    path = Path(name)
    if path.is_dir():
        if not (path / "manifest.parquet").is_file():
            raise DatasetError(f"{path}: found no manifest.parquet in it; facskit doctor {path} says what it is")
        path = path / "manifest.parquet"
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        names = header_names(path)
        if "input" in names and "image" not in names:
            raise DatasetError(
                f"{path}: found labels without pictures, as facskit convert makes them of result tables; expected a "
                "manifest (facskit convert --onto PICTURES), or the table of facskit recognize itself"
            )
    return read_manifest(path, check_images=False)


def _names(words: Sequence[str], manifests: Sequence[Manifest]) -> list[str]:
    """Call each manifest by its corpus where that tells them apart, else by its file."""
    names = []
    for word, manifest in zip(words, manifests, strict=True):
        path = Path(word)
        stem = path.absolute().parent.name if path.stem == "manifest" else path.stem
        names.append(manifest.origin.corpus if manifest.origin else stem)
    if len(set(names)) < len(names):
        names = list(words)
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, start=1)]


def _folds(config: FoldsConfig | None, manifest: Manifest) -> list[Fold]:
    if config is None:
        return []
    splits = manifest.table["split"].to_list() if "split" in manifest.table.columns else None
    try:
        return make_folds(config, manifest.subjects, manifest.labels, splits)
    except DatasetError as error:
        raise DatasetError(f"{manifest.name}: {error}") from error


def _print(console: Console, table: TextTable) -> None:
    """Print a table without a frame, which saves the room that a matrix of 27 action units needs."""
    shown = Table(title=table.title, title_justify="left", title_style="bold", box=None)
    for column, heading in enumerate(table.header):
        shown.add_column(heading, justify="left" if column < table.num_text else "right", header_style="dim")
    for row in table.rows:
        shown.add_row(*map(escape, row))
    console.print(shown)
    if table.lead:
        console.print(f"[dim]{escape(table.lead)}[/]")
    console.print()
