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
from facskit.models.published_catalogue import CATALOGUE


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
        provenance={
            "recipe": "mine",
            "training_subjects": [f"S{k:03d}" for k in range(9)],
            "seed": 0,
            "paper": "",
            "licence": "?",
        },
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
        "provenance licence ?",
    ):
        assert expected in text
    assert "paper" not in text
    save_checkpoint(tmp_path / "weights.safetensors", build_model(config, 2), replace(info, thresholds=(0.5, 0.5)))
    assert cli.main(["weights", str(tmp_path)]) == 0
    assert "thresholds 0.5 for all" in " ".join(capsys.readouterr().out.split())


def test_unknown_weights_end_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["weights", "nonsense"]) == 1
    assert "no weights called 'nonsense'" in capsys.readouterr().err
    assert cli.main(["weights", "info", "rendered-compct"]) == 1
    assert "did you mean rendered-compact?" in capsys.readouterr().err


def test_published_weights_say_where_they_are_to_be_had(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FACSKIT_HOME", str(tmp_path))
    assert cli.main(["weights", "list"]) == 0
    text = capsys.readouterr().out
    assert all(entry.name in text for entry in CATALOGUE)
    assert cli.main(["weights", "info", "fmae-iat-bp4d-fold2"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "facskit weights import FILE --name fmae-iat-bp4d-fold2 --dataset bp4d --fold 2" in text
    assert "https://drive.google.com/file/d/1aIY73NFEW0fObVIE6dh06CIi6HfH6T9u/view" in text
    assert "CC-BY-NC-4.0" in text
    assert cli.main(["recognize", "--weights", "fmae-vit-large", "photo.jpg"]) == 1


def test_a_damaged_installed_file_does_not_hide_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FACSKIT_HOME", str(tmp_path))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "bad.safetensors").write_text("nothing")
    assert cli.main(["weights"]) == 0
    text = capsys.readouterr().out
    assert "rendered-compact (packaged)" in text
    assert "damaged" in text


def test_usage_names_the_three_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["weights", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {word} " in text for word in ("list", "info NAME", "import FILE"))
    assert cli.main(["weights", "list", "more"]) == 2


def test_info_says_how_far_weights_can_be_trusted(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["weights", "info", "packaged"]) == 0
    shown = capsys.readouterr().out
    assert "May I trust it?" in shown
    assert "18 of 18" in shown
    assert "facskit synthesize data/train" not in shown  # the card goes on
    assert cli.main(["weights", "info", "rendered-encoder"]) == 0
    assert "May I trust it?" not in capsys.readouterr().out
