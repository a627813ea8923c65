"""Columns with names of one's own: what may be said, and what is guessed from a table."""

import polars as pl
import pytest

from facskit.datasets.own_columns import parse_columns, suggest_columns
from facskit.errors import DatasetError


def test_names_of_a_manifest_stand_before_ones_own() -> None:
    assert parse_columns("image=path, subject = id,au12=smile,4=frown") == {
        "image": "path",
        "subject": "id",
        "AU12": "smile",
        "AU04": "frown",
    }
    assert parse_columns("") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image", "found 'image', expected NAME=OWN"),
        ("image=", "found 'image=', expected NAME=OWN"),
        ("smile=AU12", "found 'smile' in 'smile=AU12', expected image, subject, .* or an action unit such as AU12"),
        ("image=path,subject=path", "found path for two names"),
        ("AU12=smile,AU12=grin", "found AU12 twice, smile and grin"),
    ],
)
def test_what_says_something_else_is_named(text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        parse_columns(text)


def test_a_tables_own_names_are_guessed_and_what_only_a_person_knows_is_left_open() -> None:
    cells = {"file": ["a.JPG", "x/b.png"], "Participant": ["p", "q"], "age": ["31", "40"], "smile": ["1", None]}
    table = pl.DataFrame({**cells, "AU06": ["0", "1"]})
    assert suggest_columns(table) == "image=file,subject=Participant,AU??=smile"
    assert suggest_columns(table.drop("file")) is None
    assert suggest_columns(table.drop("Participant")) == "image=file,subject=WHO,AU??=smile"
