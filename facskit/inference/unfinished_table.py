"""A table while it is written: rows so far, and which inputs they hold in full, so that a stopped run can go on.

Beside `result.csv` lies `.result.csv.unfinished` with the rows, and `.result.csv.finished` with one line per input
whose rows are all there. Both are gone when the table is complete.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from facskit.errors import RecipeError
from facskit.files import path_text, shortened

__all__ = ["UnfinishedTable"]


class UnfinishedTable:
    """Rows of a table that isn't complete yet.

    Attributes:
        finished: Inputs that an earlier run is done with, and what was wrong with each of them, if anything was.
    """

    def __init__(self, table: Path, settings: Mapping[str, Any], *, resume: bool) -> None:
        """Begin, or go on where a run with the same settings was stopped.

        Args:
            table: The table when it is complete.
            settings: What decides about the rows; a run with others can't be gone on with.
            resume: Go on; without it an unfinished table is begun anew.

        Raises:
            RecipeError: The unfinished table has other settings, or can't be written.
        """
        name = shortened(table.name, 240)
        self._rows = table.with_name(f".{name}.unfinished")
        self._journal = table.with_name(f".{name}.finished")
        self.finished: dict[str, str | None] = {}
        end = 0
        if resume and self._rows.is_file() and self._journal.is_file():
            end = self._read_journal(settings)
        try:
            table.parent.mkdir(parents=True, exist_ok=True)
            self.file: TextIO = self._rows.open("r+" if end else "w", encoding="utf-8", newline="")
            self._lines = self._journal.open("a" if end else "w", encoding="utf-8")
        except OSError as error:
            raise RecipeError(f"{table}: can't write the table ({(error.strerror or 'failed').lower()})") from error
        if end:
            self.file.seek(end)
            self.file.truncate()
        else:
            self._lines.write(json.dumps({"settings": dict(settings)}) + "\n")
            self._lines.flush()

    def is_finished(self, path: Path) -> bool:
        """Tell whether an earlier run is done with an input, and the file is the same."""
        return _identity(path) in self.finished

    def failure(self, path: Path) -> str | None:
        """Return what was wrong with an input that an earlier run is done with."""
        return self.finished[_identity(path)]

    def finish(self, path: Path, failure: str | None) -> None:
        """Remember that all rows of an input are written.

        Args:
            failure: Why there aren't more.
        """
        self.file.flush()
        os.fsync(self.file.fileno())
        entry = {"input": _identity(path), "end": self.file.tell(), "failure": failure}
        self._lines.write(json.dumps(entry) + "\n")
        self._lines.flush()

    def close(self, *, keep: bool) -> Path:
        """Stop writing and return the file with the rows.

        Args:
            keep: Leave rows and journal for a run that goes on; otherwise both are the caller's to move or delete.
        """
        self.file.close()
        self._lines.close()
        if not keep:
            self._journal.unlink(missing_ok=True)
        return self._rows

    def _read_journal(self, settings: Mapping[str, Any]) -> int:
        """Take the finished inputs over, and return where their rows end."""
        end = 0
        for number, line in enumerate(self._journal.read_text(encoding="utf-8").splitlines()):
            try:
                entry = json.loads(line)
            except ValueError:
                break  # the last line of a run that was killed while it wrote
            if number == 0:
                self._check(entry.get("settings"), settings)
            else:
                self.finished[entry["input"]] = entry["failure"]
                end = entry["end"]
        return end

    def _check(self, found: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> None:
        for key, value in wanted.items():
            if found is None or found.get(key) != value:
                there = None if found is None else found.get(key)
                raise RecipeError(
                    f"{path_text(self._rows)}: this table was begun with {key} {there}, this run has {value}; "
                    "add --no-resume to begin anew"
                )


def _identity(path: Path) -> str:
    """Return what changes when a file does."""
    state = path.stat()
    return f"{path_text(path)} {state.st_size} {state.st_mtime_ns}"
