"""One table as Markdown, CSV and in the terminal."""

import io

import pytest
from rich.console import Console

from facskit.tables import TextTable

TABLE = TextTable(
    title="Scores",
    header=("model", "F1 %"),
    rows=(("weak", "9.0"), ("strong, really", "10.5")),
    strong_rows=frozenset({1}),
    notes=("Two rows.",),
)


def test_markdown_reads_well_as_plain_text() -> None:
    assert TABLE.to_markdown("#") == (
        "# Scores\n\n"
        "| model              |     F1 % |\n"
        "| ------------------ | -------: |\n"
        "| weak               |      9.0 |\n"
        "| **strong, really** | **10.5** |\n\n"
        "- Two rows.\n"
    )


def test_commas_survive_in_csv() -> None:
    assert TABLE.to_csv() == 'model,F1 %\nweak,9.0\n"strong, really",10.5\n'


def test_the_terminal_shows_cells_and_notes() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(TABLE.to_terminal())
    text = console.export_text()
    for words in ("Scores", "strong, really", "10.5", "Two rows."):
        assert words in text


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells; expected 2"):
        TextTable(title="", header=("a", "b"), rows=(("x",),))
