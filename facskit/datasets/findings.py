"""Findings: what a person should know about a folder or a file, as place, severity and sentence."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "counted"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something about a corpus that its user should know."""

    severity: Literal["error", "warning", "note"]
    """`error`: labels or pictures are damaged or missing; `warning`: looks wrong, usable; `note`: good to know."""
    place: str
    """File or folder it is about, with the line where there is one."""
    sentence: str
    """What was found, what was expected and what to do."""

    def __str__(self) -> str:
        """Return place and sentence, as errors print them."""
        return f"{self.place}: {self.sentence}"


def counted(number: int, noun: str) -> str:
    """Say how many there are of something: `1 frame`, `1,200 frames`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
