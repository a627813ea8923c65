from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import get_args

import numpy as np
import pytest
import torch

import facskit.objectives
from facskit.datasets.augmentation import AugmentationConfig
from facskit.datasets.folds import HoldOut, LeaveOneSubjectOut, PublishedFolds, SubjectFolds
from facskit.datasets.loaders import LoaderConfig
from facskit.datasets.unlabelled.beside import UnlabelledConfig
from facskit.errors import DatasetError, RecipeError
from facskit.experiments.assemble import assemble_loader, assemble_model, assemble_objective, head_subjects
from facskit.experiments.opened_data import assemble_folds, assemble_manifest, describe_folds
from facskit.experiments.recipe import DataConfig, ObjectiveConfig, Recipe
from facskit.experiments.recipe_files import format_recipe, read_recipe
from facskit.faces.alignment import WholeImage
from facskit.models.attention_network import AttentionConfig
from facskit.models.compact_network import CompactConfig
from facskit.objectives.beside_labels import BesideLabelsConfig
from facskit.objectives.config import FaceObjectiveConfig, StagedConfig
from facskit.objectives.identity_adversarial import IdentityAdversarial, IdentityAdversarialConfig
from facskit.objectives.occurrence import Occurrence, OccurrenceConfig
from facskit.training.optimization import parameter_groups
from facskit.training.runtime import RuntimeConfig, start_runtime
from tests.experiments.assembling import objective_on_meta
from tests.experiments.drawn_faces import write_drawn_faces


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    manifest = write_drawn_faces(tmp_path_factory.mktemp("faces") / "faces.parquet", images=8)
    return Recipe(
        name="drawn",
        data=DataConfig(
            manifest=str(manifest),
            action_units="AU12,AU01",
            crop=WholeImage(size=32),
            augmentation=AugmentationConfig(brightness=0.5),
            loader=LoaderConfig(batch_size=4),
            folds=SubjectFolds(k=3, validation_fraction=0.25),
            fold=2,
        ),
        model=CompactConfig(image_size=32, widths=(8, 16), depths=(1, 1), places=4, place_dim=4),
        runtime=RuntimeConfig(device="cpu"),
    )


def test_the_manifest_has_the_wanted_units_in_the_wanted_order(recipe: Recipe) -> None:
    manifest = assemble_manifest(recipe.data)
    assert manifest.action_units.codes == ("AU12", "AU01")
    with pytest.raises(DatasetError, match="AU25"):
        assemble_manifest(replace(recipe.data, action_units="AU25"))


def test_folds_are_those_of_the_recipe(recipe: Recipe) -> None:
    manifest = assemble_manifest(recipe.data)
    assert [fold.index for fold in assemble_folds(recipe.data, manifest)] == [1, 2, 3]
    with pytest.raises(RecipeError, match=r"data.fold: found 4, expected one of the 3 folds of data.folds"):
        assemble_folds(replace(recipe.data, fold=4), manifest)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (SubjectFolds(k=3, seed=2), "3 subject-exclusive folds, seed 2"),
        (PublishedFolds(dataset="disfa"), "the 3 published subject-exclusive folds of disfa"),
        (LeaveOneSubjectOut(), "leave one of 3 subjects out"),
        (HoldOut(test_fraction=0.25), "one held-out set of 25% of the subjects, seed 0"),
    ],
)
def test_folds_are_described(config: object, words: str) -> None:
    assert describe_folds(config, 3) == words  # type: ignore[arg-type]


def test_only_training_batches_vary_and_know_their_subjects(recipe: Recipe) -> None:
    manifest = assemble_manifest(recipe.data)
    fold = assemble_folds(recipe.data, manifest)[1]
    fabric = start_runtime(recipe.runtime)
    loader = assemble_loader(recipe, manifest, fold, "train", fabric)
    first, second = (next(loader.batches(epoch)) for epoch in (0, 1))
    assert not torch.equal(first.images.sort(0).values, second.images.sort(0).values)
    assert {name for batch in loader.batches(0) for name in batch.subjects.tolist()} == {0, 1, 2}
    plain = assemble_loader(recipe, manifest, fold, "test", fabric)
    batches = list(plain.batches(0))
    assert torch.equal(batches[0].images, next(plain.batches(5)).images)
    assert {name for batch in batches for name in batch.subjects.tolist()} == {-1}
    assert [row for batch in batches for row in batch.indices.tolist()] == fold.test.tolist()


def test_the_subject_head_knows_training_subjects_or_all(recipe: Recipe) -> None:
    manifest = assemble_manifest(recipe.data)
    fold = assemble_folds(recipe.data, manifest)[1]
    adversarial = replace(recipe, objective=IdentityAdversarialConfig())
    assert head_subjects(recipe.data, manifest, fold) == fold.train_subjects
    objective = assemble_objective(adversarial, assemble_model(recipe), manifest, fold)
    assert isinstance(objective, IdentityAdversarial)
    named = objective.identity.subject_head(torch.zeros(1, objective.model.dim)).shape[1]
    assert named == len(fold.train_subjects) == 3
    everybody = replace(adversarial, data=replace(recipe.data, subjects_in_head="all"))
    objective = assemble_objective(everybody, assemble_model(recipe), manifest, fold)
    assert isinstance(objective, IdentityAdversarial)
    assert objective.identity.subject_head(torch.zeros(1, objective.model.dim)).shape[1] == 6


def test_class_weights_come_from_the_training_rows(recipe: Recipe) -> None:
    manifest = assemble_manifest(recipe.data)
    fold = assemble_folds(recipe.data, manifest)[1]
    balanced = replace(recipe, objective=OccurrenceConfig(balance="positive-rate"))
    objective = assemble_objective(balanced, assemble_model(recipe), manifest, fold)
    assert isinstance(objective, Occurrence)
    labels = manifest.labels[fold.train]
    expected = (labels == 0).sum(0) / (labels == 1).sum(0)
    assert objective.occurrence.weights is not None
    assert np.allclose(objective.occurrence.weights.numpy(), expected)


def test_no_objective_is_forgotten() -> None:
    for module in iter_modules(facskit.objectives.__path__, "facskit.objectives."):
        import_module(module.name)

    families = (FaceObjectiveConfig, StagedConfig, BesideLabelsConfig)
    below = {kind for family in families for kind in family.__subclasses__() if kind not in families}
    written = {kind for kind in below if kind.__module__.startswith("facskit.")}
    assert written == set(get_args(ObjectiveConfig))


@pytest.mark.parametrize("kind", get_args(ObjectiveConfig), ids=lambda kind: kind.kind)
def test_every_objective_there_is_is_built_and_written(kind: type[ObjectiveConfig], tmp_path: Path) -> None:
    by_learning = {"action_units": ("AU01,AU12", "none"), "expressions": ("none", "neutral,happiness")}
    units, expressions = by_learning[kind.learns]
    beside = UnlabelledConfig(manifest="packaged" if kind.unlabelled == "always" else "")
    recipe = Recipe(
        name="any",
        data=DataConfig(action_units=units, expressions=expressions, crop=WholeImage(size=32), unlabelled=beside),
        model=AttentionConfig(image_size=32, unit_width=1, branch_widths=(2, 2, 2, 2, 2)),
        objective=kind(),
    )
    (tmp_path / "recipe.yaml").write_text(format_recipe(recipe))
    assert read_recipe(tmp_path / "recipe.yaml") == recipe
    objective = objective_on_meta(recipe)
    groups = parameter_groups(objective, weight_decay=0.1, layer_decay=0.5)
    learned = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    assert sum(len(group["params"]) for group in groups) == len(learned) >= len(list(objective.model.parameters()))
    assert isinstance(recipe.objective, StagedConfig) == bool(recipe.objective.stage_names)
    assert objective.rate_factors().keys() <= dict(objective.named_parameters()).keys()


def test_a_missing_manifest_is_named(tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(DatasetError, match=r"nowhere.parquet"):
        assemble_manifest(replace(recipe.data, manifest=str(tmp_path / "nowhere.parquet")))
