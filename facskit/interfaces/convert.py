"""`facskit convert`: lists and result tables of other people to manifests, and manifests to lists of other people."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, get_args

import polars as pl
import tyro
from rich.console import Console
from rich.markup import escape

from facskit.action_units import BP4D, DISFA_8, ActionUnitSet
from facskit.columns import IMAGE, SUBJECT
from facskit.datasets.corpora.importers import guess_corpus
from facskit.datasets.corpora.lists.fmae import is_fmae_list, read_fmae_list, write_fmae_list
from facskit.datasets.corpora.lists.foreign_tables import (
    INPUT,
    LabelSource,
    TableKind,
    guess_table,
    read_foreign_table,
    tables_in,
)
from facskit.datasets.corpora.lists.jaa import (
    is_jaa_folder,
    is_jaa_list,
    read_jaa_list,
    read_jaa_parts,
    write_jaa_list,
    write_jaa_parts,
)
from facskit.datasets.corpora.lists.label_joining import (
    join_labels,
    manifest_of_aligned,
    manifest_of_pictures,
    read_bare_numbers,
)
from facskit.datasets.corpora.lists.label_lists import LabelList, guess_list_corpus
from facskit.datasets.corpora.lists.me_graphau import is_me_graphau, read_me_graphau, write_me_graphau_folds
from facskit.datasets.corpora.lists.table_cells import ENDINGS
from facskit.datasets.findings import Finding, counted
from facskit.datasets.folds import published_parts
from facskit.datasets.manifest import Manifest, read_manifest, write_manifest
from facskit.datasets.manifest_checks import missing_images
from facskit.datasets.own_columns import parse_columns
from facskit.datasets.table_files import SUFFIXES, write_table
from facskit.errors import DatasetError, RecipeError

__all__ = ["ConvertCommand", "InFormat", "OutFormat", "main"]

InFormat = Literal["fmae-iat", "jaa", "me-graphau", "openface", "py-feat", "libreface", "facskit", "manifest"]
"""What can be read; `facskit` is the result table of `facskit recognize`."""
OutFormat = Literal["manifest", "fmae-iat", "jaa", "me-graphau"]
"""What can be written."""
_COLOURS = {"error": "red", "warning": "yellow", "note": "dim"}


@dataclass(frozen=True, kw_only=True)
class ConvertCommand:
    """Turn other people's label lists and result tables into manifests, and manifests into other people's lists.

    Prints what was found, decided and lost. Examples:
      facskit convert BP4D_train1.json -o train1.parquet --images faces/
      facskit convert data/list/BP4D_part1_path.txt -o part1.parquet
      facskit convert faces.parquet -o BP4D_all.json
      facskit convert bp4d.parquet -o data/BP4D/list --to me-graphau --images data/BP4D/img
      facskit convert interview.csv -o labelled.parquet --onto frames.csv
      facskit convert processed/ -o labelled.parquet --onto pictures.csv
    """

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="IN")]
    """A list, a folder of lists, a result table, a folder of result tables, or a manifest."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """A table (.parquet, .csv, .jsonl) for a manifest, a .json file for fmae-iat, a folder for jaa and me-graphau."""
    from_: Annotated[InFormat | None, tyro.conf.arg(name="from")] = None
    """What IN is; found out from its content when left out."""
    to: OutFormat | None = None
    """What to write; found out from the name of OUT when left out."""
    images: Path | None = None
    """The folder that a list's image paths begin in; by default, for lists read, where their authors keep it, or the
    list's own folder, and for lists written, the manifest's folder."""
    action_units: str | None = None
    """What the label columns are: bp4d, disfa-8, disfa-12 or a list; needed if their number doesn't say it."""
    missing: Literal["negative", "unknown"] = "negative"
    """What 999 means in a list of fmae-iat, where it stands for absent and for not codable alike."""
    threshold: float = 0.5
    """The probability from which an AU is present, for tables of py-feat and facskit."""
    onto: Path | None = None
    """For result tables: a table of pictures (image, subject, recording, frame) to put the labels beside."""
    frame_offset: int = 0
    """For --onto: added to that table's frame numbers to count from 0; -1 if they count from 1."""
    columns: str = ""
    """For a manifest of your own: what its columns are called, `image=path,subject=id,AU12=smile`."""
    bare_numbers: bool = False
    """Take columns called 1, 2, 4 ... for AUs."""


def main(words: Sequence[str]) -> int:
    """Parse the words after `facskit convert` and convert; return the exit code."""
    command = tyro.cli(ConvertCommand, prog="facskit convert", args=list(words))
    console = Console(highlight=False, soft_wrap=True)
    kind = command.from_ or _guess_source(command.source)
    if command.columns and kind != "manifest":
        raise RecipeError(f"--columns is about manifests, and {command.source} is of {kind}; leave it out")
    target = command.to or _guess_target(command.out)
    read, findings = _read(command, kind)
    _print_read(console, command, kind, read)
    if isinstance(read, Manifest):
        missing = _check_images(read)
        written = _write(_rebased(read, command.images), command.out, target)
        findings = [*findings, *missing, *written]
    elif target == "manifest":
        write_table(read.table, command.out)
        sentence = "it names no pictures, so this is a table of labels; --onto TABLE puts them beside pictures"
        findings = [*findings, Finding(severity="warning", place=str(command.source), sentence=sentence)]
    else:
        raise RecipeError(f"{command.source}: it names no pictures, which {target} needs; give --onto TABLE")
    for finding in findings:
        colour = _COLOURS[finding.severity]
        console.print(f"[{colour}]{finding.severity}:[/] {escape(str(finding))}")
    what = target if isinstance(read, Manifest) else "a table of labels"
    console.print(f"wrote {escape(str(command.out))} ({what})")
    return 0


def _guess_source(path: Path) -> InFormat:
    if path.is_dir():
        return _guess_folder(path)
    if is_me_graphau(path):
        return "me-graphau"
    if is_jaa_list(path):
        return "jaa"
    if not path.is_file():
        raise DatasetError(f"{path}: there is no such file")
    if is_fmae_list(path):
        return "fmae-iat"
    suffix = path.suffix.lower()
    kind = guess_table(path) if suffix in ENDINGS else None
    if kind is not None:
        return kind
    if suffix in SUFFIXES:
        return "manifest"
    raise DatasetError(f"{path}: can't tell what this is; say it with --from {', '.join(get_args(InFormat))}")


def _guess_folder(path: Path) -> InFormat:
    if is_me_graphau(path):
        return "me-graphau"
    if is_jaa_folder(path):
        return "jaa"
    tables = tables_in(path)
    if len(tables) > 1:
        kinds = ", ".join(f"{len(files)} of {kind}" for kind, files in tables.items())
        raise DatasetError(f"{path}: this folder has result tables of several tools ({kinds}); say with --from which")
    if tables:
        return next(iter(tables))
    corpus = guess_corpus(path)
    if corpus is not None:
        raise DatasetError(f"{path}: this is the corpus {corpus} itself; use facskit prepare {corpus} {path} -o OUT")
    raise DatasetError(f"{path}: this folder has no lists of ME-GraphAU or JAA-Net and no result tables; give one file")


def _guess_target(out: Path) -> OutFormat:
    if out.suffix.lower() in SUFFIXES:
        return "manifest"
    if out.suffix.lower() == ".json":
        return "fmae-iat"
    raise RecipeError(f"out: can't tell what {out} is to be; say it with --to {', '.join(get_args(OutFormat))}")


def _read(command: ConvertCommand, kind: InFormat) -> tuple[Manifest | LabelSource, Sequence[Finding]]:
    path = command.source
    try:
        units = None if command.action_units is None else ActionUnitSet.parse(command.action_units)
    except ValueError as error:
        raise RecipeError(f"action_units: {error}") from error
    match kind:
        case "fmae-iat":
            return _as_manifest(read_fmae_list(path, units, missing=command.missing), command, path.parent)
        case "jaa":
            found = read_jaa_parts(path, units) if path.is_dir() else read_jaa_list(path, units)
            folder = path if path.is_dir() else path.parent
            return _as_manifest(found, command, folder.resolve().parent / "imgs")
        case "me-graphau":
            folder = path.parent if path.is_file() else path
            base = folder.parent if folder.name == "list" else folder
            return _as_manifest(read_me_graphau(path, units), command, base / "img")
        case "manifest":
            if command.bare_numbers:
                return read_bare_numbers(path), ()
            return read_manifest(path, units, check_images=False, columns=parse_columns(command.columns)), ()
        case _:
            return _read_table(command, kind)


def _as_manifest(found: LabelList, command: ConvertCommand, usual: Path) -> tuple[Manifest, Sequence[Finding]]:
    folder = command.source if command.source.is_dir() else command.source.parent
    root = command.images or (usual if usual.is_dir() else folder)
    return found.manifest(root, str(command.source)), found.findings


def _read_table(command: ConvertCommand, kind: TableKind) -> tuple[Manifest | LabelSource, Sequence[Finding]]:
    source = read_foreign_table(command.source, kind, threshold=command.threshold)
    if command.onto is not None:
        manifest, findings = join_labels(command.onto, source, frame_offset=command.frame_offset)
        return manifest, (*source.findings, *findings)
    made = manifest_of_pictures(source) or manifest_of_aligned(source)
    if made is None:
        return source, source.findings
    manifest, findings = made
    return replace(manifest, root=command.images or manifest.root), (*source.findings, *findings)


def _write(manifest: Manifest, out: Path, target: OutFormat) -> Sequence[Finding]:
    if target == "manifest":
        write_manifest(manifest, out)
        return ()
    if not len(manifest.action_units):
        raise DatasetError(f"{manifest.name}: it has no action units, which lists of {target} are made of")
    findings = []
    if manifest.is_packed:
        sentence = "the pictures are inside the manifest, so the paths in the list name no files"
        findings.append(Finding(severity="warning", place=str(out), sentence=sentence))
    if manifest.action_units not in {BP4D, DISFA_8}:
        sentence = (
            f"{len(manifest.action_units)} AUs are written; {target}'s code expects BP4D's 12 or DISFA's 8, "
            "which --action-units bp4d or disfa-8 chooses"
        )
        findings.append(Finding(severity="warning", place=str(out), sentence=sentence))
    return (*findings, *_write_list(manifest, out, target))


def _write_list(manifest: Manifest, out: Path, target: OutFormat) -> Sequence[Finding]:
    if out.is_file() and target != "fmae-iat":
        raise RecipeError(f"out: {out} is a file, {target} needs a folder for its lists")
    if target == "fmae-iat":
        return write_fmae_list(manifest, out)
    subjects = manifest.table[SUBJECT].cast(str).unique()
    corpus = guess_list_corpus(manifest.table[IMAGE], subjects)
    if target == "me-graphau":
        if corpus not in {"bp4d", "disfa"}:
            raise DatasetError(
                f"{manifest.name}: me-graphau's lists are those of BP4D and DISFA; the people here aren't"
            )
        return write_me_graphau_folds(manifest, out, corpus)
    people = set(subjects.to_list())
    if corpus in {"bp4d", "disfa"} and all(people & set(part) for part in published_parts(corpus)):
        return write_jaa_parts(manifest, out, corpus)
    findings = write_jaa_list(manifest, out / "all")
    sentence = "these aren't people of all three published parts, so this is one list, all_path.txt and so on"
    return (*findings, Finding(severity="note", place=str(out), sentence=sentence))


def _rebased(manifest: Manifest, images: Path | None) -> Manifest:
    """Let the paths begin in the folder that the user names."""
    if images is None or manifest.is_packed or images.resolve() == manifest.root.resolve():
        return manifest
    begin, root = images.resolve(), manifest.root.resolve()
    split = [os.path.split(path) for path in manifest.table[IMAGE].to_list()]
    folders = {
        folder: Path(os.path.relpath(root / folder, begin)).as_posix() for folder in {folder for folder, _ in split}
    }
    paths = [name if folders[folder] == "." else f"{folders[folder]}/{name}" for folder, name in split]
    return replace(manifest, table=manifest.table.with_columns(pl.Series(IMAGE, paths)), root=images)


def _check_images(manifest: Manifest) -> list[Finding]:
    if manifest.is_packed:
        return []
    missing = missing_images(manifest.root, manifest.table[IMAGE])
    if not missing.any():
        return []
    sentence = (
        f"{missing.sum():,} of {len(manifest):,} pictures aren't there, for example "
        f"{manifest.image_name(int(missing.arg_max() or 0))}; "
        "--images FOLDER says where the paths begin"
    )
    return [Finding(severity="warning", place=str(manifest.root), sentence=sentence)]


def _print_read(console: Console, command: ConvertCommand, kind: str, read: Manifest | LabelSource) -> None:
    console.print(f"[bold]{escape(str(command.source))}[/]: {kind}{'' if command.from_ else ' (by its content)'}")
    decisions: Mapping[str, str] = {}
    if isinstance(read, Manifest):
        console.print(escape("\n".join(line.rstrip() for line in read.describe().splitlines())))
        decisions = {} if read.origin is None else read.origin.decisions
    else:
        of_tables = f" of {counted(read.table[INPUT].n_unique(), 'input')}" if read.path.is_dir() else ""
        console.print(f"{read.table.height:,} rows{of_tables}, {len(read.action_units)} AUs: {read.action_units}")
        decisions = read.decisions
    if decisions:
        console.print("decided: " + escape(", ".join(f"{name} = {value}" for name, value in decisions.items())))
