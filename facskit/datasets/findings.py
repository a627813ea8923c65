"""Findings: what a person should know about a folder or a file, as place, severity and sentence."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["Finding", "Severity", "counted", "sentence_of", "worst_first"]

Severity = Literal["error", "warning", "note"]
"""`error`: labels or pictures are damaged or missing; `warning`: looks wrong, usable; `note`: good to know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something about a corpus that its user should know."""

    severity: Severity
    """How bad it is."""
    place: str
    """File or folder it is about, with the line where there is one."""
    sentence: str
    """What was found, what was expected and what to do."""
    kind: str = ""
    """A short phrase that findings alike share, so that a few of them can stand for all; empty for a single one."""

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}"


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort errors before warnings before notes; those alike stay in their order."""
    rank = {severity: place for place, severity in enumerate(get_args(Severity))}
    return tuple(sorted(findings, key=lambda finding: rank[finding.severity]))


def sentence_of(error: Exception, place: object) -> str:
    """Return what an error says without the place that it begins with, if that is this one."""
    return str(error).removeprefix(f"{place}: ").removeprefix(f"{place} ")


def counted(number: int, noun: str) -> str:
    """Say how many there are of something: `1 frame`, `1,200 frames`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
