"""`facskit weights import`: from a published file to a name that `recognize` and recipes know."""

from pathlib import Path

import pytest

from facskit.datasets.folds import published_parts
from facskit.interfaces import cli
from facskit.models.checkpoints import load_checkpoint, load_encoder, read_weight_info
from tests.models import published_files as fakes

PHOTOGRAPHS = Path(cli.__file__).parents[1] / "assets" / "photographs"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACSKIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "weights"


def _said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_a_published_file_is_installed_and_recognises(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fakes.write(tmp_path / "checkpoint-20.pth", fakes.fine_tuned(12, 41))
    assert cli.main(["weights", "import", str(path), "--heads", "2", "--name", "mine"]) == 0
    text = _said(capsys)
    for expected in (
        "ViT of no published size, crops of 32 px",
        "12, trained on BP4D: AU01,AU02,AU04,",
        "41 in the head that was dropped",
        "ID_head, optimizer, scaler",
        "CC-BY-NC-4.0 (no commercial use)",
        "SHA-256 ",
        f"Wrote {home / 'mine.safetensors'}",
        "Next: facskit recognize --weights mine photo.jpg",
    ):
        assert expected in text
    assert [entry.name for entry in home.iterdir()] == ["mine.safetensors"]

    assert cli.main(["recognize", "--weights", "mine", str(PHOTOGRAPHS / "grace_hopper.jpg")]) == 0
    assert "grace_hopper.jpg" in _said(capsys)
    assert cli.main(["weights"]) == 0
    text = _said(capsys)
    assert "Installed" in text
    assert "mine" in text
    assert cli.main(["weights", "info", "mine"]) == 0
    text = _said(capsys)
    assert "AU12 Lip corner puller" in text
    assert "checkpoint-20.pth" in text


def test_a_pretraining_file_is_a_start_and_never_recognises(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fakes.write(tmp_path / "FMAE.pth", fakes.autoencoder())
    assert cli.main(["weights", "import", str(path), "--heads", "2"]) == 0
    assert "Next: in a recipe, initial_weights: fmae-vit-unnamed" in _said(capsys)
    load_encoder(home / "fmae-vit-unnamed.safetensors")
    assert cli.main(["weights", "info", "fmae-vit-unnamed"]) == 0
    assert "none: a pre-trained autoencoder" in _said(capsys)
    assert cli.main(["weights", "list"]) == 0
    assert "none, a start for training" in _said(capsys)
    photograph = str(PHOTOGRAPHS / "grace_hopper.jpg")
    assert cli.main(["recognize", "--weights", "fmae-vit-unnamed", photograph]) == 1
    assert "has no trained head, because it holds a pre-trained autoencoder" in capsys.readouterr().err
    assert cli.main(["weights", "import", str(path), "--heads", "2", "--task", "bp4d", "--name", "x"]) == 1
    assert "has no trained head, so it recognises nothing of BP4D" in capsys.readouterr().err
    assert not (home / "x.safetensors").exists()


def test_the_fold_tells_the_training_subjects(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = fakes.write(tmp_path / "a.pth", fakes.fine_tuned(8, 27))
    words = ["weights", "import", str(path), "--heads", "2"]
    assert cli.main([*words, "--fold", "2"]) == 0
    info = read_weight_info(home / "fmae-iat-disfa-fold2.safetensors")
    first, second, third = published_parts("disfa")
    assert info.provenance["training_subjects"] == sorted([*first, *third])
    assert not set(info.provenance["training_subjects"]) & set(second)
    capsys.readouterr()
    assert cli.main([*words, "--fold", "4"]) == 1
    assert "--fold must be from 1 to 3 for disfa, got 4" in capsys.readouterr().err
    expressions = fakes.write(tmp_path / "b.pth", fakes.raf_db())
    assert cli.main(["weights", "import", str(expressions), "--heads", "2", "--fold", "1"]) == 1
    assert "--fold is for weights of BP4D, BP4D+ and DISFA" in capsys.readouterr().err


def test_expression_weights_are_installed(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = fakes.write(tmp_path / "a.pth", fakes.fine_tuned(8))
    assert cli.main(["weights", "import", str(path), "--heads", "2"]) == 1
    assert "give --dataset disfa or affectnet" in capsys.readouterr().err
    assert not home.exists()
    assert cli.main(["weights", "import", str(path), "--heads", "2", "--dataset", "affectnet"]) == 0
    text = _said(capsys)
    assert "8, trained on AffectNet: neutral,happiness,sadness,surprise,fear,disgust,anger,contempt" in text
    assert cli.main(["weights", "info", "fmae-affectnet-8"]) == 0
    assert "neutral, happiness, sadness" in _said(capsys)
    assert cli.main(["weights", "list"]) == 0
    assert "8 expressions" in _said(capsys)


def test_nothing_is_replaced_unasked(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = fakes.write(tmp_path / "a.pth", fakes.fine_tuned(12, 41))
    second = fakes.write(tmp_path / "b.pth", fakes.fine_tuned(12, 140))
    own = tmp_path / "own.safetensors"
    assert cli.main(["weights", "import", str(first), "--heads", "2", "-o", str(own)]) == 0
    assert f"recognize --weights {own} photo.jpg" in _said(capsys)
    before = own.read_bytes()
    assert cli.main(["weights", "import", str(second), "--heads", "2", "-o", str(own)]) == 1
    assert "own.safetensors is already there; --force replaces it" in capsys.readouterr().err
    assert own.read_bytes() == before
    assert cli.main(["weights", "import", str(second), "--heads", "2", "-o", str(own), "--force"]) == 0
    assert load_checkpoint(own)[1].provenance["corpus"] == "BP4D+"
    assert not home.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--name", "rendered-compact"], "weights called rendered-compact come with facskit; give another --name"),
        (["--name", "../evil"], "--name must be letters, digits"),
        (["--name", "import"], "--name must be letters, digits"),
        (["--name", "a", "-o", "b.safetensors"], "--name and --output exclude each other"),
        (["-o", "b.pth"], "found the ending '.pth', expected .safetensors"),
        (["--heads", "0"], "on the command line: heads must be at least 1, got 0"),
        ([], "which nobody published"),
    ],
)
def test_wrong_options_end_in_one_sentence(
    words: list[str], message: str, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fakes.write(tmp_path / "a.pth", fakes.fine_tuned(12, 41))
    assert cli.main(["weights", "import", str(path), *words]) == 1
    assert message in capsys.readouterr().err
    assert not home.exists()


def test_a_hostile_file_leaves_nothing_behind(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marker = tmp_path / "ran"
    path = fakes.write(tmp_path / "a.pth", fakes.fine_tuned(12, 41), extra=fakes.Runs(marker))
    assert cli.main(["weights", "import", str(path), "--heads", "2"]) == 1
    assert "it asks for posix.system, which could run code; nothing was run" in capsys.readouterr().err
    assert not marker.exists()
    assert not home.exists()
