import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from facskit.action_units import ActionUnitSet
from facskit.errors import CheckpointError
from facskit.experiments.initial_weights import Body, describe_body, load_body
from facskit.faces.alignment import BoxCrop
from facskit.models.build import build_model
from facskit.models.checkpoints import CheckpointInfo, EncoderInfo, save_checkpoint
from facskit.models.layers import FaceNetwork
from facskit.models.masked_autoencoder import AutoencoderConfig, MaskedAutoencoder
from facskit.models.vision_transformer import ViTConfig

VIT = ViTConfig(image_size=32, patch_size=8, dim=16, depth=2, heads=2)
MAE = AutoencoderConfig(encoder=VIT, decoder_dim=8, decoder_depth=1, decoder_heads=2)
ENCODER = EncoderInfo(
    model=MAE, normalization="imagenet", licence="CC-BY-NC-4.0", provenance={"training_subjects": ["S001"], "epochs": 3}
)


def _model(image_size: int = 32, dim: int = 16) -> FaceNetwork:
    return build_model(replace(VIT, image_size=image_size, dim=dim), 3)


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
    head = model.get_parameter("head.weight").clone()
    load_body(model, _save(tmp_path / "weights.safetensors", other.state_dict()))
    assert torch.equal(model.get_parameter("fc_norm.weight"), other.get_parameter("fc_norm.weight"))
    assert torch.equal(model.get_parameter("head.weight"), head)


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


def test_an_autoencoder_of_facskit_fills_everything_but_norm_and_head(tmp_path: Path) -> None:
    autoencoder, model = MaskedAutoencoder(MAE), _model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    path = tmp_path / "encoder.safetensors"
    save_checkpoint(path, autoencoder, ENCODER)
    load_body(model, path)
    state = autoencoder.state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name] if name.startswith(("head.", "fc_norm.")) else state[name]), name
    assert not torch.equal(model.get_parameter("blocks.0.attn.qkv.weight"), before["blocks.0.attn.qkv.weight"])


def test_another_number_of_attention_heads_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    save_checkpoint(path, MaskedAutoencoder(MAE), ENCODER)
    model = build_model(replace(VIT, heads=4), 3)
    with pytest.raises(CheckpointError, match=r"its network has 2 attention heads, the recipe's has 4\.$"):
        load_body(model, path)


def test_installed_weights_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACSKIT_HOME", str(tmp_path))
    autoencoder, model = MaskedAutoencoder(MAE), _model()
    save_checkpoint(tmp_path / "weights" / "mine.safetensors", autoencoder, ENCODER)
    load_body(model, "mine")
    assert torch.equal(model.get_parameter("cls_token"), autoencoder.cls_token)
    assert describe_body("mine").name == "mine.safetensors"
    with pytest.raises(CheckpointError, match=r"no weights called 'mime' are here; .* did you mean mine\?"):
        load_body(model, "mime")


def test_where_a_training_started_is_described(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    save_checkpoint(path, MaskedAutoencoder(MAE), ENCODER)
    body = describe_body(path)
    assert body == Body(
        name=f"{tmp_path.name}/encoder.safetensors",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        kind="autoencoder",
        licence="CC-BY-NC-4.0",
        provenance={"training_subjects": ["S001"], "epochs": 3},
    )
    assert body.training_subjects == ["S001"]
    info = CheckpointInfo(
        model=VIT,
        action_units=ActionUnitSet.parse("1 2 4"),
        crop=BoxCrop(size=32),
        normalization="imagenet",
        thresholds=(0.5,) * 3,
        licence="Apache-2.0",
        provenance={"training_subjects": "unknown"},
    )
    both = {"training_subjects": ["S002", "S001"], "initial_training_subjects": ["S000"]}
    save_checkpoint(tmp_path / "second.safetensors", MaskedAutoencoder(MAE), replace(ENCODER, provenance=both))
    assert describe_body(tmp_path / "second.safetensors").training_subjects == ["S000", "S001", "S002"]
    run = tmp_path / "run"
    save_checkpoint(run / "weights.safetensors", _model(), info)
    described = describe_body(run)
    assert (described.name, described.kind) == ("run/weights.safetensors", "recognizer")
    assert described.training_subjects == []
    bare = describe_body(_save(tmp_path / "bare.safetensors", _autoencoder()))
    assert (bare.kind, bare.licence, bare.provenance) == ("unknown", "unknown", {})
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="bad.safetensors: the weights can't be read"):
        describe_body(tmp_path / "bad.safetensors")
