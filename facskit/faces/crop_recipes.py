"""Crop recipes, which say what a crop shows of a face and travel inside every checkpoint.

`facskit.faces.alignment` follows them.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["BoxCrop", "CropRecipe", "EyeSimilarityCrop", "Similarity49Crop", "WholeImage"]


@dataclass(frozen=True, kw_only=True)
class EyeSimilarityCrop:
    """Upright square from five landmarks: position, size and tilt by weighted least squares against the mean head."""

    kind: Literal["five-point"] = "five-point"
    size: int = 112
    """Side of the crop in pixels."""
    half_side: float = 1.25
    """Half of the crop's side in distances between the eye centres."""
    drop: float = 0.55
    """How far below the eyes the crop's centre lies, in eye distances. With the defaults the crop reaches from 0.70
    above the eyes (raised brows, lower forehead) to 1.80 below (the mean chin lies at 1.69)."""

    def __post_init__(self) -> None:
        """Check every limit."""
        _check_size(self.size)
        if not 0.3 <= self.half_side <= 10:
            raise ValueError(f"half_side must be from 0.3 to 10 eye distances, got {self.half_side}")
        if not -2 <= self.drop <= 2:
            raise ValueError(f"drop must be from -2 to 2 eye distances, got {self.drop}")


@dataclass(frozen=True, kw_only=True)
class BoxCrop:
    """Upright square around the box, without rotation; with `stretch` it is FMAE's recipe (5 % margin, 224 pixels)."""

    kind: Literal["box"] = "box"
    size: int = 224
    """Side of the crop in pixels."""
    margin: float = 0.05
    """Added on every side, as a fraction of the box's longer side; with `stretch`, of its width and its height."""
    stretch: bool = False
    """Pull the box to a square, so that the face loses its proportions, and fill with black beyond the picture, as the
    authors of FMAE do; otherwise the box's longer side becomes the square's. A box computed from landmarks is square
    already."""

    def __post_init__(self) -> None:
        """Check every limit."""
        _check_size(self.size)
        if not -0.4 <= self.margin <= 5:
            raise ValueError(f"margin must be from -0.4 to 5 box sides, got {self.margin}")


@dataclass(frozen=True, kw_only=True)
class WholeImage:
    """The whole picture resized to a square, or the middle of it, for corpora that are already cropped."""

    kind: Literal["none"] = "none"
    size: int = 224
    """Side of the crop in pixels."""
    aligned: int = 0
    """Side in pixels to which the picture is resized if the crop is only its central window; 0 if it's all of it."""

    def __post_init__(self) -> None:
        """Check every limit."""
        _check_size(self.size)
        _check_aligned(self.aligned, self.size)


@dataclass(frozen=True, kw_only=True)
class Similarity49Crop:
    """Upright square around eyes, nose tip and mouth corners: the alignment of JAA-Net, ARL and CIU.

    The points that place it are the five that a detector gives, so photographs can be cropped as corpora are.

    Paper:
        Shao et al., *JAA-Net: Joint Facial Action Unit Detection and Face Alignment via Adaptive Attention* (IJCV
        2021), `dataset/face_transform.py` of its repository.
    """

    kind: Literal["similarity-49"] = "similarity-49"
    size: int = 200
    """Side of the crop in pixels; the networks are shown windows of 176."""
    enlarge: float = 2.9
    """Side of the square over the longer side of the five points' upright bounds, after the eyes were levelled."""
    aligned: int = 0
    """Side in pixels of the aligned square if the crop is only its central window (CIU: 200, with a size of 176), so
    that training can move the window; 0 if the crop is all of it."""

    def __post_init__(self) -> None:
        """Check every limit."""
        _check_size(self.size)
        _check_aligned(self.aligned, self.size)
        if not 0.5 <= self.enlarge <= 20:
            raise ValueError(f"enlarge must be from 0.5 to 20 sides of the points' bounds, got {self.enlarge}")


CropRecipe = EyeSimilarityCrop | BoxCrop | Similarity49Crop | WholeImage
"""How a face becomes a crop."""


def _check_size(size: int) -> None:
    if not 16 <= size <= 4096:
        raise ValueError(f"size must be from 16 to 4096 pixels, got {size}")


def _check_aligned(aligned: int, size: int) -> None:
    if not aligned:
        return
    if not size <= aligned <= 4096:
        raise ValueError(f"aligned must be 0 or from the crop's size of {size} to 4096 pixels, got {aligned}")
    if (aligned - size) % 2:
        raise ValueError(
            f"aligned must leave as many pixels on both sides of a crop of {size} pixels, got the odd rest of "
            f"{aligned - size}"
        )
