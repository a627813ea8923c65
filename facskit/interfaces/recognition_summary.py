"""The short answer `facskit recognize` prints: who was found, and which expressions and action units they show."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facskit.action_units import ActionUnit
from facskit.inference.recognition import Recognition, RecognizedFrame

__all__ = ["Summary"]

_MOST_LINES = 30
_LEAST_SHARE = 0.05


@dataclass
class _Line:
    """One face of one file."""

    first: Recognition
    frames: int = 0
    reliable: int = 0
    """Frames in which nothing made the face unreliable; expressions and action units are counted in these alone."""
    troubles: Counter[str] = field(default_factory=Counter)
    present: Counter[ActionUnit] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)


class Summary:
    """Counts frames, faces, expressions and present action units while recognition runs."""

    def __init__(self) -> None:
        self.frames = 0
        self._frames_of: Counter[str] = Counter()
        self._without_face: Counter[str] = Counter()
        self._lines: dict[tuple[str, int], _Line] = {}

    def add(self, frame: RecognizedFrame) -> None:
        """Count one photograph or video frame."""
        self.frames += 1
        self._frames_of[frame.source] += 1
        if not frame.faces:
            self._without_face[frame.source] += 1
        for face in frame.faces:
            line = self._lines.setdefault((face.source, face.face_id), _Line(face))
            line.frames += 1
            line.reliable += face.reliable
            line.troubles.update(face.unreliable_because)
            if not face.reliable:
                continue
            line.present.update(face.present)
            if face.expression is not None:
                line.shown[face.expression] += 1

    def print(self, console: Console) -> None:
        """Print one row per face and a closing sentence."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        columns: dict[str, Callable[[_Line], str]] = {
            "Input": lambda line: escape(self._name(line.first.source)),
            "Face": lambda line: str(line.first.face_id),
        }
        if any(line.shown for line in self._lines.values()):
            columns["Expression"] = _describe_expression
        if any(line.first.action_units for line in self._lines.values()):
            columns["Action units"] = _describe
        if any(line.troubles for line in self._lines.values()):
            columns["Unreliable"] = _describe_troubles
        for column in columns:
            table.add_column(column, overflow="fold")
        for line in list(self._lines.values())[:_MOST_LINES]:
            table.add_row(*(describe(line) for describe in columns.values()))
        if self._lines:
            console.print(table, soft_wrap=False)
        if len(self._lines) > _MOST_LINES:
            console.print(f"[dim]... and {len(self._lines) - _MOST_LINES} more faces[/]")
        for source, count in list(self._without_face.items())[:_MOST_LINES]:
            is_photo = self._frames_of[source] == 1
            where = "" if is_photo else f" in {count} {_plural('frame', count)}"
            console.print(f"{escape(self._name(source))}: no face found{where}")
        faces, files = len(self._lines), len(self._frames_of)
        pictures = f" ({self.frames} frames)" if self.frames != files else ""
        console.print(f"{faces} {_plural('face', faces)} in {files} {_plural('file', files)}{pictures}.")

    def _name(self, source: str) -> str:
        """Return a file's name, or all of its path where another one has the same name."""
        name = Path(source).name
        return name if sum(Path(other).name == name for other in self._frames_of) == 1 else source


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _describe_expression(line: _Line) -> str:
    """Name what one face shows most: with its probability when seen once, the share of its frames in a video."""
    if not line.reliable:
        return "[dim]not said[/]"
    if line.frames == 1:
        probabilities = line.first.expression_probabilities
        return "" if probabilities is None else f"[bold]{line.first.expression}[/] {probabilities.max():.2f}"
    shares = [(name, count / line.reliable) for name, count in line.shown.most_common()]
    parts = [f"[bold]{name}[/] {share:.0%}" for name, share in shares if share >= _LEAST_SHARE]
    frames = "" if line.first.action_units else _of_frames(line)  # else it stands with the units
    return ", ".join(parts) + frames


def _describe(line: _Line) -> str:
    """List what one face shows: probabilities when seen once, shares of its reliable frames in a video."""
    if not line.reliable:
        return "[dim]not said[/]"
    if line.frames == 1:
        parts = [
            f"[bold]{unit.code}[/] {unit.name.lower()} {line.first.probability(unit):.2f}"
            for unit in line.first.present
        ]
        return ", ".join(parts) or "[dim]none[/]"
    shares = [(unit, count / line.reliable) for unit, count in line.present.most_common()]
    parts = [f"[bold]{unit.code}[/] {unit.name.lower()} {share:.0%}" for unit, share in shares if share >= _LEAST_SHARE]
    return f"{', '.join(parts) or '[dim]none[/]'}{_of_frames(line)}"


def _of_frames(line: _Line) -> str:
    reliable = "" if line.reliable == line.frames else "reliable "
    return f" [dim]of {line.reliable} {reliable}{_plural('frame', line.reliable)}[/]"


def _describe_troubles(line: _Line) -> str:
    """List what made a face unreliable; in a video with the share of its frames."""
    if line.frames == 1:
        return ", ".join(line.troubles)
    shares = [(trouble, count / line.frames) for trouble, count in line.troubles.most_common()]
    return ", ".join(f"{trouble} {share:.0%}" for trouble, share in shares if share >= 0.01)
