"""The options of `facskit recognize`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from facskit.errors import RecipeError
from facskit.faces.detectors import FOR_PHOTOGRAPHS
from facskit.faces.video import FrameChoice
from facskit.inference.dialects import DialectName
from facskit.inference.finished_table import Finishing
from facskit.inference.open_network import Backend
from facskit.inference.overlay_files import check_figure
from facskit.inference.own_rest import AUTO
from facskit.inference.tables import SUFFIXES

__all__ = ["RecognizeConfig"]


@dataclass(frozen=True, kw_only=True)
class RecognizeConfig:
    """Action units, and expressions where the weights know them, of every face in photographs, folders and videos."""

    inputs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="INPUT ...")]
    """Photographs, videos, folders to search for them, and - for one that is sent to standard input."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=("-o",))] = None
    """Table with one row per face and frame: .csv, .jsonl or .parquet. AU01 is a probability, AU01_c the decision;
    where the weights know expressions, expression is the most probable one and expression_happiness a probability;
    frames count from 0; a picture without a face has one row with success 0 and empty cells."""
    dialect: DialectName = "facskit"
    """Whose columns the table has, so that what reads their tables reads ours: `openface` (2.2, `-pose -aus`;
    frames count from 1), `pyfeat` or `libreface`. What isn't known, such as intensities, stays empty."""
    summary: Path | None = None
    """Table (.csv) with a row per person and AU: share of time present, mean and peak probability, episodes a minute;
    and beside it every episode's start, end and length. Unreliable frames don't count. Needs --output."""
    bin: float | None = None
    """With --summary: a third table beside it, with shares and means in bins of so many seconds."""
    neutral: str | None = None
    """Add columns AU01_above_rest and AU01_above_rest_c, with what a person's resting face already shows taken off:
    `auto` finds rest in each person's frames of a video, a number is a frame in which everybody is at rest; summary,
    timeline and --smooth then use these. Needs --output."""
    smooth: float = 0.0
    """Add columns AU01_smooth and AU01_smooth_c: means over a window of so many seconds around each frame, without lag,
    never across gaps or people; summary and timeline then use these. Needs --output."""
    timeline: Path | None = None
    """Figure of the action units over time for each person: a picture (.png, .svg, .pdf) for one video, or a folder.
    Needs --output."""
    overlay: Path | None = None
    """Folder for pictures and videos with boxes and bars drawn in."""
    save_video: Path | None = None
    """Video (.mp4) with boxes, bars and the sound of the one video among the inputs."""
    attention: Path | None = None
    """Folder for pictures of where the network looks, one per face (of a video one per face and frame); for weights
    with attention maps only."""
    weights: str = "packaged"
    """Name of installed weights, or path of a weight file, of a finished run's folder or of an exported .onnx file."""
    device: str = "auto"
    """Where the network runs: auto, cpu, cuda, mps, or one of several such as cuda:1."""
    backend: Backend = "auto"
    """What runs the network: PyTorch, onnxruntime or OpenVINO, for which other weights are exported once. `auto` is
    onnxruntime, on the processor, for the packaged weights and exported files, unless the device or attention maps need
    PyTorch; and PyTorch for all others."""
    faces: Literal["all", "largest"] = "all"
    """Which faces of a picture to recognise."""
    person: str = "all"
    """Whom the table is about: `all`; `longest`, whoever is seen on most frames of a file; `largest`, whose face is
    largest on average; or a `face_id`. Needs --output. (--faces largest chooses anew on every frame.)"""
    every: int = 1
    """Look at every n-th frame of a video."""
    fps: float | None = None
    """Look at no more than so many frames a second of a video."""
    start: float = 0.0
    """Seconds of a video before which nothing is looked at."""
    end: float | None = None
    """Seconds of a video at which looking ends."""
    mirror: Literal["photographs", "always", "never"] = "photographs"
    """Where the mean with each face's mirror image counts, steadier and twice the network's time."""
    search_side: int = 640
    """Longer side in pixels to which photographs are brought to look for faces: more finds smaller faces, as in groups,
    and takes longer."""
    jobs: int = 1
    """Processes that recognise files at the same time, each with the weights in memory; worth it for many files, and
    for videos on a machine with many cores. The table is the same."""
    resume: bool = True
    """Go on with the table of an interrupted run."""

    def __post_init__(self) -> None:
        """Check every limit."""
        if not self.inputs:
            raise RecipeError("found no input, expected at least one photograph, video or folder")
        if self.search_side < FOR_PHOTOGRAPHS.min_side:
            raise RecipeError(f"--search-side must be at least {FOR_PHOTOGRAPHS.min_side}, got {self.search_side}")
        if self.jobs < 1:
            raise RecipeError(f"--jobs must be at least 1, got {self.jobs}")
        if self.jobs > 1 and (self.attention is not None or self.save_video is not None):
            option = "--attention" if self.attention is not None else "--save-video"
            raise RecipeError(f"{option} is drawn by one process: leave --jobs {self.jobs} out")
        self._check_words()
        self._check_finishing()
        try:
            FrameChoice(every=self.every, per_second=self.fps, start=self.start, end=self.end)
        except ValueError as error:
            raise RecipeError(f"--{error}") from error
        if self.output is not None and self.output.suffix.lower() not in SUFFIXES:
            raise RecipeError(f"{self.output}: found the ending {self.output.suffix!r}, expected {', '.join(SUFFIXES)}")

    @property
    def finishing(self) -> Finishing:
        """What to make of the table when it's complete."""
        return Finishing(
            person=self.person,
            neutral=self.neutral,
            smooth=self.smooth,
            summary=self.summary,
            bin=self.bin,
            timeline=self.timeline,
        )

    def _check_words(self) -> None:
        if self.person not in {"all", "longest", "largest"} and not self.person.isdecimal():
            raise RecipeError(f"--person is {self.person!r}; expected all, longest, largest or a face_id such as 0")
        if self.neutral not in {None, AUTO} and not str(self.neutral).isdecimal():
            raise RecipeError(f"--neutral is {self.neutral!r}; expected auto or the number of a frame, such as 0")

    def _check_finishing(self) -> None:
        if self.bin is not None and self.summary is None:
            raise RecipeError("--bin is about the summary: give --summary too")
        for name, value in (("bin", self.bin), ("smooth", self.smooth or None)):
            if value is not None and not value > 0:
                raise RecipeError(f"--{name} must be above 0 seconds, got {value:g}")
        asked = {name: getattr(self, name) for name in ("summary", "person", "neutral", "smooth", "timeline")}
        for name, value in asked.items():
            if value != getattr(Finishing(), name) and (self.output is None or self.dialect != "facskit"):
                raise RecipeError(f"--{name} is made of the table: give --output too, in facskit's own dialect")
        if self.summary is not None and self.summary.suffix.lower() != ".csv":
            raise RecipeError(f"{self.summary}: found the ending {self.summary.suffix!r}, expected .csv")
        if self.timeline is not None:
            check_figure(self.timeline)
        if self.save_video is not None and self.save_video.suffix.lower() != ".mp4":
            raise RecipeError(f"{self.save_video}: found the ending {self.save_video.suffix!r}, expected .mp4")
