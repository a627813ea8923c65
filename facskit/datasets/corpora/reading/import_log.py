"""Notes of an importer while it reads: findings for people, and the frames it leaves out."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from facskit.columns import FRAME, RECORDING, SUBJECT
from facskit.datasets.corpora.decisions import OnError
from facskit.datasets.corpora.index import DROPPED_SCHEMA
from facskit.datasets.findings import Finding, Severity, worst_first
from facskit.errors import DatasetError

__all__ = ["ImportLog", "some_of"]


class ImportLog:
    """Collects findings and dropped frames; with `stop`, the first error raises at once."""

    def __init__(self, root: Path, on_error: OnError) -> None:
        self.root = root
        self._on_error = on_error
        self._findings: list[Finding] = []
        self._dropped: list[pl.DataFrame] = []

    def error(self, place: str | Path, sentence: str, kind: str = "") -> None:
        """Note damage or loss.

        Args:
            kind: What the same fault in other places has in common.

        Raises:
            DatasetError: The user wants to stop at errors.
        """
        self._add("error", place, sentence, kind)

    def warning(self, place: str | Path, sentence: str, kind: str = "") -> None:
        """Note something that looks wrong but can be used."""
        self._add("warning", place, sentence, kind)

    def note(self, place: str | Path, sentence: str, kind: str = "") -> None:
        """Note something that is good to know."""
        self._add("note", place, sentence, kind)

    def drop(self, frames: pl.DataFrame, reason: str | None = None, file: str | None = None) -> None:
        """Keep frames that are left out, with the reason.

        Args:
            frames: Has the column `subject`; `recording`, `frame`, `reason` and `file` where they are known.
            reason: A short phrase, the same for the same fault, if `frames` doesn't say.
            file: Where the fault is, if `frames` doesn't say.
        """
        if frames.is_empty():
            return
        known = [pl.col(name).cast(DROPPED_SCHEMA[name]) for name in DROPPED_SCHEMA if name in frames.columns]
        said = {name: pl.lit(text) for name, text in (("reason", reason), ("file", file)) if text is not None}
        self._dropped.append(frames.select(known).with_columns(**said))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was noted, worst first."""
        return worst_first(self._findings)

    @property
    def dropped(self) -> pl.DataFrame:
        """What was left out, sorted."""
        rows = pl.concat([pl.DataFrame(schema=DROPPED_SCHEMA), *self._dropped], how="diagonal")
        return rows.unique(maintain_order=True).sort(SUBJECT, RECORDING, FRAME, maintain_order=True)

    def relative(self, place: str | Path) -> str:
        """Name a place relative to the corpus's folder where it lies in it."""
        path = Path(place)
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(place)

    def _add(self, severity: Severity, place: str | Path, sentence: str, kind: str) -> None:
        finding = Finding(severity=severity, place=str(place), sentence=sentence, kind=kind)
        if severity == "error" and self._on_error == "stop":
            raise DatasetError(str(finding))
        self._findings.append(finding)


def some_of(names: Iterable[str], limit: int = 3) -> str:
    """List a few names and count the rest."""
    every = list(names)
    rest = f" and {len(every) - limit:,} more" if len(every) > limit else ""
    return ", ".join(every[:limit]) + rest
