"""One table as Markdown and in the terminal, and the files of results."""

import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from facskit.tables import TextTable, number_cell, percent_cell, write_results

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


def test_bars_in_names_do_not_end_cells() -> None:
    table = TextTable(title="Names", header=("name", "n"), rows=(("a|b", "1"),), lead="Who is there.")
    assert table.to_markdown() == "## Names\n\nWho is there.\n\n| name |   n |\n| ---- | --: |\n| a\\|b |   1 |\n"


def test_columns_can_be_bold_and_hold_words_on_the_right() -> None:
    table = TextTable(
        title="", header=("", "n", "why"), rows=(("a", "1", "x"), ("b", "", "yy")), strong_columns={1}, more_text={2}
    )
    assert table.to_grid().splitlines() == [
        "|     |     n | why |",
        "| --- | ----: | --- |",
        "| a   | **1** | x   |",
        "| b   |       | yy  |",
    ]


def test_brackets_in_names_are_no_markup_in_the_terminal() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(TextTable(title="[red]", header=("[b]",), rows=(("[link]",),), notes=("[i]",)).to_terminal())
    assert all(words in console.export_text(clear=False) for words in ("[red]", "[b]", "[link]", "[i]"))


def test_results_are_written_for_people_and_programs(tmp_path: Path) -> None:
    numbers = {"f1": math.nan, "rates": np.array([0.5, np.nan]), "runs": [(1, 2)], "name": "größer"}
    write_results(tmp_path, "# Text\n", numbers, rows=[{"a": 1, "b": "x, y"}, {"a": math.nan, "c": None}])
    assert (tmp_path / "results.md").read_text(encoding="utf-8") == "# Text\n"
    text = (tmp_path / "results.json").read_text(encoding="utf-8")
    assert "größer" in text
    assert json.loads(text) == {"f1": None, "rates": [0.5, None], "runs": [[1, 2]], "name": "größer"}
    assert (tmp_path / "results.csv").read_text(encoding="utf-8") == 'a,b,c\n1,"x, y",\n,,\n'


def test_a_number_that_is_none_is_a_dash() -> None:
    assert [percent_cell(share) for share in (0.5, math.nan)] == ["50.0", "–"]
    assert [number_cell(value, 0) for value in (1234.4, math.nan)] == ["1,234", "–"]


def test_the_terminal_shows_cells_and_notes() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(TABLE.to_terminal())
    text = console.export_text()
    for words in ("Scores", "strong, really", "10.5", "Two rows."):
        assert words in text


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells; expected 2"):
        TextTable(title="", header=("a", "b"), rows=(("x",),))
