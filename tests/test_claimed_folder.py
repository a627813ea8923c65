"""A job's folder is claimed by one job and held by one process; a killed one blocks nobody."""

import errno
import fcntl
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import pytest

from facskit.claimed_folder import DatasetFolder, claim, held, hold
from facskit.errors import DatasetError, FacskitError, RecipeError
from facskit.files import LOCK
from tests.folder_holder import another_process_in, refusal


def home(path: Path, **changes: int) -> DatasetFolder:
    description = {"kind": "faces drawn by hand", "version": "1", "config": {"seed": 5, "labels": "ab12"} | changes}
    meanings = {"labels": "has other labels than this run"}
    return DatasetFolder(path=path, result="table", description=description, earlier={"size": 64}, meanings=meanings)


def test_two_processes_do_not_work_in_one_folder(tmp_path: Path) -> None:
    with another_process_in(tmp_path) as other:
        for enter in (hold, lambda folder: held(folder).__enter__()):
            with pytest.raises(FacskitError, match=refusal(tmp_path, other)):
                enter(tmp_path)
    with held(tmp_path):
        pass
    assert not (tmp_path / LOCK).exists()


def test_a_killed_process_blocks_nobody(tmp_path: Path) -> None:
    with another_process_in(tmp_path) as other:
        other.kill()
        other.wait()
        assert str(other.pid) in (tmp_path / LOCK).read_text()
        with held(tmp_path):
            assert str(other.pid) not in (tmp_path / LOCK).read_text()


def test_a_second_job_of_this_process_is_refused_too(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(FacskitError, match=f"{tmp_path.name} is in use: process"), held(tmp_path):
        pass
    with held(tmp_path):
        pass


def test_a_process_on_another_machine_is_named_with_it(tmp_path: Path) -> None:
    known = {"pid": 7, "host": "elsewhere", "command": "facskit prepare", "since": "2026-01-01 10:00 UTC"}
    with held(tmp_path):
        (tmp_path / LOCK).write_text(json.dumps(known))
        with pytest.raises(FacskitError, match=r"process 7 on elsewhere \(facskit prepare\)"), held(tmp_path):
            pass
        (tmp_path / LOCK).write_text("")
        with pytest.raises(FacskitError, match="in use: another process works there"), held(tmp_path):
            pass


def test_a_lock_that_was_deleted_meanwhile_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, calls = fcntl.lockf, 0

    def after_it_was_deleted(file: TextIO, how: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            (tmp_path / LOCK).unlink()
        lock(file, how)

    monkeypatch.setattr(fcntl, "lockf", after_it_was_deleted)
    with held(tmp_path):
        assert (tmp_path / LOCK).exists()
    assert calls == 2


def test_a_file_system_without_locks_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with caplog.at_level(logging.WARNING), held(tmp_path):
        assert f"{tmp_path} can't be locked" in caplog.text


def test_what_is_not_final_goes_when_the_job_is_done(tmp_path: Path) -> None:
    folder = home(tmp_path / "out")
    folder.claim()

    def stopped() -> None:
        with folder.held():
            (folder.parts / "1").write_text("done")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert not folder.is_finished
    (folder.path / "a").mkdir()
    (folder.path / "a" / ".part-b").write_text("half")
    with folder.held():
        assert (folder.parts / "1").read_text() == "done"
        (folder.path / "table").write_text("all")
    assert folder.is_finished
    assert sorted(path.name for path in folder.path.rglob("*")) == ["a", "dataset.json", "table"]


def test_an_abandoned_job_leaves_nothing(tmp_path: Path) -> None:
    folder = home(tmp_path / "out")
    folder.claim()
    with folder.held():
        folder.abandon()
    assert not folder.path.exists()


@pytest.mark.parametrize(
    ("there", "sentence"),
    [
        (lambda text: text.replace("5", "6"), "out was begun with seed 6, this run has 5; choose another folder"),
        (lambda text: text.replace("ab12", "cd34"), "out has other labels than this run; choose another folder"),
        (lambda text: text.replace('"1"', '"2"'), "was begun with version '2', this run has '1'"),
        (lambda text: text.replace("drawn by hand", "made of clay"), "dataset.json is about faces made of clay"),
        (lambda text: text[:20], "dataset.json doesn't describe a job of facskit"),
        (lambda _: "[]", "dataset.json doesn't describe a job of facskit"),
    ],
)
def test_another_job_is_refused(tmp_path: Path, there: Callable[[str], str], sentence: str) -> None:
    folder = home(tmp_path / "out", size=64)
    folder.claim()
    file = folder.path / "dataset.json"
    file.write_text(there(file.read_text()))
    with pytest.raises(DatasetError, match=sentence):
        folder.claim()


def test_an_older_description_lacks_settings(tmp_path: Path) -> None:
    home(tmp_path).claim()
    home(tmp_path, size=64).claim()
    with pytest.raises(DatasetError, match="was begun with size 64, this run has 32"):
        home(tmp_path, size=32).claim()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RecipeError, match="is not empty and holds no recipe.yaml; expected a new or empty folder"):
        claim(tmp_path, "recipe.yaml", "a: 1", lambda _: "", error=RecipeError)
    with pytest.raises(RecipeError, match=r"notes.txt is a file; expected a new or empty folder"):
        claim(tmp_path / "notes.txt", "recipe.yaml", "a: 1", lambda _: "", error=RecipeError)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_lock_left_by_a_kill_leaves_the_folder_vacant(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("{}")
    home(tmp_path).claim()
