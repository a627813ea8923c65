"""Devices by name and number, and what is said of those that aren't there."""

import pytest
import torch

from facskit.models.devices import choose_device


@pytest.fixture(autouse=True)
def _two_graphics_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_one_of_several_can_be_named() -> None:
    assert choose_device("auto") == "cuda"
    assert choose_device("cuda:1") == "cuda:1"
    assert choose_device("cpu") == "cpu"


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("cuda:2", "this machine has no 'cuda:2'; it has cpu, cuda:0 to cuda:1"),
        ("mps", "this machine has no 'mps'; it has cpu, cuda:0 to cuda:1"),
        ("gpu", "there is no such device; expected auto, cpu, cuda, mps or one of several such as cuda:1"),
        ("cuda:", "there is no such device"),
        ("cuda:x", "there is no such device"),
    ],
)
def test_what_is_not_there_is_said(wanted: str, sentence: str) -> None:
    with pytest.raises(LookupError, match=sentence):
        choose_device(wanted)
