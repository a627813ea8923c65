"""`facskit probe RUN...`: how much of who somebody is the features of trained networks still tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from facskit.datasets.loaders import LoaderConfig
from facskit.errors import RecipeError
from facskit.evaluation.identity.embedding import EmbeddingConfig
from facskit.evaluation.identity.probe import IdentityProbeConfig, ProbeMethod
from facskit.evaluation.identity.splits import SplitConfig
from facskit.experiments.probe.faces import FacePart
from facskit.experiments.probe.probing import ProbePlan, probe
from facskit.experiments.probe.report import probe_tables, write_probing
from facskit.interfaces.report_printing import table_console
from facskit.models.devices import Device

__all__ = ["ProbeCommand", "main"]

_DESCRIPTION = """Measure how much identity is left in the features of trained networks.

A linear classifier of subjects is fitted to the frozen features of every network that a run kept (training.keep_every
in its recipe), and tested on random frames and, where subjects have several recordings, on recordings that it never
saw. Writes results.md, results.json and probe.png: accuracy over the epochs of training, for all runs in one figure.
What was probed before isn't probed again.

Examples:
  facskit probe runs/fmae_iat_tiny
  facskit probe FMAE=runs/fmae IAT=runs/fmae_iat --embedding -o runs/probe
  facskit probe packaged --manifest data/disfa/manifest.parquet
"""


@dataclass(frozen=True, kw_only=True)
class ProbeCommand:
    """Measure how much identity is left in the features of trained networks."""

    runs: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="RUN ...")]]
    """Folders of runs, of cross-validations (their folds are counted together) or of pre-trainings, weight files, or
    names of weights; LABEL=RUN names one in figure and tables."""
    manifest: str = ""
    """Faces to probe on, a manifest or `packaged`; by default those of each run's recipe."""
    part: FacePart = "all"
    """People to probe on: all, or those that a run was trained or tested on."""
    out: Annotated[Path, tyro.conf.arg(aliases=("-o",))] = Path("runs/probe")
    """Folder for the results."""
    probe: Literal["converged", "paper", "both"] = "both"
    """The classifier: logistic regression at its optimum, the published one, which stops long before it, or both."""
    embedding: bool = False
    """Draw the features of every run's last network too (t-SNE), coloured by subject and by action unit, and measure
    how clustered they are."""
    frames: int = 100
    """Most frames per subject; 70 % of them are fitted to."""
    seed: int = 0
    """Seed of the choice of frames."""
    device: Device = "auto"
    """Where the networks run."""
    batch_size: int = 64
    """Faces computed at once."""
    workers: int = 0
    """Processes that prepare faces."""

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        for name, value, least in (
            ("frames", self.frames, 2),
            ("seed", self.seed, 0),
            ("batch-size", self.batch_size, 1),
            ("workers", self.workers, 0),
        ):
            if value < least:
                raise RecipeError(f"--{name} is {value}, expected at least {least}")


def main(words: Sequence[str]) -> int:
    """Parse the words after `facskit probe`, probe, and print the tables; return the exit code."""
    command = tyro.cli(ProbeCommand, prog="facskit probe", description=_DESCRIPTION, args=list(words))
    if not command.runs:
        raise RecipeError("found nothing to probe; expected the folder of a run, a weight file, or a name of weights")
    methods: tuple[ProbeMethod, ...] = ("converged", "paper") if command.probe == "both" else (command.probe,)
    plan = ProbePlan(
        manifest=command.manifest,
        part=command.part,
        identity=IdentityProbeConfig(split=SplitConfig(frames=command.frames, seed=command.seed)),
        methods=methods,
        device=command.device,
        loader=LoaderConfig(batch_size=command.batch_size, workers=command.workers),
        embedding=EmbeddingConfig(seed=command.seed) if command.embedding else None,
    )
    probing = probe(command.runs, command.out, plan)
    written = write_probing(probing, command.out)
    console = table_console()
    for table in probe_tables(probing):
        console.print(table.to_terminal())
    beside = ", ".join(path.name for path in written[1:])
    console.print(f"Results: {written[0]}, with {beside} beside it", soft_wrap=True)
    return 0
