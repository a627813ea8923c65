"""`facskit weights`: what ships is listed, and any weight file explains itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from facskit.action_units import ActionUnitSet
from facskit.faces.alignment import EyeSimilarityCrop
from facskit.interfaces import cli
from facskit.models.build import build_model
from facskit.models.checkpoints import CheckpointInfo, save_checkpoint
from facskit.models.compact_network import CompactConfig


def test_the_packaged_weights_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["weights"]) == 0
    text = capsys.readouterr().out
    assert "rendered-compact (packaged)" in text
    assert "Apache-2.0" in text


def test_a_weight_file_says_what_it_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.safetensors"
    config = CompactConfig(image_size=32, widths=(4, 4), depths=(1, 1))
    info = CheckpointInfo(
        model=config,
        action_units=ActionUnitSet.parse("AU12,AU25"),
        crop=EyeSimilarityCrop(size=32),
        normalization="per-image",
        thresholds=(0.5, 0.25),
        licence="CC0-1.0",
        provenance={"recipe": "mine", "training_subjects": [f"S{k:03d}" for k in range(9)], "seed": 0, "paper": ""},
    )
    save_checkpoint(path, build_model(config, 2), info)
    assert cli.main(["weights", str(path)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for expected in (
        "AU12 Lip corner puller, AU25 Lips part",
        "0.5, 0.25",
        "CC0-1.0",
        "S000, S001, S002, ... (9 in all)",
        "compact, image size 32, widths 4 4, depths 1 1,",
        "five-point, size 32, half side 1.25, drop 0.55",
        "seed 0",
    ):
        assert expected in text
    assert "paper" not in text
    save_checkpoint(tmp_path / "weights.safetensors", build_model(config, 2), replace(info, thresholds=(0.5, 0.5)))
    assert cli.main(["weights", str(tmp_path)]) == 0
    assert "thresholds 0.5 for all" in " ".join(capsys.readouterr().out.split())


def test_unknown_weights_end_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["weights", "nonsense"]) == 1
    assert "no weights called 'nonsense'" in capsys.readouterr().err
