from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from facskit.errors import CheckpointError
from facskit.experiments.initial_weights import load_body
from facskit.models.build import build_model
from facskit.models.layers import FaceNetwork
from facskit.models.vision_transformer import ViTConfig


def _model(image_size: int = 32, dim: int = 16) -> FaceNetwork:
    return build_model(ViTConfig(image_size=image_size, patch_size=8, dim=dim, depth=2, heads=2), 3)


def _autoencoder() -> dict[str, Tensor]:
    """The parameters of a pre-trained masked autoencoder, by their published names."""
    state = {name: torch.randn_like(value) for name, value in _model().state_dict().items()}
    state = {name: value for name, value in state.items() if not name.startswith(("head.", "fc_norm."))}
    decoder = {"mask_token": torch.zeros(1, 1, 8), "decoder_embed.weight": torch.zeros(8, 16)}
    return state | decoder | {"norm.weight": torch.zeros(16), "norm.bias": torch.zeros(16)}


def _save(path: Path, state: dict[str, Tensor]) -> Path:
    safetensors.torch.save_file(state, path)
    return path


def test_an_encoder_fills_everything_but_norm_and_head(tmp_path: Path) -> None:
    state, model = _autoencoder(), _model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    load_body(model, _save(tmp_path / "encoder.safetensors", state))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name] if name.startswith(("head.", "fc_norm.")) else state[name]), name


def test_a_recogniser_gives_its_norm_too_but_never_its_head(tmp_path: Path) -> None:
    other, model = _model(), _model()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1.0)
    head = model.head.weight.clone()
    load_body(model, _save(tmp_path / "weights.safetensors", other.state_dict()))
    assert torch.equal(model.get_parameter("fc_norm.weight"), other.get_parameter("fc_norm.weight"))
    assert torch.equal(model.head.weight, head)


def test_positions_of_another_size_are_interpolated(tmp_path: Path) -> None:
    model = _model(image_size=64)
    load_body(model, _save(tmp_path / "encoder.safetensors", _autoencoder()))
    assert model.get_parameter("pos_embed").shape == (1, 65, 16)


def test_errors_name_file_and_parameter(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    with pytest.raises(CheckpointError, match="encoder.safetensors: there is no such weight file to start from"):
        load_body(_model(), path)
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="encoder.safetensors: the weights can't be read"):
        load_body(_model(), path)
    state = _autoencoder()
    del state["blocks.1.norm1.bias"]
    with pytest.raises(CheckpointError, match=r"blocks.1.norm1.bias is missing, and 0 more; it is another network"):
        load_body(_model(), _save(path, state))
    recogniser = {name: value for name, value in _model().state_dict().items() if not name.startswith("fc_norm.")}
    with pytest.raises(CheckpointError, match=r"fc_norm.weight is missing, and 1 more; it is another network"):
        load_body(_model(), _save(path, recogniser))
    oblong = _autoencoder() | {"pos_embed": torch.zeros(1, 13, 16)}
    with pytest.raises(CheckpointError, match=r"encoder.safetensors: pos_embed doesn't fit .* got 12 patches\.$"):
        load_body(_model(), _save(path, oblong))
    with pytest.raises(CheckpointError, match=r"pos_embed has the shape \(17,\), the network needs \(1, 17, 16\)"):
        load_body(_model(), _save(path, _autoencoder() | {"pos_embed": torch.zeros(17)}))
    with pytest.raises(CheckpointError, match=r"the network has no surprise, nor 0 more in the file"):
        load_body(_model(), _save(path, _autoencoder() | {"surprise": torch.zeros(1)}))
    with pytest.raises(CheckpointError, match=r"cls_token has the shape \(1, 1, 16\), the network needs \(1, 1, 32\)"):
        load_body(_model(dim=32), _save(path, _autoencoder()))
