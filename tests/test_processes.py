"""Worker processes use one thread each, do every unit once, count it, and hand on the sentence of an error."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from facskit.errors import DatasetError
from facskit.processes import run_in_processes, single_threaded_children, tick


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


def _mark(folder: Path, number: int) -> int:
    if number == 13:
        raise DatasetError("unit 13 brings bad luck; expected another")
    if number == 99:
        os.kill(os.getpid(), signal.SIGKILL)
    for _ in range(number):
        tick()
    (folder / str(number)).write_text(os.environ["OMP_NUM_THREADS"])
    return 100


def test_units_are_done_once_and_their_pieces_counted(tmp_path: Path) -> None:
    assert sum(run_in_processes(partial(_mark, tmp_path), range(6), 2, what="marking")) == 15 + 600
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys("012345", "1")
    assert list(run_in_processes(partial(_mark, tmp_path), [], 2, what="marking")) == []


def test_an_error_or_a_death_in_a_process_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="unit 13 brings bad luck"):
        list(run_in_processes(partial(_mark, tmp_path), [13], 1, what="marking"))
    with pytest.raises(DatasetError, match="a marking process died"):
        list(run_in_processes(partial(_mark, tmp_path), [99], 1, what="marking"))


def test_counting_outside_of_a_worker_does_nothing() -> None:
    tick()
