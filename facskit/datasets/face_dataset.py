"""One labelled image to one model input: crop, random changes, normalisation, with a single resampling of pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int8, Int64, UInt8
from torch import Tensor

from facskit.datasets.augmentation import (
    AugmentationConfig,
    augment_matrix,
    augment_normalised,
    augment_pixels,
    sample_generator,
)
from facskit.datasets.image_store import ImageStore
from facskit.datasets.loaders import BatchKey, PreparedSamples
from facskit.datasets.manifest import Manifest
from facskit.datasets.packed import recipe_matrix
from facskit.datasets.samples import Batch, Sample, unknown_landmarks
from facskit.errors import DatasetError, FacskitError
from facskit.expressions import ExpressionSet
from facskit.faces.alignment import BoxCrop, CropRecipe, EyeSimilarityCrop, WholeImage, border_level, in_plane_turn
from facskit.faces.angles import MIRRORED_ANGLES
from facskit.faces.images import warp
from facskit.faces.landmarks import JAW, MIRRORED_68, POINTS_49
from facskit.faces.normalization import Normalization, normalize

__all__ = ["FaceDataset", "Preparation", "PreparedArrays", "cut_face", "needed_landmarks"]


class PreparedArrays(NamedTuple):
    """A batch on its way from a worker, without what all batches have in common; the fields are those of `Batch`."""

    images: Tensor
    labels: Tensor
    subjects: Tensor
    indices: Tensor
    expressions: Tensor
    landmarks: Tensor
    levels: Tensor
    angles: Tensor
    views: dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How an image becomes a model's input."""

    recipe: CropRecipe = field(default_factory=EyeSimilarityCrop)
    """The crop; the checkpoint stores it."""
    normalization: Normalization = "per-image"
    """Which statistics centre and scale the colours; the checkpoint stores it."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    """Random changes; the default changes nothing."""
    seed: int = 0
    """Seed of the random changes and of the order of rows."""
    views: Mapping[str, "Preparation"] = field(default_factory=dict)
    """Further looks at the same faces, by name, each prepared in its own way; the same augmentation and seed change
    them in the same way. Their own views are ignored."""


def cut_face(faces: Manifest, recipe: CropRecipe, row: int) -> UInt8[np.ndarray, "size size 3"]:
    """Return a row's face as a network sees it, before its colours are normalised.

    Args:
        recipe: What is left to crop of the manifest's images.

    Raises:
        DatasetError: The row lacks what the crop needs.
        MediaError: The image is missing or damaged.
    """
    image, landmarks, name = faces.image(row), faces.landmarks(row), faces.image_name(row)
    points = None if landmarks is None else landmarks.astype(np.float64)
    return warp(image, recipe_matrix(recipe, image, points, name), recipe.size, border_level(recipe))


class FaceDataset(PreparedSamples[Batch]):
    """Prepared samples, keyed by epoch and position, so that workers keep no state."""

    def __init__(
        self,
        manifest: Manifest,
        preparation: Preparation,
        *,
        rows: Int64[np.ndarray, "rows"] | None = None,
        train_subjects: Sequence[str] = (),
        expressions: ExpressionSet | None = None,
        cache_gib: float = 0.0,
    ) -> None:
        """Take what is needed from the manifest.

        Args:
            rows: Which rows, for example `fold.train`; by default all.
            train_subjects: Names that subject indices count in; anyone else is -1.
            expressions: What expression indices count in; without it all are unknown.
            cache_gib: How many GiB of decoded images this data set may keep in memory.

        Raises:
            DatasetError: There are no rows, the crop needs landmarks that a row doesn't have, or expressions are wanted
                and the manifest has none.
            MediaError: An image that is to be cached is missing or damaged.
        """
        self.action_units = manifest.action_units
        self.preparation, self.seed = preparation, preparation.seed
        self.rows = np.arange(len(manifest)) if rows is None else np.asarray(rows, np.int64)
        if not len(self.rows):
            raise DatasetError("there are no rows to load; expected at least one image in every part that is used")
        self.labels: Int8[np.ndarray, "rows aus"] = manifest.labels[self.rows]
        index = {name: position for position, name in enumerate(train_subjects)}
        known = np.array([index.get(name, -1) for name in manifest.subject_names], np.int64)
        self.subjects: Int64[np.ndarray, "rows"] = known[manifest.subject_indices[self.rows]]
        everyone = np.full(len(manifest), -1) if expressions is None else manifest.expression_indices(expressions)
        self.expressions: Int64[np.ndarray, "rows"] = everyone[self.rows]
        self._landmarks: Float32[np.ndarray, "rows 68 2"] | None = None
        if manifest.all_landmarks is not None:
            self._landmarks = manifest.all_landmarks[self.rows]
        for each in (preparation, *preparation.views.values()):
            if not isinstance(each.recipe, WholeImage):
                self._landmarks = needed_landmarks(manifest, self.rows, each.recipe)
        self._levels = np.full_like(self.labels, -1) if manifest.levels is None else manifest.levels[self.rows]
        self._angles = None if manifest.angles is None else manifest.angles[self.rows]
        self._images = ImageStore(manifest, self.rows, cache_gib)

    def batch(self, prepared: PreparedArrays) -> Batch:
        """Return prepared arrays as a batch."""
        return Batch(**prepared._asdict(), action_units=self.action_units)

    def sample(self, epoch: int, position: int) -> Sample:
        """Prepare one face, to look at what a model sees of it; batches hold exactly the same numbers.

        Args:
            epoch: Counted from zero; random changes depend on it.
            position: Position among the data set's rows.

        Raises:
            MediaError: The image is missing or damaged.

        Example:
            ```python
            sample = FaceDataset(packaged_faces(), Preparation()).sample(epoch=0, position=5)
            print(dict(zip(sample.action_units.codes, sample.labels.tolist())))
            ```
        """
        image, matrix = self._crop(self._images.image(position), self.preparation, epoch, position)
        return Sample(
            image=torch.from_numpy(image),
            labels=torch.from_numpy(self.labels[position]),
            subject=int(self.subjects[position]),
            index=int(self.rows[position]),
            action_units=self.action_units,
            expression=int(self.expressions[position]),
            landmarks=self._landmarks_in_crops(np.array([position]), matrix[None])[0],
        )

    def __getitem__(self, key: BatchKey) -> PreparedArrays | FacskitError:
        epoch, positions = key
        images = _empty_images(self.preparation, len(positions))
        views = {name: _empty_images(each, len(positions)) for name, each in self.preparation.views.items()}
        matrices = np.empty((len(positions), 2, 3))
        try:
            for place, position in enumerate(positions.tolist()):
                picture = self._images.image(position)
                images[place], matrices[place] = self._crop(picture, self.preparation, epoch, position)
                for name, each in self.preparation.views.items():
                    views[name][place], _ = self._crop(picture, each, epoch, position)
        except FacskitError as error:
            return error
        return PreparedArrays(
            images=torch.from_numpy(images),
            labels=torch.from_numpy(self.labels[positions]),
            subjects=torch.from_numpy(self.subjects[positions]),
            indices=torch.from_numpy(self.rows[positions]),
            expressions=torch.from_numpy(self.expressions[positions]),
            landmarks=self._landmarks_in_crops(positions, matrices),
            levels=torch.from_numpy(self._levels[positions]),
            angles=self._angles_in_crops(positions, matrices),
            views={name: torch.from_numpy(seen) for name, seen in views.items()},
        )

    def _landmarks_in_crops(
        self, positions: Int64[np.ndarray, "batch"], matrices: Float[np.ndarray, "batch 2 3"]
    ) -> Float32[Tensor, "batch 68 2"]:
        """Move landmarks with their pictures; a mirror image's left and right are exchanged."""
        if self._landmarks is None:
            return unknown_landmarks(len(positions))
        linear, shift = matrices[:, :, :2], matrices[:, None, :, 2]
        points = self._landmarks[positions] @ linear.transpose(0, 2, 1) + shift
        # A crop never mirrors, so a matrix that does has had its random mirror.
        mirrored = np.linalg.det(linear) < 0
        points[mirrored] = points[mirrored][:, MIRRORED_68]
        return torch.from_numpy(points.astype(np.float32))

    def _angles_in_crops(
        self, positions: Int64[np.ndarray, "batch"], matrices: Float[np.ndarray, "batch 2 3"]
    ) -> Float32[Tensor, "batch 5"]:
        """Turn pose and gaze with their pictures; in a mirror image the head turns and rolls the other way."""
        if self._angles is None:
            return torch.full((len(positions), 5), torch.nan)
        angles = self._angles[positions].astype(np.float64)
        mirrored = np.linalg.det(matrices[:, :, :2]) < 0
        angles[mirrored] *= MIRRORED_ANGLES
        angles[:, 2] += in_plane_turn(matrices)
        return torch.from_numpy(angles.astype(np.float32))

    def _crop(
        self, picture: UInt8[np.ndarray, "height width 3"], steps: Preparation, epoch: int, position: int
    ) -> tuple[Float[np.ndarray, "3 side side"], Float[np.ndarray, "2 3"]]:
        """Return the model's input, and how the picture's pixels became the crop's."""
        landmarks = None
        if self._landmarks is not None and not isinstance(steps.recipe, WholeImage):
            landmarks = self._landmarks[position].astype(np.float64)
        matrix = recipe_matrix(steps.recipe, picture, landmarks, self._images.name(position))
        rng = sample_generator(steps.seed, epoch, int(self.rows[position]))
        matrix = augment_matrix(steps.augmentation, matrix, steps.recipe.size, rng)
        crop = warp(picture, matrix, steps.recipe.size, border_level(steps.recipe))
        image = normalize(augment_pixels(steps.augmentation, crop, rng), steps.normalization)
        return augment_normalised(steps.augmentation, image, rng), matrix


def _empty_images(preparation: Preparation, count: int) -> Float32[np.ndarray, "batch 3 side side"]:
    return np.empty((count, 3, preparation.recipe.size, preparation.recipe.size), np.float32)


def needed_landmarks(
    manifest: Manifest, rows: Int64[np.ndarray, "rows"], recipe: CropRecipe
) -> Float[np.ndarray, "rows 68 2"]:
    """Return the rows' landmarks, having checked that those the crop needs are there.

    Returns:
        The 68 points in pixels; NaN for points that the corpus doesn't have and the crop doesn't need.

    Raises:
        DatasetError: A point that the crop needs is missing; the message names the image.
    """
    points, kind = manifest.all_landmarks, recipe.kind
    if points is None:
        raise DatasetError(
            f"a {kind} crop needs the landmark columns x_0..x_67 and y_0..y_67, which {manifest.name} lacks; "
            "add them, or choose the crop 'none' for faces that are already cropped"
        )
    chosen: Float[np.ndarray, "rows 68 2"] = points[rows]
    missing = np.isnan(chosen[:, POINTS_49]).any(axis=(1, 2))
    if missing.any():
        name = manifest.image_name(int(rows[int(missing.argmax())]))
        raise DatasetError(f"{name}: the row has no landmarks; expected them, because a {kind} crop needs them")
    without_jaw = np.isnan(chosen[:, JAW]).any(axis=(1, 2))
    if isinstance(recipe, BoxCrop) and without_jaw.any():
        name = manifest.image_name(int(rows[int(without_jaw.argmax())]))
        raise DatasetError(
            f"{name}: the row has no landmarks on the jaw, which a box crop needs; run `facskit prepare --crop box`, "
            "which cuts out the detector's box, or choose the crop 'five-point'"
        )
    return chosen
