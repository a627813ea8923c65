from pathlib import Path

import pytest

from facskit.experiments.run_tree import split_name


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("runs/one", ("", "runs/one")),
        ("iat=runs/one", ("iat", "runs/one")),
        (" iat =runs/one", ("iat", "runs/one")),
        ("iat=runs/strength=2", ("iat", "runs/strength=2")),
        ("runs/strength=2", ("", "runs/strength=2")),
        ("=runs/one", ("", "=runs/one")),
    ],
)
def test_a_word_is_a_path_with_or_without_a_name(word: str, found: tuple[str, str]) -> None:
    assert split_name(word) == found


def test_what_is_there_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert split_name("gamma=2") == ("gamma", "2")
    Path("gamma=2").mkdir()
    assert split_name("gamma=2") == ("", "gamma=2")
