"""The choices that change a published number, spelled out: what papers leave to their code.

The same corpus gives different frames and labels in different papers' code. Each difference is one field here, each
paper's choices are a preset, and the choices travel with the prepared data and every result.
"""

from dataclasses import dataclass, replace
from typing import Literal

from facskit.action_units import ActionUnitSet
from facskit.errors import RecipeError

__all__ = ["SPELLED", "CorpusName", "Decisions", "OnError", "PaperName"]

CorpusName = Literal["bp4d", "bp4d-plus", "disfa", "disfa-plus", "raf-db", "affectnet"]
OnError = Literal["stop", "report"]
PaperName = Literal["fmae-iat", "ciu", "me-graphau"]

SPELLED: dict[CorpusName, str] = {
    "bp4d": "BP4D",
    "bp4d-plus": "BP4D+",
    "disfa": "DISFA",
    "disfa-plus": "DISFA+",
    "raf-db": "RAF-DB",
    "affectnet": "AffectNet",
}
"""The corpora's names as their authors write them."""


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """How labels, frames and media of a corpus are to be read."""

    missing: Literal["unknown", "negative", "drop-frame"] = "unknown"
    """What a code for "can't be coded" (9) means: an unknown label, an absent AU (FMAE-IAT's code), or that the whole
    frame is left out if any of the AUs wanted has it (OpenFace's readers)."""
    threshold: int = 2
    """Intensity from which an AU counts as present, 1 (A) to 5 (E); for corpora coded in intensities."""
    camera: Literal["left", "right"] = "left"
    """Which of DISFA's two videos of each subject; papers differ."""
    frame_offset: int | None = None
    """What to add to a label's frame number to get the number of its image file; for a video, whose frames count from
    1, the number of the frame. None takes the corpus's default, which the findings name."""
    frames: Literal["all", "landmarks"] = "all"
    """All coded frames, or only those with the corpus's own landmarks (the lists of JAA-Net, ARL and CIU)."""
    coding: Literal["occurrence", "intensity"] = "occurrence"
    """For BP4D and BP4D+: the occurrence files (all AUs), or the intensity files (5 AUs) cut at `threshold`."""
    action_units: str = ""
    """The AUs wanted: the name of a set or a list; empty for the corpus's usual set."""
    on_error: OnError = "stop"
    """`stop` at the first damaged or missing file, or `report` it and leave the frames out."""

    def __post_init__(self) -> None:
        """Refuse thresholds outside the FACS levels, and AUs that there are none of."""
        if not 1 <= self.threshold <= 5:
            raise ValueError(f"threshold must be between 1 and 5, got {self.threshold}")
        if self.action_units and not len(ActionUnitSet.parse(self.action_units)):
            raise ValueError(f"action_units must name the AUs to read, got {self.action_units!r}")

    @classmethod
    def as_paper(cls, paper: PaperName, corpus: CorpusName) -> "Decisions":
        """Return the choices of a paper's public code for a corpus.

        Args:
            paper: `fmae-iat`: code 9 is a negative, DISFA's right camera. `ciu`: frames with landmarks (the lists of
                JAA-Net that it inherits), DISFA's left camera. `me-graphau`: all coded frames, DISFA's left camera.

        Raises:
            RecipeError: The paper doesn't use that corpus.
        """
        choices = _PAPERS[paper]
        if corpus not in choices:
            raise RecipeError(f"as_paper: {paper} doesn't use {corpus}; it uses {', '.join(sorted(choices))}")
        return choices[corpus]

    def units(self, usual: ActionUnitSet) -> ActionUnitSet:
        """Return the AUs to read."""
        return ActionUnitSet.parse(self.action_units) if self.action_units else usual

    def describe(self, corpus: CorpusName) -> dict[str, str]:
        """Name the choices that matter for a corpus, by option name in a fixed order."""
        values = {
            "coding": self.coding,
            "missing": self.missing,
            "threshold": str(self.threshold),
            "camera": self.camera,
            "frame_offset": "default" if self.frame_offset is None else f"{self.frame_offset:+d}",
            "frames": self.frames,
            "action_units": self.action_units or "default",
        }
        applying = _APPLYING[corpus]
        if corpus in ("bp4d", "bp4d-plus") and self.coding == "intensity":
            applying = (*applying, "threshold")
        return {name: value for name, value in values.items() if name in applying}


_CODED = ("coding", "missing", "frame_offset", "frames", "action_units")
_APPLYING: dict[CorpusName, tuple[str, ...]] = {
    "bp4d": _CODED,
    "bp4d-plus": _CODED,
    "disfa": ("threshold", "camera", "frame_offset", "frames", "action_units"),
    "disfa-plus": ("threshold", "action_units"),
    "raf-db": (),
    "affectnet": (),
}

_FMAE = Decisions(missing="negative", camera="right")
_CIU = Decisions(frames="landmarks")
_PAPERS: dict[PaperName, dict[CorpusName, Decisions]] = {
    "fmae-iat": {
        "bp4d": _FMAE,
        "bp4d-plus": _FMAE,
        "disfa": replace(_FMAE, action_units="disfa-8"),
        "raf-db": Decisions(),
        "affectnet": Decisions(),
    },
    "ciu": {"bp4d": _CIU, "disfa": replace(_CIU, action_units="disfa-8")},
    # its code stops at any other code than 0 and 1, so `missing` never mattered there
    "me-graphau": {"bp4d": Decisions(), "disfa": Decisions(action_units="disfa-8")},
}
