"""The folder of a long job: it says what the job is, one process works in it at a time, and finished pieces stay.

A job claims its folder by writing a description of itself there; a later start with another description is refused.
While a process works, it holds the file `.lock` by a lock of the operating system, which ends with the process however
that ends, so a killed job blocks nobody. On a network file system the lock counts for all machines. Where a file system
can't lock, and on Windows, a warning says that nobody is kept out.
"""

import json
import logging
import os
import shlex
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

from facskit.errors import DatasetError, FacskitError
from facskit.files import LOCK, PART_PATTERN, is_vacant, write_text

__all__ = ["PARTS", "DatasetFolder", "claim", "held", "hold"]

DESCRIPTION = "dataset.json"
PARTS = ".parts"
"""Folder of everything in a `DatasetFolder` that isn't final."""

_LOG = logging.getLogger(__name__)
_COMMAND_LENGTH = 200

_held: dict[Path, TextIO] = {}
"""Open lock files of this process."""


@dataclass(frozen=True, kw_only=True)
class DatasetFolder:
    """The folder of a job that makes images and, last of all, one table of them."""

    path: Path
    """The folder."""
    result: str
    """Name of the table."""
    description: Mapping[str, Any]
    """What `dataset.json` holds: the settings under `config`, which decide whether it is the same job, and the rest."""
    earlier: Mapping[str, Any] = field(default_factory=dict)
    """Settings that older descriptions lack, with the values they had."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """What it means that a setting differs, where its values tell a person nothing."""

    @property
    def parts(self) -> Path:
        """Folder of everything that isn't final."""
        return self.path / PARTS

    @property
    def is_finished(self) -> bool:
        """Whether the result is there and nothing is left to tidy up."""
        return (self.path / self.result).is_file() and not self.parts.exists()

    def claim(self) -> None:
        """Write `dataset.json`, or check that the folder's one says the same."""
        text = json.dumps(self.description, indent=2) + "\n"
        claim(self.path, DESCRIPTION, text, self._difference, error=DatasetError)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out while the block works; when it ends well, all that isn't final is deleted."""
        try:
            with held(self.path):
                self.claim()  # another process may have claimed the folder since this one looked
                self.parts.mkdir(exist_ok=True)
                yield
                for left_behind in self.path.rglob(PART_PATTERN):
                    left_behind.unlink()
                shutil.rmtree(self.parts, ignore_errors=True)
        finally:
            with suppress(OSError):  # it isn't empty, unless the job was abandoned
                self.path.rmdir()

    def abandon(self) -> None:
        """Forget a job of which nothing is done yet, so that another one may have the folder; an empty one goes."""
        shutil.rmtree(self.parts, ignore_errors=True)
        (self.path / DESCRIPTION).unlink(missing_ok=True)

    def _difference(self, text: str) -> str:
        """Say how the job that a description speaks of differs from this one."""
        path = self.path / DESCRIPTION
        try:
            there = json.loads(text)
            kind, found = there.get("kind"), {**self.earlier, **_settings(there)}
        except (ValueError, KeyError, TypeError, AttributeError):
            return f"{path} doesn't describe a job of facskit"
        if kind != self.description.get("kind"):
            return f"{path} is about {kind}, this run makes {self.description.get('kind') or 'a prepared corpus'}"
        for key, value in _settings(self.description).items():
            if found.get(key) != value:
                if key in self.meanings:
                    return f"{self.path} {self.meanings[key]}"
                return f"{self.path} was begun with {key} {_shown(found.get(key))}, this run has {_shown(value)}"
        return ""


def claim(folder: Path, name: str, text: str, difference: Callable[[str], str], *, error: type[FacskitError]) -> None:
    """Make a folder the home of a job: write the job's description, or check that the folder has the same one.

    Args:
        difference: From the text in the folder to a sentence, without full stop, about what differs; empty if nothing
            that matters does.
        error: What to raise if the folder is the home of another job, or isn't empty and of none.
    """
    path = folder / name
    if path.is_file():
        if differing := difference(path.read_text(encoding="utf-8", errors="replace")):
            raise error(f"{differing}; choose another folder")
        return
    if folder.is_file():
        raise error(f"{folder} is a file; expected a new or empty folder")
    if not is_vacant(folder):
        raise error(f"{folder} is not empty and holds no {name}; expected a new or empty folder")
    write_text(path, text)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes, and a second job of this one, out of a folder while the block works in it.

    Raises:
        FacskitError: Somebody works there already; the message names process, command and time.
    """
    path = folder.resolve() / LOCK
    if path in _held:
        raise FacskitError(_in_use(folder, path.read_text(encoding="utf-8")))
    hold(folder)
    try:
        yield
    finally:
        if path in _held:
            path.unlink(missing_ok=True)  # before letting go, or it could be somebody else's by then
            _held.pop(path).close()


def hold(folder: Path) -> None:
    """Keep other processes out of a folder until this process ends; nothing if it holds the folder already.

    Raises:
        FacskitError: Another process works there; the message names it, its command and since when it has worked.
    """
    path = folder.resolve() / LOCK
    if path in _held:
        return
    while path not in _held:
        file = path.open("a+", encoding="utf-8")
        try:
            _lock(file)
        except (BlockingIOError, PermissionError) as error:
            file.seek(0)
            holder = file.read()
            file.close()
            raise FacskitError(_in_use(folder, holder)) from error
        except OSError as error:
            _LOG.warning("%s can't be locked (%s); start nothing else that writes there", folder, error)
        if _is_at(file, path):
            _held[path] = file
        else:  # its last holder deleted it after it was opened here, so it protects nothing any more
            file.close()
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])[:_COMMAND_LENGTH]
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    file.truncate(0)
    file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "command": command, "since": since}))
    file.flush()


def _lock(file: TextIO) -> None:
    """Lock a file for this process alone; unlike flock's, no forked worker inherits it, and NFS has it."""
    if fcntl is None:
        raise OSError("this system has no fcntl")
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_at(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _in_use(folder: Path, holder: str) -> str:
    try:
        known = json.loads(holder)
        where = "" if known["host"] == socket.gethostname() else f" on {known['host']}"
        who = f"process {known['pid']}{where} ({known['command']}) has worked there since {known['since']}"
    except (ValueError, KeyError, TypeError):  # it has only just begun
        who = "another process works there"
    return f"{folder} is in use: {who}; wait for it, or choose another folder"


def _settings(description: Mapping[str, Any]) -> dict[str, Any]:
    settings = dict(description["config"])
    return settings | ({"version": description["version"]} if "version" in description else {})


def _shown(value: Any) -> str:  # noqa: ANN401 (whatever JSON holds)
    if isinstance(value, list):
        return ", ".join(str(entry["path"] if isinstance(entry, dict) else entry) for entry in value)
    return repr(value)
