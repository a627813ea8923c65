"""Exported networks answer as the weights they were made of, without PyTorch; what can't be opened is said so."""

import importlib.util
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import pytest
import torch

from facskit.errors import CheckpointError
from facskit.expressions import RAF_DB
from facskit.inference.exported_network import ExportedNetwork
from facskit.inference.open_network import open_network
from facskit.inference.recognizer import Recognizer, RecognizerConfig
from facskit.inference.torch_network import TorchNetwork
from facskit.models.answers import PRESENCE_ALONE, Answers
from facskit.models.build import build_model
from facskit.models.calibration import Calibration
from facskit.models.checkpoints import save_checkpoint
from facskit.models.compact_network import CompactConfig
from facskit.models.deployed import write_onnx
from facskit.models.weight_header import CheckpointInfo
from tests.inference.fakes import info

COMPACT = CompactConfig(image_size=32, widths=(8, 8), depths=(1, 1), places=2, place_dim=2)
CROPS = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)


def _described(*, expressions: bool = False) -> CheckpointInfo:
    calibration = Calibration(temperatures=(0.5,) * 8, biases=(-1.0,) * 8)
    answers = Answers(geometry=True, intensities=not expressions)
    moods = RAF_DB if expressions else None
    return replace(info(), model=COMPACT, calibration=calibration, answers=answers, expressions=moods)


def _network(about: CheckpointInfo) -> TorchNetwork:
    torch.manual_seed(0)
    return TorchNetwork(build_model(COMPACT, about.num_outputs, about.answers), about, "cpu")


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
@pytest.mark.parametrize("expressions", [False, True])
def test_every_answer_is_that_of_the_weights(
    tmp_path: Path, backend: Literal["onnx", "openvino"], *, expressions: bool
) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} isn't installed")
    about = _described(expressions=expressions)
    original = _network(about)
    write_onnx(tmp_path / "model.onnx", original.model, about)  # type: ignore[arg-type]
    network = ExportedNetwork(tmp_path / "model.onnx", backend, "cpu")
    copied = pickle.loads(pickle.dumps(network))
    for mirror in (False, True):
        expected, found = original.answer(CROPS, mirror=mirror), copied.answer(CROPS, mirror=mirror)
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-4)
        assert (found.intensities is None) == expressions
        if found.intensities is not None:
            np.testing.assert_allclose(found.intensities, expected.intensities, atol=1e-3)  # type: ignore[arg-type]
        np.testing.assert_allclose(found.geometry, expected.geometry, atol=1e-2)  # type: ignore[arg-type]
    assert network.info.action_units == about.action_units
    assert network.info.thresholds == about.thresholds
    assert network.info.crop == about.crop


def test_weights_are_exported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACSKIT_HOME", str(tmp_path / "home"))
    about = _described()
    save_checkpoint(tmp_path / "mine.safetensors", _network(about).model, about)  # type: ignore[arg-type]
    first = open_network(tmp_path / "mine.safetensors", backend="onnx")
    (file,) = (tmp_path / "home" / "exported").iterdir()
    written = file.stat().st_mtime_ns
    again = open_network(file, backend="auto")
    assert open_network(tmp_path / "mine.safetensors", backend="onnx").info == again.info == first.info
    assert file.stat().st_mtime_ns == written
    with pytest.raises(CheckpointError, match=r"PyTorch can't run an exported network"):
        open_network(file, backend="torch")


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"missing.onnx: found nothing there"):
        open_network(tmp_path / "missing.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no graph")
    with pytest.raises(CheckpointError, match=r"bad.onnx can't be read as an ONNX file"):
        open_network(tmp_path / "bad.onnx")
    about = replace(_described(), answers=PRESENCE_ALONE)
    write_onnx(tmp_path / "model.onnx", _network(about).model, about)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match=r"device 'mps': onnxruntime here has"):
        open_network(tmp_path / "model.onnx", "mps")
    with pytest.raises(CheckpointError, match=r"model.onnx: an exported network doesn't say where it looks"):
        Recognizer.from_checkpoint(tmp_path / "model.onnx", config=RecognizerConfig(attention=True))
    assert not open_network(tmp_path / "model.onnx").is_attentive
    graph = onnx.load(tmp_path / "model.onnx")
    for entry in graph.metadata_props:
        entry.value = "{"
    onnx.save(graph, tmp_path / "damaged.onnx")
    with pytest.raises(CheckpointError, match=r"damaged.onnx is damaged: its metadata 'facskit' is not JSON"):
        open_network(tmp_path / "damaged.onnx")
    del graph.metadata_props[:]
    onnx.save(graph, tmp_path / "foreign.onnx")
    with pytest.raises(CheckpointError, match=r"foreign.onnx was not written by facskit export"):
        open_network(tmp_path / "foreign.onnx")


def test_an_exported_file_is_used_without_pytorch(tmp_path: Path) -> None:
    about = replace(_described(), answers=PRESENCE_ALONE)
    write_onnx(tmp_path / "model.onnx", _network(about).model, about)  # type: ignore[arg-type]
    script = f"""
import sys
from facskit.interfaces import cli
photograph = "facskit/assets/photographs/eileen_collins.jpg"
code = cli.main(["recognize", photograph, "--weights", {str(tmp_path / "model.onnx")!r}, "-o", "table.csv"])
assert code == 0
assert "torch" not in sys.modules
""".replace('"table.csv"', repr(str(tmp_path / "table.csv")))
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "table.csv").read_text().count("\n") == 2


def test_the_packaged_copy_is_of_the_packaged_weights() -> None:
    """If this fails, weights were changed alone: `tools/package_weights.py` writes both."""
    copy, original = open_network("packaged"), open_network("packaged", backend="torch")
    assert isinstance(copy, ExportedNetwork)
    assert isinstance(original, TorchNetwork)
    assert vars(copy.info) == {name: value for name, value in vars(original.info).items() if name != "model"}
    size = copy.info.crop.size
    crops = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    expected, found = original.answer(crops, mirror=True), copy.answer(crops, mirror=True)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-4)
    np.testing.assert_allclose(found.intensities, expected.intensities, atol=1e-3)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.geometry, expected.geometry, atol=0.05)  # type: ignore[arg-type]


def test_only_what_an_exported_copy_can_do_is_left_to_it() -> None:
    assert isinstance(open_network("packaged", "cpu"), ExportedNetwork)
    assert isinstance(open_network("rendered-attention", "cpu"), TorchNetwork)
    looking = Recognizer.from_checkpoint("rendered-attention", "cpu", RecognizerConfig(attention=True))
    assert isinstance(looking.network, TorchNetwork)
