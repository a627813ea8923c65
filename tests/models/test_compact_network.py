"""The compact network: budget, interface, and that it knows where on the face something is."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from facskit.models.compact_network import CompactConfig, CompactNetwork, LocatedPooling

SMALL = CompactConfig(image_size=32, widths=(8, 12, 16), depths=(1, 2, 1), places=5, place_dim=3)


def test_the_default_fits_in_ten_megabytes() -> None:
    model = CompactNetwork(CompactConfig(), 19)

    assert sum(value.numel() * value.element_size() for value in model.state_dict().values()) < 10_000_000


def test_forward_is_the_head_on_the_features() -> None:
    model = CompactNetwork(SMALL, 4).eval()
    images = torch.randn(2, 3, 32, 32)

    assert model.features(images).shape == (2, model.dim) == (2, 15)
    assert torch.equal(model(images), model.head(model.features(images)))


def test_every_parameter_gets_a_gradient() -> None:
    torch.manual_seed(0)
    model = CompactNetwork(SMALL, 4)

    model(torch.randn(4, 3, 32, 32)).square().sum().backward()

    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_batch_does_not_change_the_answer_of_one_face() -> None:
    model = CompactNetwork(SMALL, 4).eval()
    images = torch.randn(3, 3, 32, 32)

    with torch.no_grad():
        together = model(images)
        alone = torch.cat([model(image.unsqueeze(0)) for image in images])

    assert torch.allclose(together, alone, atol=1e-5)


def test_pooling_equals_its_loop() -> None:
    pooling = LocatedPooling(channels=6, grid=4, places=3, place_dim=2).double()
    torch.nn.init.normal_(pooling.content.weight)
    maps = torch.randn(2, 6, 4, 4, dtype=torch.float64)

    content, values = pooling.content(maps), pooling.values(maps)
    for sample in range(2):
        for place in range(3):
            weights = (content[sample, place].flatten() + pooling.bias[place]).softmax(0)
            for part in range(2):
                expected = sum(weights * values[sample, place * 2 + part].flatten())
                assert torch.allclose(pooling(maps)[sample, place * 2 + part], expected)


def test_pooling_tells_places_apart() -> None:
    pooling = LocatedPooling(channels=4, grid=7, places=16, place_dim=2)
    above, below = torch.zeros(2, 1, 4, 7, 7)
    above[..., 1, 3] = 1.0
    below[..., 5, 3] = 1.0

    assert float((pooling(above) - pooling(below)).detach().abs().max()) > 0.02


def test_places_start_spread_over_the_whole_face() -> None:
    bias = LocatedPooling(channels=4, grid=7, places=16, place_dim=2).bias
    peaks = bias.argmax(1)

    assert len(set(peaks.tolist())) >= 14
    assert float((peaks // 7).float().mean()) == pytest.approx(3.0, abs=0.6)
    assert float((peaks % 7).float().mean()) == pytest.approx(3.0, abs=0.6)


def test_layer_ids_grow_from_the_pixels_to_the_logits() -> None:
    layers = CompactNetwork(SMALL, 4).layer_ids()

    assert set(layers.values()) == {0, 1, 2, 3, 4}
    assert layers["stem.0.weight"] == 0
    assert layers["stages.1.0.first.0.weight"] == 2
    assert layers["head.bias"] == layers["pooling.bias"] == 4


def test_another_crop_size_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"^this network takes crops of 32 x 32 px, got 64 x 64 px$"):
        CompactNetwork(SMALL, 4)(torch.randn(1, 3, 64, 64))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 36}, "image_size must be a multiple of 8, got 36"),
        ({"depths": (1, 2)}, r"depths must name one number per entry of widths \(8, 12, 16\), got \(1, 2\)"),
        ({"depths": (1, 0, 1)}, r"widths and depths must be whole numbers from 1, got .*"),
        ({"places": 0}, "places must be at least 1, got 0"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
    ],
)
def test_wrong_configs_name_field_value_and_limit(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(SMALL, **change)
