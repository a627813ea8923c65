"""ONNX files of every kind of network say what the network says, and say so themselves."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from facskit.action_units import ActionUnitSet
from facskit.expressions import RAF_DB
from facskit.faces.alignment import EyeSimilarityCrop
from facskit.faces.normalization import Normalization, normalize
from facskit.models.answers import Answers
from facskit.models.attention_network import AttentionConfig
from facskit.models.build import ModelConfig, build_model
from facskit.models.calibration import Calibration
from facskit.models.compact_network import CompactConfig
from facskit.models.deployed import write_onnx
from facskit.models.vision_transformer import ViTConfig
from facskit.models.weight_header import CheckpointInfo

COMPACT = CompactConfig(image_size=16, widths=(8, 8), depths=(1, 1), places=2, place_dim=2)
KINDS = [
    COMPACT,
    ViTConfig(image_size=16, patch_size=8, dim=8, depth=2, heads=2),
    AttentionConfig(image_size=16, unit_width=1, branch_widths=(2, 3, 4, 5, 6), product="after-relu"),
]
UNITS = ActionUnitSet.parse("1 4 12")


def described(model: ModelConfig, normalization: Normalization = "per-image") -> CheckpointInfo:
    return CheckpointInfo(
        model=model,
        action_units=UNITS,
        crop=EyeSimilarityCrop(size=16),
        normalization=normalization,
        thresholds=(0.5, 0.25, 0.625),
        licence="CC0-1.0",
    )


def run(path: Path, crops: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"crops": crops}), strict=True))


@pytest.mark.parametrize("config", KINDS, ids=lambda config: config.kind)
@pytest.mark.parametrize("normalization", ["per-image", "imagenet", "symmetric"])
def test_a_file_says_what_its_network_says(tmp_path: Path, config: ModelConfig, normalization: Normalization) -> None:
    torch.manual_seed(0)
    info, model = described(config, normalization), build_model(config, 3).eval()
    write_onnx(tmp_path / "model.onnx", model, info)
    crops = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    crops[4] = 90  # without any contrast
    normalized = torch.from_numpy(np.stack([normalize(crop, normalization) for crop in crops]))
    with torch.no_grad():
        expected = model(normalized).sigmoid().numpy()
    found = run(tmp_path / "model.onnx", crops)
    assert list(found) == ["probabilities"]
    np.testing.assert_allclose(found["probabilities"], expected, atol=2e-5)


def test_every_answer_is_in_the_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    answers = Answers(intensities=True, geometry=True)
    calibration = Calibration(temperatures=(0.5, 1.0, 2.0), biases=(-1.0, 0.0, 0.5))
    info = replace(described(COMPACT), answers=answers, calibration=calibration)
    model = build_model(COMPACT, 3, answers).eval()
    write_onnx(tmp_path / "model.onnx", model, info)
    crops = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    found = run(tmp_path / "model.onnx", crops)
    shapes = {name: each.shape for name, each in found.items()}
    assert shapes == {
        "probabilities": (3, 3),
        "intensities": (3, 3),
        "landmarks": (3, 68, 2),
        "deviations": (3, 68),
        "angles": (3, 5),
    }
    assert model.intensity_scale is not None
    images = torch.from_numpy(np.stack([normalize(crop, "per-image") for crop in crops]))
    with torch.no_grad():
        levels = model.intensity_scale(model(images)) / torch.tensor([0.5, 1, 2])[:, None]
        levels = levels + torch.tensor([-1, 0, 0.5])[:, None]
    np.testing.assert_allclose(found["intensities"], levels.sigmoid().sum(-1), atol=1e-4)
    np.testing.assert_allclose(found["probabilities"], levels[..., 1].sigmoid(), atol=1e-5)


def test_expressions_are_an_output_of_their_own(tmp_path: Path) -> None:
    info = replace(described(COMPACT), expressions=RAF_DB)
    write_onnx(tmp_path / "model.onnx", build_model(COMPACT, info.num_outputs), info)
    found = run(tmp_path / "model.onnx", np.zeros((2, 16, 16, 3), np.uint8))
    assert found["probabilities"].shape == (2, 3)
    np.testing.assert_allclose(found["expressions"].sum(1), 1, atol=1e-5)


def test_the_metadata_says_what_the_weight_file_says(tmp_path: Path) -> None:
    write_onnx(tmp_path / "model.onnx", build_model(COMPACT, 3), described(COMPACT))
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    metadata = {name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()}
    assert metadata["action_units"] == ["AU01", "AU04", "AU12"]
    assert metadata["thresholds"] == [0.5, 0.25, 0.625]
    assert metadata["crop"]["kind"] == "five-point"
    assert metadata["facskit"]["licence"] == "CC0-1.0"
