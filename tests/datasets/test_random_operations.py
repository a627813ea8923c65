from collections import Counter
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from numpy.random.bit_generator import ISeedSequence

from facskit.datasets.augmentation import AugmentationConfig, augment_matrix, augment_pixels, sample_generator
from facskit.datasets.face_dataset import FaceDataset, Preparation
from facskit.datasets.packed import packaged_faces
from facskit.datasets.random_operations import (
    OperationName,
    RandomOperation,
    change_tones,
    draw_operations,
    operations_matrix,
)
from facskit.faces.alignment import WholeImage

NAMES: tuple[OperationName, ...] = get_args(OperationName)
GEOMETRIC: tuple[OperationName, ...] = ("rotate", "shear-x", "shear-y", "translate-x", "translate-y")
TWO = AugmentationConfig(random_operations=2)
SIDE = 40
EDGE = -0.5


def crop() -> np.ndarray:
    return np.random.default_rng(0).integers(10, 240, (SIDE, SIDE, 3), dtype=np.uint8)


def operation(name: OperationName, magnitude: float = 10.0, sign: float = 1.0) -> RandomOperation:
    return RandomOperation(name=name, magnitude=magnitude, sign=sign)


def moved(matrix: np.ndarray, x: float, y: float) -> np.ndarray:
    point: np.ndarray = (matrix @ [x, y, 1])[:2]
    return point


def tones(name: OperationName, magnitude: float, sign: float = 1.0) -> np.ndarray:
    return change_tones([operation(name, magnitude, sign)], crop())


def drawn(config: AugmentationConfig, samples: int = 4000) -> list[tuple[RandomOperation, ...]]:
    return [draw_operations(config, sample_generator(0, 0, row)) for row in range(samples)]


def test_fifteen_operations_are_drawn_alike_often_with_replacement() -> None:
    draws = drawn(replace(TWO, operation_chance=1.0))
    counts = Counter(one.name for both in draws for one in both)
    assert set(counts) == set(NAMES)
    assert len(NAMES) == 15
    assert all(abs(count / 8000 - 1 / 15) < 0.012 for count in counts.values())  # four standard deviations
    assert all(len(both) == 2 for both in draws)
    assert 0.05 < np.mean([both[0].name == both[1].name for both in draws]) < 0.085
    assert 0.47 < np.mean([one.sign > 0 for both in draws for one in both]) < 0.53


def test_half_of_the_drawn_operations_are_applied() -> None:
    lengths = Counter(len(both) for both in drawn(TWO))
    for length, share in ((0, 0.25), (1, 0.5), (2, 0.25)):
        assert abs(lengths[length] / 4000 - share) < 0.03
    assert not any(drawn(replace(TWO, operation_chance=0.0), samples=50))


def test_magnitudes_are_normal_and_cut() -> None:
    magnitudes = np.array([one.magnitude for both in drawn(TWO) for one in both])
    assert magnitudes.mean() == pytest.approx(9, abs=0.04)
    assert magnitudes.std() == pytest.approx(0.5, abs=0.03)
    assert magnitudes.max() == 10
    assert (magnitudes == 10).mean() == pytest.approx(0.0228, abs=0.01)
    wide = [one.magnitude for both in drawn(replace(TWO, magnitude_spread=10.0), 500) for one in both]
    assert (min(wide), max(wide)) == (0, 10)


def test_a_draw_depends_on_the_key_alone_and_takes_nothing_from_the_generator() -> None:
    rng = sample_generator(3, 5, 7)
    first = draw_operations(replace(TWO, operation_chance=1.0), rng)
    rng.random(10)
    assert draw_operations(replace(TWO, operation_chance=1.0), rng) == first
    fresh = sample_generator(3, 5, 7)
    fresh.random(10)
    assert rng.random() == fresh.random()
    others = {
        draw_operations(replace(TWO, operation_chance=1.0), sample_generator(*key)) for key in np.ndindex(3, 3, 3)
    }
    assert len(others) == 27


def test_a_generator_that_has_no_key_is_refused() -> None:
    class Words(ISeedSequence):
        def generate_state(self, n_words: int, dtype: object = np.uint32) -> np.ndarray:
            return np.arange(n_words).astype(np.uint64 if dtype is np.uint64 else np.uint32)

    unkeyed = np.random.Generator(np.random.PCG64(Words()))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="rng must be made from a numpy SeedSequence, as sample_generator does"):
        draw_operations(TWO, unkeyed)
    assert draw_operations(AugmentationConfig(), unkeyed) == ()


def test_nothing_else_that_is_random_changes_with_them() -> None:
    other = AugmentationConfig(flip_chance=0.5, window_area=(0.08, 1.0), rotation=5.0)
    for row in range(40):
        alone = augment_matrix(other, np.eye(2, 3), SIDE, sample_generator(0, 0, row))
        both = augment_matrix(replace(other, random_operations=2), np.eye(2, 3), SIDE, sample_generator(0, 0, row))
        operations = draw_operations(TWO, sample_generator(0, 0, row))
        np.testing.assert_allclose(both, (operations_matrix(operations, SIDE) @ np.vstack([alone, [0, 0, 1]]))[:2])


def test_a_turn_is_about_the_middle_and_up_to_thirty_degrees() -> None:
    middle = (SIDE - 1) / 2
    for sign in (1.0, -1.0):
        matrix = operations_matrix([operation("rotate", 9.0, sign)], SIDE)
        np.testing.assert_allclose(moved(matrix, middle, middle), (middle, middle))
        assert np.rad2deg(np.arctan2(matrix[1, 0], matrix[0, 0])) == pytest.approx(sign * 27)
        np.testing.assert_allclose(matrix[:2, :2] @ matrix[:2, :2].T, np.eye(2), atol=1e-12)


def test_shears_keep_an_edge_and_movements_are_relative() -> None:
    across = operations_matrix([operation("shear-x", 10.0, -1.0)], SIDE)
    np.testing.assert_allclose(moved(across, 7, EDGE), (7, EDGE))
    np.testing.assert_allclose(moved(across, 7, SIDE + EDGE), (7 - 0.3 * SIDE, SIDE + EDGE))
    down = operations_matrix([operation("shear-y", 5.0)], SIDE)
    np.testing.assert_allclose(moved(down, EDGE, 7), (EDGE, 7))
    np.testing.assert_allclose(moved(down, SIDE + EDGE, 7), (SIDE + EDGE, 7 + 0.15 * SIDE))
    np.testing.assert_allclose(moved(operations_matrix([operation("translate-x")], SIDE), 1, 2), (1 + 0.45 * SIDE, 2))
    upwards = operations_matrix([operation("translate-y", 10.0, -1.0)], SIDE)
    np.testing.assert_allclose(moved(upwards, 1, 2), (1, 2 - 0.45 * SIDE))


def test_geometry_joins_in_the_order_drawn() -> None:
    turn, shift = operation("rotate"), operation("translate-x")
    first = operations_matrix([turn, shift], SIDE)
    np.testing.assert_allclose(first, operations_matrix([shift], SIDE) @ operations_matrix([turn], SIDE))
    assert not np.allclose(first, operations_matrix([shift, turn], SIDE))


@pytest.mark.parametrize("name", NAMES)
def test_an_operation_changes_either_geometry_or_tones(name: OperationName) -> None:
    image = crop()
    changed = change_tones([operation(name, 9.0)], image)
    matrix = operations_matrix([operation(name, 9.0)], SIDE)
    assert (changed is image) == (name in GEOMETRIC)
    assert np.array_equal(matrix, np.eye(3)) == (name not in GEOMETRIC)
    assert (changed == image).all() == (name in GEOMETRIC)


def test_magnitude_nothing_is_no_change_for_those_that_grow_from_nothing() -> None:
    for name in set(NAMES) - {"auto-contrast", "equalize", "invert", "posterize"}:
        np.testing.assert_array_equal(tones(name, 0.0), crop())
        np.testing.assert_array_equal(operations_matrix([operation(name, 0.0)], SIDE), np.eye(3))


@pytest.mark.parametrize(("magnitude", "bits"), [(0.0, 4), (2.4, 4), (2.5, 3), (9.0, 1), (10.0, 1)])
def test_posterizing_grows_and_never_ends_in_black(magnitude: float, bits: int) -> None:
    step = 2 ** (8 - bits)
    np.testing.assert_array_equal(tones("posterize", magnitude), crop() // step * step)


def test_tones_reach_the_published_limits() -> None:
    image = crop().astype(int)
    np.testing.assert_array_equal(tones("invert", 3.0), 255 - image)
    np.testing.assert_array_equal(tones("solarize", 9.0), np.where(image < 26, image, 255 - image))
    np.testing.assert_array_equal(tones("solarize-add", 10.0), np.where(image < 128, image + 110, image))
    np.testing.assert_allclose(tones("brightness", 10.0, -1.0), 0.1 * image, atol=1)
    np.testing.assert_allclose(tones("brightness", 5.0), np.minimum(1.45 * image, 255), atol=1)
    for name in ("color", "contrast", "sharpness"):
        weak, strong = tones(name, 9.0, -1.0).astype(int), tones(name, 9.0).astype(int)
        assert weak.std() < image.std() < strong.std()


def test_tones_follow_each_other_in_the_order_drawn() -> None:
    pair = [operation("invert"), operation("solarize", 5.0)]
    expected = 255 - crop().astype(int)
    expected = np.where(expected < 128, expected, 255 - expected)
    np.testing.assert_array_equal(change_tones(pair, crop()), expected)
    assert not np.array_equal(change_tones(pair[::-1], crop()), expected)


def test_crops_get_the_tones_that_belong_to_their_geometry() -> None:
    kept = crop()
    for row in range(40):
        rng = sample_generator(0, 1, row)
        operations = draw_operations(TWO, rng)
        matrix = augment_matrix(TWO, np.eye(2, 3), SIDE, rng)
        np.testing.assert_allclose(matrix, operations_matrix(operations, SIDE)[:2])
        np.testing.assert_array_equal(augment_pixels(TWO, kept, rng), change_tones(operations, kept))
    np.testing.assert_array_equal(kept, crop())


def test_labels_stay_and_the_same_key_gives_the_same_face() -> None:
    faces = packaged_faces()
    config = replace(TWO, random_operations=4, operation_chance=1.0)
    plain = FaceDataset(faces, Preparation(recipe=WholeImage(size=48)))
    changed, again = (
        FaceDataset(faces, Preparation(recipe=WholeImage(size=48), augmentation=config)) for _ in range(2)
    )
    for position in (0, 700, 1400):
        first, second = changed.sample(2, position), again.sample(2, position)
        assert first.image.equal(second.image)
        assert first.labels.equal(plain.sample(2, position).labels)
        assert not first.image.equal(changed.sample(3, position).image)
