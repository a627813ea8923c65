"""Worker processes use one thread each while they start, and the parent's settings come back."""

import os

import pytest

from facskit.processes import single_threaded_children


def _fail_inside() -> None:
    with single_threaded_children():
        assert os.environ["OMP_NUM_THREADS"] == os.environ["POLARS_MAX_THREADS"] == "1"
        raise RuntimeError("inside")


def test_children_get_one_thread_and_the_parent_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("POLARS_MAX_THREADS", raising=False)
    with pytest.raises(RuntimeError, match="inside"):
        _fail_inside()
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "POLARS_MAX_THREADS" not in os.environ
