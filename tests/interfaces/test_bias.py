import json
from pathlib import Path

import numpy as np
import pytest

from facskit.errors import RecipeError
from facskit.interfaces.bias import main
from tests.evaluation.bias.test_numbers import wide


def test_the_command_compares_two_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [
        wide(shift).save(tmp_path / f"{name}.parquet")
        for name, shift in (("plain", np.zeros(8)), ("skewed", np.linspace(-2, 2, 8)))
    ]
    words = [str(files[0]), f"bent={files[1]}", "--dataset", "disfa", "--resamples", "100", "-o", str(tmp_path / "out")]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "bent − plain" in shown
    assert "head" in shown
    results = json.loads((tmp_path / "out/results.json").read_text(encoding="utf-8"))
    assert results["head"] == ["AU12", "AU25"]
    assert results["networks"][1]["minus_first"]["spread"]["low"] > 0
    assert (tmp_path / "out/bias.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "out/results.md").is_file()


def test_groups_can_be_chosen_and_default_to_thirds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(wide().save(tmp_path / "plain.parquet"))
    assert main([file, "--head", "AU25", "--tail", "AU02,AU09", "--resamples", "0"]) == 0
    assert "Head: AU25; tail: AU02, AU09 (as chosen)" in capsys.readouterr().out
    assert main([file, "--resamples", "0"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "(the most and the least frequent third of the training labels)" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "found no network"),
        (["{file}", "--head", "AU12"], "only one of --head and --tail"),
        (["{file}", "--head", "AU17", "--tail", "AU01"], "--head names AU17, expected some of AU01"),
        (["{file}", "--head", "AU99", "--tail", "AU01"], "--head: 'AU99' is not a known action unit"),
        (["{file}", "--head", "AU12,AU25", "--tail", "AU25"], "--head and --tail both name AU25, expected"),
        (["{file}", "-o", "{file}"], "plain.parquet: found a file, expected a folder for the results"),
        (["{file}", "--resamples", "5"], "--resamples is 5, expected 0 or at least 100"),
    ],
)
def test_mistakes_are_one_sentence(words: list[str], message: str, tmp_path: Path) -> None:
    file = wide().save(tmp_path / "plain.parquet")
    with pytest.raises(RecipeError, match=message):
        main([word.format(file=file) for word in words])
