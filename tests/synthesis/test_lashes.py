from dataclasses import replace

import numpy as np
import pytest

from facskit.synthesis.atlas import UVAtlas
from facskit.synthesis.casting import sample_looks
from facskit.synthesis.drawn_details import LASHES, drawn_lashes
from facskit.synthesis.eyes import find_eyeballs
from facskit.synthesis.head import MorphableHead
from facskit.synthesis.lashes import count_layers, lash_coordinates, paint_lashes, upper_lashes
from facskit.synthesis.looks import Looks
from facskit.synthesis.renderer import Renderer
from facskit.synthesis.scene import sample_scene
from facskit.synthesis.surfaces import faces_of


@pytest.fixture(scope="module")
def looks() -> Looks:
    return replace(sample_looks(np.random.default_rng(3)), lash_opacity=0.8, lash_rgb=(0.1, 0.05, 0.02))


def strips(head: MorphableHead, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return vertices and triangles of an eye's lashes, and its middle."""
    eyeball = find_eyeballs(head)[side]
    part = eyeball.part.replace("sclera", "eyelash")
    lashes = slice(*head.parts[part])
    eye = head.vertices[slice(*head.parts[eyeball.part])].mean(0) + eyeball.centre_offset
    return head.vertices[lashes], head.triangles[faces_of(head, [part])] - lashes.start, eye


@pytest.mark.parametrize("side", [0, 1], ids=["left", "right"])
def test_hairs_have_their_place_by_angle_and_distance(any_head: MorphableHead, side: int) -> None:
    vertices, triangles, eye = strips(any_head, side)
    u, v = lash_coordinates(vertices, triangles, eye).T
    upper = upper_lashes(vertices, triangles)
    from_nose = np.abs(vertices[:, 0])
    distance = np.linalg.norm(vertices - eye, axis=1)
    for strip, low in ((upper, 0.5), (~upper, 0.0)):
        assert low < v[strip].min() < low + 0.06
        assert low + 0.44 < v[strip].max() < low + 0.5
        assert np.corrcoef(u[strip], from_nose[strip])[0, 1] > 0.9
        assert np.corrcoef(v[strip], distance[strip])[0, 1] > 0.9
    assert vertices[upper, 1].mean() > vertices[~upper, 1].mean() + 0.4


def test_both_eyes_have_the_same_lashes(packaged_head: MorphableHead) -> None:
    (left, left_faces, left_eye), (right, right_faces, right_eye) = (strips(packaged_head, side) for side in (0, 1))
    nearest = np.linalg.norm(left[:, None] * (-1, 1, 1) - right[None], axis=-1).argmin(1)
    mirrored = lash_coordinates(right, right_faces, right_eye)[nearest]
    np.testing.assert_allclose(lash_coordinates(left, left_faces, left_eye), mirrored, atol=0.01)


def test_strips_over_each_other_are_together_as_solid_as_one(looks: Looks, packaged_head: MorphableHead) -> None:
    assert count_layers(strips(packaged_head, 0)[1]) == 1
    for number in (0, 2):
        drawn = replace(looks, drawn_lashes=number)
        one, each = (paint_lashes(drawn, layers)[..., 3] / 255 for layers in (1, 3))
        np.testing.assert_allclose(1 - (1 - each) ** 3, one, atol=0.01)


def test_the_other_head_has_three_layers(ict_head: MorphableHead) -> None:
    assert count_layers(strips(ict_head, 0)[1]) == 3


@pytest.mark.parametrize("number", range(1, LASHES + 1))
def test_drawn_lashes_are_dense_at_the_roots_and_have_gaps(looks: Looks, number: int) -> None:
    upper, lower = drawn_lashes(number)
    for hairs in (upper, lower):
        rows = len(hairs)
        assert hairs[rows // 2 :].mean() > 1.2 * hairs[: rows // 2].mean()
        assert np.abs(np.diff(hairs[rows // 2 - 2], axis=0)).mean() > 0.03
    picture = paint_lashes(replace(looks, drawn_lashes=number))
    assert set(map(tuple, picture[..., :3].reshape(-1, 3))) == {(26, 13, 5)}
    np.testing.assert_allclose(picture[: len(upper), :, 3], 255 * 0.8 * upper, atol=1)


def test_people_without_lashes_have_none(looks: Looks) -> None:
    assert not paint_lashes(replace(looks, lash_opacity=0.0, drawn_lashes=1))[..., 3].any()


@pytest.mark.parametrize("number", [0, 4])
def test_lashes_darken_the_lids_and_nothing_else(any_head: MorphableHead, looks: Looks, number: int) -> None:
    renderer = Renderer(any_head, UVAtlas.from_head(any_head), 160)
    scene = replace(sample_scene(np.random.default_rng(1)), pose=(0.0, 0.0, 0.0), offset=(0.0, 0.0), fill=0.8)
    pale, white = np.full((512, 512, 3), 200, np.uint8), np.full((160, 160, 3), 255, np.uint8)
    faces = []
    for opacity in (0.0, 0.9):
        renderer.dress(replace(looks, drawn_lashes=number, lash_rgb=(0.0, 0.0, 0.0), lash_opacity=opacity), [])
        faces.append(renderer.render(any_head.vertices, pale, scene, white))
    renderer.close()
    darker = faces[0].image.mean(-1) - faces[1].image.mean(-1)
    rows, columns = np.mgrid[:160, :160]
    near = np.zeros((160, 160), bool)
    for eye in (faces[0].landmarks[36:42], faces[0].landmarks[42:48]):
        near |= np.hypot(columns - eye[:, 0].mean(), rows - eye[:, 1].mean()) < 1.1 * np.ptp(eye[:, 0])
    assert darker[near].max() > 15
    assert darker[near].min() > -3
    assert not darker[~near].any()
