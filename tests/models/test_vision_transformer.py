"""The Vision Transformer: published sizes and names, wiring, initial values."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from facskit.models.layers import DropPath
from facskit.models.positions import sincos_positions
from facskit.models.vision_transformer import SIZES, VisionTransformer, ViTConfig

DATA = Path(__file__).parent.parent / "data"
SMALL = ViTConfig(image_size=32, patch_size=8, dim=16, depth=3, heads=2)


@pytest.mark.parametrize(
    ("size", "parameters"), [("S", 21_665_664), ("B", 85_798_656), ("L", 303_301_632), ("H", 630_764_800)]
)
def test_sizes_have_the_published_number_of_parameters(size: str, parameters: int) -> None:
    with torch.device("meta"):
        model = VisionTransformer(SIZES[size], 12)

    encoder = [parameter for name, parameter in model.named_parameters() if not name.startswith("head.")]
    assert sum(parameter.numel() for parameter in encoder) == parameters


def test_large_has_the_published_names_and_shapes() -> None:
    with torch.device("meta"):
        state = VisionTransformer(SIZES["L"], 12).state_dict()

    assert len(state) == 296
    assert {name.split(".")[0] for name in state} == {
        "cls_token",
        "pos_embed",
        "patch_embed",
        "blocks",
        "fc_norm",
        "head",
    }
    assert state["pos_embed"].shape == (1, 197, 1024)
    assert state["patch_embed.proj.weight"].shape == (1024, 3, 16, 16)
    assert state["blocks.23.attn.qkv.weight"].shape == (3072, 1024)
    assert state["blocks.0.mlp.fc1.bias"].shape == (4096,)
    assert state["head.weight"].shape == (12, 1024)


def test_forward_is_the_head_on_the_features() -> None:
    model = VisionTransformer(SMALL, 5).eval()
    images = torch.randn(2, 3, 32, 32)

    assert model.features(images).shape == (2, 16)
    assert torch.equal(model(images), model.head(model.features(images)))


def test_mean_pooling_leaves_the_class_token_out_and_class_token_pooling_takes_it_alone() -> None:
    images = torch.randn(2, 3, 32, 32)
    for pooling, norm in (("mean", "fc_norm"), ("class-token", "norm")):
        model = VisionTransformer(replace(SMALL, depth=1, pooling=pooling), 5).eval()  # type: ignore[arg-type]
        patches = model.patch_embed(images)
        tokens = torch.cat([model.cls_token.expand(2, -1, -1), patches], 1) + model.pos_embed
        tokens = model.blocks[0](tokens)
        pooled = tokens[:, 1:].mean(1) if pooling == "mean" else tokens[:, 0]
        assert torch.allclose(model.features(images), model.get_submodule(norm)(pooled), atol=1e-5)


def test_initial_values_are_the_papers() -> None:
    torch.manual_seed(0)
    model = VisionTransformer(replace(SMALL, dim=192, heads=4), 5)

    assert torch.equal(model.pos_embed, sincos_positions(192, 4, class_token=True))
    assert model.pos_embed.requires_grad
    weights = model.get_parameter("blocks.2.mlp.fc1.weight").detach()
    assert float(weights.std()) == pytest.approx(0.02, rel=0.05)
    assert not model.get_parameter("blocks.0.attn.qkv.bias").any()
    assert float(model.head.weight.detach().std()) == pytest.approx(2e-5, rel=0.1)


def test_drop_path_grows_linearly() -> None:
    model = VisionTransformer(replace(SMALL, depth=5, drop_path=0.2), 5)

    rates = [module.rate for module in model.modules() if isinstance(module, DropPath)]
    assert rates == pytest.approx([0.0, 0.05, 0.1, 0.15, 0.2])


def test_layer_ids_give_the_published_layer_decay() -> None:
    published: dict[str, Any] = json.loads((DATA / "layer_decay.json").read_text())["vit_small_patch16"]
    with torch.device("meta"):
        layers = VisionTransformer(SIZES["S"], 12).layer_ids()

    shared = {name: entry for name, entry in published.items() if name in layers}
    assert len(shared) >= 150
    for name, (scale, _) in shared.items():
        assert 0.65 ** (13 - layers[name]) == pytest.approx(scale, rel=1e-12)


def test_every_parameter_gets_a_gradient() -> None:
    model = VisionTransformer(SMALL, 5)

    model(torch.randn(2, 3, 32, 32)).square().sum().backward()

    assert all(parameter.grad is not None for parameter in model.parameters())


def test_another_crop_size_is_refused_in_one_sentence() -> None:
    model = VisionTransformer(SMALL, 5)
    with pytest.raises(ValueError, match=r"^this network takes crops of 32 x 32 px, got 40 x 24 px$"):
        model(torch.randn(1, 3, 24, 40))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 33}, "image_size must be a multiple of patch_size 8, got 33"),
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"heads": 3}, "dim must be a multiple of 4 and of heads 3, got 16"),
        ({"drop_path": 1.0}, r"drop_path must be in \[0, 1\), got 1.0"),
        ({"mlp_ratio": 0.0}, "mlp_ratio must be positive, got 0.0"),
    ],
)
def test_wrong_configs_name_field_value_and_limit(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(SMALL, **change)
