"""Weight files: what goes in comes out, and everything that is wrong is refused in one sentence."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from facskit.action_units import NO_ACTION_UNITS, ActionUnitSet
from facskit.configurations import plain_values
from facskit.errors import CheckpointError
from facskit.expressions import RAF_DB
from facskit.faces.alignment import EyeSimilarityCrop
from facskit.models.answers import Answers
from facskit.models.attention_network import AttentionConfig
from facskit.models.build import ModelConfig, build_model
from facskit.models.calibration import Calibration
from facskit.models.checkpoints import (
    CheckpointInfo,
    EncoderInfo,
    load_checkpoint,
    load_encoder,
    read_weight_info,
    save_checkpoint,
)
from facskit.models.compact_network import CompactConfig
from facskit.models.layers import FaceNetwork
from facskit.models.masked_autoencoder import AutoencoderConfig, MaskedAutoencoder
from facskit.models.vision_transformer import ViTConfig

COMPACT = CompactConfig(image_size=16, widths=(8, 8), depths=(1, 1), places=2, place_dim=2)
VIT = ViTConfig(image_size=16, patch_size=8, dim=8, depth=2, heads=2)
ATTENTION = AttentionConfig(image_size=16, unit_width=1, branch_widths=(2, 3, 4, 5, 6), product="after-relu")
MAE = AutoencoderConfig(encoder=VIT, decoder_dim=8, decoder_depth=1, decoder_heads=2)
INFO = CheckpointInfo(
    model=COMPACT,
    action_units=ActionUnitSet.parse("1 4 12"),
    crop=EyeSimilarityCrop(size=16),
    normalization="per-image",
    thresholds=(0.5, 0.25, 0.625),
    licence="Apache-2.0",
    provenance={"data": "rendered faces", "subjects": 12, "score": {"AU04": 0.5}},
)


def _trained(config: ModelConfig) -> FaceNetwork:
    model = build_model(config, 3)
    for _ in range(3):
        model(torch.randn(4, 3, 16, 16))  # moves batch statistics away from their first values
    return model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, _trained(COMPACT), INFO)
    return path


@pytest.mark.parametrize("config", [COMPACT, VIT, ATTENTION])
def test_logits_are_bit_equal_after_saving_and_loading(config: ModelConfig, tmp_path: Path) -> None:
    model = _trained(config)
    info = replace(INFO, model=config)
    images = torch.randn(2, 3, 16, 16)

    save_checkpoint(tmp_path / "new" / "model.safetensors", model, info)
    loaded, loaded_info = load_checkpoint(tmp_path / "new" / "model.safetensors")

    assert loaded_info == info
    assert not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name])
    assert torch.equal(model.eval()(images), loaded(images))
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    strides = {name: value.stride() for name, value in model.state_dict().items()}
    assert strides == {name: value.stride() for name, value in loaded.state_dict().items()}


@pytest.mark.parametrize("units", [ActionUnitSet.parse("12 25"), NO_ACTION_UNITS])
def test_expressions_come_after_action_units(units: ActionUnitSet, tmp_path: Path) -> None:
    info = replace(INFO, model=VIT, action_units=units, expressions=RAF_DB, thresholds=(0.5,) * len(units))
    assert info.num_outputs == len(units) + 7
    save_checkpoint(tmp_path / "m.safetensors", build_model(VIT, info.num_outputs), info)
    model, loaded = load_checkpoint(tmp_path / "m.safetensors")
    assert loaded == info
    assert model.head.out_features == len(units) + 7


@pytest.mark.parametrize(
    ("version", "later"),
    [(1, ["kind", "expressions", "answers", "calibration"]), (2, ["answers", "calibration"]), (3, ["calibration"])],
)
def test_files_of_older_versions_still_load(tmp_path: Path, version: int, later: list[str]) -> None:
    model, path = _trained(COMPACT), tmp_path / "old.safetensors"
    save_checkpoint(path, model, INFO)

    def downgrade(_: dict[str, Tensor], values: dict[str, Any]) -> None:
        nothing = {"intensities": False, "geometry": False}
        meant: dict[str, Any] = {"kind": "recognizer", "expressions": [], "answers": nothing, "calibration": None}
        assert {key: values.pop(key) for key in later} == {key: meant[key] for key in later}
        values["format_version"] = version

    _rewrite(path, downgrade)
    loaded, info = load_checkpoint(path)
    assert info == INFO
    assert torch.equal(loaded.head.get_parameter("weight"), model.head.get_parameter("weight"))
    _rewrite(path, lambda tensors, values: values.update(calibration=None))
    with pytest.raises(CheckpointError, match=f"unknown key 'calibration' in format version {version}"):
        load_checkpoint(path)


def test_further_answers_come_back(tmp_path: Path) -> None:
    answers = Answers(intensities=True, geometry=True)
    info = replace(INFO, answers=answers)
    model = build_model(info.model, info.num_outputs, answers).eval()
    save_checkpoint(tmp_path / "several.safetensors", model, info)
    loaded, read = load_checkpoint(tmp_path / "several.safetensors")
    images = torch.randn(2, 3, model.image_size, model.image_size)
    assert read.answers == answers
    numbers = []
    for each in (model, loaded):
        assert each.geometry is not None
        with torch.no_grad():
            numbers.append(each.geometry(each.features(images)).numbers())
    assert torch.equal(*numbers)
    with pytest.raises(CheckpointError, match="geometry.fc1.bias"):
        save_checkpoint(tmp_path / "less.safetensors", build_model(info.model, info.num_outputs), info)


def test_calibrations_come_back_and_fit_their_units(tmp_path: Path) -> None:
    calibration = Calibration(temperatures=(1.5, 0.25, 1.0), biases=(-0.5, 0.0, 2.125))
    info, path = replace(INFO, calibration=calibration), tmp_path / "calibrated.safetensors"
    save_checkpoint(path, _trained(COMPACT), info)
    assert load_checkpoint(path)[1] == info
    with pytest.raises(ValueError, match="calibration must have 3 AUs, got 2"):
        replace(INFO, calibration=calibration.select([0, 2]))
    _rewrite(path, lambda tensors, values: values["calibration"].update(temperatures=[1.5, 0.0, 1.0]))
    with pytest.raises(CheckpointError, match=r"calibrated.safetensors has a wrong .*calibration.*temperatures.*0\.0"):
        load_checkpoint(path)


def _encoder(path: Path) -> tuple[MaskedAutoencoder, EncoderInfo]:
    model = MaskedAutoencoder(MAE)
    info = EncoderInfo(model=MAE, normalization="imagenet", licence="CC0-1.0", provenance={"images": 12})
    save_checkpoint(path, model, info)
    return model, info


def test_autoencoders_are_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    model, info = _encoder(path)
    loaded, loaded_info = load_encoder(path)
    assert loaded_info == info == read_weight_info(path)
    assert not loaded.training
    assert model.state_dict().keys() == loaded.state_dict().keys()
    for name, value in model.named_parameters():
        assert torch.equal(value, loaded.get_parameter(name))
        assert value.requires_grad == loaded.get_parameter(name).requires_grad
    del (state := safetensors.torch.load_file(path))["mask_token"]
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    safetensors.torch.save_file(state, path, metadata)
    with pytest.raises(CheckpointError, match="lacks the weights mask_token, which its model needs$"):
        load_encoder(path)


def test_the_kinds_are_not_mixed_up(file: Path, tmp_path: Path) -> None:
    encoder = tmp_path / "encoder.safetensors"
    _encoder(encoder)
    assert isinstance(read_weight_info(file), CheckpointInfo)
    with pytest.raises(CheckpointError, match=r"has no trained head, .* fine-tune it first \(facskit train, with"):
        load_checkpoint(encoder)
    with pytest.raises(CheckpointError, match="holds a recogniser; expected a pre-trained masked autoencoder"):
        load_encoder(file)
    with pytest.raises(ValueError, match="licence must name"):
        replace(_encoder(encoder)[1], licence="")


def test_info_is_read_without_the_weights(file: Path) -> None:
    assert read_weight_info(file) == INFO


def test_half_precision_storage_rounds_matrices_alone_and_loads_in_float32(tmp_path: Path) -> None:
    model = _trained(COMPACT)
    full, half = tmp_path / "full.safetensors", tmp_path / "half.safetensors"
    save_checkpoint(full, model, INFO)
    save_checkpoint(half, model, INFO, storage="float16")

    loaded, _ = load_checkpoint(half)

    assert half.stat().st_size < full.stat().st_size
    for name, value in model.state_dict().items():
        found = loaded.state_dict()[name]
        assert found.dtype == value.dtype
        assert torch.equal(found, value.half().float() if value.ndim > 1 else value)


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = file.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(CheckpointError, match=r"model\.safetensors can't be written \(disk full\)$"):
        save_checkpoint(file, _trained(COMPACT), INFO)

    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_weights_that_do_not_belong_to_the_description_are_not_saved(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(CheckpointError, match=r"lacks the weights .*, which its model needs$"):
        save_checkpoint(path, _trained(VIT), INFO)
    with pytest.raises(CheckpointError, match=r"has a head with 3 outputs, but names 2 action units$"):
        save_checkpoint(
            path, _trained(COMPACT), replace(INFO, action_units=ActionUnitSet.parse("1 4"), thresholds=(0.5,) * 2)
        )
    assert not path.exists()


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    model = _trained(COMPACT)
    with torch.no_grad():
        model.head.get_parameter("weight")[0, 0] = 1e6

    save_checkpoint(tmp_path / "fits.safetensors", model, INFO)
    with pytest.raises(CheckpointError, match=r"head\.weight holds a value that is not finite in torch\.float16$"):
        save_checkpoint(tmp_path / "model.safetensors", model, INFO, storage="float16")
    assert not (tmp_path / "model.safetensors").exists()


def test_provenance_must_be_plain_json(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="its provenance is not plain JSON"):
        save_checkpoint(tmp_path / "m.safetensors", _trained(COMPACT), replace(INFO, provenance={"x": object()}))


def _rewrite(path: Path, change: Callable[[dict[str, Tensor], dict[str, Any]], None]) -> None:
    with safetensors.safe_open(path, framework="pt") as file:
        values = json.loads(file.metadata()["facskit"])
    tensors = safetensors.torch.load_file(path)
    change(tensors, values)
    safetensors.torch.save_file(tensors, path, {"facskit": json.dumps(values)})


Tensors = dict[str, Tensor]
Values = dict[str, Any]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, v: v.update(format_version=5), "has the format version 5, but this facskit reads 1 to 4"),
        (lambda t, v: v.update(format_version=True), "has the format version True, but this facskit reads 1 to 4"),
        (
            lambda t, v: v.update(kind="detector"),
            "has a wrong description: kind: found 'detector', expected .*'recognizer', 'autoencoder'",
        ),
        (lambda t, v: v.update(kind="autoencoder"), "has a wrong description: .*"),
        (
            lambda t, v: v.update(model=plain_values(MAE)),
            "has a wrong description: model.kind: found 'mae', .*'vit'.*",
        ),
        (lambda t, v: v.update(expressions=["fear", "fear"]), "has a wrong description: an expression set names .*"),
        (
            lambda t, v: v.update(expressions=["happiness", "fear"]),
            "has a head with 3 outputs, but names 3 action units and 2 expressions",
        ),
        (
            lambda t, v: v.update(action_units=[], thresholds=[]),
            "has a wrong description: a recogniser needs action_units or expressions, got neither",
        ),
        (lambda t, v: v.pop("licence"), "has a wrong description: licence: the key is missing"),
        (lambda t, v: v.update(extra=1), "has a wrong description: unknown key 'extra'.*"),
        (lambda t, v: v["model"].pop("places"), "has a wrong description: model.places: the key is missing"),
        (lambda t, v: v["model"].update(kind="resnet"), "has a wrong description: model.kind: found 'resnet'.*"),
        (lambda t, v: v["model"].update(places=0), "has a wrong description: model: places must be at least 1, got 0"),
        (
            lambda t, v: v["model"].update(depths=["a", 1]),
            'has a wrong description: model.depths.0: found "a", expected a whole number',
        ),
        (lambda t, v: v.update(model=3), "has a wrong description: model: found 3, expected a section .*"),
        (lambda t, v: v.update(licence=3), "has a wrong description: licence: found 3, expected text"),
        (lambda t, v: v.update(action_units=["AU99"]), "has a wrong description: 'AU99' is not a known action unit.*"),
        (lambda t, v: v.update(crop={"kind": "oval"}), "has a wrong description: crop.kind: found 'oval'.*"),
        (
            lambda t, v: v.update(normalization="none"),
            'has a wrong description: normalization: found "none", expected .*symmetric.*',
        ),
        (
            lambda t, v: v.update(thresholds=[0.5]),
            "has a wrong description: thresholds must number 3, one per AU, got 1",
        ),
        (lambda t, v: v.update(thresholds=[0.5, 1, 0]), "has a wrong description: thresholds must lie strictly .*"),
        (
            lambda t, v: v.update(action_units=["AU01", "AU02"], thresholds=[0.5, 0.5]),
            "has a head with 3 outputs, but names 2 action units",
        ),
        (lambda t, v: t.pop("pooling.bias"), "lacks the weights pooling.bias, which its model needs"),
        (lambda t, v: t.pop("head.weight"), "lacks the weights head.weight, which its model needs"),
        (
            lambda t, v: t.update(id_head=torch.zeros(1)),
            "holds the weights id_head, which its model doesn't have",
        ),
        (
            lambda t, v: t.update({"pooling.bias": torch.zeros(2, 3)}),
            r"holds pooling.bias in the shape \(2, 3\), but its model needs \(2, 16\)",
        ),
        (
            lambda t, v: t.update({"pooling.bias": torch.zeros(2, 16, dtype=torch.int32)}),
            "holds pooling.bias as int32, but its model needs float16 or float32",
        ),
    ],
)
def test_files_that_contradict_themselves_are_refused(
    file: Path, change: Callable[[Tensors, Values], None], message: str
) -> None:
    _rewrite(file, change)
    with pytest.raises(CheckpointError, match=rf"^{file} {message}$"):
        load_checkpoint(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    places = ((tmp_path / "no.safetensors", "nothing there"), (tmp_path, "a folder without weights.safetensors"))
    for path, found in places:
        with pytest.raises(CheckpointError, match=rf"^{path}: found {found}, expected a finished run's folder or a"):
            load_checkpoint(path)


def test_a_file_without_our_metadata_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(
        CheckpointError,
        match=r"was not written by facskit: its metadata has no 'facskit' entry; facskit weights import",
    ):
        load_checkpoint(path)
    for text, message in (
        ("{", "is damaged: its 'facskit' metadata is not JSON"),
        ("[]", "must be a JSON object, got list"),
    ):
        safetensors.torch.save_file({"x": torch.zeros(1)}, path, {"facskit": text})
        with pytest.raises(CheckpointError, match=message):
            load_checkpoint(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 0.99])
def test_truncated_files_are_refused(file: Path, share: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match="is damaged or not a safetensors file"):
        load_checkpoint(file)


@pytest.mark.parametrize("archive", [True, False])
def test_a_pickle_is_refused_and_never_opened(tmp_path: Path, archive: bool) -> None:
    path = tmp_path / "model.pth"
    torch.save({"model": _trained(COMPACT)}, path, _use_new_zipfile_serialization=archive)
    with pytest.raises(
        CheckpointError, match="is a PyTorch file, which can run code when opened; facskit weights import"
    ):
        load_checkpoint(path)


def test_a_description_checks_itself() -> None:
    with pytest.raises(ValueError, match=r"^licence must name the licence of the weights, got an empty text$"):
        replace(INFO, licence=" ")
    with pytest.raises(ValueError, match=r"^thresholds must lie strictly between 0 and 1, got \(0\.5, 0\.5, nan\)$"):
        replace(INFO, thresholds=(0.5, 0.5, float("nan")))
