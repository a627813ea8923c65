"""The result of a look at something on disk: what it is, what was found, and what to type next."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from facskit.datasets.findings import Finding, sentence_of
from facskit.errors import FacskitError

__all__ = ["Checkup", "finding_of", "quoted"]


@dataclass(frozen=True, kw_only=True)
class Checkup:
    """The result of looking at one thing."""

    kind: str
    """What it is, in a word that programs can compare: `corpus`, `manifest`, `prepared`, `run`, `weights`, ..."""
    what: str
    """What it is, in a sentence's first half: `BP4D's release`."""
    place: Path
    """Where it is."""
    facts: tuple[str, ...] = ()
    """What it holds, line by line."""
    findings: tuple[Finding, ...] = ()
    """What is wrong with it, in no order."""
    steps: tuple[str, ...] = ()
    """Commands to type next."""
    complete: bool = True
    """Whether as much is there as was published."""

    def only(self, severity: str) -> tuple[Finding, ...]:
        """Return the findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity == severity)

    def adding(
        self, *, facts: Iterable[str] = (), findings: Iterable[Finding] = (), steps: Iterable[str] = ()
    ) -> "Checkup":
        """Return a checkup that says more."""
        return replace(
            self, facts=(*self.facts, *facts), findings=(*self.findings, *findings), steps=(*self.steps, *steps)
        )


def finding_of(error: FacskitError, place: Path, kind: str = "") -> Finding:
    """Turn an error into a finding.

    Args:
        place: What was read; left out of the sentence where it begins with it.
    """
    return Finding(severity="error", place=str(place), sentence=sentence_of(error, place), kind=kind)


def quoted(path: Path) -> str:
    """Return a path as it's typed in a command."""
    return shlex.quote(str(path))
