"""Published files that are broken, hostile or from elsewhere: one sentence each, and nothing in them is run."""

import argparse
import contextlib
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facskit.errors import CheckpointError
from facskit.models.checkpoints import save_checkpoint
from facskit.models.published import ImportConfig, import_published
from tests.models import published_files as fakes

HEADS = ImportConfig(heads=2)


@pytest.mark.parametrize("hostile", [fakes.Runs, fakes.Evaluates])
@pytest.mark.parametrize("place", ["top", "model", "args", "deep", "alone"])
@pytest.mark.parametrize("archive", [True, False])
def test_code_in_a_file_is_refused_and_never_run(tmp_path: Path, hostile: type[Any], place: str, archive: bool) -> None:
    marker, path = tmp_path / "ran", tmp_path / "file.pth"
    bomb = hostile(marker)
    parameters: dict[str, Any] = dict(fakes.state(fakes.fine_tuned(12, 41)))
    content: Any = fakes.checkpoint(parameters, **({"extra": {"nested": [bomb]}} if place == "deep" else {}))
    match place:
        case "top":
            content["epoch"] = bomb
        case "model":
            parameters["head.bias"] = bomb
        case "args":
            content["args"] = bomb
        case "alone":
            content = bomb
    torch.save(content, path, _use_new_zipfile_serialization=archive)
    with pytest.raises(CheckpointError, match=rf"^{path} was refused: it asks for .*; nothing was run$") as caught:
        import_published(path, HEADS)
    assert "\n" not in str(caught.value)
    assert not marker.exists()
    torch.load(path, weights_only=False)  # the trap is real
    assert marker.exists()


@pytest.mark.parametrize("name", ["pathlib.PurePosixPath", "pathlib.WindowsPath", "pathlib._local.PosixPath"])
def test_paths_of_every_python_are_read_without_their_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Files from other operating systems and newer Pythons name classes that can't be made here."""
    module, _, class_name = name.rpartition(".")
    stand_in = type(class_name, (), {"__module__": module, "__reduce__": lambda self: (type(self), ("/", "out"))})
    if module not in sys.modules:
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    monkeypatch.setattr(sys.modules[module], class_name, stand_in, raising=False)
    path = fakes.write(tmp_path / "file.pth", fakes.fine_tuned(12, 41), log_dir=stand_in())
    monkeypatch.undo()
    arguments = import_published(path, HEADS).info.provenance["published_arguments"]
    assert "log_dir" not in arguments
    assert arguments["epochs"] == "30"


def test_what_other_code_allows_is_not_allowed_here(tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "file.pth"
    torch.save({"model": fakes.Evaluates(marker)}, path)
    others = torch.serialization.get_safe_globals()
    torch.serialization.add_safe_globals([eval])
    try:
        with pytest.raises(CheckpointError, match="asks for eval, which could run code; nothing was run"):
            import_published(path, HEADS)
        assert set(torch.serialization.get_safe_globals()) == {*others, eval}
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(others)
    assert not marker.exists()


def test_pickles_with_changed_bytes_never_end_in_another_error(tmp_path: Path) -> None:
    path = fakes.write(tmp_path / "file.pth", fakes.fine_tuned(12, 41))
    changed, rng = tmp_path / "changed.pth", np.random.default_rng(0)
    with zipfile.ZipFile(path) as archive:
        parts = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    (program,) = (name for name in parts if name.endswith("data.pkl"))
    refusals = []
    for _ in range(60):
        content = bytearray(parts[program])
        content[rng.integers(len(content))] = rng.integers(256)
        with zipfile.ZipFile(changed, "w") as archive:
            for name, part in parts.items():
                archive.writestr(name, bytes(content) if name == program else part)
        try:
            import_published(changed, HEADS)
        except CheckpointError as error:
            refusals.append(str(error))
    assert len(refusals) > 20
    assert not any("\n" in refusal for refusal in refusals)


def test_old_files_with_changed_or_missing_bytes_never_end_in_another_error(tmp_path: Path) -> None:
    path, rng = tmp_path / "file.pth", np.random.default_rng(0)
    parameters = fakes.state(fakes.fine_tuned(12, 41))
    torch.save({"model": parameters}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    program = content.index(b"head.bias") + 200  # the numbers after it have no checksum
    refusals = []
    for share in np.linspace(0.01, 0.99, 40):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(CheckpointError, match="is damaged") as caught:
            import_published(path, HEADS)
        refusals.append(str(caught.value))
        changed = bytearray(content)
        changed[rng.integers(40, program)] = rng.integers(256)
        path.write_bytes(changed)
        with contextlib.suppress(CheckpointError):
            import_published(path, HEADS)
    assert not any("\n" in refusal for refusal in refusals)


def test_a_plain_pickle_is_called_one_and_never_opened(tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps(fakes.Runs(marker)))
    with pytest.raises(CheckpointError, match=rf"^{path} is a plain pickle, .* safetensors"):
        import_published(path, HEADS)
    assert not marker.exists()


def test_an_empty_namespace_says_nothing(tmp_path: Path) -> None:
    content = fakes.checkpoint(fakes.state(fakes.fine_tuned(12, 41)))
    content["args"] = argparse.Namespace()
    torch.save(content, tmp_path / "file.pth")
    assert "published_arguments" not in import_published(tmp_path / "file.pth", HEADS).info.provenance


class Shadowed:
    """Is read as a dictionary whose method is hidden behind an attribute."""

    def __init__(self, content: dict[str, Any], method: str) -> None:
        self.content, self.method = content, method

    def __reduce__(self) -> tuple[object, ...]:
        return (OrderedDict, (), {self.method: 7}, None, iter(self.content.items()))


@pytest.mark.parametrize("method", ["items", "keys", "get"])
@pytest.mark.parametrize("place", ["top", "model"])
def test_methods_can_not_be_hidden_behind_attributes(tmp_path: Path, method: str, place: str) -> None:
    content: Any = fakes.checkpoint(fakes.state(fakes.fine_tuned(12, 41)))
    content["model"] = Shadowed(content["model"], method) if place == "model" else content["model"]
    torch.save(Shadowed(content, method) if place == "top" else content, tmp_path / "file.pth")
    assert import_published(tmp_path / "file.pth", HEADS).layout.outputs == 12


@pytest.mark.parametrize("name", ["a" * 10**6, "head\x1b[2J", "head\nfine"])
def test_names_that_can_not_be_printed_are_refused(tmp_path: Path, name: str) -> None:
    state: dict[str, Any] = {**fakes.state(fakes.fine_tuned(12, 41)), name: torch.zeros(1)}
    torch.save(fakes.checkpoint(state), tmp_path / "file.pth")
    with pytest.raises(CheckpointError, match="; expected a plain name") as caught:
        import_published(tmp_path / "file.pth", HEADS)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_tensors_with_attributes_are_refused(tmp_path: Path) -> None:
    state: dict[str, Any] = dict(fakes.state(fakes.fine_tuned(12, 41)))
    state["head.bias"].is_contiguous = dict  # what is asked of a tensor must be answered by PyTorch
    torch.save(fakes.checkpoint(state), tmp_path / "file.pth")
    with pytest.raises(CheckpointError, match=r"head\.bias as Tensor; expected a named tensor|was refused|is damaged"):
        import_published(tmp_path / "file.pth", HEADS)


def test_broken_files_end_in_one_sentence(tmp_path: Path) -> None:
    whole = fakes.write(tmp_path / "whole.pth", fakes.fine_tuned(12, 41)).read_bytes()
    path = tmp_path / "file.pth"
    for share in (0.0, 0.01, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(CheckpointError, match=rf"^{path} is damaged") as caught:
            import_published(path, HEADS)
        assert "\n" not in str(caught.value)
    path.write_text("not weights at all")
    with pytest.raises(CheckpointError, match="is damaged, or neither a PyTorch nor a safetensors file"):
        import_published(path, HEADS)
    with pytest.raises(CheckpointError, match=r"no.pth is not a file; expected published weights"):
        import_published(tmp_path / "no.pth", HEADS)


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = fakes.write(tmp_path / "file.pth", fakes.fine_tuned(12, 41))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
    content[largest.header_offset + 500] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"is damaged: its part {largest.filename} doesn't match its checksum"):
        import_published(path, HEADS)


def test_other_archives_are_refused(tmp_path: Path) -> None:
    path = fakes.write(tmp_path / "file.pth", fakes.fine_tuned(12, 41))
    other = tmp_path / "other.pth"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in archive.infolist():
            packed.writestr(entry.filename, archive.read(entry))
    with pytest.raises(CheckpointError, match="is a compressed archive, which PyTorch never writes"):
        import_published(other, HEADS)
    with zipfile.ZipFile(other, "w") as packed:
        packed.writestr("notes.txt", "hello")
    with pytest.raises(CheckpointError, match="is no file of PyTorch weights, but another archive or a program"):
        import_published(other, HEADS)
    torch.save([1, 2], other)
    with pytest.raises(CheckpointError, match="holds a list; expected a dictionary of parameters"):
        import_published(other, HEADS)
    torch.save({"model": [1]}, other)
    with pytest.raises(CheckpointError, match="holds no parameters"):
        import_published(other, HEADS)
    torch.save(fakes.checkpoint(fakes.state(fakes.fine_tuned(12, 41))) | {"teacher": {}}, other)
    with pytest.raises(CheckpointError, match="holds the unknown part 'teacher'; expected args, epoch, model"):
        import_published(other, HEADS)


def test_our_own_files_are_not_taken_for_published_ones(tmp_path: Path) -> None:
    fakes.write(tmp_path / "file.pth", fakes.fine_tuned(12, 41))
    imported = import_published(tmp_path / "file.pth", HEADS)
    save_checkpoint(tmp_path / "ours.safetensors", imported.model, imported.info)
    with pytest.raises(CheckpointError, match=r"ours.safetensors is a weight file of facskit already"):
        import_published(tmp_path / "ours.safetensors", ImportConfig(heads=2, dataset="bp4d-plus"))
