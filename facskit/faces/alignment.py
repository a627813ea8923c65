"""The way from a face in a picture to the crop a network reads, by a crop recipe.

A crop recipe plus landmarks or a box gives a 2 x 3 matrix from picture to crop (`crop_matrix`); `images.warp` applies
it, and `invert` gives the way back for drawing. Pixel positions count from the centre of the first pixel.
"""

import numpy as np
from jaxtyping import Float

from facskit.faces.crop_recipes import BoxCrop, CropRecipe, EyeSimilarityCrop, Similarity49Crop, WholeImage
from facskit.faces.detection import Face
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
    "detection_matrix",
    "five_points",
    "in_plane_turn",
    "invert",
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


def crop_matrix(
    recipe: CropRecipe,
    *,
    landmarks: Float[np.ndarray, "5 2"] | None,
    box: Float[np.ndarray, "4"] | None,
    image_size: tuple[int, int],
) -> Float[np.ndarray, "2 3"]:
    """Return the map from picture pixels to crop pixels.

    Args:
        landmarks: The five points, in the order of `detection.Face.landmarks`; both similarity recipes need them.
        box: Left, top, right, bottom; the box recipe needs it.
        image_size: Width and height of the picture; the whole-image recipe needs it.

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
            return _central_window(recipe, _levelled_crop(recipe, landmarks.astype(np.float64)))
        case WholeImage():
            width, height = image_size
            side = recipe.aligned or recipe.size
            return _central_window(recipe, _window_to_square((-0.5, -0.5, width - 0.5, height - 0.5), side))


def detection_matrix(recipe: CropRecipe, face: Face, image_size: tuple[int, int]) -> Float[np.ndarray, "2 3"]:
    """Return the map from picture pixels to crop pixels for a face that a detector found.

    As `crop_matrix`, but the similarity-49 crop, which follows the points' bounds, takes the points where annotators
    have them. The five-point crop fits all points and takes them as they are.
    """
    landmarks = face.annotated if isinstance(recipe, Similarity49Crop) else face.landmarks
    return crop_matrix(recipe, landmarks=landmarks, box=face.box, image_size=image_size)


def _central_window(
    recipe: Similarity49Crop | WholeImage, matrix: Float[np.ndarray, "2 3"]
) -> Float[np.ndarray, "2 3"]:
    """Cut the margin of an aligned picture off: a whole number of pixels, so that nothing is resampled for it."""
    if recipe.aligned:
        matrix[:, 2] -= (recipe.aligned - recipe.size) // 2
    return matrix


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
    scale = ((recipe.aligned or recipe.size) - 1) / 2 / half
    return np.column_stack([turn * scale, -scale * ((low + high) / 2 - half)])


def border_level(recipe: CropRecipe) -> int:
    """Return the grey level of a crop beyond the picture's border; the papers' crops fill as the papers did."""
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


def in_plane_turn(matrices: Float[np.ndarray, "batch 2 3"]) -> Float[np.ndarray, "batch"]:
    """Return by how many degrees each map from picture to crop turns what is upright clockwise, mirrors set aside."""
    turn: Float[np.ndarray, "batch"] = np.degrees(np.arctan2(-matrices[..., 0, 1], matrices[..., 1, 1]))
    return turn


def transform_points(matrix: Float[np.ndarray, "2 3"], points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Move points through a 2 x 3 map."""
    moved: Float[np.ndarray, "n 2"] = points @ matrix[:, :2].T + matrix[:, 2]
    return moved
