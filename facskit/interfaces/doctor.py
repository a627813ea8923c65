"""`facskit doctor PATH`: says what a file or folder is, what is wrong with it, and what to type next."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.markup import escape

from facskit.datasets.corpora.lists.fmae import read_fmae_list
from facskit.datasets.corpora.lists.foreign_tables import guess_table
from facskit.datasets.corpora.lists.jaa import is_jaa_list, read_jaa_list
from facskit.datasets.corpora.lists.label_lists import LabelList
from facskit.datasets.corpora.lists.me_graphau import is_me_graphau, read_me_graphau
from facskit.datasets.findings import Finding, counted
from facskit.datasets.table_files import SUFFIXES
from facskit.doctor.checkup import Checkup, finding_of, quoted, some_names
from facskit.doctor.corpora import SPELLED, check_corpus, find_corpora
from facskit.doctor.folders import check_made_folder, made_by
from facskit.doctor.manifests import check_manifest
from facskit.doctor.runs import check_run, check_weights, is_run
from facskit.errors import DatasetError, FacskitError
from facskit.faces.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES

__all__ = ["DoctorCommand", "look_at", "main"]

_DESCRIPTION = """Say what a file or folder is, what is wrong with it, and what to type next. Nothing is ever written.

Exit codes: 0 nothing is wrong (there may be warnings), 1 there are errors.

Examples:
  facskit doctor /data/BP4D
  facskit doctor data/bp4d/manifest.parquet --all
  facskit doctor runs/mine --json
"""
_SHOWN = 5
_INSIDE = {"images", "shards", ".parts"}
_HEADINGS = {"error": "Errors", "warning": "Warnings", "note": "Good to know"}
_COLOURS = {"error": "bold red", "warning": "bold yellow", "note": "bold"}
_EXPECTED = (
    "a corpus as it is released: " + ", ".join(SPELLED.values()) + " (facskit example-tree bp4d FOLDER shows one)",
    "a manifest: a .parquet, .csv or .jsonl table with the columns image, subject, and AU01 ... or expression",
    "a folder made by facskit prepare, curate, synthesize, train, cross-validate or pretrain",
    "a weight file (.safetensors), or label lists of JAA-Net, ME-GraphAU or FMAE-IAT",
)


@dataclass(frozen=True, kw_only=True)
class DoctorCommand:
    """Say what a file or folder is, what is wrong with it, and what to type next."""

    path: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PATH")]
    """A corpus, a manifest, a folder that facskit made, a run, a weight file or a label list."""
    all: bool = False
    """Print every finding, not only a few of each kind."""
    json: bool = False
    """Print one JSON object, for programs."""


def main(words: Sequence[str]) -> int:
    """Parse the words after `facskit doctor`, look, and print; return the exit code."""
    flags = (tyro.conf.FlagCreatePairsOff,)
    command = tyro.cli(DoctorCommand, prog="facskit doctor", description=_DESCRIPTION, args=list(words), config=flags)
    checkups = look_at(command.path)
    if command.json:
        sys.stdout.write(json.dumps(_as_json(command.path, checkups), indent=1) + "\n")
    else:
        console = Console(highlight=False, soft_wrap=True)
        for number, checkup in enumerate(checkups):
            if number:
                console.print()
            _print(console, checkup, everything=command.all)
    return int(any(checkup.only("error") for checkup in checkups))


def look_at(path: Path) -> list[Checkup]:
    """Find out what something is and check it.

    Returns:
        What was found; several where a folder holds several corpora.
    """
    if not path.exists():
        sentence = "there is no such file or folder; look at its spelling, and whether the disk is mounted"
        finding = Finding(severity="error", place=str(path), sentence=sentence)
        return [Checkup(kind="nothing", what="nothing is there", place=path, findings=(finding,))]
    try:
        return _look_in(path) if path.is_dir() else [_look_at_file(path)]
    except FacskitError as error:
        return [_nothing(path, finding_of(error, path))]
    except OSError as error:
        sentence = f"can't be read ({(error.strerror or str(error)).lower()}); look at its permissions"
        return [_nothing(path, Finding(severity="error", place=str(error.filename or path), sentence=sentence))]


def _look_in(path: Path) -> list[Checkup]:
    for folder in (path, *list(path.resolve().parents)[:3]):
        command = made_by(folder)
        if command is not None and (folder == path or path.name in _INSIDE):
            return [check_made_folder(folder, command)]
    if is_run(path):
        return [check_run(path)]
    if (path / "manifest.parquet").is_file():
        return [check_manifest(path / "manifest.parquet")]
    for name in ("results.md", "describe.md"):
        if (path / name).is_file():
            step = f"less {quoted(path / name)}"
            return [Checkup(kind="results", what="results that facskit wrote", place=path, steps=(step,))]
    return _lists_in(path) or [check_corpus(*found) for found in find_corpora(path)] or [_unknown_folder(path)]


def _lists_in(path: Path) -> list[Checkup]:
    if is_me_graphau(path):
        return [_check_lists(path, "label lists of ME-GraphAU")]
    lists = [file for file in sorted(path.glob("*_path.txt")) if is_jaa_list(file)]
    return [_check_lists(file, "a label list of JAA-Net") for file in lists]


def _look_at_file(path: Path) -> Checkup:
    command = made_by(path.parent)
    if command is not None and path.name in {"dataset.json", "index.parquet"}:
        return check_made_folder(path.parent, command)
    if path.suffix.lower() == ".safetensors":
        return check_weights(path)
    return _look_at_list(path) or _look_at_table(path) or _other_file(path)


def _look_at_list(path: Path) -> Checkup | None:
    if is_me_graphau(path):
        return _check_lists(path, "label lists of ME-GraphAU")
    if is_jaa_list(path):
        return _check_lists(path, "a label list of JAA-Net")
    if path.suffix.lower() in {".json", ".jsonl"} and '"img_path"' in _first_line(path):
        return _check_lists(path, "a label list of FMAE-IAT")
    return None


def _look_at_table(path: Path) -> Checkup | None:
    if path.suffix.lower() == ".csv" and (kind := guess_table(path)) is not None:
        what, step = f"a result table of {kind}, not a manifest", f"facskit convert {quoted(path)} -o labels.parquet"
        return Checkup(kind="table", what=what, place=path, steps=(step,))
    return check_manifest(path) if path.suffix.lower() in SUFFIXES else None


def _other_file(path: Path) -> Checkup:
    """Say what can be done with files that aren't data sets."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
        step = f"facskit recognize {quoted(path)} -o result.csv"
        return Checkup(kind="picture", what="a picture or video", place=path, steps=(step,))
    if suffix in {".pth", ".pt"}:
        what = "a file of PyTorch, perhaps published weights"
        return Checkup(kind="weights", what=what, place=path, steps=(f"facskit weights import {quoted(path)}",))
    if suffix in {".yaml", ".yml"}:
        step = f"facskit train {quoted(path)} --out runs/{quoted(Path(path.stem))}"
        return Checkup(kind="recipe", what="a recipe, by its name", place=path, steps=(step,))
    if suffix in {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"}:
        sentence = "this is an archive; unpack it first (facskit curate takes .zip and .tar of images as they are)"
        finding = Finding(severity="error", place=str(path), sentence=sentence)
        return Checkup(kind="nothing", what="an archive", place=path, findings=(finding,))
    sentence = "this is no file that facskit reads"
    return _nothing(path, Finding(severity="error", place=str(path), sentence=sentence))


def _unknown_folder(path: Path) -> Checkup:
    names = [entry.name + "/" * entry.is_dir() for entry in sorted(path.iterdir()) if not entry.name.startswith(".")]
    if not names:
        sentence = "the folder is empty; if a copy was to be here, it didn't start"
        return _nothing(path, Finding(severity="error", place=str(path), sentence=sentence))
    sentence = f"found {some_names(names)}, which facskit doesn't know"
    finding = Finding(severity="error", place=str(path), sentence=sentence)
    pictures = sum(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in names)
    if pictures:
        steps = (f"facskit recognize {quoted(path)} -o result.csv", f"facskit curate {quoted(path)} -o curated")
        found = Finding(severity="note", place=str(path), sentence=f"{counted(pictures, 'picture')} without labels")
        return Checkup(kind="pictures", what="a folder of pictures", place=path, findings=(found,), steps=steps)
    return _nothing(path, finding)


def _nothing(path: Path, finding: Finding) -> Checkup:
    return Checkup(kind="nothing", what="nothing facskit knows", place=path, facts=_EXPECTED, findings=(finding,))


def _check_lists(path: Path, what: str) -> Checkup:
    try:
        found = _read_list(path, what)
    except DatasetError as error:
        return Checkup(kind="lists", what=what, place=path, findings=(finding_of(error, path),))
    people = found.table["subject"].n_unique()
    units = found.action_units
    facts = (f"{found.table.height:,} images of {people:,} subjects", f"{len(units)} AUs: {units}")
    return Checkup(
        kind="lists",
        what=what,
        place=path,
        facts=facts,
        findings=found.findings,
        steps=(f"facskit convert {quoted(path)} -o manifest.parquet --images FOLDER",),
    )


def _read_list(path: Path, what: str) -> LabelList:
    if "ME-GraphAU" in what:
        return read_me_graphau(path)
    return read_jaa_list(path) if "JAA" in what else read_fmae_list(path)


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.readline(4096)


def _kind(finding: Finding) -> str:
    """Return what findings of the same kind have in common: the sentence without numbers and names."""
    sentence = re.sub(r"'[^']*'|\"[^\"]*\"", "", finding.sentence)
    return re.sub(r"\S*[\d/]\S*", "#", sentence)[:60]


def _as_json(path: Path, checkups: Sequence[Checkup]) -> dict[str, Any]:
    return {
        "path": str(path),
        "ok": not any(checkup.only("error") for checkup in checkups),
        "checkups": [asdict(checkup) | {"place": str(checkup.place)} for checkup in checkups],
    }


def _print(console: Console, checkup: Checkup, *, everything: bool) -> None:
    console.print(f"[bold]{escape(str(checkup.place))}[/]: {escape(checkup.what)}")
    heading = "facskit would know" if checkup.kind == "nothing" and len(checkup.facts) > 1 else ""
    if heading:
        _print_findings(console, checkup, everything=everything)
        console.print(f"\n{heading}")
    for fact in checkup.facts:
        console.print(f"  {escape(fact)}")
    if not heading:
        _print_findings(console, checkup, everything=everything)
    for number, step in enumerate(checkup.steps):
        console.print(f"{'' if number else chr(10)}[bold]{'Next:' if not number else '  or:'}[/] {escape(step)}")


def _print_findings(console: Console, checkup: Checkup, *, everything: bool) -> None:
    for severity, heading in _HEADINGS.items():
        found = checkup.only(severity)
        if not found:
            continue
        console.print(f"\n[{_COLOURS[severity]}]{heading} ({len(found):,})[/]")
        kinds: dict[str, list[Finding]] = {}
        for finding in found:
            kinds.setdefault(_kind(finding), []).append(finding)
        for group in kinds.values():
            for finding in group if everything else group[:_SHOWN]:
                console.print(f"  {escape(str(finding))}")
            if not everything and len(group) > _SHOWN:
                console.print(f"  [dim]and {len(group) - _SHOWN:,} more of this kind; --all prints them[/]")
    if not any(checkup.only(severity) for severity in ("error", "warning")):
        less = "" if checkup.complete else " with what is here; it's less than was published, see the counts"
        console.print(f"\n[green]Nothing is wrong{less}.[/]")
