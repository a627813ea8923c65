"""CenterFace, the packaged face detector."""

from dataclasses import dataclass
from importlib.resources import files

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from facskit.faces.detection import STILL_THERE, Face, different_faces, overlap
from facskit.faces.images import warp
from facskit.faces.onnx_sessions import open_session

__all__ = ["CenterFace", "CenterFaceConfig"]

_STRIDE = 4  # pixels of the network's input per output cell
_MULTIPLE = 32  # the network halves its input five times
_CLOSE_SIDE = 160  # pixels of the window of a close look
_CLOSE_FACE = 100  # longer side of a face in that window, pixels: landmarks are as good as in windows of 288
_CLOSE_STEPS = 3  # sizes of windows in an octave
_CLOSE_GRID = 16  # pixels of the window that lie between possible places of it
_CLOSE_LOOKS = 5  # most looks until the window is one that the face found in it asks for
_TINY = 20.0  # width of a face there, pixels, below which others like it are missed
_LARGEST_LOOK = 2560  # longer side of the network's input at which looking for smaller faces ends
_SAME = 0.2  # overlap from which two looks have found the same face

_OFFSETS = np.array([[-0.01, 0.03], [0.01, 0.03], [0.0, -0.05], [-0.02, 0.105], [0.02, 0.105]])
"""Where annotators have the five points (`Face.offsets`): CenterFace's mouth corners lie too high, so that a face looks
shorter and crops that follow the points' bounds would show 8 % less on photographs.

Measured on 63 packaged faces at one to four times their size: medians over the faces, made symmetric. They are the same
in pictures of 128 and of 1,100 pixels within 0.02. What differs from face to face stays: a standard deviation of 0.04
for eyes, 0.06 for mouth corners and 0.1 for the nose.
"""


@dataclass(frozen=True, kw_only=True)
class CenterFaceConfig:
    """How the CenterFace detector looks at a picture."""

    max_side: int = 640
    """Longer side of the picture the network sees, in pixels; larger pictures are shrunk to it."""
    min_side: int = 320
    """Smaller pictures are enlarged until their longer side has this many pixels, at most fourfold."""
    score_threshold: float = 0.5
    """Least confidence of a face, 0 to 1."""
    overlap_threshold: float = 0.4
    """Of two faces whose boxes overlap more (intersection over union), the less confident one is dropped."""
    smallest_face: float = 10.0
    """Faces with a smaller longer side are dropped, in pixels of the original picture."""
    second_look: bool = True
    """When nothing is found, look again at low resolution and with a wide border (a face that fills the picture), then
    at twice the resolution (small faces in a large picture); when small faces are found, look for smaller ones too."""
    refine: bool = True
    """Look again at each face from near, to place its landmarks well, and alike in photographs and videos."""
    threads: int = 0
    """Processor threads for the network; 0 lets onnxruntime decide."""

    def __post_init__(self) -> None:
        """Check every limit."""
        for name in ("max_side", "min_side"):
            if getattr(self, name) < _MULTIPLE:
                raise ValueError(f"{name} must be at least {_MULTIPLE} pixels, got {getattr(self, name)}")
        if self.min_side > self.max_side:
            raise ValueError(f"min_side must be at most max_side ({self.max_side}), got {self.min_side}")
        for name in ("score_threshold", "overlap_threshold"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        if self.threads < 0:
            raise ValueError(f"threads must be 0 or more, got {self.threads}")


class CenterFace:
    """Finds faces with CenterFace, an anchor-free network that marks face centres on a heat map.

    One instance may be used from several threads: onnxruntime sessions allow concurrent runs.

    Paper:
        Xu et al., *CenterFace: Joint Face Detection and Alignment Using Face as Point* (arXiv 1911.03599).
    """

    def __init__(self, config: CenterFaceConfig | None = None) -> None:
        self.config = config or CenterFaceConfig()
        weights = files("facskit").joinpath("assets/detector/centerface.onnx").read_bytes()
        self._session = open_session(weights, self.config.threads)

    def detect(self, image: UInt8[np.ndarray, "height width 3"]) -> list[Face]:
        """Return the faces, largest first; an empty list when there is none."""
        config = self.config
        image = np.ascontiguousarray(image)
        height, width = image.shape[:2]
        if min(height, width) < 2:
            return []
        longest = max(height, width)
        side = min(config.max_side, max(longest, min(config.min_side, 4 * longest)))
        faces = self._look(image, side)
        if not faces and config.second_look:
            side = min(side, 5 * _MULTIPLE)
            faces = self._look(image, side) or self._look_with_border(image)
        if not faces and config.second_look and longest > config.max_side:
            side = min(longest, 2 * config.max_side)
            faces = self._look(image, side)
        while faces and config.second_look and side < longest and _smallest(faces) * side / longest < _TINY:
            # Where some faces are hardly large enough to be found, others are too small.
            side = min(longest, 2 * side)
            finer = self._look(image, side)
            faces = _merged(finer, faces)
            if side >= _LARGEST_LOOK:
                break
        if config.refine:
            faces = different_faces([self._look_closer(image, face) for face in faces])
        return sorted(faces, key=lambda face: face.area, reverse=True)

    def look_near(self, image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, "4"]) -> list[Face]:
        """Return the faces in a window around a place; the one that overlaps it most comes first.

        All close looks show a face at nearly the same size, and windows lie on a grid: wherever the face was expected,
        the last window is the one that the found face itself asks for, and the answer nearly always the same. Windows
        anywhere, moved by 8 % of a face and resized by 5 %, move the distance between its eyes by 2.7 %.
        """
        looked: dict[_Window, list[Face]] = {}
        window = _Window.around(box)
        while window not in looked and len(looked) < _CLOSE_LOOKS:
            looked[window] = faces = self._look_through(image, window, box)
            if not faces or overlap(faces[0].box, box) <= STILL_THERE:
                return faces
            box = faces[0].box
            window = _Window.around(box)
        # Some windows ask for each other in turn; the same one of them counts, whichever came first.
        windows = list(looked)
        turn = windows[windows.index(window) :] if window in looked else windows[-1:]
        return looked[min(turn)]

    def _look_through(
        self, image: UInt8[np.ndarray, "height width 3"], window: "_Window", box: Float[np.ndarray, "4"]
    ) -> list[Face]:
        seen = self._look(warp(image, window.matrix, _CLOSE_SIDE), _CLOSE_SIDE)
        faces = [face.seen_in(window.shift, window.ratio) for face in seen]
        return sorted(faces, key=lambda face: overlap(face.box, box), reverse=True)

    def _look_closer(self, image: UInt8[np.ndarray, "height width 3"], face: Face) -> Face:
        """Look again at one face, to place its landmarks well; keep the first look if the second finds none."""
        nearby = self.look_near(image, face.box)
        return nearby[0] if nearby and overlap(nearby[0].box, face.box) > STILL_THERE else face

    def _look_with_border(self, image: UInt8[np.ndarray, "height width 3"]) -> list[Face]:
        """Look with half the picture's size added on every side, and keep the faces that lie in the picture."""
        height, width = image.shape[:2]
        right, down = width // 2, height // 2
        fill = tuple(float(level) for level in image.mean(axis=(0, 1)))
        padded = cv2.copyMakeBorder(image, down, down, right, right, cv2.BORDER_CONSTANT, value=fill)
        shift = np.array([right, down], np.float64)
        moved = []
        for face in self._look(np.asarray(padded, np.uint8), min(self.config.max_side, 8 * _MULTIPLE)):
            there = face.seen_in(shift, 1.0)
            outside = np.abs(np.clip(there.landmarks, 0, (width, height)) - there.landmarks).max()
            if outside < 0.25 * (there.box[2] - there.box[0]):
                moved.append(there)
        return moved

    def _look(self, image: UInt8[np.ndarray, "height width 3"], side: int) -> list[Face]:
        """Run the network on the picture with its longer side resized to `side` pixels."""
        height, width = image.shape[:2]
        zoom = side / max(height, width)
        size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
        way = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
        resized = cv2.resize(image, size, interpolation=way) if size != (width, height) else image
        padded = np.zeros((_round_up(size[1]), _round_up(size[0]), 3), np.float32)
        padded[: size[1], : size[0]] = resized
        heatmap, scale, offset, landmarks = self._session.run(None, {"image": padded.transpose(2, 0, 1)[None]})
        boxes, points, scores = _decode(heatmap[0, 0], scale[0], offset[0], landmarks[0], self.config.score_threshold)
        ratio = np.array([width, height], np.float64) / size
        faces = []
        for index in _suppress(boxes, scores, self.config.overlap_threshold):
            # the network's positions count from the picture's corner, ours from the centre of its first pixel
            box = boxes[index] * np.tile(ratio, 2) - 0.5
            if max(box[2] - box[0], box[3] - box[1]) >= self.config.smallest_face:
                faces.append(Face(box, points[index] * ratio - 0.5, float(scores[index]), _OFFSETS))
        return faces


@dataclass(frozen=True, order=True, slots=True)
class _Window:
    """A square part of a picture in which a face is looked at closely, one of a grid of them."""

    ratio: float
    """Pixels of the window per pixel of the picture."""
    across: int
    """Where the picture's left edge lies in the window, in pixels of the window."""
    down: int
    """Where its upper edge lies."""

    @classmethod
    def around(cls, box: Float[np.ndarray, "4"]) -> "_Window":
        """Return the window of the grid in which a box lies nearest to the middle at nearly the wanted size."""
        octaves = np.log2(_CLOSE_FACE / float(max(box[2] - box[0], box[3] - box[1])))
        ratio = float(2 ** (round(_CLOSE_STEPS * octaves) / _CLOSE_STEPS))
        middle = ratio * (box[:2] + box[2:]) / 2
        across, down = np.rint(((_CLOSE_SIDE - 1) / 2 - middle) / _CLOSE_GRID).astype(int) * _CLOSE_GRID
        return cls(ratio, int(across), int(down))

    @property
    def shift(self) -> Float[np.ndarray, "2"]:
        """Where the picture's origin lies in the window, in pixels of the window."""
        return np.array([self.across, self.down], np.float64)

    @property
    def matrix(self) -> Float[np.ndarray, "2 3"]:
        """Map from the picture's pixels to the window's."""
        return np.column_stack([np.eye(2) * self.ratio, self.shift])


def _smallest(faces: list[Face]) -> float:
    return min(float(face.box[2] - face.box[0]) for face in faces)


def _merged(finer: list[Face], coarse: list[Face]) -> list[Face]:
    """Add to the faces of a finer look those of a coarser one that it has missed, as it may miss large ones."""
    merged = list(finer)
    for face in coarse:
        boxes = np.array([other.box for other in finer]).reshape(-1, 4)
        if not len(boxes) or _overlaps(face.box, boxes, np.arange(len(boxes))).max() < _SAME:
            merged.append(face)
    return merged


def _round_up(length: int) -> int:
    return -(-length // _MULTIPLE) * _MULTIPLE


def _decode(
    heatmap: Float32[np.ndarray, "rows columns"],
    scale: Float32[np.ndarray, "2 rows columns"],
    offset: Float32[np.ndarray, "2 rows columns"],
    landmarks: Float32[np.ndarray, "10 rows columns"],
    threshold: float,
) -> tuple[Float[np.ndarray, "faces 4"], Float[np.ndarray, "faces 5 2"], Float[np.ndarray, " faces"]]:
    """Read boxes, landmarks and scores off the network's four maps, in pixels of its input.

    A cell above the threshold is a face centre. Every pair of channels is (vertical, horizontal): the box is exp(scale)
    cells high and wide, its centre lies `offset` cells from the middle of the cell, and a landmark is a fraction of the
    box measured from the box's top left corner.
    """
    rows, columns = np.nonzero(heatmap > threshold)
    cells = np.stack([rows, columns], axis=1).astype(np.float64)
    extent = np.exp(np.clip(scale[:, rows, columns].T.astype(np.float64), -10, 10)) * _STRIDE
    centre = (cells + offset[:, rows, columns].T + 0.5) * _STRIDE
    corner = centre - extent / 2
    fractions = landmarks[:, rows, columns].T.reshape(-1, 5, 2)
    points = corner[:, None] + fractions * extent[:, None]
    boxes = np.concatenate([corner[:, ::-1], (corner + extent)[:, ::-1]], axis=1)
    scores = np.clip(heatmap[rows, columns].astype(np.float64), 0, 1)
    return boxes, points[..., ::-1].copy(), scores


def _suppress(boxes: Float[np.ndarray, "faces 4"], scores: Float[np.ndarray, " faces"], overlap: float) -> list[int]:
    """Keep the most confident box of every heap of overlapping ones; return the kept indices."""
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        best, rest = int(order[0]), order[1:]
        kept.append(best)
        order = rest[_overlaps(boxes[best], boxes, rest) <= overlap]
    return kept


def _overlaps(
    box: Float[np.ndarray, "4"], boxes: Float[np.ndarray, "faces 4"], among: Int[np.ndarray, " some"]
) -> Float[np.ndarray, " some"]:
    """Intersection over union of one box with some others; a box lying within the other counts as the same face."""
    others = boxes[among]
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(np.clip(sides, 0, None), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1)
    area = float(np.prod(box[2:] - box[:2]))
    union_overlap = shared / (areas + area - shared)
    return np.where(shared > 0.9 * np.minimum(areas, area), 1.0, union_overlap)
