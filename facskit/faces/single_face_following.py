"""One person's face through a recording: the same face in every frame, and a small look where it was a moment ago."""

import numpy as np
from jaxtyping import Float, UInt8

from facskit.faces.detection import Face, overlap
from facskit.faces.detectors import FOR_PHOTOGRAPHS, DetectorConfig, build_detector
from facskit.faces.images import warp

__all__ = ["FaceFollower"]

_SIDE = 288
"""Side of the small look in pixels."""
_SPAN = 2.2
"""Side of the small look in sides of the face's box; a face is then about 130 pixels wide, where landmarks are best."""
_PATIENCE = 50
"""Frames after which the whole picture is searched again, so that a mistake doesn't last."""


class FaceFollower:
    """Finds the face of a recording's only person, frame after frame.

    The first frame is searched as a whole and its largest face taken. From then on a window around the last place is
    enough, which is several times faster; when the face isn't there, and every 50th frame, the whole picture is
    searched again. The answer depends on the frames since `forget` and on nothing else.
    """

    def __init__(self, config: DetectorConfig = FOR_PHOTOGRAPHS) -> None:
        self._whole = build_detector(config)
        self._near = build_detector(config.for_window(_SIDE))
        self._last: Face | None = None
        self._since = 0

    def forget(self) -> None:
        """Begin a new recording, or a picture that has nothing to do with the last one."""
        self._last, self._since = None, 0

    def find(self, image: UInt8[np.ndarray, "height width 3"]) -> Face | None:
        """Find the face in the next frame, in pixels of the frame."""
        face = None
        if self._last is not None and self._since < _PATIENCE:
            face = self._look_near(image, self._last.box)
            self._since += 1
        if face is None:
            face = self._choose(self._whole.detect(image))
            self._since = 0
        # A face that is lost for a moment is expected where it was.
        self._last = face or self._last
        if face is None:
            self._since = _PATIENCE
        return face

    def _choose(self, faces: list[Face]) -> Face | None:
        """Take the largest face, unless the followed one is there too and not tiny beside it."""
        if not faces:
            return None
        if self._last is not None:
            last = self._last.box
            near = max(faces, key=lambda face: overlap(face.box, last))
            if overlap(near.box, last) > 0.2 and near.area > 0.25 * faces[0].area:
                return near
        return faces[0]

    def _look_near(self, image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, "4"]) -> Face | None:
        ratio = _SIDE / (_SPAN * float(max(box[2] - box[0], box[3] - box[1])))
        shift = (_SIDE - 1) / 2 - ratio * (box[:2] + box[2:]) / 2
        window = warp(image, np.column_stack([np.eye(2) * ratio, shift]), _SIDE)
        found = [face.seen_in(shift, ratio) for face in self._near.detect(window)]
        near = max(found, key=lambda face: overlap(face.box, box), default=None)
        return near if near is not None and overlap(near.box, box) > 0.3 else None
