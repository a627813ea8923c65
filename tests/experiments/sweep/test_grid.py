"""Grids of recipes: how values are read, and what is refused in one sentence."""

import re
from pathlib import Path

import pytest

from facskit.errors import RecipeError
from facskit.experiments.recipe import Recipe
from facskit.experiments.sweep.grid import change_recipe, find_key, make_grid, parse_values, show_value
from tests.experiments.sweeping import tiny_recipe


@pytest.fixture
def recipe() -> Recipe:
    return tiny_recipe(Path("faces.parquet"))


def test_the_last_key_changes_fastest_and_nothing_else_changes(recipe: Recipe) -> None:
    points = make_grid(recipe, {"objective.strength": (0.0, 0.5), "objective.head_depth": (1, 2, 3)})
    assert [tuple(value for _, value in point.values) for point in points] == [
        (0.0, 1), (0.0, 2), (0.0, 3), (0.5, 1), (0.5, 2), (0.5, 3)
    ]  # fmt: skip
    assert points[5].name == "objective.strength=0.5, objective.head_depth=3"
    assert points[5].folder == "objective.strength=0.5,objective.head_depth=3"
    back = change_recipe(points[5].recipe, {"objective.strength": 0.1, "objective.head_depth": 1})
    assert back == recipe


def test_without_values_there_is_one_point(recipe: Recipe) -> None:
    (point,) = make_grid(recipe, {})
    assert (point.name, point.recipe) == ("tiny", recipe)


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("objective.strength", "0,0.02, 1e-3", [0.0, 0.02, 0.001]),
        ("objective.head_depth", "1,3", [1, 3]),
        ("objective.stop_gradient", "true,false", [True, False]),
        ("objective.schedule", "constant,dann", ["constant", "dann"]),
        ("model.widths", "8 16,16 32", [(8, 16), (16, 32)]),
        ("model.widths", "8 16", [(8, 16)]),
        ("data.augmentation.window_area", "none,0.5 1", [None, (0.5, 1.0)]),
        ("data.action_units", "AU01;AU01,AU12", ["AU01", "AU01,AU12"]),
    ],
)
def test_values_have_the_type_of_their_key(recipe: Recipe, key: str, text: str, expected: list[object]) -> None:
    assert parse_values(recipe, key, text) == expected


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("training.epochs", "1,x", 'training.epochs: found "x", expected a whole number'),
        ("training.epochs", "1.5", "training.epochs: found 1.5, expected a whole number"),
        ("objective.strength", "a", 'objective.strength: found "a", expected a number'),
        ("objective.head_depth", "1,4", "objective.head_depth: found 4, expected 1, 2 or 3"),
        ("objective.schedule", "linear", "found \"linear\", expected 'constant', 'warm-up' or 'dann'"),
    ],
)
def test_wrong_values_are_named(recipe: Recipe, key: str, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)):
        parse_values(recipe, key, text)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("model.kind", "a kind is chosen in the YAML file, because a section of another kind has other keys"),
        ("runtime.seed", "a sweep takes it from --seeds, for example --seeds 1,2"),
        ("data.fold", "a sweep takes it from --folds"),
        ("training.epoch", "this recipe has no such key; did you mean training.epochs?"),
        ("objective.gamma", "objective.kind is identity-adversarial; a kind is chosen in the YAML file"),
        ("nonsense", "facskit train RECIPE --help lists them all"),
    ],
)
def test_keys_that_cant_be_swept_are_explained(recipe: Recipe, option: str, message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)):
        find_key(recipe, option)


def test_options_mean_keys(recipe: Recipe) -> None:
    assert find_key(recipe, "objective.head-depth") == "objective.head_depth"
    assert find_key(recipe, "data.augmentation.flip-chance") == "data.augmentation.flip_chance"


def test_impossible_values_and_combinations_are_refused(recipe: Recipe) -> None:
    with pytest.raises(RecipeError, match=re.escape("objective.strength -1: strength must be at least 0")):
        make_grid(recipe, {"objective.strength": (0.0, -1.0)})
    with pytest.raises(RecipeError, match="training.epochs: 2 stands there twice"):
        make_grid(recipe, {"training.epochs": (2, 2)})
    with pytest.raises(RecipeError, match="data.crop.size must be the 64 px of model.image_size"):
        change_recipe(recipe, {"model.image_size": 64})


def test_values_that_depend_on_each_other_change_together(recipe: Recipe) -> None:
    changed = change_recipe(recipe, {"model.image_size": 64, "data.crop.size": 64})
    assert (changed.model.image_size, changed.data.crop.size) == (64, 64)


def test_folders_have_plain_and_different_names(recipe: Recipe) -> None:
    points = make_grid(recipe, {"initial_weights": ("a/b.safetensors", "a:b.safetensors", "a" * 300)})
    folders = [point.folder for point in points]
    assert len(set(folders)) == 3
    assert all(re.fullmatch(r"[\w.=+,-]+", folder) and len(folder) < 150 for folder in folders)


def test_values_are_shown_as_people_write_them() -> None:
    values = (0.5, 2.0, 1e-5, True, (8, 16), None, "none", 3)
    assert [show_value(value) for value in values] == ["0.5", "2", "1e-05", "true", "8 16", "none", "none", "3"]
