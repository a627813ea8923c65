from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import tyro

from facskit.datasets.folds import PublishedFolds
from facskit.errors import RecipeError
from facskit.experiments.recipe import DataConfig, EvaluationConfig, Recipe
from facskit.experiments.recipe_files import describe_difference, format_recipe, read_recipe
from facskit.faces.alignment import BoxCrop
from facskit.models.build import ModelConfig
from facskit.models.vision_transformer import ViTConfig
from facskit.objectives.identity_adversarial import IdentityAdversarialConfig

KINDS = ", ".join(repr(config.kind) for config in get_args(ModelConfig))


def _read(tmp_path: Path, text: str) -> Recipe:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return read_recipe(path)


WHOLE = Recipe(
    name="whole",
    data=DataConfig(manifest="data/bp4d/manifest.parquet", action_units="bp4d", crop=BoxCrop(), folds=PublishedFolds()),
    model=ViTConfig(),
    objective=IdentityAdversarialConfig(strength=0.5),
    evaluation=EvaluationConfig(seeds=(0, 1, 2), dataset="bp4d"),
)


@pytest.mark.parametrize("recipe", [Recipe(name="defaults"), WHOLE], ids=lambda recipe: recipe.name)
def test_a_written_recipe_reads_back_the_same(recipe: Recipe, tmp_path: Path) -> None:
    text = format_recipe(recipe)
    assert _read(tmp_path, text) == recipe
    assert format_recipe(_read(tmp_path, text)) == text


@pytest.mark.parametrize(
    ("text", "value"), [("1e-4", 1e-4), ("1E+2", 100.0), ("2.5e-3", 2.5e-3), (".5e1", 5.0), ("3", 3.0), ("0.5", 0.5)]
)
def test_numbers_are_numbers_however_they_are_written(text: str, value: float, tmp_path: Path) -> None:
    recipe = _read(tmp_path, f"name: a\noptimizer:\n  base_lr: {text}\n")
    assert recipe.optimizer.base_lr == value


def test_names_that_look_like_numbers_stay_names(tmp_path: Path) -> None:
    assert _read(tmp_path, "name: 1e-4x\n").name == "1e-4x"
    assert _read(tmp_path, 'name: "1e-4"\n').name == "1e-4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: 3", "name: found 3, expected text."),
        ("optimizer: {}", "name: the key is missing."),
        ("name: a\noptimizer: {base_lt: 1}", "unknown key 'optimizer.base_lt'; did you mean 'optimizer.base_lr'?"),
        ("name: a\nbase_lr: 3", "unknown key 'base_lr'; it belongs under 'optimizer.base_lr'."),
        ("name: a\nmodel: {kind: vit, dmi: 3}", "unknown key 'model.dmi'; did you mean 'model.dim'?"),
        ("name: a\noptimizer: {base_lr: abc}", 'optimizer.base_lr: found "abc", expected a number.'),
        ("name: a\noptimizer: {base_lr: '1e-4'}", 'optimizer.base_lr: found "1e-4", expected a number.'),
        ("name: a\noptimizer: {base_lr: }", "optimizer.base_lr: found nothing, expected a number."),
        ("name: a\ntraining: {epochs: 3.5}", "training.epochs: found 3.5, expected a whole number."),
        ("name: a\nevaluation: {seeds: 3}", "evaluation.seeds: found 3, expected a list in brackets."),
        ("name: a\nevaluation: {seeds: [0, x]}", 'evaluation.seeds.1: found "x", expected a whole number.'),
        ("name: a\nruntime: {deterministic: maybe}", 'runtime.deterministic: found "maybe", expected true or false.'),
        ("name: a\nruntime: {device: gpu}", "runtime.device: found \"gpu\", expected 'auto', 'cpu', 'cuda' or 'mps'"),
        (
            "name: a\nmodel: {kind: vti}",
            f"model.kind: found 'vti', expected one of {KINDS}; did you mean 'vit'?",
        ),
        ("name: a\nmodel: {dim: 3}", "model: the key 'kind' is missing, which says what the section is about."),
        ("name: a\nmodel: 3", "model: found 3, expected a section with keys."),
        ("name: a\ndata: {folds: {kind: subjects, k: '3'}}", 'data.folds.k: found "3", expected a whole number.'),
        ("name: a\ndata: {folds: {kind: subjects, k: 1}}", "data.folds: k must be at least 2, got 1."),
        ("name: a\ndata: {fold: 0}", "data: fold must be at least 1, got 0."),
        ("name: a\ndata: {action_units: AU99}", "data: 'AU99' is not a known action unit"),
        (
            "name: a\nevaluation: {seeds: []}",
            "evaluation: seeds must be different numbers from 0, at least one, got ()",
        ),
        ("name: a\nevaluation: {fixed_threshold: 1.0}", "evaluation: fixed_threshold is 1.0; expected a probability"),
        (
            "name: a\nmodel: {kind: vit}",
            "the recipe: data.crop.size must be the 224 px of model.image_size, got 112.",
        ),
        (
            "name: a\ntraining: {epochs: 2}\noptimizer: {warmup_epochs: 3}",
            "optimizer.warmup_epochs must be at most the 2 of training.epochs, got 3.",
        ),
        ("", "the recipe: found nothing, expected a section with keys."),
        ("[1]", "the recipe: found [1], expected a section with keys."),
        ("name: a\nname: b", "line 2: the key 'name' stands there twice."),
        ("name: a\nmodel: {kind: vit, kind: vit}", "line 2: the key 'kind' stands there twice."),
        ("name: [a", "line 1: "),
        ("name: 2020-01-01", "a value is neither text, number, list nor section"),
        ("name: !!python/object/apply:os.system ['true']", "line 1: could not determine a constructor for the tag"),
    ],
)
def test_every_mistake_is_one_sentence(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        _read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'recipe.yaml'}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("there", "now", "words"),
    [
        ("name: a\nruntime: {threads: 1}", "name: a\nruntime: {threads: 2}", "runtime.threads: there 1, now 2"),
        ("a: 1\nc: 3", "a: 1\nb: 2\nc: 3", "b: there absent, now 2"),
        ("a: {b: 1}\nc: 3", "c: 3", "a.b: there 1, now absent"),
        ("a: 1\nb: 2", "a: 2\nb: 3", "a: there 1, now 2 (and 1 other key)"),
        ("a: 1\nb: 2\nc: 3", "a: 2", "a: there 1, now 2 (and 2 other keys)"),
        ("a: [1, 2]", "a: [1]", "a: there [1, 2], now [1]"),
        ("a:", "b:", "a: there nothing, now absent (and 1 other key)"),
        ("a: 1 # mine", "a: 1", "the same values, written differently"),
        ("a: [", "a: 1", "line 1: "),
    ],
)
def test_a_difference_is_told_by_key(there: str, now: str, words: str) -> None:
    found = describe_difference(there, now)
    assert found.startswith(words) if words.endswith(" ") else found == words


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"nowhere.yaml: the recipe can't be read: No such file or directory."):
        read_recipe(tmp_path / "nowhere.yaml")


def test_text_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes("name: é".encode("latin-1"))
    with pytest.raises(RecipeError, match="it is no UTF-8 text"):
        read_recipe(path)


@pytest.mark.parametrize("recipe", [Recipe(name="defaults"), WHOLE], ids=lambda recipe: recipe.name)
def test_the_command_line_changes_single_values(recipe: Recipe) -> None:
    arguments = ["--optimizer.base-lr", "2e-4", "--data.fold", "2", "--evaluation.seeds", "3", "4"]
    changed = tyro.cli(Recipe, default=recipe, args=arguments, config=(tyro.conf.AvoidSubcommands,))
    assert changed == replace(
        recipe,
        optimizer=replace(recipe.optimizer, base_lr=2e-4),
        data=replace(recipe.data, fold=2),
        evaluation=replace(recipe.evaluation, seeds=(3, 4)),
    )


def test_the_command_line_reaches_into_unions() -> None:
    arguments = ["--objective.strength", "1.5", "--model.drop-path", "0.2"]
    changed = tyro.cli(Recipe, default=WHOLE, args=arguments, config=(tyro.conf.AvoidSubcommands,))
    assert changed.objective == IdentityAdversarialConfig(strength=1.5)
    assert changed.model == ViTConfig(drop_path=0.2)
