from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from facskit.synthesis.casting import sample_looks
from facskit.synthesis.hair import build_hair
from facskit.synthesis.hair_cards import STYLES, choose_cards
from facskit.synthesis.head import MorphableHead
from facskit.synthesis.looks import Looks
from facskit.synthesis.skull import Skull
from facskit.synthesis.solids import SolidMesh


@pytest.fixture(scope="module")
def looks() -> Looks:
    return sample_looks(np.random.default_rng(5))


def worn(looks: Looks, cards: str, head: MorphableHead, **hair: object) -> SolidMesh:
    styled = replace(looks.hair, style=STYLES[cards][0], cards=cards, **hair)  # type: ignore[arg-type]
    (mesh,) = build_hair(replace(looks, hair=styled), head.vertices, head.landmarks68)
    return mesh


@pytest.mark.parametrize("cards", STYLES)
def test_hair_lies_on_the_skull_and_leaves_the_face_free(any_head: MorphableHead, looks: Looks, cards: str) -> None:
    mesh = worn(looks, cards, any_head)
    centres = mesh.vertices[mesh.triangles].mean(1)
    skull = Skull.of(any_head.vertices, any_head.landmarks68)
    ray = centres - skull.centre
    above = np.degrees(np.arcsin(ray[:, 1] / np.linalg.norm(ray, axis=1)))
    around = np.degrees(np.arctan2(ray[:, 0], ray[:, 2]))
    on_top = above > 45
    height = np.linalg.norm(ray, axis=1) - skull.distance(around, above)
    assert on_top.sum() > 30
    assert np.quantile(height[on_top], 0.05) > -0.4
    brows_and_eyes = any_head.vertices[any_head.landmarks68[17:48]]
    in_front = (np.abs(centres[:, 0]) < 4.5) & (centres[:, 2] > brows_and_eyes[:, 2].min())
    below_brows = centres[:, 1] < brows_and_eyes[:10, 1].mean()
    assert not (in_front & below_brows).any()


def test_strands_have_the_hairs_colour_and_holes(any_head: MorphableHead, looks: Looks) -> None:
    strands = worn(looks, "short01", any_head, colour=(0.5, 0.25, 0.1)).strands
    assert strands is not None
    solid = strands[..., 3] > 200
    assert 0.05 < solid.mean() < 0.95
    red, green, blue = strands[solid][:, :3].astype(float).mean(0)
    assert 90 < red < 150
    assert green / red == pytest.approx(0.5, abs=0.06)
    assert blue / red == pytest.approx(0.2, abs=0.05)


def test_a_parting_on_the_other_side_mirrors_the_hair(packaged_head: MorphableHead, looks: Looks) -> None:
    left, right = (worn(looks, "bob01", packaged_head, parting=side) for side in (0.5, -0.5))
    np.testing.assert_allclose(left.vertices[:, 0], -right.vertices[:, 0], atol=0.05)


def test_more_than_half_of_those_whose_style_has_cards_get_them() -> None:
    people = [sample_looks(np.random.default_rng(seed)) for seed in range(600)]
    chosen = [choose_cards(person, np.random.default_rng((1, seed))) for seed, person in enumerate(people)]
    for person, cards in zip(people, chosen, strict=True):
        assert cards == "" or person.hair.style in STYLES[cards]
    able = [
        cards for person, cards in zip(people, chosen, strict=True) if person.hair.style in ("short", "bob", "long")
    ]
    assert 0.5 < np.mean([cards != "" for cards in able]) < 0.7
    assert set(Counter(able)) == {"", *STYLES}
