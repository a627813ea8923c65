"""From a face in a picture to the crop a network reads: the crop recipes, which travel inside every checkpoint.

A crop recipe plus landmarks or a box gives a 2 x 3 matrix from picture to crop (`crop_matrix`); `images.warp` applies
it, and `invert` gives the way back for drawing. Pixel positions count from the centre of the first pixel.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from facskit.faces.landmarks import box_of, five_points

__all__ = [
    "TEMPLATE",
    "BoxCrop",
    "CropRecipe",
    "EyeSimilarityCrop",
    "Similarity49Crop",
    "WholeImage",
    "border_level",
    "box_of",
    "crop_matrix",
    "five_points",
    "invert",
    "recipe_from_dict",
    "recipe_to_dict",
    "transform_points",
]

TEMPLATE = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, 0.4661], [-0.3892, 1.0689], [0.3892, 1.0689]])
"""Eye centres, nose tip and mouth corners of the mean head, in eye distances from the point between the eyes, y down.

Measured on the neutral mean face of ICT-FaceKit's light model seen from the front without perspective; an eye centre is
the mean of its six iBUG landmarks, the nose tip is landmark 31 of 68, the mouth corners are 49 and 55.
"""

WEIGHTS = np.array([1.0, 1.0, 0.5, 0.25, 0.25])
"""Pull of each point in the fit. Mouth corners move with the expression, so they count least; without them a face
turned by 40 degrees, whose eyes draw together, would be enlarged by a third."""


@dataclass(frozen=True, kw_only=True)
class EyeSimilarityCrop:
    """Upright square from five landmarks: position, size and tilt by weighted least squares against the mean head."""

    kind: Literal["five-point"] = "five-point"
    """Tag of this recipe."""
    size: int = 112
    """Side of the crop in pixels."""
    half_side: float = 1.25
    """Half of the crop's side in distances between the eye centres."""
    drop: float = 0.55
    """How far below the eyes the crop's centre lies, in eye distances. With the defaults the crop reaches from 0.70
    above the eyes (raised brows, lower forehead) to 1.80 below (the mean chin lies at 1.69)."""

    def __post_init__(self) -> None:
        """Check every limit."""
        _check_size(self.size)
        if not 0.3 <= self.half_side <= 10:
            raise ValueError(f"half_side must be from 0.3 to 10 eye distances, got {self.half_side}")
        if not -2 <= self.drop <= 2:
            raise ValueError(f"drop must be from -2 to 2 eye distances, got {self.drop}")


@dataclass(frozen=True, kw_only=True)
class BoxCrop:
    """Upright square around the box, without rotation; with `stretch` it is FMAE's recipe (5 % margin, 224 pixels)."""

    kind: Literal["box"] = "box"
    """Tag of this recipe."""
    size: int = 224
    """Side of the crop in pixels."""
    margin: float = 0.05
    """Added on every side, as a fraction of the box's longer side; with `stretch`, of its width and its height."""
    stretch: bool = False
    """Pull the box to a square, so that the face loses its proportions, and fill with black beyond the picture, as the
    authors of FMAE do; otherwise the box's longer side becomes the square's. A box computed from landmarks is square
    already."""

    def __post_init__(self) -> None:
        """Check every limit."""
        _check_size(self.size)
        if not -0.4 <= self.margin <= 5:
            raise ValueError(f"margin must be from -0.4 to 5 box sides, got {self.margin}")


@dataclass(frozen=True, kw_only=True)
class WholeImage:
    """The whole picture resized to a square, for corpora that are already cropped."""

    kind: Literal["none"] = "none"
    """Tag of this recipe."""
    size: int = 224
    """Side of the crop in pixels."""

    def __post_init__(self) -> None:
        """Check every limit."""
        _check_size(self.size)


@dataclass(frozen=True, kw_only=True)
class Similarity49Crop:
    """Upright square around eyes, nose tip and mouth corners: the alignment of JAA-Net, ARL and CIU.

    Paper:
        Shao et al., *JAA-Net: Joint Facial Action Unit Detection and Face Alignment via Adaptive Attention* (IJCV
        2021), `dataset/face_transform.py` of its repository.
    """

    kind: Literal["similarity-49"] = "similarity-49"
    """Tag of this recipe."""
    size: int = 200
    """Side of the crop in pixels; the networks are shown windows of 176."""
    enlarge: float = 2.9
    """Side of the square over the longer side of the five points' upright bounds, after the eyes were levelled."""

    def __post_init__(self) -> None:
        """Check every limit."""
        _check_size(self.size)
        if not 0.5 <= self.enlarge <= 20:
            raise ValueError(f"enlarge must be from 0.5 to 20 sides of the points' bounds, got {self.enlarge}")


CropRecipe = EyeSimilarityCrop | BoxCrop | Similarity49Crop | WholeImage
"""How a face becomes a crop."""


def _check_size(size: int) -> None:
    if not 16 <= size <= 4096:
        raise ValueError(f"size must be from 16 to 4096 pixels, got {size}")


def crop_matrix(
    recipe: CropRecipe,
    *,
    landmarks: Float[np.ndarray, "5 2"] | None,
    box: Float[np.ndarray, "4"] | None,
    image_size: tuple[int, int],
) -> Float[np.ndarray, "2 3"]:
    """Return the map from picture pixels to crop pixels.

    Args:
        recipe: The crop recipe.
        landmarks: The five points, in the order of `detection.Face.landmarks`; both similarity recipes need them.
        box: Left, top, right, bottom; the box recipe needs it.
        image_size: Width and height of the picture; the whole-image recipe needs it.

    Returns:
        The matrix for `images.warp`.

    Raises:
        ValueError: What the recipe needs is missing, or the landmarks coincide.
    """
    match recipe:
        case EyeSimilarityCrop():
            if landmarks is None:
                raise ValueError("the five-point crop needs five landmarks, got none")
            return _similarity_crop(recipe, landmarks.astype(np.float64))
        case BoxCrop():
            if box is None:
                raise ValueError("the box crop needs a box, got none")
            left, top, right, bottom = (float(edge) for edge in box)
            across, down = (length * (0.5 + recipe.margin) for length in (right - left, bottom - top))
            if not recipe.stretch:
                across = down = max(across, down)
            if min(across, down) <= 0:
                raise ValueError(f"the box crop needs a box with an area, got {box.tolist()}")
            x, y = (left + right) / 2, (top + bottom) / 2
            return _window_to_square((x - across, y - down, x + across, y + down), recipe.size)
        case Similarity49Crop():
            if landmarks is None:
                raise ValueError("the similarity-49 crop needs five landmarks, got none")
            return _levelled_crop(recipe, landmarks.astype(np.float64))
        case WholeImage():
            width, height = image_size
            return _window_to_square((-0.5, -0.5, width - 0.5, height - 0.5), recipe.size)


def _window_to_square(window: tuple[float, float, float, float], size: int) -> Float[np.ndarray, "2 3"]:
    """Map the window's edges onto the edges of a square of `size` pixels, -0.5 to size - 0.5."""
    left, top, right, bottom = window
    across, down = size / (right - left), size / (bottom - top)
    return np.array([[across, 0, -0.5 - left * across], [0, down, -0.5 - top * down]], np.float64)


def _similarity_crop(recipe: EyeSimilarityCrop, points: Float[np.ndarray, "5 2"]) -> Float[np.ndarray, "2 3"]:
    """Fit the similarity min sum_i w_i |M p_i + t - q_i|^2, with q the template in crop pixels."""
    unit = recipe.size / (2 * recipe.half_side)
    middle = (recipe.size - 1) / 2
    target = (TEMPLATE - [0, recipe.drop]) * unit + middle
    weights = WEIGHTS / WEIGHTS.sum()
    source_mean, target_mean = weights @ points, weights @ target
    source, aim = points - source_mean, target - target_mean
    spread = float(weights @ (source**2).sum(axis=1))
    if not spread > 1e-6:
        raise ValueError("the five landmarks must be finite and apart from each other")
    along = float(weights @ (source * aim).sum(axis=1)) / spread
    across = float(weights @ (source[:, 0] * aim[:, 1] - source[:, 1] * aim[:, 0])) / spread
    rotation = np.array([[along, -across], [across, along]])
    return np.column_stack([rotation, target_mean - rotation @ source_mean])


def _levelled_crop(recipe: Similarity49Crop, points: Float[np.ndarray, "5 2"]) -> Float[np.ndarray, "2 3"]:
    """Level the eyes, enlarge the points' upright bounds to a square, and map it from 0 to size - 1."""
    along, down = points[1] - points[0]
    distance = float(np.hypot(along, down))
    if not (distance > 1e-3 and np.isfinite(points).all()):
        raise ValueError("the five landmarks must be finite and apart from each other")
    turn = np.array([[along, down], [-down, along]]) / distance
    level = points @ turn.T
    low, high = level.min(axis=0), level.max(axis=0)
    half = recipe.enlarge / 2 * float((high - low).max())
    scale = (recipe.size - 1) / 2 / half
    return np.column_stack([turn * scale, -scale * ((low + high) / 2 - half)])


def border_level(recipe: CropRecipe) -> int:
    """Return the grey level, 0 to 255, that a crop has beyond the picture's border: pass it to `images.warp`.

    Args:
        recipe: The crop; those of the papers fill as the papers did.
    """
    match recipe:
        case Similarity49Crop():
            return 128
        case BoxCrop():
            return 0 if recipe.stretch else 127
        case EyeSimilarityCrop() | WholeImage():
            return 127


def invert(matrix: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "2 3"]:
    """Return the way back: the map from crop pixels to picture pixels."""
    back = np.linalg.inv(matrix[:, :2])
    return np.column_stack([back, -back @ matrix[:, 2]])


def transform_points(matrix: Float[np.ndarray, "2 3"], points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Move points through a 2 x 3 map."""
    moved: Float[np.ndarray, "n 2"] = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def recipe_to_dict(recipe: CropRecipe) -> dict[str, object]:
    """Return the recipe as plain values, its kind included: what checkpoints and recipes store."""
    return asdict(recipe)


def recipe_from_dict(values: Mapping[str, object]) -> CropRecipe:
    """Rebuild a crop recipe from `recipe_to_dict`'s output.

    Args:
        values: Exactly the recipe's fields; all but `kind` may be left out and then take their defaults.

    Returns:
        The recipe.

    Raises:
        ValueError: The kind or a key is unknown, or a value is of the wrong type or out of range.
    """
    defaults: list[CropRecipe] = [member() for member in get_args(CropRecipe)]
    kind = values.get("kind")
    default = next((recipe for recipe in defaults if recipe.kind == kind), None)
    if default is None:
        kinds = ", ".join(recipe.kind for recipe in defaults)
        raise ValueError(f"crop recipe kind must be one of {kinds}, got {kind!r}")
    expected = asdict(default)
    for name, value in values.items():
        if name not in expected:
            raise ValueError(f"crop recipe {kind!r} has no key {name!r}; expected {', '.join(expected)}")
        wanted = type(expected[name])
        accepted = (int, float) if wanted is float else (wanted,)
        if isinstance(value, bool) != (wanted is bool) or not isinstance(value, accepted):
            raise ValueError(f"crop recipe key {name!r} must be of type {wanted.__name__}, got {value!r}")
        expected[name] = wanted(value)
    return replace(default, **expected)
