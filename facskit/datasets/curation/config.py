"""Settings of curation: what it asks of an image, and what it makes of it."""

from dataclasses import dataclass
from typing import Literal, get_args

from facskit.datasets.curation.duplicates import MAX_DISTANCE
from facskit.faces.alignment import BoxCrop, CropRecipe, EyeSimilarityCrop, WholeImage

__all__ = ["CropName", "CurationConfig"]

CropName = Literal["none", "box", "five-point"]
"""How an image becomes a crop."""


@dataclass(frozen=True, kw_only=True)
class CurationConfig:
    """Filters and output; the defaults are what is known of Face9M, and duplicates are dropped besides."""

    size: int = 224
    """Height and width of the stored images in pixels; without a crop, images are stretched to it as published."""
    max_aspect: float = 1.5
    """Images whose longer side is more than this many times the shorter one are dropped; 0 keeps all."""
    min_side: int = 224
    """Images whose shorter side has fewer pixels are dropped; 0 keeps all."""
    crop: CropName = "none"
    """`none` keeps the whole image; `box` (5 % margin) and `five-point` (upright, eyes level) keep the largest face."""
    min_face: int = 64
    """With a crop, images whose largest face has a longer side of fewer pixels are dropped; 0 keeps all."""
    near_duplicates: int = 4
    """Images are dropped if an earlier one differs in at most this many of 64 bits of a perceptual hash, and in at most
    four times as many of 256; 0 keeps all."""
    quality: int = 95
    """JPEG quality of the stored images, 1 to 100. A JPEG that already has the wanted size is stored as it is."""
    shuffle: bool = True
    """Mix the images of all sources; otherwise they keep the order of the sources and their names."""
    seed: int = 0
    """Same seed, same order."""
    shard_images: int = 10_000
    """Images per tar file."""
    chunk_images: int = 1000
    """Images per unit of work; a kill costs at most that much work per process."""

    def __post_init__(self) -> None:
        limits = {
            "size": (16, 4096),
            "min_side": (0, 10_000),
            "min_face": (0, 10_000),
            "near_duplicates": (0, MAX_DISTANCE),
            "quality": (1, 100),
            "seed": (0, 2**63),
            "shard_images": (1, 10_000_000),
            "chunk_images": (1, 1_000_000),
        }
        for name, (least, most) in limits.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}; expected from {least} to {most}")
        if self.max_aspect != 0 and not 1 <= self.max_aspect < float("inf"):
            raise ValueError(f"max_aspect is {self.max_aspect}; expected at least 1, or 0 to keep all")
        if self.crop not in get_args(CropName):
            raise ValueError(f"crop is {self.crop!r}; expected one of {', '.join(get_args(CropName))}")

    @property
    def recipe(self) -> CropRecipe:
        """The crop as the other parts of facskit know it."""
        match self.crop:
            case "none":
                return WholeImage(size=self.size)
            case "box":
                return BoxCrop(size=self.size)
            case "five-point":
                return EyeSimilarityCrop(size=self.size)
