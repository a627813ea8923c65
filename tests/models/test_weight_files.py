"""Weights are found by name, path and run, and an unknown name gets help."""

from pathlib import Path

import pytest

from facskit.errors import CheckpointError
from facskit.models import weight_files
from facskit.models.weight_files import DEFAULT_WEIGHTS, data_home, find_weights, installed_weights, packaged_weights


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FACSKIT_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "weights").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def _package(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    there = {name: Path(f"/nowhere/{name}.safetensors") for name in names}
    monkeypatch.setattr(weight_files, "packaged_weights", lambda: there)


def test_packaged_weights_are_found_by_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_weights("packaged") == packaged_weights()[DEFAULT_WEIGHTS]
    _package(monkeypatch, DEFAULT_WEIGHTS, "big")
    assert find_weights("packaged").stem == DEFAULT_WEIGHTS
    assert find_weights("big").name == "big.safetensors"


def test_a_pre_training_stands_for_its_encoder(home: Path, tmp_path: Path) -> None:
    (tmp_path / "encoder.safetensors").touch()
    assert find_weights(tmp_path) == tmp_path / "encoder.safetensors"
    (tmp_path / "weights.safetensors").touch()
    assert find_weights(tmp_path) == tmp_path / "weights.safetensors"


def test_installed_weights_are_found_but_never_hide_packaged_ones(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _package(monkeypatch, "shared")
    for name in ("mine", "shared", ".part-broken"):
        (home / "weights" / f"{name}.safetensors").touch()
    assert installed_weights() == {name: home / "weights" / f"{name}.safetensors" for name in ("mine", "shared")}
    assert find_weights("mine") == home / "weights" / "mine.safetensors"
    assert find_weights("shared") == Path("/nowhere/shared.safetensors")


def test_paths_and_runs_are_taken_as_they_are(home: Path, tmp_path: Path) -> None:
    assert find_weights("folder/own.safetensors") == Path("folder/own.safetensors")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "weights.safetensors").touch()
    for given in ("run", "./run", Path("run"), tmp_path / "run"):
        assert Path(find_weights(given)).resolve() == tmp_path / "run" / "weights.safetensors"


def test_an_unknown_name_gets_the_nearest_one_and_the_list(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _package(monkeypatch, "packaged", "big")
    (home / "weights" / "fmae-iat-bp4d.safetensors").touch()
    with pytest.raises(
        CheckpointError,
        match=r"^no weights called 'fmae-iat-bp4' are here; give a file's path, or one of big, fmae-iat-bp4d, "
        r"packaged; did you mean fmae-iat-bp4d\?$",
    ):
        find_weights("fmae-iat-bp4")
    with pytest.raises(CheckpointError, match=r"one of big, fmae-iat-bp4d, packaged$"):
        find_weights("zzz")
    with pytest.raises(
        CheckpointError,
        match=r"^fmae-vit-large is published but not installed here; facskit weights info fmae-vit-large says .*$",
    ):
        find_weights("fmae-vit-large")


def test_where_installed_weights_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACSKIT_HOME", str(tmp_path))
    assert data_home() == tmp_path
    monkeypatch.delenv("FACSKIT_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert data_home() == tmp_path / "share" / "facskit"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_home() == tmp_path / ".local" / "share" / "facskit"
    assert installed_weights() == {}
