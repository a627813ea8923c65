"""`facskit weights import FILE`: a published file becomes a weight file under a name, without running any of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape

from facskit.datasets.folds import published_parts
from facskit.errors import CheckpointError, RecipeError
from facskit.models.checkpoints import CheckpointInfo, save_checkpoint
from facskit.models.published import ImportConfig, ImportedWeights, PublishedDataset, import_published
from facskit.models.weight_files import data_home, installed_weights, packaged_weights

__all__ = ["ImportCommand", "main"]

_WORDS = {"S": "small", "B": "base", "L": "large", "H": "huge", "": "unnamed"}
_RESERVED = {"packaged", "list", "info", "import"}


@dataclass(frozen=True, kw_only=True)
class ImportCommand(ImportConfig):
    """Turn a file of FMAE-IAT's authors, or MAE's encoder, into a weight file of facskit; nothing in it is run.

    Example: facskit weights import checkpoint-20.pth --dataset bp4d --fold 1 --name fmae-iat-bp4d-fold1
    """

    file: tyro.conf.Positional[Path]
    """A .pth file, or a .safetensors file with the same parameters."""
    name: str | None = None
    """What to call the weights; from their contents when left out."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=("-o",))] = None
    """Write this file instead of installing the weights under a name."""
    dataset: Annotated[PublishedDataset | None, tyro.conf.arg(aliases=("--task",))] = None
    """What the classifier was trained on, where the file doesn't tell."""
    fold: int | None = None
    """The published fold the weights were tested on, from 1: the other folds' subjects are noted as training subjects,
    so that an evaluation on them is marked as not independent."""
    force: bool = False
    """Replace weights that are already there."""

    def __post_init__(self) -> None:
        """Check every limit."""
        try:
            super().__post_init__()
        except ValueError as error:
            raise RecipeError(f"on the command line: {error}") from error
        if self.name is not None and self.output is not None:
            raise RecipeError("--name and --output exclude each other: weights are installed under a name or written")
        if self.name is not None and (not re.fullmatch(r"\w[\w.+-]*", self.name) or self.name in _RESERVED):
            raise RecipeError(f"--name must be letters, digits and . _ + - and no command's word, got {self.name!r}")


def main(words: Sequence[str]) -> int:
    """Parse the command's words, import the file and say what it is; return the exit code."""
    command = tyro.cli(ImportCommand, prog="facskit weights import", args=list(words))
    if command.name is not None or command.output is not None:
        _target(command, "")  # refuses before the long work
    errors = Console(stderr=True)
    with errors.status(f"Checking {escape(str(command.file))}"):
        imported = _with_subjects(import_published(command.file, command), command.fold)
        path = _target(command, _default_name(imported, command.fold))
        save_checkpoint(path, imported.model, imported.info)
    _report(imported, path, installed=command.output is None)
    return 0


def _target(command: ImportCommand, default_name: str) -> Path:
    """Return the file to write; one that must not be replaced is an error."""
    name = command.name or default_name
    if command.output is None and name in packaged_weights():
        raise CheckpointError(f"weights called {name} come with facskit; give another --name")
    path = command.output or data_home() / "weights" / f"{name}.safetensors"
    if path.suffix != ".safetensors":
        raise CheckpointError(f"{path}: found the ending {path.suffix!r}, expected .safetensors")
    if path.exists() and not command.force:
        raise CheckpointError(f"{path} is already there; --force replaces it, --name or --output write another file")
    return path


def _default_name(imported: ImportedWeights, fold: int | None) -> str:
    if imported.dataset is None:
        family = "fmae" if imported.layout.decoder_depth else "mae"
        return f"{family}-vit-{_WORDS[imported.layout.size]}"
    adversarial = "-iat" if imported.layout.identities else ""
    classes = f"-{imported.layout.outputs}" if imported.dataset == "affectnet" else ""
    return f"fmae{adversarial}-{imported.dataset}{classes}{'' if fold is None else f'-fold{fold}'}"


def _with_subjects(imported: ImportedWeights, fold: int | None) -> ImportedWeights:
    if fold is None:
        return imported
    if imported.dataset not in {"bp4d", "bp4d-plus", "disfa"}:
        raise RecipeError("--fold is for weights of BP4D, BP4D+ and DISFA, whose folds were published")
    parts = published_parts(imported.dataset)
    if not 1 <= fold <= len(parts):
        raise RecipeError(f"--fold must be from 1 to {len(parts)} for {imported.dataset}, got {fold}")
    return imported.trained_on(name for index, part in enumerate(parts, 1) if index != fold for name in part)


def _report(imported: ImportedWeights, path: Path, *, installed: bool) -> None:
    out = Console(highlight=False, soft_wrap=True)
    info, layout = imported.info, imported.layout
    used = path.stem if installed and path.stem in installed_weights() else str(path)
    rows = {"network": f"{imported.size}, crops of {layout.encoder.image_size} px"}
    if isinstance(info, CheckpointInfo):
        names = str(info.expressions) if info.expressions else str(info.action_units)
        rows["network"] = f"{imported.size}, crops of {info.crop.size} px"
        rows["outputs"] = f"{info.num_outputs}, trained on {info.provenance['corpus']}: {names}"
        rows["crop"] = "the detector's box and 5 % on each side, stretched to a square, not turned"
        rows["decision"] = "0.5 for every action unit" if info.action_units else "the most likely expression"
        next_step = f"facskit recognize --weights {used} photo.jpg"
    else:
        decoder = "with its decoder" if layout.decoder_depth else "without its decoder"
        rows["network"] = f"{imported.size} masked autoencoder {decoder}, for {info.model.encoder.image_size} px"
        rows["outputs"] = "none: it's a start for training"
        next_step = f"in a recipe, initial_weights: {used}"
    rows["identities"] = f"{layout.identities} in the head that was dropped" if layout.identities else ""
    rows["dropped"] = ", ".join(info.provenance["dropped"]) or "nothing"
    rows["licence"] = f"{info.licence} (no commercial use)"
    rows["checksum"] = f"SHA-256 {info.provenance['sha256']}"
    for title, text in rows.items():
        if text:
            out.print(f"  [bold]{title:10}[/] {escape(text)}")
    for warning in imported.warnings:
        out.print(f"  [yellow]note[/]       {escape(warning)}")
    out.print(f"Wrote {escape(str(path))} ({path.stat().st_size / 1e6:.1f} MB)")
    out.print(f"Next: {escape(next_step)}")
