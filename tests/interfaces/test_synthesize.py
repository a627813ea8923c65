"""`facskit synthesize` as it is typed."""

from pathlib import Path

import pytest

from facskit.errors import RecipeError
from facskit.interfaces import synthesize
from facskit.synthesis.corpus import SynthesisConfig


def test_every_setting_is_an_option(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = []

    def render(config: SynthesisConfig, out: Path) -> Path:
        asked.append((config, out))
        return out / "manifest.parquet"

    monkeypatch.setattr(synthesize, "synthesize", render)
    words = "--subjects 2 --frames 3 --seed 4 --profile bp4d --background person --size 64 --head h.npz --workers 1"
    assert synthesize.main(["out", *words.split()]) == 0
    config = SynthesisConfig(
        subjects=2, frames=3, seed=4, profile="bp4d", background="person", size=64, head=("h.npz",), workers=1
    )
    assert asked == [(config, Path("out"))]
    assert capsys.readouterr().out == "6 faces of 2 people: out/manifest.parquet\n"
    assert synthesize.main(["out"]) == 0
    assert asked[1] == (SynthesisConfig(), Path("out"))


def test_wrong_options_are_one_sentence() -> None:
    with pytest.raises(RecipeError, match="size is 3; expected at least 32"):
        synthesize.main(["out", "--size", "3"])
