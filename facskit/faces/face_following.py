"""Faces through a recording: a small look where each was a moment ago, and the whole picture now and then."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int, UInt8

from facskit.faces.detection import STILL_THERE, CloseDetector, Face, FaceDetector, different_faces, overlap

__all__ = ["ONE_PERSON", "FaceFollower", "FollowingConfig"]

_POINTS = 32
"""Points along the longer side of a picture that are compared to notice a cut."""
_TICK = 1e-3
"""Seconds that the clocks of files are rounded to."""


@dataclass(frozen=True, kw_only=True)
class FollowingConfig:
    """How often the whole picture is searched while faces are followed."""

    search_every: float = 0.4
    """Longest time between two searches of the whole picture, in the unit of the clock that `find` is given (of a
    video: seconds); whoever comes in is found so late at most. 0 searches every picture."""
    stay: float = 0.4
    """How long a face that was lost is looked for where it was, in the same unit."""
    faces: Literal["all", "one"] = "all"
    """Follow everybody, or the one person of a recording: whoever is largest when it begins."""
    cut: float = 30.0
    """Mean difference from the last picture, in grey levels, that is taken for a cut: all are searched for anew."""

    def __post_init__(self) -> None:
        """Check every limit."""
        for name in ("search_every", "stay"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if self.cut <= 0:
            raise ValueError(f"cut must be above 0 grey levels, got {self.cut}")


ONE_PERSON = FollowingConfig(search_every=50.0, stay=math.inf, faces="one", cut=math.inf)
"""For a recording of one person, whose clock counts pictures: a mistake doesn't last longer than 50 of them."""


@dataclass(slots=True, eq=False)
class _Followed:
    """A face that was in the last picture, or was lost a moment ago."""

    face: Face
    seen: float
    """When it was seen last."""
    lost: bool = False


class FaceFollower:
    """Finds the faces of a recording, picture after picture.

    The first picture is searched as a whole. From then on a window around the last place of each face is enough, which
    is several times faster. The whole picture is searched again every `search_every`, when a face has just been lost,
    at a cut, and as long as nobody is followed. Both ways end with the same close look at each face, so they agree on
    where it is. The answer depends on the pictures since `forget` and on nothing else.

    Args:
        detector: Finds the faces; one that can't look closely at a place searches every picture.
    """

    def __init__(self, detector: FaceDetector, config: FollowingConfig | None = None) -> None:
        self.config = config or FollowingConfig()
        self._detector = detector
        self.forget()

    def forget(self) -> None:
        """Begin a new recording, or a picture that has nothing to do with the last one."""
        self._followed: list[_Followed] = []
        self._searched = -np.inf
        self._points: Int[np.ndarray, "rows columns 3"] | None = None

    def find(self, image: UInt8[np.ndarray, "height width 3"], time: float) -> list[Face]:
        """Find the faces in the next picture, largest first.

        Args:
            time: When the picture was taken; later than the one before.
        """
        if self._is_cut(image):
            self._followed = []
        faces: list[Face] = []
        if time - self._searched < self.config.search_every - _TICK:
            faces = self._look_near(image, self._followed)
        if not faces or self._misses_anybody(faces):
            faces = self._search(image)
            self._searched = time
        self._remember(faces, time)
        return sorted(faces, key=lambda face: face.area, reverse=True)

    def _search(self, image: UInt8[np.ndarray, "height width 3"]) -> list[Face]:
        """Search the whole picture, and look closely where somebody should be whom that has missed."""
        found = self._detector.detect(image)
        if self.config.faces == "one":
            return self._choose(found)
        missed = [one for one, face in self._matched(found) if face is None]
        return different_faces(found + self._look_near(image, missed))

    def _choose(self, faces: list[Face]) -> list[Face]:
        """Take the largest face, unless the followed one is there too and not tiny beside it."""
        for one in self._followed:
            near = _nearest(one.face, faces)
            if near is not None and near.area > 0.25 * faces[0].area:
                return [near]
        return faces[:1]

    def _look_near(self, image: UInt8[np.ndarray, "height width 3"], followed: list[_Followed]) -> list[Face]:
        """Look in a window around each place; whoever else is seen there is looked at closely too."""
        if not isinstance(self._detector, CloseDetector):
            return []
        faces, others = list[Face](), list[Face]()
        for one in followed:
            seen = self._detector.look_near(image, one.face.box)
            near = _nearest(one.face, seen)
            faces += [] if near is None else [near]
            others += [face for face in seen if face is not near]
        if self.config.faces == "all":
            known = different_faces(faces)
            for other in different_faces(known + others)[len(known) :]:
                closer = _nearest(other, self._detector.look_near(image, other.box))
                faces += [] if closer is None else [closer]
        return different_faces(faces)

    def _misses_anybody(self, faces: list[Face]) -> bool:
        """Tell whether a face of the last picture isn't among the faces of this one."""
        return any(face is None and not one.lost for one, face in self._matched(faces))

    def _matched(self, faces: list[Face]) -> list[tuple[_Followed, Face | None]]:
        """Pair those who are followed with the faces of this picture, each with one at most."""
        left = list(faces)
        pairs: list[tuple[_Followed, Face | None]] = []
        for one in self._followed:
            near = _nearest(one.face, left)
            left = [face for face in left if face is not near]
            pairs.append((one, near))
        return pairs

    def _remember(self, faces: list[Face], time: float) -> None:
        """Follow the faces of this picture, and for a while those who aren't in it."""
        missing = [one for one, face in self._matched(faces) if face is None and time - one.seen <= self.config.stay]
        for one in missing:
            one.lost = True
        is_replaced = self.config.faces == "one" and faces
        self._followed = [_Followed(face, time) for face in faces] + ([] if is_replaced else missing)

    def _is_cut(self, image: UInt8[np.ndarray, "height width 3"]) -> bool:
        """Compare a picture with the last one at few points."""
        step = max(1, max(image.shape[:2]) // _POINTS)
        last, self._points = self._points, image[::step, ::step].astype(np.int64)
        if last is None or last.shape != self._points.shape:
            return True
        return float(np.abs(self._points - last).mean()) > self.config.cut


def _nearest(face: Face, others: list[Face]) -> Face | None:
    """Return the face that is at nearly the same place, if any is."""
    near = max(others, key=lambda other: overlap(other.box, face.box), default=None)
    return near if near is not None and overlap(near.box, face.box) > STILL_THERE else None
