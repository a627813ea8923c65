"""Batches say where the landmarks are in the crops that the network sees."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from facskit.action_units import BP4D, DISFA_8, ActionUnitSet
from facskit.columns import LANDMARKS_X, LANDMARKS_Y
from facskit.datasets.augmentation import AugmentationConfig, augment_matrix, sample_generator
from facskit.datasets.face_dataset import FaceDataset, Preparation
from facskit.datasets.loaders import LoaderConfig, eval_loader, train_loader
from facskit.datasets.manifest import Manifest, read_manifest
from facskit.datasets.origin import DataOrigin
from facskit.datasets.packed import pack_manifest, packaged_faces, recipe_matrix
from facskit.faces.alignment import (
    BoxCrop,
    CropRecipe,
    EyeSimilarityCrop,
    Similarity49Crop,
    WholeImage,
    transform_points,
)
from facskit.faces.images import write_image
from facskit.faces.landmarks import INNER_MOUTH_CORNERS, JAW, MIRRORED_68
from facskit.models.attention_targets import attention_targets, unit_centres
from facskit.synthesis.camera import head_rotation
from tests.datasets.conftest import PAIR

CIU = Similarity49Crop(size=176, aligned=200)
WINDOW = Preparation(recipe=WholeImage(size=176, aligned=200), normalization="symmetric")
CIU_VARIED = AugmentationConfig(flip_chance=0.5, shift_pixels=12)
TURNED = AugmentationConfig(flip_chance=0.5, rotation=20.0, stretch=0.1, shift=0.1, window_area=(0.4, 1.0))


@pytest.fixture(scope="module")
def faces() -> Manifest:
    return packaged_faces().select(range(7, 1440, 180))


@pytest.fixture(scope="module")
def aligned(faces: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The faces prepared as CIU's: aligned pictures of 200 pixels on disk, with landmarks in them."""
    path = pack_manifest(faces, tmp_path_factory.mktemp("aligned") / "faces.parquet", recipe=Similarity49Crop())
    return replace(read_manifest(path), origin=DataOrigin(corpus="rendered", crop=Similarity49Crop()))


def without(manifest: Manifest, points: tuple[int, ...]) -> Manifest:
    names = [names[point] for names in (LANDMARKS_X, LANDMARKS_Y) for point in points]
    empty = [pl.lit(None, pl.Float32).alias(name) for name in names]
    return replace(manifest, table=manifest.table.with_columns(empty))


@pytest.mark.parametrize("recipe", [EyeSimilarityCrop(), BoxCrop(size=96), CIU, WholeImage(size=100)])
def test_landmarks_are_where_loops_put_them(faces: Manifest, recipe: CropRecipe) -> None:
    steps = Preparation(recipe=recipe, augmentation=TURNED, seed=4)
    batch = next(eval_loader(FaceDataset(faces, steps), LoaderConfig(batch_size=8)).batches(2))
    mirrored = 0
    for row in range(8):
        landmarks = faces.landmarks(row)
        assert landmarks is not None
        matrix = recipe_matrix(recipe, faces.image(row), landmarks.astype(np.float64), "it")
        matrix = augment_matrix(TURNED, matrix, recipe.size, sample_generator(4, 2, row))
        is_mirror = matrix[0, 0] * matrix[1, 1] < matrix[0, 1] * matrix[1, 0]
        mirrored += int(is_mirror)
        for point in range(68):
            from_point = MIRRORED_68[point] if is_mirror else point
            expected = matrix[:, :2] @ landmarks[from_point] + matrix[:, 2]
            np.testing.assert_allclose(batch.landmarks[row, point], expected, atol=1e-3)
    assert 0 < mirrored < 8
    assert batch.landmarks.dtype == torch.float32


def test_landmarks_follow_the_pixels(tmp_path: Path) -> None:
    """A picture with one bright spot at each eye's outer corner: the spots are where the landmarks are."""
    points = np.stack(np.meshgrid(np.linspace(30, 90, 17), np.linspace(40, 90, 4)), axis=-1).reshape(68, 2)
    points[36], points[45] = (40, 50), (80, 54)
    image = np.zeros((128, 120, 3), np.uint8)
    for point, colour in ((36, 0), (45, 1)):
        x, y = points[point].astype(int)
        image[y - 3 : y + 4, x - 3 : x + 4, colour] = 255
    write_image(tmp_path / "a.png", image)
    columns: dict[str, list[object]] = {"image": ["a.png"], "subject": ["p"], "AU06": [1], "AU12": [0]}
    for names, axis in ((LANDMARKS_X, 0), (LANDMARKS_Y, 1)):
        columns |= {name: [float(points[point, axis])] for point, name in enumerate(names)}
    manifest = Manifest(table=pl.DataFrame(columns), root=tmp_path, action_units=PAIR)
    steps = Preparation(recipe=WholeImage(size=128), normalization="symmetric", augmentation=replace(TURNED, shift=0.0))
    dataset, sides = FaceDataset(manifest, steps), set()
    for epoch in range(12):
        sample = dataset.sample(epoch, 0)
        pixels = sample.image.numpy()
        difference = pixels[0] - pixels[1]  # the border is grey
        light = np.stack([difference.clip(0), (-difference).clip(0)])
        if light.sum(axis=(1, 2)).min() < 20:  # the window left a spot out
            continue
        down, across = np.mgrid[:128, :128]
        red, green = ((light[c] * across).sum() / light[c].sum() for c in (0, 1))
        left, right = (0, 1) if red < green else (1, 0)
        sides.add(left)
        for point, colour in ((36, left), (45, right)):
            found = [(light[colour] * axis).sum() / light[colour].sum() for axis in (across, down)]
            np.testing.assert_allclose(sample.landmarks[point], found, atol=1.0)
    assert sides == {0, 1}, "mirrored and unmirrored images were both seen"


@pytest.mark.parametrize("units", [BP4D, DISFA_8])
def test_a_mirrored_crop_has_mirrored_attention_targets(aligned: Manifest, units: ActionUnitSet) -> None:
    plain, mirrored = (
        next(eval_loader(FaceDataset(aligned, replace(WINDOW, augmentation=changes)), LoaderConfig()).batches(0))
        for changes in (AugmentationConfig(), AugmentationConfig(flip_chance=1.0))
    )
    assert torch.equal(mirrored.images, plain.images.flip(3))
    centres, reflected = (unit_centres(batch.landmarks, units) for batch in (plain, mirrored))
    reflected[..., 0] = 175 - reflected[..., 0]
    for unit in range(len(units)):
        for row in range(len(plain)):
            one, other = (sorted(map(tuple, found[row, unit].tolist())) for found in (centres, reflected))
            np.testing.assert_allclose(one, other, atol=1e-3)
    # A mirrored map has its cells at 43 - a, mirrored landmarks theirs at 175 / 4 - a: 3 pixels further.
    moved = mirrored.landmarks - torch.tensor((3.0, 0.0))
    maps, expected = (
        attention_targets(points, units, image_size=176, rounded=False) for points in (plain.landmarks, moved)
    )
    assert (expected.flip(3) - maps).abs().max() < 1e-4
    maps, expected = (attention_targets(batch.landmarks, units, image_size=176) for batch in (plain, mirrored))
    assert (expected.flip(3) - maps).abs().max() < 0.25  # a centre may round to the cell beside


def test_a_sample_has_the_landmarks_of_its_batch_and_workers_change_nothing(faces: Manifest) -> None:
    dataset = FaceDataset(faces, Preparation(recipe=CIU, augmentation=CIU_VARIED, seed=1))
    alone, helped = (
        list(train_loader(dataset, LoaderConfig(batch_size=4, workers=workers)).batches(1)) for workers in (0, 2)
    )
    for one, other in zip(alone, helped, strict=True):
        assert torch.equal(one.landmarks, other.landmarks)
        for place, row in enumerate(one.indices.tolist()):
            assert torch.equal(dataset.sample(1, row).landmarks, one.landmarks[place])


def test_points_that_a_corpus_lacks_stay_unknown(faces: Manifest) -> None:
    missing = (*JAW, *INNER_MOUTH_CORNERS)
    varied = replace(CIU_VARIED, flip_chance=1.0)
    whole, part = (
        FaceDataset(manifest, Preparation(recipe=CIU, augmentation=varied)).sample(0, 3).landmarks
        for manifest in (faces, without(faces, missing))
    )
    known = [point for point in range(68) if point not in missing]
    assert torch.isnan(part[list(missing)]).all()
    assert torch.equal(part[known], whole[known])


def test_without_landmark_columns_all_are_unknown(faces: Manifest) -> None:
    bare = replace(faces, table=faces.table.drop(*LANDMARKS_X, *LANDMARKS_Y))
    batch = next(eval_loader(FaceDataset(bare, Preparation(recipe=WholeImage(size=32))), LoaderConfig()).batches(0))
    assert batch.landmarks.shape == (8, 68, 2)
    assert torch.isnan(batch.landmarks).all()


def test_windows_of_prepared_pictures_are_slices_of_them(aligned: Manifest) -> None:
    assert aligned.origin is not None
    recipe = aligned.origin.remaining_crop(CIU, "it")
    assert recipe == WholeImage(size=176, aligned=200)
    steps = Preparation(recipe=recipe, normalization="symmetric", augmentation=CIU_VARIED, seed=2)
    dataset, seen = FaceDataset(aligned, steps), set()
    for epoch in range(40):
        for row in range(2):
            image, landmarks = aligned.image(row), aligned.landmarks(row)
            assert landmarks is not None
            sample = dataset.sample(epoch, row)
            matrix = augment_matrix(
                CIU_VARIED, np.array([[1.0, 0, -12], [0, 1, -12]]), 176, sample_generator(2, epoch, row)
            )
            is_mirror = matrix[0, 0] < 0
            left, top = (int(matrix[0, 2]) - 175 if is_mirror else -int(matrix[0, 2])), -int(matrix[1, 2])
            seen.add((is_mirror, left, top))
            crop = image[top : top + 176, left : left + 176].astype(np.float64).transpose(2, 0, 1) / 255
            expected = landmarks - [left, top]
            if is_mirror:
                crop, expected = crop[:, :, ::-1], (expected * [-1, 1] + [175, 0])[list(MIRRORED_68)]
            np.testing.assert_allclose(sample.image, crop * 2 - 1, atol=1e-6)
            np.testing.assert_allclose(sample.landmarks, expected, atol=1e-4)
    for axis in (1, 2):
        offsets = {place[axis] for place in seen}
        assert len(offsets) > 15
        assert offsets <= set(range(25))
    assert {place[0] for place in seen} == {True, False}


def test_without_changes_the_window_is_in_the_middle(aligned: Manifest) -> None:
    dataset = FaceDataset(aligned, Preparation(recipe=WholeImage(size=176, aligned=200), normalization="symmetric"))
    sample = dataset.sample(0, 1)
    crop = aligned.image(1)[12:188, 12:188].transpose(2, 0, 1) / 255
    np.testing.assert_allclose(sample.image, crop * 2 - 1, atol=1e-6)


def test_prepared_or_not_the_same_window_is_seen(faces: Manifest, aligned: Manifest) -> None:
    prepared, direct = (
        FaceDataset(manifest, Preparation(recipe=recipe, normalization="symmetric", augmentation=CIU_VARIED, seed=3))
        for manifest, recipe in ((aligned, WholeImage(size=176, aligned=200)), (faces, CIU))
    )
    for row in range(len(faces)):
        one, other = prepared.sample(5, row), direct.sample(5, row)
        np.testing.assert_allclose(one.landmarks, other.landmarks, atol=0.02)
        # Preparing stores JPEG; the resampling is the same one.
        assert (one.image - other.image).abs().mean() < 0.02


def test_eyes_are_level_and_as_far_apart_as_the_papers_have_them(aligned: Manifest) -> None:
    dataset = FaceDataset(aligned, Preparation(recipe=WholeImage(size=176, aligned=200)))
    for row in range(len(aligned)):
        points = dataset.sample(0, row).landmarks.numpy().astype(np.float64)
        eyes = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
        assert abs(eyes[0][1] - eyes[1][1]) < 0.02
        five = np.stack([*eyes, points[30], points[48], points[54]])
        low, high = five.min(axis=0), five.max(axis=0)
        np.testing.assert_allclose((high - low).max(), 199 / 2.9, atol=0.03)
        np.testing.assert_allclose((low + high) / 2, 99.5 - 12, atol=0.03)
        back = transform_points(np.array([[1.0, 0, 12], [0, 1, 12]]), points)
        stored = aligned.landmarks(row)
        assert stored is not None
        np.testing.assert_allclose(back, stored, atol=1e-4)


def test_pose_and_gaze_turn_with_their_crops(faces: Manifest) -> None:
    """A stiff head seen from afar, drawn through the crop's matrix, looks as one drawn with the crop's own angles."""
    varied = AugmentationConfig(flip_chance=0.5, rotation=30.0)
    steps = Preparation(recipe=EyeSimilarityCrop(), augmentation=varied, seed=3)
    batch = next(eval_loader(FaceDataset(faces, steps), LoaderConfig(batch_size=8)).batches(1))
    assert faces.angles is not None
    ear_to_ear_up_and_nose = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    mirrors = 0
    for row in range(8):
        landmarks = faces.landmarks(row)
        assert landmarks is not None
        matrix = recipe_matrix(steps.recipe, faces.image(row), landmarks.astype(np.float64), "it")
        matrix = augment_matrix(varied, matrix, steps.recipe.size, sample_generator(3, 1, row))[:, :2]
        mirror = -1.0 if np.linalg.det(matrix) < 0 else 1.0
        mirrors += mirror < 0
        moved = _seen(faces.angles[row], ear_to_ear_up_and_nose) @ matrix.T / np.sqrt(abs(np.linalg.det(matrix)))
        expected = _seen(batch.angles[row].numpy(), ear_to_ear_up_and_nose * [mirror, 1, 1])
        np.testing.assert_allclose(moved, expected, atol=1e-4)
        np.testing.assert_allclose(batch.angles[row, 3:], faces.angles[row, 3:] * [1, mirror], atol=1e-4)
    assert 0 < mirrors < 8


def _seen(angles: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Draw a head's points with OpenFace's pitch, yaw and roll in degrees, x to the right and y down."""
    pitch, yaw, roll = (float(angle) for angle in angles[:3])
    turned = points @ head_rotation(-yaw, -pitch, roll).T
    return turned[:, :2] * [1, -1]


def test_levels_come_with_their_faces(faces: Manifest) -> None:
    batch = next(eval_loader(FaceDataset(faces, Preparation()), LoaderConfig(batch_size=8)).batches(0))
    expected = faces.table.select([f"{code}_level" for code in faces.action_units.codes]).to_numpy()
    np.testing.assert_array_equal(batch.levels, expected)
    assert ((batch.levels >= 2) == (batch.labels == 1)).all()
