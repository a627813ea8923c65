from dataclasses import replace

import numpy as np
import pytest

from facskit.synthesis.atlas import NECK_BLOCK, PATCHES, UVAtlas, neck_block_heights
from facskit.synthesis.casting import sample_looks
from facskit.synthesis.creases import Relief, add_creases, resting_intensities, subject_creases
from facskit.synthesis.head import load_head
from facskit.synthesis.looks import Looks
from facskit.synthesis.skin import SkinPainter

CREASED = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 28)
REGION_ROWS = {1: (0, 110), 4: (45, 155), 6: (100, 240), 9: (100, 250), 12: (165, 345), 17: (280, 400), 24: (220, 370)}
"""Rows of the texture, top to bottom, that each action unit may touch."""


@pytest.fixture(scope="module")
def atlas() -> UVAtlas:
    return UVAtlas.from_head(load_head())


@pytest.fixture(scope="module")
def looks() -> Looks:
    person = sample_looks(np.random.default_rng(0))
    lips = replace(person.lips, strength=1.0, colour=(0.8, 0.1, 0.2), upper_shade=0.1, gloss=0.0, seam=0.5)
    return replace(person, crease_depth=1.0, lips=lips, skin_rgb=(0.7, 0.5, 0.4))


@pytest.fixture(scope="module")
def painter(looks: Looks, atlas: UVAtlas) -> SkinPainter:
    return SkinPainter(looks, atlas)


def test_same_person_has_the_same_skin(looks: Looks, atlas: UVAtlas, painter: SkinPainter) -> None:
    np.testing.assert_array_equal(SkinPainter(looks, atlas).base, painter.base)


def test_other_seed_has_other_skin(looks: Looks, atlas: UVAtlas, painter: SkinPainter) -> None:
    assert (SkinPainter(replace(looks, seed=looks.seed + 1), atlas).base != painter.base).mean() > 0.2


def test_skin_has_the_persons_colour(looks: Looks, painter: SkinPainter) -> None:
    cheek = painter.base[250:270, 120:140].reshape(-1, 3).mean(0) / 255
    np.testing.assert_allclose(cheek, looks.skin_rgb, atol=0.15)


def test_lips_are_painted(painter: SkinPainter, atlas: UVAtlas) -> None:
    column, row = atlas.landmarks[[51, 57]].mean(0) + np.array((0, 22))
    lip = painter.base[int(row), int(column)].astype(int)
    assert lip[0] - lip[1] > 60


def test_closed_lips_show_a_line_as_dark_as_the_persons(looks: Looks, atlas: UVAtlas) -> None:
    column, row = np.round(atlas.landmarks[62]).astype(int)
    middle = []
    for seam in (0.0, 1.0):
        painted = SkinPainter(replace(looks, lips=replace(looks.lips, seam=seam)), atlas).base
        middle.append(float(painted[row - 1 : row + 2, column].mean()))
    assert middle[1] < 0.7 * middle[0]


def test_brows_are_darker_than_the_forehead(atlas: UVAtlas, looks: Looks) -> None:
    brows = replace(looks.brows, density=0.9, thickness=0.16, lift=0.0, gap=0.0, arch=0.0, colour=(0.1, 0.08, 0.05))
    base = SkinPainter(replace(looks, brows=brows), atlas).base
    column, row = np.round(atlas.landmarks[19]).astype(int)
    assert base[row - 4 : row + 5, column].min() < 0.6 * base[row - 30, column].mean()


def test_nothing_moves_without_action(painter: SkinPainter) -> None:
    np.testing.assert_array_equal(painter.paint({}), painter.base)
    np.testing.assert_array_equal(painter.paint({"AU43_L": 1.0, "AU12_R": 0.0}), painter.base)


def test_painting_leaves_the_base_alone(painter: SkinPainter) -> None:
    before = painter.base.copy()
    painter.paint({"AU12_L": 1.0, "AU28_R": 1.0})
    np.testing.assert_array_equal(painter.base, before)


@pytest.mark.parametrize("action", CREASED)
def test_each_action_folds_its_own_side(painter: SkinPainter, action: int) -> None:
    left = (painter.paint({f"AU{action:02d}_L": 1.0}) != painter.base).any(-1)
    right = (painter.paint({f"AU{action:02d}_R": 1.0}) != painter.base).any(-1)
    assert left.sum() > 100
    assert right.sum() > 100
    assert not left[:, :240].any()
    assert not right[:, 272:].any()


@pytest.mark.parametrize(("action", "rows"), REGION_ROWS.items())
def test_folds_stay_in_their_region(painter: SkinPainter, action: int, rows: tuple[int, int]) -> None:
    folded = painter.paint({f"AU{action:02d}_{side}": 1.0 for side in "LR"})
    touched = np.flatnonzero((folded != painter.base).any((1, 2)))
    assert rows[0] <= touched.min()
    assert touched.max() <= rows[1]


def test_folds_grow_with_intensity_and_depth(looks: Looks) -> None:
    base = np.full((512, 512, 3), 150, np.uint8)
    changes = []
    for depth, intensity in ((0.05, 1.0), (1.0, 0.5), (1.0, 1.0)):
        reliefs = subject_creases(replace(looks, crease_depth=depth))
        folded = add_creases(base, reliefs, {"AU12_L": intensity})
        changes.append(np.abs(folded.astype(int) - 150).sum())
    assert changes[0] < changes[1] < changes[2]


def test_grooves_darken_and_ridges_lighten(looks: Looks) -> None:
    for action in (1, 2, 4, 6, 12):
        values = subject_creases(looks)[f"AU{action:02d}_L"].values
        assert values.min() < -0.05
        assert values.max() > 0.02


def test_add_creases_matches_a_loop(looks: Looks) -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (512, 512, 3), dtype=np.uint8)
    relief = Relief(rows=slice(3, 5), columns=slice(7, 9), values=np.array([[-0.5, 0.2], [0.1, -0.9]], np.float32))
    folded = add_creases(base, {"AU04_L": relief}, {"AU04_L": 0.8, "AU99_L": 1.0})
    expected = base.copy()
    for row in range(2):
        for column in range(2):
            total = min(max(0.8 * float(relief.values[row, column]), -0.6), 0.35)
            for channel, share in enumerate((0.85, 1.0, 1.08)):
                value = base[3 + row, 7 + column, channel] * (1 + share * total)
                expected[3 + row, 7 + column, channel] = int(min(max(value, 0), 255))
    assert np.abs(folded.astype(int) - expected.astype(int)).max() <= 1
    changed = (folded != base).any(-1)
    changed[3:5, 7:9] = False
    assert not changed.any()


def test_rolled_lips_lose_their_red(painter: SkinPainter, atlas: UVAtlas) -> None:
    column, row = np.round(atlas.landmarks[57] - np.array((0, 6))).astype(int)

    def redness(texture: np.ndarray) -> int:
        patch = texture[row - 2 : row + 3, column - 2 : column + 3].astype(int).mean((0, 1))
        return int(patch[0] - patch[1])

    assert redness(painter.paint({"AU28_L": 1.0, "AU28_R": 1.0})) < 0.6 * redness(painter.base)


def test_resting_wrinkles_are_the_same_folds_but_weaker(looks: Looks) -> None:
    resting = resting_intensities(replace(looks, resting_creases=0.4))
    assert set(resting) <= set(subject_creases(looks))
    assert 0 < max(resting.values()) <= 0.64
    assert max(resting_intensities(replace(looks, resting_creases=0.0)).values()) == 0


def test_creases_refuse_another_texture_size(looks: Looks) -> None:
    with pytest.raises(ValueError, match="size must be 512"):
        subject_creases(looks, 256)


def test_atlas_lays_out_the_face(atlas: UVAtlas) -> None:
    assert atlas.position.shape == (512, 512, 3)
    for mark in (0, 8, 30, 36, 51):
        column, row = np.round(atlas.landmarks[mark]).astype(int)
        assert np.linalg.norm(atlas.position[row, column] - atlas.landmarks3d[mark]) < 0.4
    assert atlas.covered.mean() > 0.5
    assert (atlas.texture_coordinates <= 1).all()


def test_patches_lie_where_no_face_is(atlas: UVAtlas) -> None:
    assert not atlas.covered[NECK_BLOCK].any()
    for column, row in PATCHES.values():
        assert not atlas.covered[row - 6 : row + 7, max(column - 6, 0) : column + 7].any()


def test_garment_covers_the_neck_below_the_collar(looks: Looks, atlas: UVAtlas) -> None:
    base = SkinPainter(replace(looks, collar=-12.0, garment_rgb=(0.0, 0.0, 1.0)), atlas).base
    block = base[NECK_BLOCK][:, 6].astype(int)
    heights = neck_block_heights()
    np.testing.assert_array_equal(block[heights < -12.3], [(0, 0, 255)] * int((heights < -12.3).sum()))
    np.testing.assert_allclose(
        block[heights > -11.9], np.array([looks.skin_rgb] * int((heights > -11.9).sum())) * 255, atol=1
    )
