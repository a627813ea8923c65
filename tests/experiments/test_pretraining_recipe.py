"""Recipes of pre-trainings: their own keys, the other kind's recipes, and mistakes in one sentence."""

from dataclasses import replace
from pathlib import Path

import pytest
import tyro

from facskit.datasets.unlabelled.loader import RandomResizedCrop
from facskit.errors import RecipeError
from facskit.experiments.pretraining_recipe import PretrainingDataConfig, PretrainRecipe
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import find_recipes, format_recipe, read_recipe
from facskit.faces.alignment import EyeSimilarityCrop
from facskit.models.masked_autoencoder import AutoencoderConfig
from facskit.models.vision_transformer import ViTConfig
from facskit.training.plan import TrainingConfig

WHOLE = PretrainRecipe(
    name="whole",
    data=PretrainingDataConfig(images="faces", crop=EyeSimilarityCrop(), augmentation=RandomResizedCrop()),
    model=AutoencoderConfig(encoder=ViTConfig(image_size=112, dim=192, depth=2, heads=3)),
    training=TrainingConfig(keep_every=5),
)


def _read(tmp_path: Path, text: str) -> PretrainRecipe:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return read_recipe(path, PretrainRecipe)


@pytest.mark.parametrize("recipe", [PretrainRecipe(name="defaults"), WHOLE], ids=lambda recipe: recipe.name)
def test_a_written_recipe_reads_back_the_same(recipe: PretrainRecipe, tmp_path: Path) -> None:
    text = format_recipe(recipe)
    assert _read(tmp_path, text) == recipe
    assert format_recipe(_read(tmp_path, text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nmanifest: packaged", "unknown key 'manifest'; expected one of about, data, initial_weights, lice"),
        ("name: a\nmodel: {decoder_dmi: 3}", "unknown key 'model.decoder_dmi'; did you mean 'model.decoder_dim'?"),
        ("name: a\nmodel: {depth: 3}", "unknown key 'model.depth'; it belongs under 'model.encoder.depth'."),
        ("name: a\ntraining: {keep_every: -1}", "training: keep_every must be at least 0, got -1."),
        ("name: ' '", "the recipe: name must not be empty."),
        (
            "name: a\nmodel: {decoder_dim: 0, decoder_depth: 0, decoder_heads: 0}",
            "the recipe: model.decoder_depth must be at least 1",
        ),
        ("name: a\nlicence: ''", "the recipe: licence must not be empty."),
        ("name: a\ndata: {images: ''}", "data: images must name a folder, a manifest or packaged, got an empty text."),
        ("name: a\ndata: {validation_fraction: 0.6}", "data: validation_fraction must be from 0 to 0.5, got 0.6."),
        ("name: a\ndata: {validation_seed: -1}", "data: validation_seed must be at least 0, got -1."),
        ("name: a\ndata: {crop: {kind: none, size: 112}}", "data.crop.size must be the 224 px of model.encoder.image"),
        (
            "name: a\ndata: {augmentation: {kind: mea}}",
            "data.augmentation.kind: found 'mea', expected one of 'resize-flip', 'mae'",
        ),
        ("name: a\ndata: {augmentation: {kind: mae, area: [0.5, 0.2]}}", "area must be a range from 0.01 to 1"),
        ("name: a\nmodel: {mask_ratio: 1.0}", "model: mask_ratio must leave at least one of 196 patches visible"),
        (
            "name: a\ntraining: {epochs: 2}\noptimizer: {warmup_epochs: 3}",
            "optimizer.warmup_epochs must be at most the 2 of training.epochs, got 3.",
        ),
    ],
)
def test_a_mistake_is_one_sentence(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        _read(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recipe_of_the_other_kind_is_told_apart(tmp_path: Path) -> None:
    pretraining, training = tmp_path / "pretraining.yaml", tmp_path / "training.yaml"
    pretraining.write_text(format_recipe(WHOLE))
    training.write_text(format_recipe(Recipe(name="training")))
    with pytest.raises(RecipeError, match=r"ing.yaml: this is a recipe for facskit pretrain, not for facskit train\."):
        read_recipe(pretraining)
    with pytest.raises(RecipeError, match=r"ing.yaml: this is a recipe for facskit train, not for facskit pretrain\."):
        read_recipe(training, PretrainRecipe)
    (tmp_path / "broken.yaml").write_text("name: [")
    assert find_recipes(tmp_path, PretrainRecipe) == [pretraining]
    assert find_recipes(tmp_path, Recipe) == [training]


def test_the_command_line_changes_single_values() -> None:
    arguments = ["--model.encoder.patch-size", "8", "--data.augmentation.area", "0.5", "0.9", "--pictures.every", "3"]
    changed = tyro.cli(PretrainRecipe, default=WHOLE, args=arguments, config=(tyro.conf.AvoidSubcommands,))
    assert changed == replace(
        WHOLE,
        model=replace(WHOLE.model, encoder=replace(WHOLE.model.encoder, patch_size=8)),
        data=replace(WHOLE.data, augmentation=RandomResizedCrop(area=(0.5, 0.9))),
        pictures=replace(WHOLE.pictures, every=3),
    )


def test_the_rate_follows_from_the_batch() -> None:
    recipe = replace(WHOLE, training=replace(WHOLE.training, accumulate=4))
    assert recipe.effective_batch == 4 * WHOLE.data.loader.batch_size
    assert recipe.learning_rate == pytest.approx(recipe.optimizer.base_lr)
