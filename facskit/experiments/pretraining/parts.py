"""Parts of a pre-training, built before it begins: a mistake in the recipe shows before anything is written."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from lightning_fabric import Fabric
from torch import Tensor

from facskit.datasets.loaders import EpochLoader
from facskit.datasets.unlabelled.loader import FaceImages, UnlabelledFaces, UnlabelledPreparation
from facskit.datasets.unlabelled.sources import UnlabelledImages
from facskit.errors import CheckpointError, DatasetError
from facskit.experiments.pretraining_recipe import PretrainRecipe
from facskit.experiments.reconstruction_pictures import reconstruction_picture
from facskit.models.checkpoints import load_encoder
from facskit.models.masked_autoencoder import MaskedAutoencoder
from facskit.models.weight_files import find_weights
from facskit.objectives.reconstruction import MaskedReconstruction, reconstruction_loss
from facskit.training.runtime import seed_everything

__all__ = ["FixedMasks", "PretrainingParts", "assemble_autoencoder", "assemble_pretraining"]


class FixedMasks:
    """Faces under masks that never change, so that an epoch's numbers can be compared with another's."""

    def __init__(
        self, faces: UnlabelledFaces, objective: MaskedReconstruction, recipe: PretrainRecipe, fabric: Fabric
    ) -> None:
        self._faces, self._objective, self._fabric = faces, objective, fabric
        self._config = recipe.data.loader
        generator = torch.Generator().manual_seed(recipe.data.validation_seed)
        self._noise = torch.rand(len(faces), recipe.model.patches, generator=generator)

    @torch.no_grad()
    def loss(self, model: MaskedAutoencoder) -> float:
        """Return the mean reconstruction loss over all faces."""
        patch_size, norm_pixels = model.config.encoder.patch_size, self._objective.config.norm_pixels
        total = 0.0
        for images, noise in self._batches():
            with self._fabric.autocast():
                output = model(images, noise)
            loss = reconstruction_loss(output.prediction, images, output.mask, patch_size, norm_pixels)
            total += float(loss) * len(images)
        return total / len(self._faces)

    def picture(self, model: MaskedAutoencoder) -> UInt8[np.ndarray, "height width 3"]:
        """Draw all faces as original, visible patches and reconstruction."""
        images, noise = (torch.cat(parts) for parts in zip(*self._batches(), strict=True))
        with self._fabric.autocast():
            return reconstruction_picture(model, images, noise, self._objective.config.norm_pixels)

    def _batches(self) -> Iterator[tuple[Float[Tensor, "batch 3 height width"], Float[Tensor, "batch patches"]]]:
        loader = EpochLoader(self._faces, self._config, train=False)
        done = 0
        for batch in loader.batches(0):
            noise = self._noise[done : done + len(batch)].to(self._fabric.device)
            yield self._objective.normalise(batch.to(self._fabric.device).images), noise
            done += len(batch)
        loader.close()


@dataclass(frozen=True, kw_only=True)
class PretrainingParts:
    """What a pre-training learns with, and what it shows."""

    model: MaskedAutoencoder
    """The network."""
    objective: MaskedReconstruction
    """The network with its loss."""
    faces: UnlabelledFaces
    """The faces that are learned from."""
    loader: EpochLoader[FaceImages]
    """The training batches."""
    held_out: FixedMasks | None
    """Faces set aside, if any are."""
    shown: FixedMasks | None
    """Faces that reconstructions are drawn of, if any are."""


def assemble_pretraining(recipe: PretrainRecipe, source: UnlabelledImages, fabric: Fabric) -> PretrainingParts:
    """Seed the process and build what a pre-training needs.

    Raises:
        CheckpointError: The initial weights are missing or belong to another network.
        DatasetError: There are too few images, or landmarks are missing.
    """
    seed_everything(recipe.runtime.seed, fabric.global_rank)
    data = recipe.data
    train, held = source.hold_out(data.validation_fraction, data.validation_seed)
    objective = MaskedReconstruction(assemble_autoencoder(recipe), recipe.objective)
    varied = UnlabelledPreparation(crop=data.crop, augmentation=data.augmentation, seed=recipe.runtime.seed)
    faces = UnlabelledFaces(source, varied, train, data.loader.cache_gib)
    try:
        loader = EpochLoader(faces, data.loader, train=True, rank=fabric.global_rank, world_size=fabric.world_size)
    except DatasetError as error:
        raise DatasetError(f"{data.images}: data.loader.batch_size: {error}") from error

    def fixed(rows: Int64[np.ndarray, "rows"], cache_gib: float) -> FixedMasks | None:
        if not len(rows):
            return None
        plain = UnlabelledFaces(source, UnlabelledPreparation(crop=data.crop), rows, cache_gib)
        return FixedMasks(plain, objective, recipe, fabric)

    return PretrainingParts(
        model=objective.model,
        objective=objective,
        faces=faces,
        loader=loader,
        held_out=fixed(held, data.loader.cache_gib if fabric.is_global_zero else 0.0),
        shown=fixed(_spread(held if len(held) else train, recipe.pictures.faces), 0.0),
    )


def assemble_autoencoder(recipe: PretrainRecipe) -> MaskedAutoencoder:
    """Build the recipe's network, with its initial weights if it names some."""
    model = MaskedAutoencoder(recipe.model)
    if recipe.initial_weights:
        path = find_weights(recipe.initial_weights)
        start, info = load_encoder(path)
        there, here = (asdict(config) | asdict(config.encoder) for config in (info.model, recipe.model))
        for name in sorted(there.keys() - {"encoder", "mask_ratio", "drop_path"}):  # how much is hidden may differ
            if there[name] != here[name]:
                raise CheckpointError(f"{path}: its network has {name} {there[name]}, the recipe's {here[name]}")
        model.load_state_dict(start.state_dict())
    return model


def _spread(rows: Int64[np.ndarray, "rows"], count: int) -> Int64[np.ndarray, "chosen"]:
    """Choose some rows at even distances, so that they show different people."""
    places = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(np.int64))
    return rows[places]
