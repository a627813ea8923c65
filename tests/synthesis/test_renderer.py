"""Pictures: the same from the same seed, landmarks where the face is, and every action unit visible."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from facskit.action_units import RENDERED
from facskit.faces.alignment import EyeSimilarityCrop, crop_matrix, five_points
from facskit.faces.images import warp
from facskit.synthesis.camera import head_matrix, head_rotation, openface_pose
from facskit.synthesis.expressions import FacialAction
from facskit.synthesis.eyes import find_eyeballs
from facskit.synthesis.head import load_head
from facskit.synthesis.renderer import scene_view
from facskit.synthesis.scene import Scene, sample_scene
from facskit.synthesis.studio import Studio, invent_person, noise_stream
from facskit.synthesis.surfaces import NormalSmoother

SIZE = 128
STILL = np.zeros(len(RENDERED))


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(load_head(), SIZE)


def calm_scene(number: int) -> Scene:
    scene = sample_scene(np.random.default_rng([9, number]))
    clean = replace(scene.degradation, blur=0.0, motion=0.0, resolution=1.0, noise=0.01)
    return replace(scene, degradation=clean, fill=0.55, pose=(0.0, 0.2 * (number % 3 - 1), 0.0))


def portraits(studio: Studio, number: int) -> np.ndarray:
    """Return a person's aligned grey crops: twice at rest, then with each action unit."""
    person = invent_person(1, number, "disfa", studio.head)
    studio.seat(person)
    rest = FacialAction(left=STILL, right=STILL)
    crops = []
    for index, action in enumerate([rest, rest, *map(acting, range(len(RENDERED)))]):
        face = studio.photograph(action, calm_scene(number), noise_stream(1, number, index))
        points = five_points(face.landmarks)
        matrix = crop_matrix(EyeSimilarityCrop(size=64), landmarks=points, box=None, image_size=(SIZE, SIZE))
        crop = warp(face.image, matrix, 64).astype(np.float64).mean(2)[6:60, 12:52]
        crops.append((crop - crop.mean()) / (crop.std() + 1))
    return np.array(crops)


def acting(row: int) -> FacialAction:
    intensities = STILL.copy()
    intensities[row] = 1.0
    return FacialAction(left=intensities, right=intensities)


def test_same_seed_same_bytes(studio: Studio) -> None:
    person = invent_person(3, 0, "disfa", studio.head)
    scene = sample_scene(np.random.default_rng(1))
    studio.seat(person)
    first = studio.photograph(acting(0), scene, noise_stream(3, 0, 0))
    other = invent_person(4, 1, "disfa", studio.head)
    studio.seat(other)
    studio.photograph(acting(5), sample_scene(np.random.default_rng(2)), noise_stream(4, 1, 0))
    studio.seat(person)
    again = studio.photograph(acting(0), scene, noise_stream(3, 0, 0))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.landmarks, again.landmarks)


def test_nobody_seated() -> None:
    studio = Studio(load_head(), 32)
    with pytest.raises(ValueError, match="nobody is seated: call seat"):
        studio.photograph(acting(0), sample_scene(np.random.default_rng(0)), np.random.default_rng(0))
    studio.close()


def test_landmarks_lie_on_the_face(studio: Studio) -> None:
    for number in range(3):
        person = invent_person(1, number, "disfa", studio.head)
        studio.seat(person)
        landmarks = studio.photograph(acting(0), calm_scene(number), noise_stream(1, number, 0)).landmarks
        assert landmarks.min() > 0
        assert landmarks.max() < SIZE
        left_eye, right_eye = landmarks[42:48].mean(0), landmarks[36:42].mean(0)
        assert left_eye[0] > right_eye[0]
        assert landmarks[8, 1] > landmarks[57, 1] > landmarks[33, 1] > landmarks[27, 1]


def test_a_bright_point_appears_where_its_projection_says(studio: Studio) -> None:
    """The numpy camera and VTK's agree: the teeth-white sclera lies around the projected eye centre."""
    person = invent_person(1, 7, "disfa", studio.head)
    looks = replace(person.looks, glasses=None, skin_rgb=(0.1, 0.05, 0.05), sclera_rgb=(1.0, 1.0, 1.0))
    scene = sample_scene(np.random.default_rng(0))
    scene = replace(scene, pose=(0.1, -0.4, 0.3), gaze=(0.0, 0.0), lid_lowering=0.0, fill=0.55)
    studio.seat(replace(person, looks=looks))
    face = studio.photograph(acting(RENDERED.index(5)), scene, noise_stream(0, 0, 0))
    grey = face.image.astype(float).mean(2)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for eye in (range(36, 42), range(42, 48)):
        x, y = face.landmarks[list(eye)].mean(0)
        near = np.hypot(columns - x, rows - y) < 7
        ring = (np.hypot(columns - x, rows - y) > 12) & (np.hypot(columns - x, rows - y) < 16)
        assert np.percentile(grey[near], 90) > np.median(grey[ring]) + 15


def test_projection_of_a_turned_head() -> None:
    scene = sample_scene(np.random.default_rng(0))
    scene = replace(scene, pose=(0.0, 0.5, 0.0), offset=(0.1, 0.0))
    view = scene_view(scene, 200)
    nose, ears = np.array([[0.0, 0.4, 13.0]]), np.array([[7.3, 3.6, 3.6], [-7.3, 3.6, 3.6]])
    assert view.project(nose)[0, 0] > view.project(ears)[:, 0].mean()


def test_rotation_signs() -> None:
    nose, top = np.array([0, 0, 1.0]), np.array([0, 1.0, 0])
    assert (head_rotation(30.0, 0.0, 0.0) @ nose)[0] > 0.4
    assert (head_rotation(0.0, 30.0, 0.0) @ nose)[1] > 0.4
    assert (head_rotation(0.0, 0.0, 30.0) @ top)[0] > 0.4
    np.testing.assert_allclose(openface_pose(30.0, 20.0, 10.0), np.radians([-20, -30, 10]), rtol=1e-5)
    matrix = head_matrix(head_rotation(40.0, 10.0, 5.0), np.zeros(2))
    np.testing.assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-9)


def test_normals_equal_a_loop() -> None:
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(6, 3)).astype(np.float32)
    triangles = np.array([[0, 1, 2], [2, 3, 0], [4, 0, 1]])
    expected = np.zeros((6, 3))
    for first, second, third in triangles:
        normal = np.cross(vertices[second] - vertices[first], vertices[third] - vertices[first])
        for corner in (first, second, third):
            expected[corner] += normal
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)
    normals = NormalSmoother(triangles, 6).normals(vertices)
    np.testing.assert_allclose(normals, expected / np.maximum(lengths, 1e-12), atol=1e-5)


def test_eyes_turn_about_their_centre() -> None:
    head = load_head()
    for eyeball in find_eyeballs(head):
        vertices = head.vertices[slice(*head.parts[eyeball.part])]
        turned = eyeball.turned(vertices, 20.0, -10.0)
        centre = vertices.mean(0) + eyeball.centre_offset
        before, after = (np.linalg.norm(points - centre, axis=1) for points in (vertices, turned))
        np.testing.assert_allclose(before, after, atol=1e-4)
        cornea = before.argmax()
        ray = (turned[cornea] - centre) / after[cornea]
        assert ray[0] > 0.2
        assert ray[1] < -0.1


def visibility(studio: Studio, training: int, held_out: int) -> dict[str, float]:
    """Measure how well each unit shows on faces that the probe hasn't seen.

    The probe is where and how much a unit changes the picture of the training faces. It scores two changes of each
    held-out face: from rest to the unit, and from rest to rest with other noise and background; a unit's value is the
    area under the ROC curve of those scores. Whether the change is anatomical, other tests say.
    """
    crops = np.array([portraits(studio, number) for number in range(training + held_out)])
    changes = np.abs(crops[:, 1:] - crops[:, :1])
    areas = {}
    for column, code in enumerate(RENDERED.codes, start=1):
        template = (changes[:training, column] - changes[:training, 0]).mean(0)
        shown, none = ((changes[training:, each] * template).sum((1, 2)) for each in (column, 0))
        areas[code] = float(roc_auc_score([1] * held_out + [0] * held_out, [*shown, *none]))
    return areas


def test_units_are_visible(studio: Studio) -> None:
    areas = visibility(studio, training=3, held_out=3)
    assert np.mean(list(areas.values())) > 0.9, areas
    assert sum(area > 0.75 for area in areas.values()) >= 17, areas


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_unit_is_visible_on_held_out_faces(studio: Studio) -> None:
    areas = visibility(studio, training=20, held_out=30)
    assert min(areas.values()) > 0.9, areas
