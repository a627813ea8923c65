"""`facskit attention WEIGHTS INPUT...`: where a network looks for each action unit, in pictures and in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.markup import escape

from facskit.errors import MediaError, RecipeError
from facskit.faces.images import write_image
from facskit.faces.media_files import find_media
from facskit.files import write_text
from facskit.inference.attention_files import AttentionFolder
from facskit.inference.attention_maps import AttendedFace, draw_attention, draw_attention_table
from facskit.inference.overlay_files import check_writable
from facskit.inference.recognizer import Device, Recognizer, RecognizerConfig, find_weights
from facskit.inference.torch_network import attentive
from facskit.models.checkpoints import CheckpointInfo, load_checkpoint
from facskit.models.devices import choose_device

if TYPE_CHECKING:
    from facskit.experiments.analysis.attention_check import AttentionCheck

__all__ = ["AttentionCommand", "main"]

_DESCRIPTION = """Show where a network looks for each action unit.

Photographs and videos: a picture per face, with a panel per action unit. A manifest of faces with landmarks: predicted
and predefined maps side by side, and how well they fit over all its faces. Colours go from 0 (blue) to 1 (red).

Examples:
  facskit attention runs/ciu portrait.jpg -o attention/
  facskit attention runs/ciu packaged -o attention/ --faces 6
"""
_MANIFESTS = {".parquet", ".csv", ".jsonl"}


@dataclass(frozen=True, kw_only=True)
class AttentionCommand:
    """Show where a network looks for each action unit."""

    weights: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="WEIGHTS")]
    """Path of a weight file or of a finished run's folder, or the name of installed weights."""
    inputs: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="INPUT ...")]]
    """Photographs, videos, folders of them, and manifests (.parquet, .csv, .jsonl, or a folder with a
    manifest.parquet); `packaged` takes the rendered faces that come with facskit."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the pictures; of a manifest also attention.md and one picture of all faces drawn, attention.png."""
    faces: int = 4
    """Faces of a manifest to draw: of different people, and of each the image with the most action units."""
    every: int = 1
    """Look at every n-th frame of a video."""
    spread: float | None = None
    """Standard deviation of the predefined maps' bumps in map cells; by default that of the maps the network was
    taught, where the recipe is beside the weights, else CIU's share of the face, 3 of 44."""
    device: Device = "auto"
    """Where the network runs."""
    batch_size: int = 32
    """Faces computed at once."""

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        if not self.inputs:
            raise RecipeError("found no input, expected a photograph, a folder or a manifest")
        for name, value, least in (
            ("faces", self.faces, 0),
            ("every", self.every, 1),
            ("batch-size", self.batch_size, 1),
        ):
            if value < least:
                raise RecipeError(f"--{name} is {value}, expected at least {least}")
        if self.spread is not None and not self.spread > 0:
            raise RecipeError(f"--spread is {self.spread:g}, expected more than 0 map cells")


def main(words: Sequence[str]) -> int:
    """Parse the command's words, look, and print; return the exit code."""
    command = tyro.cli(AttentionCommand, prog="facskit attention", description=_DESCRIPTION, args=list(words))
    manifests = []
    for text in command.inputs:
        path = Path(text)
        if text == "packaged" or path.suffix.lower() in _MANIFESTS or (path / "manifest.parquet").is_file():
            manifests.append(text)
    media = [Path(text) for text in command.inputs if text not in manifests]
    check_writable(command.out, "attention maps")
    for manifest in manifests:
        folder = command.out if len(manifests) == 1 else command.out / (Path(manifest).stem or manifest)
        _look_at_manifest(command, manifest, folder)
    return _look_at_media(command, media) if media else 0


def _look_at_media(command: AttentionCommand, media: Sequence[Path]) -> int:
    """Draw every face of photographs and videos; a file that can't be read doesn't stop the others."""
    files = find_media(media, leave_out=[command.out]).files
    config = RecognizerConfig(attention=True, batch_size=command.batch_size)
    recognizer = Recognizer.from_checkpoint(command.weights, command.device, config)
    folder = AttentionFolder(command.out, recognizer.info.crop)
    out, errors = (Console(highlight=False, soft_wrap=True, stderr=stderr) for stderr in (False, True))
    failures = 0
    for file in files:
        try:
            for frame in recognizer.recognize_file(file, command.every):
                folder.write(frame)
                if not frame.faces:
                    out.print(f"{escape(file.name)}: no face found")
        except MediaError as error:
            failures += 1
            errors.print(f"[bold red]facskit:[/] {escape(str(error))}")
    faces = "1 face" if folder.written == 1 else f"{folder.written} faces"
    out.print(f"Attention maps of {faces}" + (f": {escape(str(command.out))}" if folder.written else ""))
    return 1 if failures else 0


def _look_at_manifest(command: AttentionCommand, manifest: str, folder: Path) -> None:
    """Draw some faces, and print and write how well the maps of all fit."""
    # Manifests need what training needs, photographs don't.
    from facskit.datasets.people import People, independence_notes
    from facskit.evaluation.attention_scores import attention_table
    from facskit.experiments.analysis.attention_check import check_attention, choose_rows, open_faces, taught_spread
    from facskit.interfaces.report_printing import table_console

    weights = find_weights(command.weights)
    model, info = load_checkpoint(weights)
    network = attentive(model, info)
    faces = open_faces(manifest)
    network.to(choose_device(command.device))
    rows = choose_rows(faces, command.faces)
    check = check_attention(
        network, info, faces, rows=rows, spread=command.spread or taught_spread(weights), batch_size=command.batch_size
    )
    table = attention_table(check.scores, f"Attention of {command.weights} on {manifest}")
    table_console().print(table.to_terminal())
    notes = [
        f"Predefined maps: bumps with a standard deviation of {check.spread:.3g} map cells.",
        *independence_notes(info.provenance, People.of(faces)),
    ]
    write_text(folder / "attention.md", table.to_markdown("#") + "".join(f"- {note}\n" for note in notes))
    _draw(check, info, folder)
    drawn = ", and attention.png beside it" if check.faces else ""
    Console(highlight=False, soft_wrap=True).print(f"Results: {escape(str(folder / 'attention.md'))}{drawn}")


def _draw(check: "AttentionCheck", info: CheckpointInfo, folder: Path) -> None:
    """Write a picture of each chosen face, and one of all."""
    attended = []
    for drawn in check.faces:
        face = AttendedFace(
            title=drawn.name,
            crop=drawn.crop,
            action_units=info.action_units,
            attention=drawn.attention,
            probabilities=drawn.probabilities,
            decisions=drawn.probabilities >= np.array(info.thresholds, np.float32),
            targets=drawn.targets,
            labels=drawn.labels,
        )
        attended.append(face)
        name = Path(face.title).with_suffix("").as_posix().replace("/", "_").replace(":", "_")
        write_image(folder / f"{name}_attention.png", draw_attention(face))
    if attended:
        write_image(folder / "attention.png", draw_attention_table(attended))
