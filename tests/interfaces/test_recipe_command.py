"""`train` and `cross-validate` on the command line: recipe first, any of its values as an option."""

from pathlib import Path

import pytest

from facskit.errors import RecipeError
from facskit.experiments.pretraining_recipe import PretrainRecipe
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import find_recipes
from facskit.interfaces.recipe_command import RECIPES, read_command

RECIPE = str(RECIPES / "debug" / "one_minute.yaml")


def test_options_replace_the_recipes_values_and_nothing_else() -> None:
    plain = read_command([RECIPE], "train", "Train.")
    changed = read_command([RECIPE, "--optimizer.base-lr", "2e-4", "--out", "somewhere"], "train", "Train.")
    assert plain.out == Path("runs/one_minute")
    assert changed.out == Path("somewhere")
    assert changed.recipe.optimizer.base_lr == pytest.approx(2e-4)
    assert changed.recipe.optimizer.base_lr != plain.recipe.optimizer.base_lr
    assert changed.recipe.model == plain.recipe.model
    assert changed.recipe.data == plain.recipe.data


def test_without_a_recipe_the_ones_that_ship_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        read_command([], "train", "Train.")
    assert stop.value.code == 2
    text = capsys.readouterr().out
    assert "usage: facskit train RECIPE" in text
    for path in find_recipes(RECIPES, Recipe):
        assert path.name in text
    assert "pretrain_one_minute.yaml" not in text


def test_a_recipe_of_another_command_is_refused() -> None:
    with pytest.raises(RecipeError, match="this is a recipe for facskit train, not for facskit pretrain"):
        read_command([RECIPE], "pretrain", "Pre-train.", PretrainRecipe)


def test_the_kind_of_recipe_is_the_commands() -> None:
    pretraining = str(RECIPES / "debug" / "pretrain_one_minute.yaml")
    found = read_command([pretraining, "--training.keep-every", "2"], "pretrain", "Pre-train.", PretrainRecipe)
    assert found.recipe.training.keep_every == 2
    assert found.out == Path("runs/pretrain_one_minute")


def test_help_after_a_recipe_shows_the_recipes_own_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        read_command([RECIPE, "--help"], "train", "Train.")
    assert stop.value.code == 0
    assert "--optimizer.base-lr" in capsys.readouterr().out


def test_an_option_before_the_recipe_is_explained() -> None:
    with pytest.raises(RecipeError, match="the recipe comes first: facskit train RECIPE --out here"):
        read_command(["--out", "here"], "train", "Train.")


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="absent.yaml"):
        read_command([str(tmp_path / "absent.yaml")], "train", "Train.")


def test_an_impossible_value_ends_with_a_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        read_command([RECIPE, "--training.epochs", "0"], "train", "Train.")
    assert stop.value.code == 2
    assert "epochs must be at least 1, got 0" in capsys.readouterr().err
