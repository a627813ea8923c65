"""The recipe of a pre-training: unlabelled faces, a masked autoencoder, and what to look at while it learns.

Reading and writing is in `recipe_files`; carrying it out is in `pretraining`.
"""

from dataclasses import dataclass, field
from typing import Annotated

from facskit.configurations import BY_KIND
from facskit.datasets.loaders import LoaderConfig
from facskit.datasets.unlabelled.loader import PretrainingAugmentation, ResizeFlip
from facskit.experiments.base_recipe import BaseRecipe
from facskit.experiments.reconstruction_pictures import PicturesConfig
from facskit.faces.alignment import CropRecipe, WholeImage
from facskit.models.masked_autoencoder import AutoencoderConfig
from facskit.objectives.reconstruction import ReconstructionConfig

__all__ = ["PretrainRecipe", "PretrainingDataConfig"]


@dataclass(frozen=True, kw_only=True)
class PretrainingDataConfig:
    """Which faces an autoencoder learns from; labels aren't looked at."""

    images: str = "packaged"
    """A folder that `facskit curate` wrote, a manifest file, or `packaged` for the rendered faces that ship."""
    crop: Annotated[CropRecipe, BY_KIND] = field(default_factory=WholeImage)
    """How a face is cut out; kind `none` resizes the whole image to `size` x `size` pixels, as FMAE does."""
    augmentation: Annotated[PretrainingAugmentation, BY_KIND] = field(default_factory=ResizeFlip)
    """How faces vary: `resize-flip` as FMAE, or `mae` for MAE's random windows."""
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    """Batch size and worker processes."""
    validation_fraction: float = 0.01
    """Share of the subjects, or of images nobody is named in, whose loss is measured but not learned from; 0 for none,
    0.5 at most."""
    validation_seed: int = 0
    """Chooses them; apart from `runtime.seed`, so that runs with other seeds are measured on the same images."""

    def __post_init__(self) -> None:
        """Refuse impossible shares and seeds."""
        if not self.images.strip():
            raise ValueError("images must name a folder, a manifest or packaged, got an empty text")
        if not 0 <= self.validation_fraction <= 0.5:
            raise ValueError(f"validation_fraction must be from 0 to 0.5, got {self.validation_fraction}")
        if self.validation_seed < 0:
            raise ValueError(f"validation_seed must be at least 0, got {self.validation_seed}")


@dataclass(frozen=True, kw_only=True)
class PretrainRecipe(BaseRecipe):
    """A whole pre-training; running the same recipe again gives the same weights."""

    data: PretrainingDataConfig = field(default_factory=PretrainingDataConfig)
    """Faces."""
    model: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    """The network."""
    initial_weights: str = ""
    """A masked autoencoder to start from: a file or a name that `facskit weights` lists; empty starts from nothing."""
    objective: ReconstructionConfig = field(default_factory=ReconstructionConfig)
    """The loss."""
    pictures: PicturesConfig = field(default_factory=PicturesConfig)
    """Reconstructions to look at."""

    def __post_init__(self) -> None:
        """Check the parts against each other."""
        super().__post_init__()
        if not self.model.decoder_depth:
            raise ValueError("model.decoder_depth must be at least 1 to learn from removed patches, got 0")
        size = self.model.encoder.image_size
        if size != self.data.crop.size:
            raise ValueError(
                f"data.crop.size must be the {size} px of model.encoder.image_size, got {self.data.crop.size}"
            )
