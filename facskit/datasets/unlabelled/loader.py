"""Faces to pre-train with: no labels, 8-bit pixels on the processor; colours become numbers on the device.

A batch is a pure function of (seed, epoch, step). A stored image that already is what the model is to see isn't
resampled: it is decoded and at most mirrored. Where faces vary by no more than that, finished crops can be kept.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from facskit.datasets.augmentation import AugmentationConfig, augment_matrix, sample_generator
from facskit.datasets.loaders import BatchKey, PreparedSamples
from facskit.datasets.packed import recipe_matrix
from facskit.datasets.unlabelled.crop_cache import CropCache
from facskit.datasets.unlabelled.sources import UnlabelledImages
from facskit.errors import DatasetError, FacskitError
from facskit.faces.alignment import CropRecipe, WholeImage, border_level
from facskit.faces.images import warp

__all__ = [
    "FaceImages",
    "PretrainingAugmentation",
    "RandomResizedCrop",
    "ResizeFlip",
    "UnlabelledFaces",
    "UnlabelledPreparation",
]

_EXACT = 1e-9
"""How far a matrix may be from leaving each pixel in its place."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceImages:
    """A batch of faces without labels."""

    images: UInt8[Tensor, "batch 3 height width"]
    """RGB levels; the colours lie next to each other in memory, so that nobody has had to copy them."""
    indices: Int64[Tensor, "batch"]
    """Row of each image in its source."""

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device | str) -> "FaceImages":
        """Return the batch on a device; from pinned memory the copy runs beside other work."""
        return FaceImages(
            images=self.images.to(device, non_blocking=True), indices=self.indices.to(device, non_blocking=True)
        )


@dataclass(frozen=True, kw_only=True)
class ResizeFlip:
    """What FMAE does: the whole crop, half of the time mirrored."""

    kind: Literal["resize-flip"] = "resize-flip"
    """Tag of this augmentation."""
    flip_chance: float = 0.5
    """Probability of a mirror image."""

    def __post_init__(self) -> None:
        _check_chance(self.flip_chance)


@dataclass(frozen=True, kw_only=True)
class RandomResizedCrop:
    """What MAE does: a random window of the crop at full size, half of the time mirrored.

    MAE resamples by a cubic; ours is linear, after averaging where it shrinks, and the window is drawn from the crop,
    not from the picture around it.
    """

    kind: Literal["mae"] = "mae"
    """Tag of this augmentation."""
    area: tuple[float, float] = (0.2, 1.0)
    """Range of the window's share of the crop's area; its sides are in proportions from 3:4 to 4:3."""
    flip_chance: float = 0.5
    """Probability of a mirror image."""

    def __post_init__(self) -> None:
        _check_chance(self.flip_chance)
        low, high = self.area
        if not 0.01 <= low <= high <= 1:
            raise ValueError(f"area must be a range from 0.01 to 1, got {low} to {high}")

    @property
    def changes(self) -> AugmentationConfig:
        """The same as a setting of all random changes."""
        return AugmentationConfig(flip_chance=self.flip_chance, window_area=self.area)


PretrainingAugmentation = ResizeFlip | RandomResizedCrop
"""How faces vary while an autoencoder learns."""


@dataclass(frozen=True, kw_only=True)
class UnlabelledPreparation:
    """How a stored image becomes what the model sees."""

    crop: CropRecipe = field(default_factory=WholeImage)
    """How a face is cut out."""
    augmentation: PretrainingAugmentation | None = None
    """Random changes; None for none, to measure with."""
    seed: int = 0
    """Seed of the random changes and of the order of images."""


class UnlabelledFaces(PreparedSamples[FaceImages]):
    """Cropped and varied 8-bit faces, keyed by epoch and position, so that workers keep no state.

    Args:
        cache_gib: How many GiB of finished crops to keep in memory; for random windows, of decoded images of a
            manifest.

    Raises:
        DatasetError: There are no rows, or the crop needs landmarks that an image doesn't have.
        MediaError: An image that is to be cached is missing or damaged.
    """

    def __init__(
        self,
        source: UnlabelledImages,
        preparation: UnlabelledPreparation,
        rows: Int64[np.ndarray, "rows"],
        cache_gib: float = 0.0,
    ) -> None:
        if not len(rows):
            raise DatasetError(f"{source.name}: there are no images to load; expected at least one")
        self.preparation, self.seed, self.rows = preparation, preparation.seed, rows
        self.crop = source.remaining_crop(preparation.crop)
        self._landmarks = None if isinstance(self.crop, WholeImage) else source.landmarks(rows, self.crop)
        fixed = not isinstance(preparation.augmentation, RandomResizedCrop)
        self._pictures = source.pictures(rows, 0.0 if fixed else cache_gib)
        self._finished = CropCache(len(rows), self.crop.size, cache_gib if fixed else 0.0)

    def batch(self, prepared: tuple[Tensor, Tensor]) -> FaceImages:
        """Return prepared images and their rows as a batch."""
        return FaceImages(images=prepared[0], indices=prepared[1])

    def __getitem__(self, key: BatchKey) -> tuple[Tensor, Tensor] | FacskitError:
        epoch, positions = key
        size = self.crop.size
        images = np.empty((len(positions), size, size, 3), np.uint8)
        try:
            for place, position in enumerate(positions):
                images[place] = self.face(epoch, int(position))
        except FacskitError as error:
            return error
        return torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(self.rows[positions])

    def face(self, epoch: int, position: int) -> UInt8[np.ndarray, "height width 3"]:
        """Prepare one face, to look at it.

        Args:
            epoch: Counted from zero; random changes depend on it.

        Raises:
            MediaError: The image is missing or damaged.
        """
        rng = sample_generator(self.preparation.seed, epoch, int(self.rows[position]))
        match self.preparation.augmentation:
            case RandomResizedCrop() as augmentation:
                image = self._pictures.image(position)
                matrix = augment_matrix(augmentation.changes, self._matrix(image, position), self.crop.size, rng)
                return warp(image, matrix, self.crop.size, border_level(self.crop))
            case ResizeFlip() as augmentation:
                crop = self._crop(position)
                return crop[:, ::-1] if rng.random() < augmentation.flip_chance else crop
        return self._crop(position)

    def _crop(self, position: int) -> UInt8[np.ndarray, "height width 3"]:
        """Cut a face out, unless it was kept, or is all that there is to see in its image."""
        crop = self._finished.get(position)
        if crop is None:
            image = self._pictures.image(position)
            matrix, size = self._matrix(image, position), self.crop.size
            in_place = image.shape[:2] == (size, size) and np.abs(matrix - np.eye(2, 3)).max() < _EXACT * size
            crop = image if in_place else warp(image, matrix, size, border_level(self.crop))
            self._finished.put(position, crop)
        return crop

    def _matrix(self, image: UInt8[np.ndarray, "height width 3"], position: int) -> Float[np.ndarray, "2 3"]:
        landmarks = None if self._landmarks is None else self._landmarks[position].astype(np.float64)
        return recipe_matrix(self.crop, image, landmarks, self._pictures.name(position))


def _check_chance(chance: float) -> None:
    if not 0 <= chance <= 1:
        raise ValueError(f"flip_chance must be from 0 to 1, got {chance}")
