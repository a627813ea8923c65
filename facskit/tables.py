"""A table of text: the same cells as Markdown, in the terminal and as CSV."""

import csv
import io
from dataclasses import dataclass

from rich.table import Table

__all__ = ["MISSING", "TextTable"]

MISSING = "–"
"""What stands where there is no number."""


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """Cells under a heading, with notes below."""

    title: str
    """What the table is about."""
    header: tuple[str, ...]
    """Heading of each column."""
    rows: tuple[tuple[str, ...], ...]
    """Cells of each row."""
    num_text: int = 1
    """Columns at the left that hold names; the others hold numbers and stand at the right of their column."""
    strong_rows: frozenset[int] = frozenset()
    """Rows that are set in bold."""
    notes: tuple[str, ...] = ()
    """Sentences under the table."""

    def __post_init__(self) -> None:
        """Refuse rows of another length than the header's."""
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"a row has {len(row)} cells; expected {len(self.header)}, like the header: {row}")

    def to_markdown(self, heading: str = "##") -> str:
        """Return the table as Markdown that reads well as plain text too."""
        rows = [
            tuple(f"**{cell}**" if index in self.strong_rows and cell else cell for cell in row)
            for index, row in enumerate(self.rows)
        ]
        widths = [max(3, *map(len, column)) for column in zip(self.header, *rows, strict=True)]
        rule = ["-" * (width - (i >= self.num_text)) + ":" * (i >= self.num_text) for i, width in enumerate(widths)]

        def line(cells: tuple[str, ...] | list[str]) -> str:
            padded = [
                cell.ljust(width) if i < self.num_text else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
            ]
            return f"| {' | '.join(padded)} |"

        lines = [line(self.header), line(rule), *map(line, rows)]
        notes = "".join(f"- {note}\n" for note in self.notes)
        return "\n".join([f"{heading} {self.title}", "", *lines, "", notes])

    def to_terminal(self) -> Table:
        """Return the table for the terminal, its notes as the caption."""
        table = Table(title=self.title, caption="\n".join(self.notes), caption_justify="left")
        for index, title in enumerate(self.header):
            table.add_column(title, justify="left" if index < self.num_text else "right")
        for index, row in enumerate(self.rows):
            table.add_row(*row, style="bold" if index in self.strong_rows else None)
        return table

    def to_csv(self) -> str:
        """Return header and cells as comma-separated values."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.header, *self.rows])
        return text.getvalue()
