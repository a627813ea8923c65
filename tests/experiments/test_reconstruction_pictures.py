"""Reconstructions for people: grey where nothing was seen, the network's idea in the truth's light elsewhere."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from facskit.experiments.pretraining.loss_figure import draw_losses
from facskit.experiments.reconstruction_pictures import PicturesConfig, reconstruct, reconstruction_picture
from facskit.faces.images import read_image
from facskit.faces.normalization import IMAGENET_MEAN, IMAGENET_STD
from facskit.models.masked_autoencoder import AutoencoderConfig, MaskedAutoencoder, Reconstruction, patchify
from facskit.models.vision_transformer import ViTConfig
from facskit.training.metrics_file import read_metrics

CONFIG = AutoencoderConfig(
    encoder=ViTConfig(image_size=32, patch_size=8, dim=16, depth=1, heads=2),
    decoder_dim=16,
    decoder_depth=1,
    decoder_heads=2,
)


class Omniscient(MaskedAutoencoder):
    """Knows every patch, as the loss with `norm_pixels` wants it or as it is."""

    def __init__(self, norm_pixels: bool) -> None:
        super().__init__(CONFIG)
        self.norm_pixels = norm_pixels

    def forward(self, images: Tensor, noise: Tensor | None = None) -> Reconstruction:
        patches = patchify(images, 8)
        if self.norm_pixels:
            patches = (patches - patches.mean(2, keepdim=True)) / (patches.var(2, keepdim=True) + 1e-6).sqrt()
        output = super().forward(images, noise)
        return Reconstruction(prediction=patches, mask=output.mask)


@pytest.fixture
def levels() -> Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1


def normalised(levels: Tensor) -> Tensor:
    return (levels - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(3, 1, 1)


def noise(seed: int = 1) -> Tensor:
    return torch.rand(3, 16, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("norm_pixels", [False, True])
def test_a_network_that_knows_everything_shows_the_original(levels: Tensor, norm_pixels: bool) -> None:
    visible, made = reconstruct(Omniscient(norm_pixels), normalised(levels), noise(), norm_pixels)
    torch.testing.assert_close(made, levels, atol=1e-3, rtol=0)
    hidden = patchify((visible == 0.5).float(), 8).amin(dim=2)
    assert hidden.sum(dim=1).tolist() == [12, 12, 12]  # three quarters of 16
    seen = patchify(visible, 8)[hidden == 0]
    torch.testing.assert_close(seen, patchify(levels, 8)[hidden == 0], atol=1e-4, rtol=0)


def test_visible_patches_stay_and_removed_ones_come_from_the_network(levels: Tensor) -> None:
    model = MaskedAutoencoder(CONFIG)
    images, order = normalised(levels), noise()
    _, made = reconstruct(model, images, order, False)
    mask = model(images, order).mask.bool()
    changed = (patchify(made, 8) - patchify(levels, 8)).abs().amax(dim=2) > 1e-3
    assert torch.equal(changed, mask)
    _, other = reconstruct(model, images, noise(2), False)
    assert not torch.equal(made, other)


def test_faces_stand_in_rows_of_two(levels: Tensor) -> None:
    picture = reconstruction_picture(Omniscient(False), normalised(levels), noise(), False)
    side = 4 * 32  # small faces are enlarged to at least 112
    assert picture.shape == (20 + 2 * (side + 8) - 8, 2 * (3 * side + 8) - 8, 3)
    original = picture[20 : 20 + side : 4, 0:side:4]
    expected = (255 * levels[0]).round().byte().permute(1, 2, 0).numpy()
    assert np.abs(original.astype(int) - expected).max() <= 1
    reconstructed = picture[20 : 20 + side : 4, 2 * side : 3 * side : 4]
    assert np.abs(reconstructed.astype(int) - expected).max() <= 1
    assert (picture[20 + side + 8 :, 3 * side + 8 :] == 255).all()  # the fourth place is empty
    assert (picture[:20] < 128).any()  # the titles


def test_impossible_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="every must be at least 0, got -1"):
        PicturesConfig(every=-1)
    with pytest.raises(ValueError, match="faces must be from 0 to 256, got 300"):
        PicturesConfig(faces=300)


def test_losses_are_drawn_from_the_log(tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    draw_losses(log, tmp_path / "empty.png")
    log.write_text(
        '{"kind": "step", "epoch": 1, "step": 5, "loss": 0.9}\n'
        '{"kind": "step", "epoch": 1, "step": 10, "loss": 0.6}\n'
        '{"kind": "epoch", "epoch": 1, "step": 10, "loss": 0.75, "validation_loss": 0.5}\n'
        '{"kind": "step", "epo'  # a kill in the middle of a line
    )
    assert [record["kind"] for record in read_metrics(log)] == ["step", "step", "epoch"]
    draw_losses(log, tmp_path / "loss.png")
    empty, drawn = (read_image(tmp_path / name) for name in ("empty.png", "loss.png"))
    assert empty.shape == drawn.shape
    orange = (np.abs(drawn.astype(int) - (255, 127, 14)).max(axis=2) < 20).sum()  # the held-out loss
    assert orange > 20 > (np.abs(empty.astype(int) - (255, 127, 14)).max(axis=2) < 20).sum()
