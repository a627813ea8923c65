"""`facskit synthesize`: a corpus of rendered faces with known action units, subjects and landmarks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from facskit.errors import RecipeError
from facskit.synthesis.corpus import Background, SynthesisConfig, synthesize
from facskit.synthesis.sampling import Profile

__all__ = ["main"]

_DESCRIPTION = """Render faces of people who don't exist, with known action units, subjects and landmarks.

Writes OUT/images/S001/0000.jpg ..., OUT/manifest.parquet and OUT/dataset.json. The same seed gives the same files. A
run that was stopped goes on where it was when started again with the same options.

Examples:
  facskit synthesize faces/ --subjects 60 --frames 50 --seed 0
  facskit synthesize balanced/ --profile balanced --workers 2
  facskit synthesize expressions/ --profile expressions
  facskit synthesize shortcut/ --profile disfa-people --background person
  facskit synthesize faces/ --head packaged --head ICT-FaceKit/
"""


def main(arguments: Sequence[str]) -> int:
    """Parse the words after `facskit synthesize` and render.

    Returns:
        The exit code.
    """
    return tyro.cli(_run, prog="facskit synthesize", description=_DESCRIPTION, args=list(arguments))


def _run(  # noqa: PLR0913 (one parameter per option on the command line)
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")],
    *,
    subjects: int = SynthesisConfig.subjects,
    frames: int = SynthesisConfig.frames,
    seed: int = SynthesisConfig.seed,
    profile: Profile = SynthesisConfig.profile,
    background: Background = SynthesisConfig.background,
    size: int = SynthesisConfig.size,
    head: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    workers: int = SynthesisConfig.workers,
) -> int:
    """Render a corpus.

    Args:
        out: Folder for the pictures and the manifest.
        seed: Same seed, same corpus, whatever the number of workers.
        profile: How often action units act: disfa as in a corpus of spontaneous expressions, disfa-people the same with
            people who differ as much as its subjects, bp4d with BP4D's rates, balanced all about alike, mixed half of
            the pictures of disfa and half balanced; expressions draws the eight expressions, each as often, and labels
            them.
        background: Behind the head something else on each picture, or the same on all pictures of a person.
        size: Height and width of the pictures in pixels.
        head: Whose shape people get: packaged, a head asset (.npz) or a clone of ICT-FaceKit; the packaged head by
            default. Given several times, people get the heads in turn.
        workers: Processes; 0 for one per processor core.
    """
    try:
        config = SynthesisConfig(
            subjects=subjects,
            frames=frames,
            seed=seed,
            profile=profile,
            background=background,
            size=size,
            head=head or SynthesisConfig.head,
            workers=workers,
        )
    except ValueError as error:
        raise RecipeError(str(error)) from error
    manifest = synthesize(config, out)
    Console(highlight=False, soft_wrap=True).print(f"{subjects * frames} faces of {subjects} people: {manifest}")
    return 0
