from dataclasses import replace

import numpy as np
import pytest

from facskit.synthesis.atlas import UVAtlas
from facskit.synthesis.casting import sample_looks
from facskit.synthesis.drawn_details import (
    ASSET,
    BROW_REACH,
    BROWS,
    IRISES,
    LASHES,
    WITH_DRAWN_BROWS,
    WITH_DRAWN_IRIS,
    WITH_DRAWN_LASHES,
    choose_details,
    drawn_brow,
)
from facskit.synthesis.facial_hair import brow_mask
from facskit.synthesis.head import MorphableHead
from facskit.synthesis.looks import Looks
from facskit.synthesis.studio import invent_person

NUMBERS = range(1, BROWS + 1)


@pytest.fixture(scope="module")
def atlas(packaged_head: MorphableHead) -> UVAtlas:
    return UVAtlas.from_head(packaged_head)


@pytest.fixture(scope="module")
def looks() -> Looks:
    person = sample_looks(np.random.default_rng(3))
    plain = replace(person.brows, thickness=0.145, arch=0.0, gap=0.0, lift=0.0, density=0.8)
    return replace(person, brows=plain)


def painted(looks: Looks, atlas: UVAtlas, **brows: float) -> np.ndarray:
    changed = replace(looks, brows=replace(looks.brows, **brows))  # type: ignore[arg-type]
    return np.asarray(brow_mask(changed, atlas, np.random.default_rng(0)))


def test_the_asset_is_small() -> None:
    assert ASSET.stat().st_size < 1e6


@pytest.mark.parametrize("number", NUMBERS)
def test_drawn_brows_are_straight_and_taper_outwards(number: int) -> None:
    hairs = drawn_brow(number).hairs
    from_middle = np.linspace(-BROW_REACH, BROW_REACH, len(hairs))
    middle = (hairs.sum(1) * from_middle).sum() / hairs.sum()
    assert abs(middle) < 0.01
    tail, head = hairs[:, : hairs.shape[1] // 5].sum(), hairs[:, -hairs.shape[1] // 5 :].sum()
    assert number == 9 or tail < head  # 9 is bushy from end to end
    assert not np.concatenate([hairs[0], hairs[-1], hairs[:, 0], hairs[:, -1]]).any()


def test_their_own_curves_are_the_difference_to_the_mean_brow() -> None:
    bends = np.stack([drawn_brow(number).bends for number in NUMBERS])
    np.testing.assert_allclose(bends.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(bends[:, [0, -1]], 0, atol=1e-3)
    assert bends[5].max() > 0.05  # an arch
    assert bends[6].min() < -0.05  # nearly level


@pytest.mark.parametrize("number", NUMBERS)
def test_drawn_brows_lie_along_the_landmarks_of_both_sides(looks: Looks, atlas: UVAtlas, number: int) -> None:
    mask = painted(looks, atlas, drawn=number)
    assert mask.max() > 0.4
    for marks in (range(17, 22), range(22, 27)):
        points = atlas.landmarks[list(marks)]
        side = mask * (np.abs(np.arange(512) - points[:, 0].mean()) < 90)
        rows, columns = (float(np.average(np.arange(512), weights=side.sum(axis))) for axis in (1, 0))
        assert abs(columns - points[:, 0].mean()) < 14
        assert abs(rows - points[:, 1].mean()) < 10
    np.testing.assert_allclose(mask, mask[:, ::-1], atol=0.35)


def test_a_persons_own_shape_goes_for_drawn_brows_too(looks: Looks, atlas: UVAtlas) -> None:
    def middle_row(mask: np.ndarray) -> float:
        return float(np.average(np.arange(512), weights=mask.sum(1)))

    plain = painted(looks, atlas, drawn=1)
    length = float(np.linalg.norm(atlas.landmarks[21] - atlas.landmarks[17]))
    lifted = painted(looks, atlas, drawn=1, lift=0.1)
    assert middle_row(plain) - middle_row(lifted) == pytest.approx(0.1 * length, rel=0.05)
    assert painted(looks, atlas, drawn=1, thickness=0.22).sum() == pytest.approx(
        plain.sum() * np.sqrt(0.22 / 0.145), rel=0.05
    )
    assert painted(looks, atlas, drawn=1, density=0.2).sum() < 0.8 * plain.sum()


def undrawn(looks: Looks) -> Looks:
    return replace(looks, brows=replace(looks.brows, drawn=0), drawn_lashes=0, drawn_iris=0)


def test_about_half_of_the_people_have_each_detail_and_are_otherwise_the_same() -> None:
    people = [sample_looks(np.random.default_rng(seed)) for seed in range(600)]
    detailed = [choose_details(person, np.random.default_rng((1, seed))) for seed, person in enumerate(people)]
    drawn = np.array([(person.brows.drawn, person.drawn_lashes, person.drawn_iris) for person in detailed])
    np.testing.assert_allclose((drawn > 0).mean(0), (WITH_DRAWN_BROWS, WITH_DRAWN_LASHES, WITH_DRAWN_IRIS), atol=0.07)
    for numbers, count in zip(drawn.T, (BROWS, LASHES, IRISES), strict=True):
        assert set(numbers) == set(range(count + 1))
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 0.12
    assert [undrawn(person) for person in detailed] == people


def test_what_is_drawn_is_a_nuisance_and_repeatable(packaged_head: MorphableHead) -> None:
    first, again = (invent_person(2, 7, "balanced", packaged_head) for _ in range(2))
    assert first.looks == again.looks
    assert first.nuisance()["brows_drawn"] == first.looks.brows.drawn
    assert first.nuisance()["drawn_lashes"] == first.looks.drawn_lashes
    assert first.nuisance()["drawn_iris"] == first.looks.drawn_iris
