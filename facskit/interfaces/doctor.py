"""`facskit doctor PATH`: says what a file or folder is, what is wrong with it, and what to type next."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.markup import escape

from facskit.datasets.findings import Finding
from facskit.doctor.checkup import Checkup
from facskit.doctor.installation import describe_installation

__all__ = ["DoctorCommand", "main"]

_DESCRIPTION = """Say what a file or folder is, what is wrong with it, and what to type next. Nothing is ever written.

Exit codes: 0 nothing is wrong (there may be warnings), 1 there are errors.

Examples:
  facskit doctor
  facskit doctor /data/BP4D
  facskit doctor data/bp4d/manifest.parquet --all --every-picture
  facskit doctor runs/mine --json
"""
_SHOWN = 5
_HEADINGS = {"error": "Errors", "warning": "Warnings", "note": "Good to know"}
_COLOURS = {"error": "bold red", "warning": "bold yellow", "note": "bold"}


@dataclass(frozen=True, kw_only=True)
class DoctorCommand:
    """Say what a file or folder is, what is wrong with it, and what to type next."""

    path: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[PATH]")] = None
    """A corpus, a manifest, a folder that facskit made, a run, a weight file or a label list; without it, what this
    installation is made of."""
    all: bool = False
    """Print every finding, not only a few of each kind."""
    every_picture: bool = False
    """Decode every picture, not only a sample of some hundred."""
    json: bool = False
    """Print one JSON object, for programs."""


def main(words: Sequence[str]) -> int:
    """Parse the words after `facskit doctor`, look, and print; return the exit code."""
    flags = (tyro.conf.FlagCreatePairsOff,)
    command = tyro.cli(DoctorCommand, prog="facskit doctor", description=_DESCRIPTION, args=list(words), config=flags)
    if command.path is None:
        return _print_installation(as_json=command.json)
    # Needs what corpora need, which who only wants to know what is installed may lack.
    from facskit.doctor.look import look_at

    checkups = look_at(command.path, every_picture=command.every_picture)
    if command.json:
        sys.stdout.write(json.dumps(_as_json(command.path, checkups), indent=1) + "\n")
    else:
        console = Console(highlight=False, soft_wrap=True)
        for number, checkup in enumerate(checkups):
            if number:
                console.print()
            _print(console, checkup, everything=command.all)
    return int(any(checkup.only("error") for checkup in checkups))


def _print_installation(*, as_json: bool) -> int:
    known = describe_installation()
    if as_json:
        sys.stdout.write(json.dumps(known, indent=1) + "\n")
        return 0
    console = Console(highlight=False, soft_wrap=True)
    for name, text in known.items():
        console.print(f"[bold]{name:<18}[/]{escape(text)}")
    return 0


def _as_json(path: Path, checkups: Sequence[Checkup]) -> dict[str, Any]:
    return {
        "path": str(path),
        "ok": not any(checkup.only("error") for checkup in checkups),
        "checkups": [asdict(checkup) | {"place": str(checkup.place)} for checkup in checkups],
    }


def _print(console: Console, checkup: Checkup, *, everything: bool) -> None:
    console.print(f"[bold]{escape(str(checkup.place))}[/]: {escape(checkup.what)}")
    heading = "facskit would know" if checkup.kind == "nothing" and len(checkup.facts) > 1 else ""
    if heading:
        _print_findings(console, checkup, everything=everything)
        console.print(f"\n{heading}")
    for fact in checkup.facts:
        console.print(f"  {escape(fact)}")
    if not heading:
        _print_findings(console, checkup, everything=everything)
    for number, step in enumerate(checkup.steps):
        console.print(f"{'' if number else chr(10)}[bold]{'Next:' if not number else '  or:'}[/] {escape(step)}")


def _print_findings(console: Console, checkup: Checkup, *, everything: bool) -> None:
    for severity, heading in _HEADINGS.items():
        found = checkup.only(severity)
        if not found:
            continue
        console.print(f"\n[{_COLOURS[severity]}]{heading} ({len(found):,})[/]")
        kinds: dict[str, list[Finding]] = {}
        for finding in found:
            kinds.setdefault(finding.kind or str(finding), []).append(finding)
        for group in kinds.values():
            for finding in group if everything else group[:_SHOWN]:
                console.print(f"  {escape(str(finding))}")
            if not everything and len(group) > _SHOWN:
                console.print(f"  [dim]and {len(group) - _SHOWN:,} more of this kind; --all prints them[/]")
    if not any(checkup.only(severity) for severity in ("error", "warning")):
        less = "" if checkup.complete else " with what is here; it's less than was published, see the counts"
        console.print(f"\n[green]Nothing is wrong{less}.[/]")
