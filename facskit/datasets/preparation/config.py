"""Settings of preparation: how a corpus's frames become prepared images."""

from dataclasses import dataclass, field
from typing import Literal

from facskit.datasets.corpora.decisions import OnError, PaperName
from facskit.faces.alignment import BoxCrop, CropRecipe, EyeSimilarityCrop, Similarity49Crop, WholeImage
from facskit.faces.detectors import ONE_THREAD, DetectorConfig

__all__ = ["PointsFrom", "PreparationConfig", "paper_preparation"]

PointsFrom = Literal["corpus", "detector"]


@dataclass(frozen=True, kw_only=True)
class PreparationConfig:
    """How to cut out and store each frame's face."""

    crop: CropRecipe | None = field(default_factory=lambda: EyeSimilarityCrop(size=224))
    """The crop, which training must ask for too; None keeps whole pictures."""
    points: PointsFrom = "corpus"
    """Where a crop's points come from: the corpus's landmarks, and the detector where a frame has none; or always the
    detector, as on new pictures."""
    max_side: int = 0
    """Whole pictures are shrunk until their longer side has at most this many pixels; 0 keeps their size."""
    quality: int = 95
    """JPEG quality, 1 to 100; a whole JPEG picture that keeps its size is copied as it is."""
    on_error: OnError = "stop"
    """`stop` at the first picture or video that can't be read, or `report` it and go on without."""
    workers: int = 0
    """Processes; 0 for one per processor core. The result doesn't depend on it."""
    detector: DetectorConfig = ONE_THREAD
    """How faces are searched."""

    def __post_init__(self) -> None:
        if isinstance(self.crop, WholeImage):
            raise ValueError("crop must be None to keep whole pictures, got a crop of kind 'none'; see max_side")
        if self.max_side and self.crop is not None:
            raise ValueError(f"max_side is for whole pictures; with the crop {self.crop.kind!r} set the crop's size")
        if self.max_side and self.max_side < 16:
            raise ValueError(f"max_side must be 0 or at least 16 pixels, got {self.max_side}")
        if not 1 <= self.quality <= 100:
            raise ValueError(f"quality must be from 1 to 100, got {self.quality}")
        if self.workers < 0:
            raise ValueError(f"workers must be 0 or more, got {self.workers}")


def paper_preparation(paper: PaperName, corpus: str) -> tuple[CropRecipe | None, PointsFrom]:
    """Return a paper's crop for a corpus, and where its points came from.

    Args:
        paper: `fmae-iat`: a detector's box, 5 % wider on each side, stretched to 224 px (issue 9 of its repository),
            with CenterFace in place of its detector; RAF-DB and AffectNet as they are. `ciu`: JAA-Net's 200 px
            alignment on the corpus's landmarks. `me-graphau`: its code takes 256 px faces aligned in a way it doesn't
            state; here facskit's own alignment.
    """
    if corpus in ("raf-db", "affectnet"):
        return None, "corpus"
    match paper:
        case "fmae-iat":
            return BoxCrop(size=224, margin=0.05, stretch=True), "detector"
        case "ciu":
            return Similarity49Crop(), "corpus"
        case "me-graphau":
            return EyeSimilarityCrop(size=256), "detector"
