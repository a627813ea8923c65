"""Tables of text and files of results: one kind of table, one writer of Markdown, JSON and CSV.

A number that isn't defined is NaN until it is shown or written: then it is a dash in a table, null in JSON and an empty
cell in CSV.
"""

import csv
import io
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from facskit.files import write_text

__all__ = ["MISSING", "TextTable", "markdown_page", "number_cell", "percent_cell", "plain_values", "write_results"]

MISSING = "–"
"""What stands where there is no number."""


def number_cell(value: float, decimals: int) -> str:
    """Return a number, or a dash for NaN."""
    return MISSING if math.isnan(value) else f"{value:,.{decimals}f}"


def percent_cell(fraction: float, decimals: int = 1) -> str:
    """Return a fraction in percent, or a dash for NaN."""
    return number_cell(100 * fraction, decimals)


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
    """Columns at the left that hold words; the others hold numbers and stand at the right of their column."""
    more_text: Collection[int] = ()
    """Columns further to the right that hold words too."""
    strong_rows: Collection[int] = ()
    """Rows that are set in bold."""
    strong_columns: Collection[int] = ()
    """Columns whose cells are set in bold."""
    faint_rows: Collection[int] = ()
    """Rows that are there for completeness: grey in the terminal and on pages."""
    ruled_rows: Collection[int] = ()
    """Rows above which the terminal draws a line."""
    lead: str = ""
    """A paragraph between heading and cells."""
    notes: tuple[str, ...] = ()
    """Sentences under the table."""

    def __post_init__(self) -> None:
        """Refuse rows of another length than the header's."""
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"a row has {len(row)} cells; expected {len(self.header)}, like the header: {row}")

    def to_markdown(self, heading: str = "##") -> str:
        """Return heading, cells and notes as Markdown that reads well as plain text too."""
        notes = "\n".join(f"- {note}" for note in self.notes)
        paragraphs = [f"{heading} {self.title}", self.lead, self.to_grid(), notes]
        return "\n\n".join(filter(None, paragraphs)) + "\n"

    def to_grid(self) -> str:
        """Return the cells alone as Markdown, padded to columns."""
        lines = [[_without_bars(cell) for cell in self.header]]
        for index, row in enumerate(self.rows):
            cells = [_without_bars(cell) for cell in row]
            for column, cell in enumerate(cells):
                if cell and (index in self.strong_rows or column in self.strong_columns):
                    cells[column] = f"**{cell}**"
            lines.append(cells)
        widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
        rule = []
        for column, width in enumerate(widths):
            rule.append("-" * width if self._holds_words(column) else "-" * (width - 1) + ":")
        lines.insert(1, rule)
        return "\n".join(self._padded(line, widths) for line in lines)

    def to_terminal(self) -> Table:
        """Return the table for the terminal, its notes as the caption."""
        caption = "\n".join([*filter(None, [self.lead]), *self.notes])
        table = Table(title=escape(self.title), caption=escape(caption), caption_justify="left")
        for column, title in enumerate(self.header):
            table.add_column(
                escape(title),
                justify="left" if self._holds_words(column) else "right",
                style="bold" if column in self.strong_columns else None,
            )
        for index, row in enumerate(self.rows):
            if index in self.ruled_rows:
                table.add_section()
            style = "bold" if index in self.strong_rows else "dim" if index in self.faint_rows else None
            table.add_row(*map(escape, row), style=style)
        return table

    def _holds_words(self, column: int) -> bool:
        return column < self.num_text or column in self.more_text

    def _padded(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        padded = []
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            padded.append(cell.ljust(width) if self._holds_words(column) else cell.rjust(width))
        return f"| {' | '.join(padded)} |"


def _without_bars(cell: str) -> str:
    """Escape what would end a cell of Markdown: names of files and people may hold anything."""
    return cell.replace("|", "\\|")


def markdown_page(tables: Sequence[TextTable]) -> str:
    """Return tables as one page, whose heading is the first one's."""
    first, *others = tables
    return "\n".join([first.to_markdown("#"), *(table.to_markdown() for table in others)])


def plain_values(value: Any) -> Any:  # noqa: ANN401 (what JSON holds, of any depth)
    """Return numbers as JSON can hold them: arrays become lists, and NaN becomes None."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: plain_values(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def write_results(
    folder: Path,
    text: str,
    numbers: Mapping[str, Any],
    *,
    name: str = "results",
    rows: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write the same results for people and for programs, each file atomically.

    Args:
        text: Markdown, for `NAME.md`.
        numbers: Everything that JSON can hold, arrays and NaN, for `NAME.json`.
        rows: Lines of a table, for `NAME.csv`, which is only written if there are any. A line may lack columns.
    """
    write_text(folder / f"{name}.md", text)
    write_text(folder / f"{name}.json", json.dumps(plain_values(numbers), indent=2, ensure_ascii=False) + "\n")
    if rows:
        columns: dict[str, None] = {}
        for row in rows:
            columns |= dict.fromkeys(row)
        lines = io.StringIO()
        writer = csv.DictWriter(lines, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(plain_values, rows))
        write_text(folder / f"{name}.csv", lines.getvalue())
