"""Pre-training without labels: predict the pixels of removed patches from the visible ones (FMAE, after MAE)."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facskit.datasets.unlabelled.loader import FaceImages
from facskit.faces.normalization import IMAGENET_MEAN, IMAGENET_STD
from facskit.models.masked_autoencoder import MaskedAutoencoder, patchify
from facskit.objectives.known_labels import at_least_float32
from facskit.objectives.objective import Objective, StepOutput

__all__ = ["MaskedReconstruction", "ReconstructionConfig", "reconstruction_loss"]

_VARIANCE_EPSILON = 1e-6


@dataclass(frozen=True, kw_only=True)
class ReconstructionConfig:
    """How removed patches are compared with the truth; how many are removed is the model's matter."""

    kind: Literal["reconstruction"] = "reconstruction"
    norm_pixels: bool = True
    """Compare with each patch's pixels normalised by its own mean and variance (paper), not with the pixels."""


def reconstruction_loss(
    prediction: Float[Tensor, "batch patches pixels"],
    images: Float[Tensor, "batch 3 height width"],
    mask: Float[Tensor, "batch patches"],
    patch_size: int,
    norm_pixels: bool,
) -> Float[Tensor, ""]:
    """Mean squared error of the removed patches.

    Args:
        prediction: Pixels of every patch, in the order of `patchify`.
        mask: 1 for a removed patch, 0 for a visible one, which changes neither value nor gradient.
        norm_pixels: Whether the target is each patch normalised by its own statistics.

    Returns:
        The mean over the removed patches of the batch and their pixels, at least in float32.

    Paper:
        L = sum_p m_p mean_x (pred_px - t_px)^2 / sum_p m_p with t = (x - mean(x_p)) / sqrt(var(x_p) + 1e-6), where the
        variance is divided by the number of pixels less one (MAE's `norm_pix_loss`).
    """
    prediction = at_least_float32(prediction)
    targets = patchify(images, patch_size).to(prediction.dtype)
    if norm_pixels:
        variance, mean = torch.var_mean(targets, dim=-1, keepdim=True)
        targets = (targets - mean) * (variance + _VARIANCE_EPSILON).rsqrt()
    errors = (prediction - targets).square().mean(dim=-1)
    return (errors * mask).sum() / mask.sum()


class MaskedReconstruction(Objective[FaceImages]):
    """Learn to fill in the removed patches of unlabelled faces (FMAE).

    Pixels travel as bytes and are normalised with the statistics of ImageNet where the model computes.
    """

    model: MaskedAutoencoder

    def __init__(self, model: MaskedAutoencoder, config: ReconstructionConfig) -> None:
        super().__init__(model)
        self.config = config
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", 1.0 / (255.0 * std), persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)

    def normalise(self, images: UInt8[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 height width"]:
        """Return the images as the model reads them, on the same device."""
        return torch.addcmul(self.shift, images.to(self.scale.dtype), self.scale)

    def forward(self, batch: FaceImages) -> StepOutput:
        """Return the reconstruction loss of the batch, under a new random mask for each image."""
        images = self.normalise(batch.images)
        output = self.model(images)
        patch_size = self.model.config.encoder.patch_size
        loss = reconstruction_loss(output.prediction, images, output.mask, patch_size, self.config.norm_pixels)
        return StepOutput(loss=loss)
