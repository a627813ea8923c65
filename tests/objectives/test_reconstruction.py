"""Masked reconstruction: the published numbers, a loop-written reference, gradients, number formats, no waiting."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from facskit.datasets.unlabelled.loader import FaceImages
from facskit.faces.normalization import normalize
from facskit.models.masked_autoencoder import AutoencoderConfig, MaskedAutoencoder
from facskit.models.vision_transformer import ViTConfig
from facskit.objectives.objective import Objective
from facskit.objectives.reconstruction import MaskedReconstruction, ReconstructionConfig, reconstruction_loss
from tests.training.tiny_run import RandomBatches, tiny_objective

DATA = Path(__file__).parent.parent / "data"
TINY = AutoencoderConfig(
    encoder=ViTConfig(image_size=16, patch_size=4, dim=16, depth=2, heads=2),
    decoder_dim=8,
    decoder_depth=1,
    decoder_heads=2,
)


def _objective(norm_pixels: bool = True) -> MaskedReconstruction:
    torch.manual_seed(0)
    return MaskedReconstruction(MaskedAutoencoder(TINY), ReconstructionConfig(norm_pixels=norm_pixels))


def _batch(count: int = 4, size: int = 16) -> FaceImages:
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)
    return FaceImages(images=images, indices=torch.arange(count))


@pytest.mark.parametrize("kind", ["raw_pix", "norm_pix"])
def test_losses_and_gradients_meet_the_published_numbers(kind: str) -> None:
    published = np.load(DATA / "mae.npz")
    shape = json.loads(str(published["config"]))
    encoder = ViTConfig(image_size=64, dim=shape["embed_dim"], depth=shape["depth"], heads=shape["num_heads"])
    model = MaskedAutoencoder(AutoencoderConfig(encoder=encoder, decoder_dim=48, decoder_depth=2, decoder_heads=4))
    state = [name for name in published if name.startswith("state/")]
    model.load_state_dict({name.removeprefix("state/"): torch.from_numpy(published[name]) for name in state})
    images = torch.from_numpy(published["images"])

    output = model(images, torch.from_numpy(published["noise"]))
    loss = reconstruction_loss(output.prediction, images, output.mask, 16, norm_pixels=kind == "norm_pix")
    torch.autograd.backward(loss)

    assert float(loss.detach()) == pytest.approx(float(published[f"{kind}/loss"]), abs=1e-6)
    for name in ("patch_embed.proj.weight", "decoder_pred.weight"):
        gradient = model.get_parameter(name).grad
        assert gradient is not None
        # Every fourth row and sixth column; the whole gradients would make a large file.
        found = gradient.flatten(1)[::4, ::6].numpy()
        np.testing.assert_allclose(found, published[f"{kind}/grad/{name}"], atol=1e-6)


def _naive(prediction: Tensor, images: Tensor, mask: Tensor, size: int, norm_pixels: bool) -> float:
    errors = []
    for sample in range(len(images)):
        for patch in range(mask.shape[1]):
            if mask[sample, patch] == 0:
                continue
            row, column = divmod(patch, images.shape[3] // size)
            pixels = [
                float(images[sample, colour, row * size + y, column * size + x])
                for y in range(size)
                for x in range(size)
                for colour in range(3)
            ]
            if norm_pixels:
                mean = sum(pixels) / len(pixels)
                variance = sum((value - mean) ** 2 for value in pixels) / (len(pixels) - 1)
                pixels = [(value - mean) / math.sqrt(variance + 1e-6) for value in pixels]
            squares = [(float(p) - t) ** 2 for p, t in zip(prediction[sample, patch], pixels, strict=True)]
            errors.append(sum(squares) / len(squares))
    return sum(errors) / len(errors)


@pytest.mark.parametrize("norm_pixels", [False, True])
def test_equals_the_loss_written_as_loops(norm_pixels: bool) -> None:
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(2, 3, 8, 12, generator=generator)
    images[0, :, :4, :4] = 0.25  # one flat patch, whose variance is zero
    prediction = torch.randn(2, 6, 48, generator=generator)
    mask = torch.tensor([[1.0, 0, 1, 1, 0, 1], [0, 0, 1, 0, 0, 0]])
    expected = _naive(prediction, images, mask, 4, norm_pixels)
    assert float(reconstruction_loss(prediction, images, mask, 4, norm_pixels)) == pytest.approx(expected, rel=1e-5)


def test_visible_patches_change_neither_loss_nor_gradient() -> None:
    images, mask = torch.randn(1, 3, 8, 8), torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    prediction = torch.randn(1, 4, 48, requires_grad=True)
    loss = reconstruction_loss(prediction, images, mask, 4, norm_pixels=True)
    torch.autograd.backward(loss)
    assert prediction.grad is not None
    assert prediction.grad[0, [1, 3]].abs().max() == 0
    assert prediction.grad[0, [0, 2]].abs().min() > 0
    changed = prediction.detach() + 50 * (1 - mask).unsqueeze(2)
    assert torch.equal(reconstruction_loss(changed, images, mask, 4, norm_pixels=True), loss.detach())


@pytest.mark.parametrize("norm_pixels", [False, True])
def test_gradients_are_those_of_finite_differences(norm_pixels: bool) -> None:
    torch.manual_seed(1)
    config = AutoencoderConfig(
        encoder=ViTConfig(image_size=4, patch_size=2, dim=4, depth=1, heads=1, mlp_ratio=1.0),
        decoder_dim=4,
        decoder_depth=1,
        decoder_heads=1,
    )
    model = MaskedAutoencoder(config).double()
    images, noise = torch.randn(2, 3, 4, 4, dtype=torch.float64), torch.rand(2, 4, dtype=torch.float64)
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]

    def loss(*values: Tensor) -> Tensor:
        output = torch.func.functional_call(model, dict(zip(names, values, strict=True)), (images, noise))
        return reconstruction_loss(output.prediction, images, output.mask.double(), 2, norm_pixels)

    start = tuple(model.get_parameter(name).detach().clone().requires_grad_() for name in names)
    assert torch.autograd.gradcheck(loss, start, fast_mode=True)


def test_bytes_are_normalised_as_for_recognition() -> None:
    batch = _batch(2)
    found = _objective().normalise(batch.images)
    for image, ours in zip(batch.images, found, strict=True):
        np.testing.assert_allclose(ours.numpy(), normalize(image.permute(1, 2, 0).numpy(), "imagenet"), atol=1e-6)


def test_half_precision_stays_close_and_finite() -> None:
    objective, batch = _objective(), _batch()
    torch.manual_seed(4)
    exact = objective(batch).loss.detach()
    torch.manual_seed(4)
    with torch.autocast("cpu", torch.bfloat16):
        loss = objective(batch).loss
    assert loss.dtype == torch.float32
    assert float(loss.detach()) == pytest.approx(float(exact), rel=0.02)
    torch.autograd.backward(loss)
    assert all(p.grad.isfinite().all() for p in objective.parameters() if p.grad is not None)


def test_a_flat_white_image_has_a_finite_loss() -> None:
    batch = FaceImages(images=torch.full((2, 3, 16, 16), 255, dtype=torch.uint8), indices=torch.arange(2))
    loss = _objective()(batch).loss
    torch.autograd.backward(loss)
    assert loss.isfinite()


def test_each_step_has_new_masks_and_the_seed_repeats_them() -> None:
    objective, batch = _objective(), _batch()
    torch.manual_seed(9)
    losses = [float(objective(batch).loss.detach()) for _ in range(3)]
    torch.manual_seed(9)
    assert [float(objective(batch).loss.detach()) for _ in range(3)] == losses
    assert len(set(losses)) == 3


def test_it_learns_a_simple_pattern() -> None:
    """Images of one flat colour each: the visible patches say everything, and the best constant says nothing."""
    objective = _objective(norm_pixels=False)
    colours = torch.randint(0, 256, (32, 3, 1, 1), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    batch = FaceImages(images=colours.expand(-1, -1, 16, 16).contiguous(), indices=torch.arange(32))
    optimizer = torch.optim.AdamW(objective.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        loss = objective(batch).loss
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    constant = float(objective.normalise(batch.images).var(dim=0, unbiased=False).mean())
    assert losses[-1] < 0.5 * constant < losses[0]


class _Reads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every operation that makes the processor wait for the accelerator."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        name = func.overloadpacket.__name__
        if name in {"_local_scalar_dense", "nonzero", "masked_select", "equal"}:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", ["reconstruction", "identity-adversarial"])
def test_a_step_never_waits_for_the_accelerator(kind: str) -> None:
    objective: Objective[Any] = _objective() if kind == "reconstruction" else tiny_objective()
    batch = _batch() if kind == "reconstruction" else next(RandomBatches().batches(0))
    with _Reads() as reads:
        objective.progress = 0.5
        output = objective(batch)
        torch.autograd.backward(output.loss)
        assert reads.found == []
        output.loss.item()
    assert reads.found == ["_local_scalar_dense"]  # the test would notice
