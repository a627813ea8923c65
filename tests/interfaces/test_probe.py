"""`facskit probe` on the command line."""

import pytest

from facskit.errors import RecipeError
from facskit.interfaces.probe import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "found nothing to probe"),
        (["run", "--frames", "1"], "--frames is 1, expected at least 2"),
        (["run", "--batch-size", "0"], "--batch-size is 0, expected at least 1"),
        (["run", "--workers", "-1"], "--workers is -1, expected at least 0"),
        (["run", "--seed", "-1"], "--seed is -1, expected at least 0"),
    ],
)
def test_mistakes_are_one_sentence(words: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        main(words)
