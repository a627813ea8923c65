from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from facskit.columns import POSE
from facskit.datasets.landmark_columns import landmark_columns
from facskit.datasets.manifest import Manifest, read_manifest, write_manifest
from facskit.datasets.packed import open_manifest, pack_manifest, packaged_faces
from facskit.errors import DatasetError
from facskit.faces.alignment import EyeSimilarityCrop, WholeImage, crop_matrix, five_points, transform_points
from facskit.faces.images import write_image
from tests.datasets.conftest import FACE, PAIR


def smooth(folder: Path) -> None:
    """Replace noise, which JPEG can't keep, by slopes of colour."""
    across, down = np.meshgrid(np.arange(72), np.arange(64))
    for row in range(10):
        image = np.stack([across * 3, down * 3, np.full_like(across, 20 * row)], axis=2)
        write_image(folder / f"images/{row:02d}.png", image.astype(np.uint8))


def test_a_packed_manifest_needs_nothing_else(manifest: Manifest, tmp_path: Path) -> None:
    smooth(tmp_path)
    path = pack_manifest(manifest, tmp_path / "elsewhere" / "packed.parquet", recipe=WholeImage(size=36))
    for file in (tmp_path / "images").iterdir():
        file.unlink()
    packed = read_manifest(path)
    assert packed.is_packed
    np.testing.assert_array_equal(packed.labels, manifest.labels)
    assert packed.subjects.tolist() == manifest.subjects.tolist()
    image = packed.image(4)
    assert image.shape == (36, 36, 3)
    assert abs(int(image[18, 18, 0]) - 36 * 3) < 8
    assert abs(int(image[18, 18, 2]) - 80) < 8
    points = packed.landmarks(4)
    assert points is not None
    # 72 x 64 pixels become 36 x 36, edges on edges.
    np.testing.assert_allclose(points, (FACE + 0.5) * [36 / 72, 36 / 64] - 0.5, atol=0.01)


def test_landmarks_follow_an_aligned_crop(manifest: Manifest, tmp_path: Path) -> None:
    recipe = EyeSimilarityCrop(size=64, half_side=1.7)
    packed = read_manifest(pack_manifest(manifest, tmp_path / "packed.parquet", recipe=recipe))
    matrix = crop_matrix(recipe, landmarks=five_points(FACE), box=None, image_size=(72, 64))
    points = packed.landmarks(0)
    assert points is not None
    np.testing.assert_allclose(points, transform_points(matrix, FACE), atol=0.01)


def test_the_roll_is_that_in_the_crop(manifest: Manifest, tmp_path: Path) -> None:
    # The head leans by 20 degrees to the picture's right, and its landmarks with it.
    lean, centre = np.radians(20), FACE.mean(axis=0)
    turn = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    leaning = np.broadcast_to((FACE - centre) @ turn.T + centre, (len(manifest), 68, 2))
    angles = [pl.lit(value).alias(name) for name, value in zip(POSE, (0.1, 0.2, lean), strict=True)]
    manifest = replace(manifest, table=manifest.table.with_columns(*angles, **landmark_columns(leaning)))
    upright = read_manifest(pack_manifest(manifest, tmp_path / "upright.parquet", recipe=EyeSimilarityCrop(size=64)))
    assert upright.table.select(POSE).row(3) == pytest.approx((0.1, 0.2, 0.0), abs=1e-6)
    whole = read_manifest(pack_manifest(manifest, tmp_path / "whole.parquet", recipe=WholeImage(size=64)))
    assert whole.table.select(POSE).row(3) == pytest.approx((0.1, 0.2, lean))


def test_the_packaged_faces_roll_as_their_eyes_do() -> None:
    faces = packaged_faces()
    points = faces.all_landmarks
    assert points is not None
    across = points[:, 42:48].mean(axis=1) - points[:, 36:42].mean(axis=1)
    slope = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
    pitch, yaw, roll = np.degrees(faces.table.select(POSE).to_numpy()).T
    straight = (np.abs(pitch) < 10) & (np.abs(yaw) < 10)
    assert straight.sum() > 300
    assert np.abs(roll - slope)[straight].mean() < 1.0


def test_packing_says_what_is_missing(manifest: Manifest, tmp_path: Path) -> None:
    bare = Manifest(table=manifest.table.select("image", "subject", "AU06", "AU12"), root=tmp_path, action_units=PAIR)
    with pytest.raises(DatasetError, match=r"00\.png: the five-point crop needs five landmarks, got none; expected"):
        pack_manifest(bare, tmp_path / "packed.parquet", recipe=EyeSimilarityCrop())
    with pytest.raises(DatasetError, match=r"found the ending '\.csv'; expected \.parquet"):
        pack_manifest(manifest, tmp_path / "packed.csv")


def test_embedded_images_do_not_fit_into_text(manifest: Manifest, tmp_path: Path) -> None:
    packed = read_manifest(pack_manifest(manifest, tmp_path / "packed.parquet"))
    with pytest.raises(DatasetError, match=r"column image_bytes holds embedded images; expected a name ending in"):
        write_manifest(packed, tmp_path / "packed.csv")


def test_a_damaged_packed_image_is_named(manifest: Manifest, tmp_path: Path) -> None:
    path = pack_manifest(manifest, tmp_path / "packed.parquet")
    data = pl.read_parquet(path)
    cells = data["image_bytes"].to_list()
    cells[3] = b"nothing"
    data.with_columns(pl.Series("image_bytes", cells, dtype=pl.Binary)).write_parquet(path)
    with pytest.raises(Exception, match=r"images/03\.png"):
        read_manifest(path).image(3)


def test_packaged_faces_are_found_beside_the_package(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facskit.datasets.packed.resources.files", lambda _: tmp_path)
    with pytest.raises(DatasetError, match=r"faces\.parquet: this installation has no packaged faces"):
        packaged_faces()
    pack_manifest(manifest, tmp_path / "assets" / "faces" / "faces.parquet")
    assert packaged_faces().image(0).shape == (128, 128, 3)


def test_faces_are_named_by_file_folder_or_packaged(manifest: Manifest, tmp_path: Path) -> None:
    file = pack_manifest(manifest, tmp_path / "manifest.parquet")
    assert open_manifest(str(file)).name == open_manifest(str(tmp_path)).name == str(file)
    assert len(open_manifest("packaged")) == len(packaged_faces())
