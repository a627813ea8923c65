import numpy as np

from facskit.synthesis.casting import sample_looks
from facskit.synthesis.looks import Looks
from facskit.synthesis.scene import sample_scene


def _people(count: int) -> list[Looks]:
    rng = np.random.default_rng(7)
    return [sample_looks(rng) for _ in range(count)]


def test_same_generator_gives_the_same_person_and_scene() -> None:
    assert sample_looks(np.random.default_rng(3)) == sample_looks(np.random.default_rng(3))
    assert sample_scene(np.random.default_rng(3)) == sample_scene(np.random.default_rng(3))
    assert sample_looks(np.random.default_rng(3)) != sample_looks(np.random.default_rng(4))


def test_all_ten_skin_tones_are_equally_common() -> None:
    counts = np.bincount([looks.skin_tone for looks in _people(2000)], minlength=11)
    assert counts[0] == 0
    assert len(counts) == 11
    assert counts[1:].min() > 140
    assert counts[1:].max() < 260


def test_skin_darkens_with_its_tone() -> None:
    people = _people(600)
    means = [np.mean([looks.skin_rgb for looks in people if looks.skin_tone == tone]) for tone in range(1, 11)]
    assert (np.diff(means) < 0).all()


def test_colours_and_shares_stay_in_range() -> None:
    for looks in _people(300):
        for colour in (looks.skin_rgb, looks.lips.colour, looks.iris_rgb, looks.hair.colour, looks.garment_rgb):
            assert all(0 <= value <= 1 for value in colour)
        assert 18 <= looks.age <= 80
        assert 0 <= looks.stubble <= 1
        assert 0 <= looks.resting_creases < 0.7


def test_every_hair_style_glasses_and_bare_faces_occur() -> None:
    people = _people(400)
    assert len({looks.hair.style for looks in people}) == 8
    share = np.mean([looks.glasses is not None for looks in people])
    assert 0.1 < share < 0.3
    assert any(looks.crease_depth < 0.25 for looks in people)
    assert any(looks.crease_depth > 1.2 for looks in people)


def test_resting_wrinkles_come_with_age() -> None:
    people = _people(500)
    young = np.mean([looks.resting_creases for looks in people if looks.age < 35])
    old = np.mean([looks.resting_creases for looks in people if looks.age > 65])
    assert old > 2 * young


def test_poses_are_mostly_frontal_with_tails() -> None:
    rng = np.random.default_rng(2)
    poses = np.degrees([sample_scene(rng).pose for _ in range(3000)])
    assert (np.abs(poses) <= 40.001).all()
    assert (np.abs(poses).max(0) > 25).all()
    assert 10 < poses[:, 1].std() < 20
    assert (np.abs(poses.mean(0)) < 1.5).all()


def test_light_directions_are_unit_vectors() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        for light in sample_scene(rng).lights:
            np.testing.assert_allclose(np.linalg.norm(light.direction), 1, atol=1e-6)
            assert max(light.colour) <= 1
