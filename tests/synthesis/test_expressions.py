"""Action units to shapes: what moves, what must not, and the sampler's frequencies."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.metrics import roc_auc_score

from facskit.action_units import DISFA_12, RENDERED
from facskit.errors import DatasetError
from facskit.synthesis.expressions import Animator, FacialAction, level_of
from facskit.synthesis.habits import PATTERNS_FILE
from facskit.synthesis.head import MorphableHead
from facskit.synthesis.sampling import IMPOSSIBLE, ExpressionSampler, Profile
from facskit.synthesis.studio import invent_person, sample_picture

UPPER_LIP, LOWER_LIP, CHIN = 62, 66, 8


@pytest.fixture(scope="module")
def animator(any_head: MorphableHead) -> Animator:
    return Animator(any_head)


def acting(*numbers: int, intensity: float = 1.0, right: float | None = None) -> FacialAction:
    left = np.zeros(len(RENDERED))
    left[[RENDERED.index(number) for number in numbers]] = 1.0
    return FacialAction(left=left * intensity, right=left * (intensity if right is None else right))


def landmarks(animator: Animator, action: FacialAction, seed: int = 0) -> np.ndarray:
    neutral = animator.head.neutral(invent_person(seed, 0, "disfa", animator.head).identity)
    return animator.animate(neutral, action)[animator.head.landmarks68]


@pytest.mark.parametrize(
    ("intensity", "level"),
    [(0.0, 0), (0.05, 0), (0.06, 1), (0.21, 1), (0.22, 2), (0.5, 3), (0.7, 4), (0.82, 5), (1.0, 5)],
)
def test_levels(intensity: float, level: int) -> None:
    assert level_of(intensity) == level


@pytest.mark.parametrize("unit", RENDERED, ids=str)
def test_every_unit_moves_the_face(animator: Animator, unit: object) -> None:
    neutral = animator.head.vertices
    moved = animator.animate(neutral, acting(RENDERED.numbers[RENDERED.index(str(unit))]))
    rest = animator.animate(neutral, acting())
    distance = np.linalg.norm(moved - rest, axis=1)[slice(*animator.head.parts["face"])]
    assert (distance > 0.15).mean() > 0.02


@pytest.mark.parametrize("unit", [number for number in RENDERED.numbers if number != 25])
def test_lips_stay_shut_without_lips_part(animator: Animator, unit: int) -> None:
    for seed in range(5):
        points = landmarks(animator, acting(unit), seed)
        assert points[UPPER_LIP, 1] - points[LOWER_LIP, 1] < 0.05


@pytest.mark.parametrize("together", [(), (12,), (26,), (10, 9), (17,)])
def test_lips_part_with_lips_part(animator: Animator, together: tuple[int, ...]) -> None:
    for seed in range(5):
        points = landmarks(animator, acting(25, *together), seed)
        assert points[UPPER_LIP, 1] - points[LOWER_LIP, 1] > 0.7


def test_jaw_drops_behind_shut_lips(animator: Animator) -> None:
    assert landmarks(animator, acting(26))[CHIN, 1] < landmarks(animator, acting())[CHIN, 1] - 0.8


def test_eyes_close(animator: Animator) -> None:
    def opening(points: np.ndarray) -> float:
        return float(points[[37, 38, 43, 44], 1].mean() - points[[41, 40, 47, 46], 1].mean())

    assert opening(landmarks(animator, acting(43))) < 0.15 * opening(landmarks(animator, acting()))


def test_one_side_leaves_the_other(animator: Animator) -> None:
    rest, smile = (landmarks(animator, acting(*units, right=0.0)) for units in ((), (12,)))
    left_corner, right_corner = (np.linalg.norm(smile[point] - rest[point]) for point in (54, 48))
    assert left_corner > 5 * right_corner


def test_directions_are_anatomical(animator: Animator) -> None:
    rest = landmarks(animator, acting())

    def movement(unit: int, points: list[int], axis: int = 1) -> float:
        return float((landmarks(animator, acting(unit)) - rest)[points, axis].mean())

    assert movement(1, [21, 22]) > 0.6 > movement(1, [17, 26])
    assert movement(2, [18, 25]) > 0.6
    assert movement(4, [20, 21, 22, 23]) < -0.3
    assert movement(5, [37, 38, 43, 44]) > 0.2
    assert movement(6, [40, 41, 46, 47]) > 0.1
    assert movement(7, [40, 41, 46, 47]) > 0.15
    assert movement(9, [31, 35]) > 0.3
    assert movement(10, [50, 52]) > 0.25
    assert movement(12, [48, 54]) > 0.5
    assert movement(14, [48, 54], axis=2) < -0.1
    assert movement(15, [48, 54]) < -0.4
    assert movement(17, [57]) > 0.2
    assert movement(20, [54], axis=0) > 0.5
    assert movement(23, [54], axis=0) < -0.2
    assert movement(24, [57]) - movement(24, [51]) > 0.1
    assert movement(25, [UPPER_LIP]) - movement(25, [LOWER_LIP]) > 0.6
    assert movement(26, [CHIN]) < -0.8
    assert movement(28, [57]) - movement(28, [51]) > 0.2
    assert movement(43, [37, 38, 43, 44]) < -0.3


def test_lids_follow_the_gaze(animator: Animator) -> None:
    rest = landmarks(animator, acting())
    still = np.zeros(len(RENDERED))
    down = landmarks(animator, FacialAction(left=still, right=still, gaze=(-0.4, 0.0)))
    assert down[[37, 38, 43, 44], 1].mean() < rest[[37, 38, 43, 44], 1].mean() - 0.1


def test_a_head_without_a_shape_is_refused(packaged_head: MorphableHead) -> None:
    head = packaged_head
    names = ["other" if name == "jawOpen" else name for name in head.expression_names]
    with pytest.raises(DatasetError, match="no expression shape 'jawOpen'"):
        Animator(replace(head, expression_names=tuple(names)))


def test_a_head_without_a_table_is_refused(packaged_head: MorphableHead) -> None:
    with pytest.raises(DatasetError, match="'flame'.*makehuman"):
        Animator(replace(packaged_head, name="flame"))


def draw(profile: Profile, people: int, frames: int, seed: int = 0) -> np.ndarray:
    rows = []
    for person in range(people):
        rng = np.random.default_rng([seed, person])
        sampler = ExpressionSampler(profile, rng)
        rows += [sampler.sample(rng).occurrences for _ in range(frames)]
    return np.array(rows)


def test_disfa_profile_has_disfa_frequencies() -> None:
    drawn = draw("disfa", people=1200, frames=4)
    with PATTERNS_FILE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    frames = np.array([int(row["frames"]) for row in rows])
    on = np.array([[int(row[code]) for code in DISFA_12.codes] for row in rows])
    eyes_open = np.where(np.array(DISFA_12.numbers) == 5, 0.96, 1.0)
    expected = frames @ on / frames.sum() * eyes_open
    columns = [RENDERED.index(unit) for unit in DISFA_12]
    np.testing.assert_allclose(drawn[:, columns].mean(0), expected, atol=0.025)
    pairs = (on * frames[:, None]).T @ on / frames.sum()
    found = drawn[:, columns].astype(float).T @ drawn[:, columns] / len(drawn)
    np.testing.assert_allclose(found, pairs, atol=0.025)


def test_people_differ_in_their_habits() -> None:
    rates = [draw("disfa", people=1, frames=150, seed=seed)[:, RENDERED.index(4)].mean() for seed in range(8)]
    assert np.std(rates) > 0.03


def test_balanced_profile_is_balanced() -> None:
    rates = draw("balanced", people=60, frames=80).mean(0)
    assert rates.min() > 0.23
    assert rates.max() < 0.37


@pytest.mark.parametrize("profile", ["disfa", "balanced"])
def test_impossible_pairs_never_meet(profile: Profile) -> None:
    drawn = draw(profile, people=100, frames=20)
    for first, second in IMPOSSIBLE:
        both = drawn[:, RENDERED.index(first)] & drawn[:, RENDERED.index(second)]
        assert not both.any(), (first, second)


def test_labels_say_what_is_drawn() -> None:
    rng = np.random.default_rng(0)
    sampler = ExpressionSampler("balanced", rng)
    for _ in range(100):
        sampled = sampler.sample(rng)
        np.testing.assert_array_equal(np.maximum(sampled.left, sampled.right), sampled.intensities)
        np.testing.assert_array_equal(sampled.occurrences, sampled.intensities >= 0.22)
        assert sampled.intensities.min() >= 0
        assert sampled.intensities.max() <= 1


def test_closed_eyes_are_independent() -> None:
    drawn = draw("balanced", people=100, frames=40)
    closed = drawn[:, RENDERED.index(43)]
    for number in (1, 4, 12, 25):
        other = drawn[:, RENDERED.index(number)]
        assert abs(other[closed].mean() - other[~closed].mean()) < 0.06


def linear_probe(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fit the nuisances and their squares on the first half and score the second."""
    half = len(x) // 2
    features = np.concatenate([np.ones((len(x), 1)), x, x**2], axis=1)
    gram = features[:half].T @ features[:half] + 30 * np.eye(features.shape[1])
    scores: np.ndarray = features[half:] @ np.linalg.solve(gram, features[:half].T @ y[:half])
    return scores


def tree_probe(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fit a small ensemble of trees, which also sees what two nuisances say only together."""
    half = len(x) // 2
    trees = ExtraTreesRegressor(60, min_samples_leaf=8, max_features=0.5, random_state=0)
    scores: np.ndarray = trees.fit(x[:half], y[:half]).predict(x[half:])
    return scores


def deviations(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return by how many standard errors each unit's area under the curve is off chance, on the second half."""
    truth = labels[len(labels) // 2 :]
    found = []
    for column in range(truth.shape[1]):
        present = truth[:, column].sum()
        error = np.sqrt((len(truth) + 1) / (12 * present * (len(truth) - present)))
        found.append((roc_auc_score(truth[:, column], scores[:, column]) - 0.5) / error)
    return np.array(found)


@pytest.fixture(scope="module", params=["balanced", "mixed"])
def nuisances(request: pytest.FixtureRequest, packaged_head: MorphableHead) -> tuple[np.ndarray, np.ndarray]:
    """Everything about person and scene, standardised, and the labels, of one picture of each of many people."""
    rows, labels = [], []
    for subject in range(2400):
        person = invent_person(5, subject, request.param, packaged_head)
        sampled, scene = sample_picture(person, 5, subject, 0)
        labels.append(sampled.occurrences)
        rows.append(list((person.nuisance() | scene.nuisance()).values()))
    x = np.array(rows)
    return (x - x.mean(0)) / np.maximum(x.std(0), 1e-9), np.array(labels)


PROBES = {"linear": linear_probe, "trees": tree_probe}


@pytest.mark.parametrize("probe", PROBES)
def test_nuisances_say_nothing_about_labels(nuisances: tuple[np.ndarray, np.ndarray], probe: str) -> None:
    """A classifier on everything about person and scene does no better than chance for any unit."""
    x, y = nuisances
    found = deviations(PROBES[probe](x, y), y)
    assert np.abs(found).max() < 3.5, dict(zip(RENDERED.codes, found.round(1), strict=True))
    assert np.abs(found.mean()) < 1.5


@pytest.mark.parametrize("probe", PROBES)
def test_a_nuisance_that_tells_a_label_is_noticed(nuisances: tuple[np.ndarray, np.ndarray], probe: str) -> None:
    x, y = nuisances
    told, untold = RENDERED.index(12), RENDERED.index(4)
    leaking = x.copy()
    leaking[:, -1] += 0.6 * y[:, told]
    found = deviations(PROBES[probe](leaking, y[:, [told, untold]]), y[:, [told, untold]])
    assert found[0] > 3.5
    assert abs(found[1]) < 3.5


def test_closed_eyes_are_closed_on_every_person(animator: Animator) -> None:
    upper, lower = (animator.head.landmarks68[marks] for marks in ([37, 38, 43, 44], [41, 40, 47, 46]))

    def openings(number: int, intensity: float) -> np.ndarray:
        found = []
        for subject in range(12):
            person = invent_person(9, subject, "mixed", animator.head)
            own = animator.at_rest(animator.head.neutral(person.identity), person.rest)
            points = animator.animate(own, acting(number, intensity=intensity))
            found.append(points[upper, 1] - points[lower, 1])
        return np.stack(found)

    shut, half, wide = openings(43, 0.9), openings(43, 0.45), openings(43, 0.0)
    assert shut.max() < 0.06
    assert shut.min() > -0.35
    assert wide.min() > 0.2
    assert 0.3 < half.mean() / wide.mean() < 0.7
