"""Packed manifests: images and table in one Parquet file, cropped and small, so that a data set is one thing."""

from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float, UInt8
from rich.console import Console
from rich.progress import track

from facskit.action_units import ActionUnitSet
from facskit.columns import IMAGE_BYTES, NEUTRAL_IMAGE, POSE
from facskit.datasets.landmark_columns import landmark_columns
from facskit.datasets.manifest import Manifest, read_manifest, write_manifest
from facskit.errors import DatasetError
from facskit.faces.alignment import (
    CropRecipe,
    WholeImage,
    border_level,
    box_of,
    crop_matrix,
    five_points,
    in_plane_turn,
    transform_points,
)
from facskit.faces.images import encode_jpeg, warp

__all__ = ["open_manifest", "pack_manifest", "packaged_faces", "recipe_matrix"]

_PACKAGED = WholeImage(size=128)


def pack_manifest(manifest: Manifest, out: Path, *, recipe: CropRecipe = _PACKAGED, quality: int = 92) -> Path:
    """Crop every image, encode it as JPEG and write images, labels and landmarks as one compressed Parquet file.

    Choose a wider crop than training will use (for example half_side 1.7 against 1.25): training crops again from the
    packed image, and augmentation that turns and shifts needs pixels around the face. Landmarks move with the crop,
    and the head's roll (`pose_Rz`) is that in the crop, which may have been turned upright.

    Args:
        out: A name ending in `.parquet`.
        recipe: The crop; its size is the side of the packed images in pixels.
        quality: JPEG quality, 1 to 100.

    Raises:
        DatasetError: A row has no landmarks though the recipe needs them, or the name has another ending.
        MediaError: An image is missing or damaged.
    """
    out = Path(out)
    if out.suffix.lower() != ".parquet":
        raise DatasetError(f"{out}: found the ending {out.suffix!r}; expected .parquet, which can hold images")
    encoded: list[bytes] = []
    points = np.full((len(manifest), 68, 2), np.nan)
    turns = np.zeros(len(manifest))
    # A bar for a moment's work would only flicker.
    for row in track(
        range(len(manifest)), "Packing images", console=Console(stderr=True), disable=len(manifest) < 2000
    ):
        image = manifest.image(row)
        landmarks = manifest.landmarks(row)
        matrix = recipe_matrix(recipe, image, landmarks, manifest.image_name(row))
        encoded.append(encode_jpeg(warp(image, matrix, recipe.size, border_level(recipe)), quality))
        turns[row] = np.radians(in_plane_turn(matrix[None])[0])
        if landmarks is not None:
            points[row] = transform_points(matrix, landmarks.astype(np.float64))
    # Pictures of people at rest aren't packed, so their names would lead nowhere.
    table = manifest.table.drop(NEUTRAL_IMAGE, strict=False)
    table = table.with_columns(pl.Series(IMAGE_BYTES, encoded, dtype=pl.Binary))
    if manifest.all_landmarks is not None:
        # Hundredths of a pixel are finer than any annotation, and compress better.
        table = table.with_columns(**landmark_columns(points.round(2)))
    roll = POSE[2]
    if roll in table.columns:
        table = table.with_columns((pl.col(roll) + pl.Series(turns)).cast(table.schema[roll]).alias(roll))
    return write_manifest(replace(manifest, table=table, root=out.parent), out)


def packaged_faces() -> Manifest:
    """Open the rendered, labelled faces that come with facskit.

    Raises:
        DatasetError: This installation has none.
    """
    packaged = resources.files("facskit") / "assets" / "faces" / "faces.parquet"
    with resources.as_file(packaged) as path:
        if not path.is_file():
            raise DatasetError(f"{path}: this installation has no packaged faces; expected them beside the package")
        return read_manifest(path)


def open_manifest(name: str, action_units: ActionUnitSet | None = None) -> Manifest:
    """Open a manifest by its path, or that of the folder it lies in; `packaged` names the faces that facskit brings.

    Args:
        action_units: The AUs wanted; by default all there are.
    """
    path = Path(name)
    if name == "packaged":
        faces = packaged_faces()
        return faces if action_units is None else replace(faces, action_units=action_units)
    return read_manifest(path / "manifest.parquet" if path.is_dir() else path, action_units)


def recipe_matrix(
    recipe: CropRecipe,
    image: UInt8[np.ndarray, "height width 3"],
    landmarks: Float[np.ndarray, "68 2"] | None,
    name: str,
) -> Float[np.ndarray, "2 3"]:
    """Return the matrix from a labelled image's pixels to its crop's; the box of a box crop is that of its landmarks.

    Raises:
        DatasetError: The recipe can't be followed with these landmarks.
    """
    try:
        return crop_matrix(
            recipe,
            landmarks=None if landmarks is None else five_points(landmarks),
            box=None if landmarks is None else box_of(landmarks),
            image_size=(image.shape[1], image.shape[0]),
        )
    except ValueError as error:
        raise DatasetError(f"{name}: {error}; expected landmark columns x_0..y_67 that fit the face") from error
