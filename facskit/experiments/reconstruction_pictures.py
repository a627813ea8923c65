"""Pictures of reconstructions, to be judged by eye: original, what the autoencoder saw, what it made of that.

With `norm_pixels` a network predicts each patch up to its brightness and contrast, which the picture borrows from the
true patch; visible patches are shown as they are, since nothing teaches the network to repeat them. So these pictures
flatter a little, as those of the papers do.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facskit.faces.canvas import Canvas
from facskit.faces.normalization import IMAGENET_MEAN, IMAGENET_STD
from facskit.models.masked_autoencoder import MaskedAutoencoder, patchify, unpatchify

__all__ = ["PicturesConfig", "reconstruct", "reconstruction_picture"]

_VARIANCE_EPSILON = 1e-6
_HIDDEN = 0.5
"""Grey of a removed patch."""
_COLUMNS = 2
"""Faces beside each other, three pictures each."""
_SMALLEST = 112
"""Side in pixels that smaller faces are enlarged to, so that people can see them."""
_GAP = 8
_HEADER = 20
_TITLES = ("original", "visible", "reconstructed")


@dataclass(frozen=True, kw_only=True)
class PicturesConfig:
    """How often reconstructions are drawn, and of how many faces."""

    every: int = 10
    """Epochs between two pictures; 0 draws one at the end alone."""
    faces: int = 8
    """Faces in a picture, the same in all; 0 draws none."""

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        if self.every < 0:
            raise ValueError(f"every must be at least 0, got {self.every}")
        if not 0 <= self.faces <= 256:
            raise ValueError(f"faces must be from 0 to 256, got {self.faces}")


@torch.no_grad()
def reconstruct(
    model: MaskedAutoencoder,
    images: Float[Tensor, "faces 3 height width"],
    noise: Float[Tensor, "faces patches"],
    norm_pixels: bool,
) -> tuple[Float[Tensor, "faces 3 height width"], Float[Tensor, "faces 3 height width"]]:
    """Return what the network saw of some faces and what it made of that, from 0 to 1.

    Args:
        images: Faces normalised with the statistics of ImageNet.
        noise: Numbers whose order decides which patches stay.
        norm_pixels: Whether the network predicts patches normalised by their own statistics.

    Returns:
        The faces with grey in place of removed patches, and with predictions there.
    """
    patch_size = model.config.encoder.patch_size
    output = model(images, noise)
    truth = patchify(images.float(), patch_size)
    prediction = output.prediction.float()
    if norm_pixels:
        variance, mean = torch.var_mean(truth, dim=2, keepdim=True)
        prediction = prediction * (variance + _VARIANCE_EPSILON).sqrt() + mean
    hidden = output.mask.unsqueeze(2).bool()
    joined = _levels(unpatchify(torch.where(hidden, prediction, truth), patch_size))
    grey = unpatchify(hidden.expand_as(truth).float(), patch_size).bool()
    return torch.where(grey, _HIDDEN, _levels(images.float())), joined


def reconstruction_picture(
    model: MaskedAutoencoder,
    images: Float[Tensor, "faces 3 height width"],
    noise: Float[Tensor, "faces patches"],
    norm_pixels: bool,
) -> UInt8[np.ndarray, "sheet_height sheet_width 3"]:
    """Draw faces in rows, each as original, visible patches and reconstruction.

    Args:
        images: Faces normalised with the statistics of ImageNet.
        noise: Numbers whose order decides which patches stay.
        norm_pixels: Whether the network predicts patches normalised by their own statistics.
    """
    visible, made = reconstruct(model, images, noise, norm_pixels)
    triples = [_pixels(torch.cat(parts, dim=2)) for parts in zip(_levels(images.float()), visible, made, strict=True)]
    height, width = triples[0].shape[:2]
    columns = min(_COLUMNS, len(triples))
    rows = -(-len(triples) // columns)
    sheet = np.full((_HEADER + rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), 255, np.uint8)
    header = Canvas(sheet.shape[1], _HEADER)
    for column in range(columns):
        for place, title in enumerate(_TITLES):
            header.text(column * (width + _GAP) + place * width / 3 + 2, _HEADER / 2, title, 13.0, (0, 0, 0))
    sheet[:_HEADER] = header.pixels()
    for place, triple in enumerate(triples):
        top = _HEADER + place // columns * (height + _GAP)
        left = place % columns * (width + _GAP)
        sheet[top : top + height, left : left + width] = triple
    return sheet


def _levels(images: Float[Tensor, "faces 3 height width"]) -> Float[Tensor, "faces 3 height width"]:
    mean, std = (images.new_tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (images * std + mean).clamp(0, 1)


def _pixels(image: Float[Tensor, "3 height width"]) -> UInt8[np.ndarray, "shown_height shown_width 3"]:
    pixels: UInt8[np.ndarray, "height width 3"] = (255 * image).round().byte().permute(1, 2, 0).cpu().numpy()
    times = -(-_SMALLEST // len(pixels))
    return pixels.repeat(times, axis=0).repeat(times, axis=1)
