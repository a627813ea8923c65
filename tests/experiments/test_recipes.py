"""Every recipe in the laboratory notebook is read, assembled and written back."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from facskit.action_units import ActionUnitSet
from facskit.datasets.augmentation import AugmentationConfig
from facskit.datasets.folds import PublishedFolds
from facskit.datasets.unlabelled.loader import ResizeFlip
from facskit.datasets.unlabelled.sources import UnlabelledImages
from facskit.evaluation.published import published_f1
from facskit.experiments.assemble import assemble_model
from facskit.experiments.pretraining.parts import assemble_autoencoder, assemble_pretraining
from facskit.experiments.pretraining_recipe import PretrainRecipe
from facskit.experiments.recipe import Recipe
from facskit.experiments.recipe_files import find_recipes, format_recipe, read_recipe
from facskit.faces.alignment import Similarity49Crop
from facskit.models.masked_autoencoder import AutoencoderConfig
from facskit.models.vision_transformer import SIZES
from facskit.models.weight_files import packaged_weights
from facskit.objectives.attention_regression import AttentionRegressionConfig
from facskit.objectives.causal_intervention import CausalInterventionConfig
from facskit.objectives.identity_adversarial import IdentityAdversarialConfig
from facskit.objectives.identity_term import IdentityReversalConfig
from facskit.objectives.reconstruction import MaskedReconstruction
from facskit.training.loop import TrainingPlan
from facskit.training.optimization import parameter_groups
from facskit.training.runtime import start_runtime
from tests.experiments.assembling import objective_on_meta

ROOT = Path(__file__).parents[2] / "recipes"
CORPORA = ("bp4d", "bp4d_plus", "disfa")
RECIPES = sorted(ROOT.rglob("*.yaml"))
TRAINING = find_recipes(ROOT, Recipe)
PRETRAINING = find_recipes(ROOT, PretrainRecipe)
PUBLISHED = [ROOT / "fmae_iat" / f"{corpus}_{arm}.yaml" for corpus in CORPORA for arm in ("fmae", "fmae_iat")]
NUMBERS = ROOT.parent / "tests" / "data" / "published_numbers.csv"
"""What the papers print or their code has, by recipe and key; typed from them, not from the recipes."""


def test_all_recipes_are_found() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in RECIPES}
    published = {f"fmae_iat/{corpus}_{arm}.yaml" for corpus in CORPORA for arm in ("fmae", "fmae_iat")}
    published |= {f"fmae/vit_{size}.yaml" for size in ("small", "base", "large")}
    published |= {"ciu/bp4d.yaml", "ciu/disfa.yaml"}
    ours = {"packaged/fmae_iat_tiny", "rendered/compact", "rendered/pretrain_tiny", "debug/one_minute"}
    ours |= {"packaged/ciu_tiny", "packaged/ciu_tiny_12", "rendered/ciu_vit", "rendered/ciu_iat"}
    ours |= {"debug/pretrain_one_minute", "debug/ciu_one_minute"}
    assert published | {f"{name}.yaml" for name in ours} <= names
    assert sorted(TRAINING + PRETRAINING) == RECIPES  # each is of one kind
    assert not list(ROOT.rglob("*.yml"))


@pytest.mark.parametrize("path", sorted((ROOT.parent / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_are_read(path: Path) -> None:
    recipe = read_recipe(path, PretrainRecipe if "pretrain" in path.stem else Recipe)
    assert recipe.name == path.stem


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_opens_with_what_a_reader_wants_to_know(path: Path) -> None:
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    for word in ("Paper", "Table", "Expected", "Hardware"):
        assert any(line.startswith(f"# {word} ") for line in header), f"{word} is missing"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_is_read_and_written_back(path: Path, tmp_path: Path) -> None:
    kind = Recipe if path in TRAINING else PretrainRecipe
    recipe = read_recipe(path, kind)
    assert isinstance(recipe, kind)
    (tmp_path / "resolved.yaml").write_text(format_recipe(recipe))
    assert read_recipe(tmp_path / "resolved.yaml", kind) == recipe


@pytest.mark.parametrize("path", PRETRAINING, ids=lambda path: path.stem)
def test_a_pre_training_is_assembled(path: Path) -> None:
    recipe = read_recipe(path, PretrainRecipe)
    with torch.device("meta"):
        objective = MaskedReconstruction(assemble_autoencoder(recipe), recipe.objective)
    groups = parameter_groups(
        objective, weight_decay=recipe.optimizer.weight_decay, layer_decay=recipe.optimizer.layer_decay
    )
    fixed = {"model.pos_embed", "model.decoder_pos_embed"}
    assert {name for group in groups for name in group["names"]} == dict(objective.named_parameters()).keys() - fixed
    plan = TrainingPlan(training=recipe.training, optimizer=recipe.optimizer, batch_size=recipe.data.loader.batch_size)
    assert plan.schedule(recipe.runtime.devices)(recipe.optimizer.warmup_epochs) == pytest.approx(recipe.learning_rate)


@pytest.mark.parametrize(
    ("name", "size", "parameters", "devices"),
    [("small", "S", 47_578_240, 2), ("base", "B", 111_907_840, 2), ("large", "L", 329_541_888, 4)],
)
def test_published_pre_trainings_hold_the_published_numbers(
    name: str, size: str, parameters: int, devices: int
) -> None:
    recipe = read_recipe(ROOT / "fmae" / f"vit_{name}.yaml", PretrainRecipe)
    assert recipe.model == AutoencoderConfig(encoder=SIZES[size])
    with torch.device("meta"):
        assert sum(value.numel() for value in assemble_autoencoder(recipe).parameters()) == parameters
    assert (recipe.runtime.devices, recipe.effective_batch) == (devices, 512)
    assert recipe.learning_rate == pytest.approx(3e-4)
    assert (recipe.training.epochs, recipe.optimizer.warmup_epochs) == (50, 2)
    assert (recipe.optimizer.betas, recipe.optimizer.weight_decay) == ((0.9, 0.95), 0.05)
    assert recipe.data.augmentation == ResizeFlip(flip_chance=0.5)
    assert recipe.objective.norm_pixels
    assert recipe.runtime.precision == "fp16"


@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.stem)
def test_is_assembled(path: Path) -> None:
    recipe = read_recipe(path)
    objective = objective_on_meta(recipe)
    groups = parameter_groups(
        objective, weight_decay=recipe.optimizer.weight_decay, layer_decay=recipe.optimizer.layer_decay
    )
    learned = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    assert sum(len(group["params"]) for group in groups) == len(learned) >= len(list(objective.model.parameters()))
    plan = TrainingPlan(training=recipe.training, optimizer=recipe.optimizer, batch_size=recipe.data.loader.batch_size)
    rate = plan.schedule(recipe.runtime.devices)
    assert rate(recipe.optimizer.warmup_epochs) == pytest.approx(recipe.learning_rate)
    if recipe.optimizer.schedule == "cosine":
        assert rate(float(recipe.training.epochs)) == pytest.approx(recipe.optimizer.min_lr)
    else:
        assert 0.0 < rate(recipe.training.epochs - 0.01) <= recipe.learning_rate


@pytest.mark.parametrize(("corpus", "gamma", "parameters"), [("bp4d", 1.0, 6_286_776), ("disfa", 2.0, 4_729_648)])
def test_recipes_of_causal_intervention_hold_the_published_numbers(corpus: str, gamma: float, parameters: int) -> None:
    recipe = read_recipe(ROOT / "ciu" / f"{corpus}.yaml")
    objective = recipe.objective
    assert isinstance(objective, CausalInterventionConfig)
    assert (objective.gamma, objective.weights, objective.risks) == (gamma, "adaptive", "both")
    assert objective.attention == AttentionRegressionConfig(weight=2.0, spread=3.0, rounded=True)
    with torch.device("meta"):
        model = assemble_model(replace(recipe, initial_weights=""))
    assert sum(value.numel() for value in model.parameters()) == parameters
    assert recipe.data.crop == Similarity49Crop(size=176, aligned=200, enlarge=2.9)
    assert recipe.data.augmentation == AugmentationConfig(flip_chance=0.5, shift_pixels=12)
    assert recipe.data.folds == PublishedFolds(dataset=corpus, validation_fraction=0.0)  # type: ignore[arg-type]
    assert recipe.data.unit_set == ActionUnitSet.parse("disfa-8" if corpus == "disfa" else "bp4d")
    assert recipe.data.normalization == "symmetric"
    assert (recipe.optimizer.kind, recipe.optimizer.momentum, recipe.optimizer.nesterov) == ("sgd", 0.9, True)
    assert (recipe.effective_batch, recipe.training.epochs, recipe.optimizer.weight_decay) == (48, 12, 5e-3)
    plan = TrainingPlan(training=recipe.training, optimizer=recipe.optimizer, batch_size=48)
    rates = [plan.schedule(1)(float(epoch)) for epoch in (0, 1.99, 2, 4, 11)]
    assert rates == pytest.approx([0.006, 0.006, 0.0018, 0.00054, 0.006 * 0.3**5])
    assert recipe.evaluation.undefined_f1 == "zero"
    (ours,) = published_f1(recipe.evaluation.dataset, ("CIU",))
    assert f"# Expected  macro F1 {100 * ours.mean:.1f} %" in (ROOT / "ciu" / f"{corpus}.yaml").read_text()
    assert set(ours.f1) == set(recipe.data.unit_set.codes)


def test_the_recipes_of_both_corpora_differ_in_what_the_paper_says() -> None:
    one, other = (read_recipe(ROOT / "ciu" / f"{corpus}.yaml") for corpus in ("bp4d", "disfa"))
    assert (one.model, one.optimizer, one.training) == (other.model, other.optimizer, other.training)
    assert replace(other.objective, gamma=1.0) == one.objective  # type: ignore[arg-type]
    assert (one.initial_weights, other.initial_weights) == ("", "runs/bp4d/fold-2-seed-0")


def test_generality_recipes_differ_in_the_reversal_alone() -> None:
    plain, reversing = (read_recipe(ROOT / "rendered" / f"ciu_{name}.yaml") for name in ("vit", "iat"))
    objective = reversing.objective
    assert isinstance(objective, CausalInterventionConfig)
    assert objective.identity.strength > 0
    assert objective.attention.weight == 0
    unreversed = replace(objective, identity=IdentityReversalConfig())
    assert replace(reversing, name=plain.name, about=plain.about, objective=unreversed) == plain


def _published_numbers() -> dict[str, dict[str, str]]:
    numbers: dict[str, dict[str, str]] = {}
    with NUMBERS.open(newline="") as file:
        for row in csv.DictReader(file):
            numbers.setdefault(row["recipe"], {})[row["key"]] = row["value"]
    return numbers


@pytest.mark.parametrize(
    ("name", "numbers"), _published_numbers().items(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_published_number_is_in_its_recipe(name: str, numbers: dict[str, str]) -> None:
    path = ROOT / f"{name}.yaml"
    recipe = read_recipe(path, Recipe if path in TRAINING else PretrainRecipe)
    for key, expected in numbers.items():
        found: Any = recipe
        for word in key.split("."):
            found = getattr(found, word)
        values = list(found) if isinstance(found, tuple | list) else [found]
        words = expected.split(" ")
        assert len(values) == len(words), key
        for value, word in zip(values, words, strict=True):
            if isinstance(value, bool | str):
                assert str(value) == word, key
            else:
                assert float(value) == pytest.approx(float(word)), key


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_reading_with_training_subjects_alone_differs_in_that_alone(corpus: str) -> None:
    published, ours = (
        read_recipe(ROOT / "fmae_iat" / f"{corpus}_{arm}.yaml") for arm in ("matched_iat", "training_subjects_iat")
    )
    assert (published.data.subjects_in_head, ours.data.subjects_in_head) == ("all", "training")
    data = replace(ours.data, subjects_in_head="all")
    assert replace(ours, name=published.name, about=published.about, data=data) == published


@pytest.mark.parametrize("corpus", ["bp4d", "disfa"])
def test_the_groups_code_decays_weights_less(corpus: str) -> None:
    printed, code = (read_recipe(ROOT / "ciu" / f"{corpus}{ending}.yaml") for ending in ("", "_group_code"))
    optimizer = replace(code.optimizer, weight_decay=5e-3)
    assert replace(code, name=printed.name, about=printed.about, optimizer=optimizer) == printed


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_recipes_hold_the_published_numbers(path: Path) -> None:
    recipe = read_recipe(path)
    corpus = path.stem.removesuffix("_fmae_iat").removesuffix("_fmae")
    adversarial = path.stem.endswith("iat")
    rates = {"bp4d_fmae": 5e-5}
    epochs = {"bp4d_fmae": 20, "bp4d_plus_fmae": 20, "disfa_fmae": 20, "disfa_fmae_iat": 20}
    strengths = {"bp4d": 2.0, "bp4d_plus": 1.0, "disfa": 0.5}
    assert recipe.model == SIZES["L"]
    assert recipe.learning_rate == pytest.approx(rates.get(path.stem, 1.25e-4))
    assert recipe.training.epochs == epochs.get(path.stem, 30)
    assert recipe.optimizer.warmup_epochs == recipe.training.epochs / 10
    assert len(recipe.data.unit_set) == (8 if corpus == "disfa" else 12)
    assert recipe.data.unit_set == ActionUnitSet.parse("disfa-8" if corpus == "disfa" else "bp4d")
    assert isinstance(recipe.objective, IdentityAdversarialConfig) == adversarial
    if isinstance(recipe.objective, IdentityAdversarialConfig):
        assert recipe.objective.strength == strengths[corpus]


def test_packaged_recipes_need_nothing_but_the_package() -> None:
    for path in set(TRAINING) & {*ROOT.glob("packaged/*.yaml"), *ROOT.glob("debug/*.yaml")}:
        recipe = read_recipe(path)
        assert recipe.data.manifest == "packaged"
        assert recipe.initial_weights in {"", *packaged_weights()}
        assert assemble_model(recipe).image_size == recipe.data.crop.size


def test_the_debug_pre_training_needs_no_weights_and_no_files() -> None:
    recipe = read_recipe(ROOT / "debug" / "pretrain_one_minute.yaml", PretrainRecipe)
    assert not recipe.initial_weights
    source = UnlabelledImages.open(recipe.data.images)
    parts = assemble_pretraining(recipe, source, start_runtime(recipe.runtime))
    assert next(parts.loader.batches(0)).images.shape == (64, 3, 64, 64)


def test_a_recipe_by_defaults_is_whole() -> None:
    assert Recipe(name="defaults").learning_rate == pytest.approx(1.25e-4)
