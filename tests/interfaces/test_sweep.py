"""`facskit sweep` and `facskit compare` on the command line."""

from pathlib import Path

import pytest

from facskit.errors import RecipeError
from facskit.experiments.sweep.sweep import Sweep, plan_sweep
from facskit.interfaces import compare, sweep
from facskit.interfaces.recipe_command import RECIPES
from tests.evaluation.builders import make_predictions

RECIPE = str(RECIPES / "debug" / "one_minute.yaml")


class _StopError(Exception):
    """Nothing shall be trained."""


def _planned(monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[Sweep, dict[str, object]]:
    """Return what a command would train."""
    found: list[tuple[Sweep, dict[str, object]]] = []

    def stop(planned: Sweep, **options: object) -> None:
        found.append((planned, options))
        raise _StopError

    monkeypatch.setattr(sweep, "run_sweep", stop)
    with pytest.raises(_StopError):
        sweep.main([RECIPE, *words])
    return found[0]


def test_lists_make_a_grid_and_single_values_change_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "--optimizer.base-lr 1e-3,1e-2 --training.epochs 2 --seeds 0,3 --objective.label-smoothing=0,0.1 --jobs 2"
    planned, options = _planned(monkeypatch, *words.split())
    assert [point.folder for point in planned.points] == [
        f"optimizer.base_lr={rate},objective.label_smoothing={smoothing}"
        for rate in ("0.001", "0.01")
        for smoothing in ("0", "0.1")
    ]
    assert planned.recipe.training.epochs == 2
    assert (planned.seeds, planned.folds, planned.out) == ((0, 3), (1,), Path("runs/sweep-one_minute"))
    assert options == {"jobs": 2, "devices": []}


def test_switches_and_lists_of_numbers_are_read_as_in_train(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "--runtime.deterministic --model.widths 4 8 --folds all --devices 0,1 -o here"
    planned, options = _planned(monkeypatch, *words.split())
    assert planned.recipe.runtime.deterministic
    assert planned.recipe.model.widths == (4, 8)  # type: ignore[union-attr]
    assert (planned.folds, planned.out, options["devices"]) == ((1,), Path("here"), ["0", "1"])
    quoted, _ = _planned(monkeypatch, "--model.widths", "4 8,8 16", "--data.action-units", "AU12,AU25")
    assert [point.recipe.model.widths for point in quoted.points] == [(4, 8), (8, 16)]  # type: ignore[union-attr]
    assert len(quoted.recipe.data.unit_set) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.widths", "4,8", "8,16"], 'separated by commas, quoted: --model.widths "4 8,8 16"'),
        (["--seeds", "0,x"], "--seeds: found 'x', expected whole numbers separated by commas, such as 0,1,2"),
        (["--folds", "one"], "--folds: found 'one', expected whole numbers"),
        (["--model.kind", "vit,compact"], "model.kind: a kind is chosen in the YAML file"),
    ],
)
def test_mistakes_end_in_one_sentence(words: list[str], message: str) -> None:
    with pytest.raises(RecipeError) as error:
        sweep.main([RECIPE, *words])
    assert message in str(error.value)


def test_expressions_are_refused() -> None:
    with pytest.raises(RecipeError, match="data.expressions: sweeps score action units"):
        sweep.main([str(RECIPES / "rendered" / "expressions.yaml"), "--training.epochs", "1,2"])


def test_help_explains_lists(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        sweep.main(["--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for words in ("--seeds", "--folds", "--jobs", "--devices", "texts are separated by semicolons"):
        assert words in text


def test_the_plan_can_be_made_without_the_command_line(tmp_path: Path) -> None:
    from facskit.experiments.recipe_files import read_recipe

    planned = plan_sweep(read_recipe(Path(RECIPE)), {"training.epochs": (1, 2)}, tmp_path, seeds=(0,))
    assert [len(planned.runs(point)) for point in planned.points] == [1, 1]


def test_compare_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, skill in (("weak", 1.0), ("strong", 2.0)):
        for seed in (0, 1):
            make_predictions(skill=skill, seed=seed, noise_seed=seed).save(
                tmp_path / name / f"fold-1-seed-{seed}" / "predictions.parquet"
            )
    words = [str(tmp_path / "weak"), f"ours={tmp_path / 'strong'}", "-o", str(tmp_path / "out")]
    assert compare.main([*words, "--bootstrap.resamples", "200"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "ours is" in text
    assert "better than weak: the 95 % interval" in text
    assert "AU12" in text
    assert "Inner brow raiser" in text
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"results.md", "results.json"}
