"""`facskit synthesize`: a corpus of rendered faces with known action units, subjects and landmarks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from facskit.errors import RecipeError
from facskit.synthesis.corpus import SynthesisConfig, synthesize

__all__ = ["SynthesizeCommand", "main"]

_DESCRIPTION = """Render faces of people who don't exist, with known action units, subjects and landmarks.

Writes OUT/images/S001/0000.jpg ..., OUT/manifest.parquet and OUT/dataset.json. The same seed gives the same files. A
run that was stopped goes on where it was when started again with the same options.

Examples:
  facskit synthesize faces/ --subjects 60 --frames 50 --seed 0
  facskit synthesize balanced/ --profile balanced --workers 2
  facskit synthesize expressions/ --profile expressions
  facskit synthesize shortcut/ --profile disfa-people --background person
  facskit synthesize faces/ --head packaged --head ICT-FaceKit/
  facskit synthesize faces/ --skins makehuman/data/skins/
"""


@dataclass(frozen=True, kw_only=True)
class SynthesizeCommand:
    """Render faces of people who don't exist, with known action units, subjects and landmarks."""

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """Folder for the pictures and the manifest."""
    config: Annotated[SynthesisConfig, tyro.conf.arg(name="")] = field(default_factory=SynthesisConfig)
    """What to render."""


def main(words: Sequence[str]) -> int:
    """Parse the words after `facskit synthesize` and render; return the exit code."""
    try:
        command = tyro.cli(
            SynthesizeCommand,
            prog="facskit synthesize",
            description=_DESCRIPTION,
            args=list(words),
            config=(tyro.conf.UseAppendAction,),
        )
    except ValueError as error:
        raise RecipeError(f"on the command line: {error}") from error
    manifest, config = synthesize(command.config, command.out), command.config
    faces = f"{config.subjects * config.frames} faces of {config.subjects} people"
    Console(highlight=False, soft_wrap=True).print(f"{faces}: {manifest}")
    return 0
