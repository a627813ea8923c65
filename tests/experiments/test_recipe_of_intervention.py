"""What a recipe of causal intervention or of taught attention may ask for."""

from dataclasses import replace
from pathlib import Path

import pytest

from facskit.errors import DatasetError, RecipeError
from facskit.experiments import recipe as recipe_module
from facskit.experiments.assemble import assemble_objective
from facskit.experiments.opened_data import assemble_manifest
from facskit.experiments.recipe import DataConfig, Recipe
from facskit.experiments.recipe_files import format_recipe, read_recipe
from facskit.faces.alignment import EyeSimilarityCrop
from facskit.models.attention_network import AttentionConfig, AttentionNetwork
from facskit.objectives.attention_regression import AttentionRegressionConfig, taught_attention
from facskit.objectives.causal_intervention import CausalInterventionConfig
from facskit.objectives.expression import ExpressionConfig
from facskit.objectives.identity_adversarial import IdentityAdversarialConfig
from facskit.objectives.occurrence import OccurrenceConfig
from tests.experiments.assembling import two_people
from tests.experiments.drawn_faces import write_drawn_faces

TAUGHT = AttentionRegressionConfig(weight=2.0)
SMALL = Recipe(
    name="small",
    data=DataConfig(action_units="AU01,AU12", crop=EyeSimilarityCrop(size=32)),
    model=AttentionConfig(image_size=32, unit_width=1, branch_widths=(2, 2, 2, 2, 2)),
)


def _read(tmp_path: Path, text: str) -> Recipe:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return read_recipe(path)


@pytest.mark.parametrize(
    "objective",
    [
        CausalInterventionConfig(gamma=5.0, granularity="unit"),
        OccurrenceConfig(balance="inverse-rate", attention=TAUGHT),
        IdentityAdversarialConfig(occurrence=OccurrenceConfig(attention=TAUGHT)),
    ],
    ids=lambda objective: objective.kind,
)
def test_an_attention_network_may_be_taught_where_to_look(
    objective: CausalInterventionConfig | OccurrenceConfig | IdentityAdversarialConfig, tmp_path: Path
) -> None:
    recipe = replace(SMALL, objective=objective)
    _, taught = taught_attention(objective) or ("", None)
    assert taught == TAUGHT
    assert _read(tmp_path, format_recipe(recipe)) == recipe


def test_expressions_have_no_places_to_look_at() -> None:
    assert taught_attention(ExpressionConfig()) is None


def test_what_a_section_is_about_is_written_first() -> None:
    recipe = replace(SMALL, objective=IdentityAdversarialConfig())
    assert "objective:\n  kind: identity-adversarial\n" in format_recipe(recipe)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: a\nobjective: {kind: causal-intervention}",
            "the recipe: objective.attention.weight must be 0 unless model.kind is attention, got 2 for compact.",
        ),
        (
            "name: a\nobjective: {kind: identity-adversarial, occurrence: {attention: {weight: 1.5}}}",
            "the recipe: objective.occurrence.attention.weight must be 0 unless model.kind is attention, got 1.5 for",
        ),
        (
            "name: a\ndata: {action_units: none, expressions: raf-db}\n"
            "objective: {kind: causal-intervention, attention: {weight: 0.0}}",
            "the recipe: objective.kind causal-intervention needs data.action_units, got data.action_units none",
        ),
        ("name: a\nobjective: {kind: causal-intervention, gamma: -1}", "gamma must be at least 0 and finite, got -1"),
        (
            "name: a\nobjective: {kind: causal-intervention, gama: 2}",
            "unknown key 'objective.gama'; did you mean 'objective.gamma'?",
        ),
        (
            "name: a\noptimizer: {kind: sdg}",
            "optimizer.kind: found \"sdg\", expected 'adamw' or 'sgd'; did you mean 'sgd'?",
        ),
    ],
)
def test_mistakes_are_told(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        _read(tmp_path, text)
    assert message in str(caught.value)


def test_units_whose_place_is_unknown_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe_module, "CENTRE_RULES", {1: None})
    with pytest.raises(
        ValueError, match="objective.attention.weight must be 0 with AU12, whose place in a face has no"
    ):
        replace(SMALL, objective=CausalInterventionConfig())


def test_attention_is_not_taught_without_landmarks(tmp_path: Path) -> None:
    manifest = write_drawn_faces(tmp_path / "faces.parquet", images=2)
    recipe = replace(SMALL, objective=OccurrenceConfig(attention=TAUGHT))
    recipe = replace(recipe, data=replace(recipe.data, manifest=str(manifest)))
    _, fold = two_people(recipe)
    model = AttentionNetwork(SMALL.model, 2)  # type: ignore[arg-type]
    with pytest.raises(
        DatasetError, match=r"faces.parquet: found no landmark columns x_0..x_67 and y_0..y_67, which att"
    ):
        assemble_objective(recipe, model, assemble_manifest(recipe.data), fold)
