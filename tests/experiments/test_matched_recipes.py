"""The matched arms of FMAE and FMAE-IAT differ in the objective alone, and agree with the published adversary."""

from dataclasses import replace
from pathlib import Path

import pytest

from facskit.experiments.recipe import About, Recipe
from facskit.experiments.recipe_files import read_recipe
from facskit.objectives.identity_adversarial import IdentityAdversarialConfig
from facskit.objectives.occurrence import OccurrenceConfig

ROOT = Path(__file__).parents[2] / "recipes" / "fmae_iat"
CORPORA = ("bp4d", "bp4d_plus", "disfa")
PLAIN = OccurrenceConfig()


def _arm(corpus: str, arm: str) -> Recipe:
    recipe = read_recipe(ROOT / f"{corpus}_matched_{arm}.yaml")
    assert recipe.name == f"{corpus}_matched_{arm}"
    return recipe


def _without_objective(recipe: Recipe) -> Recipe:
    return replace(recipe, name="any", about=About(), objective=PLAIN)


@pytest.mark.parametrize("corpus", CORPORA)
def test_arms_differ_in_the_objective_alone(corpus: str) -> None:
    fmae, control, iat = (_arm(corpus, arm) for arm in ("fmae", "stop_gradient", "iat"))
    assert _without_objective(fmae) == _without_objective(iat) == _without_objective(control)
    assert isinstance(iat.objective, IdentityAdversarialConfig)
    assert fmae.objective == iat.objective.occurrence
    assert iat.objective.strength > 0
    assert not iat.objective.stop_gradient
    assert control.objective == replace(iat.objective, stop_gradient=True)
    assert fmae.training.clip_norm == 0  # gradients are cut as one vector: the subject head's would reach the network


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_adversarial_arm_is_the_published_one(corpus: str) -> None:
    published = read_recipe(ROOT / f"{corpus}_fmae_iat.yaml")
    matched = _arm(corpus, "iat")
    assert replace(matched, name="any", about=About()) == replace(published, name="any", about=About())


def test_published_arms_of_disfa_are_matched_already() -> None:
    assert replace(_arm("disfa", "fmae"), name="any", about=About()) == replace(
        read_recipe(ROOT / "disfa_fmae.yaml"), name="any", about=About()
    )
