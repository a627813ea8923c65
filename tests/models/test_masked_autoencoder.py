"""The masked autoencoder: published names, sizes and numbers, what is hidden, what it costs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from facskit.models.layers import Network
from facskit.models.masked_autoencoder import AutoencoderConfig, MaskedAutoencoder, patchify, unpatchify
from facskit.models.positions import sincos_positions
from facskit.models.vision_transformer import SIZES, VisionTransformer, ViTConfig

DATA = Path(__file__).parent.parent / "data"
ENCODER = ViTConfig(image_size=32, patch_size=8, dim=16, depth=3, heads=2)
SMALL = AutoencoderConfig(encoder=ENCODER, decoder_dim=8, decoder_depth=2, decoder_heads=2)
SHAPES = {
    "cls_token": (1, 1, 1024),
    "pos_embed": (1, 197, 1024),
    "patch_embed.proj.weight": (1024, 3, 16, 16),
    "blocks.23.attn.qkv.bias": (3072,),
    "blocks.0.mlp.fc2.weight": (1024, 4096),
    "norm.weight": (1024,),
    "decoder_embed.weight": (512, 1024),
    "mask_token": (1, 1, 512),
    "decoder_pos_embed": (1, 197, 512),
    "decoder_blocks.7.attn.proj.weight": (512, 512),
    "decoder_norm.bias": (512,),
    "decoder_pred.weight": (768, 512),
}


def _model(config: AutoencoderConfig = SMALL) -> MaskedAutoencoder:
    torch.manual_seed(0)
    return MaskedAutoencoder(config)


def _images(count: int = 2) -> Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def _noise(count: int = 2) -> Tensor:
    return torch.rand(count, 16, generator=torch.Generator().manual_seed(2))


def test_encoder_mask_and_decoder_meet_the_published_numbers() -> None:
    published = np.load(DATA / "mae.npz")
    shape = json.loads(str(published["config"]))
    encoder = ViTConfig(image_size=shape["img_size"], dim=shape["embed_dim"], depth=shape["depth"], heads=4)
    config = AutoencoderConfig(encoder=encoder, decoder_dim=48, decoder_depth=2, decoder_heads=4)
    model = MaskedAutoencoder(config)
    state = {name: torch.from_numpy(published[name]) for name in published if name.startswith("state/")}
    model.load_state_dict({name.removeprefix("state/"): value for name, value in state.items()})
    images, noise = torch.from_numpy(published["images"]), torch.from_numpy(published["noise"])

    with torch.no_grad():
        latent = model.encode(images, noise.argsort(1)[:, : config.visible])
        output = model(images, noise)

    np.testing.assert_array_equal(output.mask.numpy(), published["mask"])
    np.testing.assert_allclose(latent.numpy(), published["latent"], atol=1e-5)
    # Every fourth patch and eighth value; the whole answer would make a large file.
    np.testing.assert_allclose(output.prediction[:, ::4, ::8].numpy(), published["norm_pix/pred"], atol=1e-5)


@pytest.mark.parametrize(
    ("size", "parameters", "names"),
    [("S", 47_578_240, 254), ("B", 111_907_840, 254), ("L", 329_541_888, 398), ("H", 657_074_508, 494)],
)
def test_sizes_have_the_published_number_of_parameters_and_names(size: str, parameters: int, names: int) -> None:
    with torch.device("meta"):
        model = MaskedAutoencoder(AutoencoderConfig(encoder=SIZES[size]))
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert len(model.state_dict()) == names


def test_large_has_the_published_names_and_shapes() -> None:
    with torch.device("meta"):
        state = MaskedAutoencoder(AutoencoderConfig(encoder=SIZES["L"])).state_dict()
    assert {name: tuple(state[name].shape) for name in SHAPES} == SHAPES


def test_the_encoder_has_the_names_and_shapes_of_the_recogniser() -> None:
    recogniser = VisionTransformer(ENCODER, 5).state_dict()
    state = _model().state_dict()
    body = {name for name in recogniser if name.partition(".")[0] not in {"fc_norm", "head"}}
    assert body == {
        name for name in state if name.partition(".")[0] in {"cls_token", "pos_embed", "patch_embed", "blocks"}
    }
    assert all(state[name].shape == recogniser[name].shape for name in body)


def test_initial_values_are_the_papers() -> None:
    model = _model(replace(SMALL, encoder=replace(ENCODER, dim=192, heads=4), decoder_dim=128))
    for name, value in model.named_parameters():
        if value.ndim == 2:
            limit = (6 / sum(value.shape)) ** 0.5
            assert float(value.detach().abs().max()) == pytest.approx(limit, rel=0.02), name
        if name.endswith("bias"):
            assert not value.any(), name
    projection = model.patch_embed.proj.weight.detach()
    assert float(projection.abs().max()) == pytest.approx((6 / (192 + 192)) ** 0.5, rel=0.02)
    for token in (model.cls_token, model.mask_token):
        assert float(token.detach().std()) == pytest.approx(0.02, rel=0.2)
    assert torch.equal(model.pos_embed, sincos_positions(192, 4, class_token=True))
    assert torch.equal(model.decoder_pos_embed, sincos_positions(128, 4, class_token=True))


def test_positions_are_fixed_and_everything_else_learns() -> None:
    model = _model()
    model(_images()).prediction.square().sum().backward()
    still = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert still == {"pos_embed", "decoder_pos_embed"}
    assert {name for name, parameter in model.named_parameters() if not parameter.requires_grad} == still


def test_the_patches_with_the_least_noise_stay() -> None:
    noise = torch.tensor([[5.0, 0.1, 7.0, 0.3, 6.0, 0.2, 8.0, 0.4, 9.0, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6]])
    mask = _model()(_images(1), noise).mask
    assert mask[0].tolist() == [1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1]


def test_a_quarter_stays_and_each_image_and_call_has_its_own_mask() -> None:
    published = AutoencoderConfig(encoder=SIZES["L"])
    assert (published.visible, published.patches) == (49, 196)
    model = _model(replace(SMALL, mask_ratio=0.5))
    first, second = model(_images(8)).mask, model(_images(8)).mask
    assert first.sum(1).tolist() == [8.0] * 8
    assert len({tuple(row) for row in first.tolist()}) == 8
    assert not torch.equal(first, second)


def test_the_encoder_never_sees_removed_patches() -> None:
    model, images, noise = _model(), _images(), _noise()
    visible = noise.argsort(1)[:, : model.config.visible]
    latent = model.encode(images, visible)
    assert latent.shape == (2, 5, 16)
    pixels = model(images, noise).mask.unsqueeze(2).expand(-1, -1, 3 * 8 * 8)
    assert torch.equal(latent, model.encode(images + 100 * unpatchify(pixels, 8), visible))


def test_tokens_of_some_patches_are_those_of_all() -> None:
    model, images = _model(), _images()
    torch.nn.init.normal_(model.patch_embed.get_parameter("proj.bias"))
    places = torch.tensor([[3, 0, 15], [7, 8, 2]])
    everything = model.patch_embed(images)
    expected = torch.stack([everything[row, places[row]] for row in range(2)])
    for layout in (torch.contiguous_format, torch.channels_last):
        found = model.patch_embed.visible(images.contiguous(memory_format=layout), places)
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_features_hide_nothing_and_average_the_normalised_patch_tokens() -> None:
    model, images = _model(), _images()
    tokens = torch.cat([model.cls_token.expand(2, -1, -1), model.patch_embed(images)], 1) + model.pos_embed
    for block in model.blocks:
        tokens = block(tokens)
    torch.testing.assert_close(model.features(images), model.norm(tokens)[:, 1:].mean(1))


def test_layers_are_those_of_the_recogniser_with_the_decoder_on_top() -> None:
    layers, recogniser = _model().layer_ids(), VisionTransformer(ENCODER, 5).layer_ids()
    shared = layers.keys() & recogniser.keys()
    assert {name: layers[name] for name in shared} == {name: recogniser[name] for name in shared}
    assert {layer for name, layer in layers.items() if name not in shared} == {4}
    assert MaskedAutoencoder.undecayed == frozenset()
    assert VisionTransformer.undecayed == {"cls_token", "pos_embed"}


def _counted(model: Network, images: Tensor) -> int:
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH):
        answer = model(images)
        (answer if isinstance(answer, Tensor) else answer.prediction).square().sum().backward()
    return int(counter.get_total_flops())


@pytest.mark.parametrize("model", [_model(), VisionTransformer(ENCODER, 5)], ids=["autoencoder", "recogniser"])
def test_operations_are_those_that_torch_counts(model: Network) -> None:
    assert model.flops_per_image() == _counted(model, _images(1))
    assert 3 * (model.flops_per_image() or 0) == _counted(model, _images(3))


def test_patches_hold_rows_columns_and_colours_in_this_order() -> None:
    image = torch.arange(3 * 4 * 6, dtype=torch.float32).view(1, 3, 4, 6)
    patches = patchify(image, 2)
    expected = [
        [
            float(image[0, colour, 2 * row + y, 2 * column + x])
            for y in range(2)
            for x in range(2)
            for colour in range(3)
        ]
        for row in range(2)
        for column in range(3)
    ]
    assert patches[0].tolist() == expected


def test_unpatchify_undoes_patchify() -> None:
    images = _images()
    assert torch.equal(unpatchify(patchify(images, 8), 8), images)
    laid_out = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(patchify(laid_out, 8), patchify(images, 8))


def test_wrong_images_and_patches_are_refused_in_one_sentence() -> None:
    for call in (_model(), _model().features):
        with pytest.raises(ValueError, match=r"^this network takes crops of 32 x 32 px, got 40 x 24 px$"):
            call(torch.randn(1, 3, 24, 40))
    with pytest.raises(ValueError, match=r"^images must have sides that are multiples of 8 px, got 20 x 16 px$"):
        patchify(torch.zeros(1, 3, 16, 20), 8)
    with pytest.raises(ValueError, match=r"^patches must be a square number of 192 values each, got 6 x 192$"):
        unpatchify(torch.zeros(1, 6, 192), 8)


def test_nothing_but_patches_is_dropped() -> None:
    assert AutoencoderConfig(encoder=replace(ENCODER, drop_path=0.3)) == AutoencoderConfig(
        encoder=replace(ENCODER, drop_path=0.0)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decoder_depth": 0}, "decoder_depth must be at least 1, .* got 0"),
        ({"decoder_heads": 3}, "decoder_dim must be a multiple of 4 and of decoder_heads 3, got 8"),
        ({"mask_ratio": 1.0}, "mask_ratio must leave at least one of 16 patches visible and remove .*, got 1.0"),
        ({"mask_ratio": 0.95}, "mask_ratio must leave at least one of 16 patches visible and remove .*, got 0.95"),
        ({"mask_ratio": 0.0}, "mask_ratio must leave at least one of 16 patches visible and remove .*, got 0.0"),
    ],
)
def test_wrong_configs_name_field_value_and_limit(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(SMALL, **change)
