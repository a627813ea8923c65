from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from facskit.synthesis.casting import sample_looks
from facskit.synthesis.glasses import build_glasses
from facskit.synthesis.hair import build_hair
from facskit.synthesis.head import MorphableHead, load_head
from facskit.synthesis.looks import Glasses, HairStyle, Looks

STYLES = get_args(HairStyle)


@pytest.fixture(scope="module")
def head() -> MorphableHead:
    return load_head()


@pytest.fixture(scope="module")
def looks() -> Looks:
    return sample_looks(np.random.default_rng(5))


def _styled(looks: Looks, style: HairStyle, fringe: float = 0.0) -> Looks:
    return replace(looks, hair=replace(looks.hair, style=style, fringe=fringe))


@pytest.mark.parametrize("style", STYLES)
def test_meshes_are_well_formed(head: MorphableHead, looks: Looks, style: HairStyle) -> None:
    meshes = build_hair(_styled(looks, style), head.vertices, head.landmarks68)
    assert bool(meshes) == (style != "bald")
    for mesh in meshes:
        assert np.isfinite(mesh.vertices).all()
        assert mesh.colours.shape == mesh.vertices.shape
        assert mesh.triangles.min() >= 0
        assert mesh.triangles.max() < len(mesh.vertices)


@pytest.mark.parametrize("style", [style for style in STYLES if style != "bald"])
@pytest.mark.parametrize("fringe", [0.0, 1.0])
def test_hair_leaves_eyes_and_brows_free(head: MorphableHead, looks: Looks, style: HairStyle, fringe: float) -> None:
    brow_top = head.vertices[head.landmarks68[17:27], 1].max()
    for seed in range(5):
        person = replace(_styled(looks, style, fringe), seed=seed)
        for mesh in build_hair(person, head.vertices, head.landmarks68):
            used = mesh.vertices[np.unique(mesh.triangles)]
            in_front = (np.abs(used[:, 0]) < 5.0) & (used[:, 2] > 6.5)
            assert used[in_front, 1].min(initial=99) > brow_top


def test_hair_lies_outside_the_skull(head: MorphableHead, looks: Looks) -> None:
    shell = build_hair(_styled(looks, "short"), head.vertices, head.landmarks68)[0]
    assert shell.vertices[:, 1].max() > head.vertices[:, 1].max()


def test_long_hair_hangs_lower_than_a_bob(head: MorphableHead, looks: Looks) -> None:
    lowest = {style: build_hair(_styled(looks, style), head.vertices, head.landmarks68)[0] for style in ("bob", "long")}
    assert lowest["long"].vertices[:, 1].min() < lowest["bob"].vertices[:, 1].min() < -2


def test_hair_is_deterministic(head: MorphableHead, looks: Looks) -> None:
    first, second = (build_hair(_styled(looks, "long"), head.vertices, head.landmarks68)[0] for _ in range(2))
    np.testing.assert_array_equal(first.vertices, second.vertices)
    np.testing.assert_array_equal(first.colours, second.colours)


def _glasses(tint: float) -> Glasses:
    return Glasses(roundness=0.5, width=2.4, height=1.9, wire=0.1, colour=(0.1, 0.1, 0.1), tint=tint)


def test_nobody_wears_glasses_by_accident(head: MorphableHead, looks: Looks) -> None:
    assert build_glasses(replace(looks, glasses=None), head.vertices, head.landmarks68) == []


def test_glasses_go_round_the_eyes_in_front_of_the_face(head: MorphableHead, looks: Looks) -> None:
    frame, lenses = build_glasses(replace(looks, glasses=_glasses(0.3)), head.vertices, head.landmarks68)
    eyes = head.vertices[head.landmarks68[36:48]]
    assert frame.vertices[:, 0].min() < eyes[:, 0].min()
    assert frame.vertices[:, 0].max() > eyes[:, 0].max()
    assert lenses.vertices[:, 2].min() > eyes[:, 2].max()
    assert lenses.opacity == 0.3
    np.testing.assert_allclose(frame.vertices[:, 0].min(), -frame.vertices[:, 0].max(), atol=0.3)


def test_clear_lenses_are_left_out(head: MorphableHead, looks: Looks) -> None:
    assert len(build_glasses(replace(looks, glasses=_glasses(0.0)), head.vertices, head.landmarks68)) == 1
