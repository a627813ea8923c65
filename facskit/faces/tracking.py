"""A tracker of the faces in a video: ids that stay, from where a face should be and from what it looks like.

Who comes back, or somebody new? That is said after a moment's look, so that a track may get its id later than its face
is seen.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from facskit.faces.appearance import Appearance, difference
from facskit.faces.detection import Face, overlap

__all__ = ["FaceTracker", "Track", "TrackerConfig"]

_IMPOSSIBLE = 1e6
_LOOKS = 8
"""How many appearances of a face are remembered."""
_BETWEEN_LOOKS = 0.2
"""Seconds between two of them."""
_ENOUGH_LOOKS = 10
"""Appearances of a new face that are enough to say who it is."""
_APART = 0.1
"""Overlap of two faces above which one may cover the other, so that appearances aren't remembered."""


@dataclass(frozen=True, kw_only=True)
class TrackerConfig:
    """When a face in this frame is the same as one seen before."""

    max_distance: float = 0.75
    """Farthest a face's centre may be from where it should be, in box sides."""
    max_size_ratio: float = 1.6
    """Most a face's size may have changed since it was last seen, as a ratio."""
    patience: float = 1.2
    """Seconds a face may be missing and still get its id back when it returns near the same place."""
    memory: float = 60.0
    """Seconds a face may be missing and still get its id back wherever it returns, if it looks the same."""
    same_look: float = 1.1
    """Largest difference of appearances that counts as the same: 1 % of two rendered people's pictures are nearer."""
    settling: float = 0.4
    """Seconds for which a new face is looked at before it's said to be somebody who was missing, or somebody new."""
    look_weight: float = 2.0
    """Box sides of distance that a difference of appearances of 1 is worth."""

    def __post_init__(self) -> None:
        """Check every limit."""
        for name in ("max_distance", "same_look", "look_weight"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.max_size_ratio <= 1:
            raise ValueError(f"max_size_ratio must be above 1, got {self.max_size_ratio}")
        for name in ("patience", "memory", "settling"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 seconds or more, got {getattr(self, name)}")


@dataclass(eq=False)
class Track:
    """A face that is followed."""

    box: Float[np.ndarray, "4"]
    """Where it was seen last."""
    born: float
    """Seconds at which it was seen first."""
    seen: float
    """Seconds at which it was seen last."""
    face_id: int | None = None
    """Whose face it is; None until that is settled."""
    velocity: Float[np.ndarray, "2"] = field(default_factory=lambda: np.zeros(2))
    """Pixels a second."""
    looks: deque[Appearance] = field(default_factory=lambda: deque(maxlen=_LOOKS))
    """What it looked like."""
    looked: float = -np.inf
    """When the last appearance was remembered."""
    first_looks: list[Appearance] = field(default_factory=list)
    """What it looked like on every frame before it was settled."""

    def places(self, time: float) -> list[Float[np.ndarray, "4"]]:
        """Where the face may be: where it was seen last, as people stop and turn, or on its way from there."""
        return [self.box, self.box + np.tile(self.velocity * (time - self.seen), 2)]

    def looks_different(self, look: Appearance | None) -> float | None:
        """Say how different a face looks from the most similar appearance remembered; None if that isn't known."""
        if look is None or not self.looks:
            return None
        return min(difference(look, known) for known in self.looks)

    def first_look(self) -> Appearance | None:
        """Return the mean of the appearances so far; None if there are none."""
        if not self.first_looks:
            return None
        mean = np.mean(self.first_looks, axis=0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)

    def move_to(self, face: Face, time: float) -> None:
        """Take in where the face is now."""
        moved = (_centre(face.box) - _centre(self.box)) / max(time - self.seen, 1e-3)
        self.velocity = 0.6 * self.velocity + 0.4 * moved
        self.box, self.seen = face.box, time

    def remember(self, look: Appearance, time: float) -> None:
        """Keep an appearance, if the last one was a while ago; before the face is settled, every one."""
        if self.face_id is None:
            self.first_looks.append(look)
        if time - self.looked >= _BETWEEN_LOOKS:
            self.looks.append(look)
            self.looked = time


class FaceTracker:
    """Gives each face an id from 0 up that it keeps while it stays in view, when others cross it, and over gaps.

    Faces and tracks are paired so that the sum of all pairs' costs is small: the distance from where the face should
    be, in box sides, what its box lacks to overlap that place, and how different it looks. A face that belongs to no
    track begins a new one. While somebody is missing it's looked at for a moment, and then is whoever it looks like
    most, or somebody new; else it's somebody new at once.
    """

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self.config = config or TrackerConfig()
        self._tracks: list[Track] = []
        self._next_id = 0

    def update(self, faces: Sequence[Face], time: float, looks: Sequence[Appearance] | None = None) -> list[Track]:
        """Take in the faces of the next frame, if any, in any order.

        Args:
            time: When the frame is shown, in seconds; later than the one before.
            looks: What each face looks like; without them the place alone decides.

        Returns:
            The track of each face. It may get its id only when later frames are taken in, or by `settle`.
        """
        seen: Sequence[Appearance | None] = [None] * len(faces) if looks is None else looks
        self._tracks = [track for track in self._tracks if time - track.seen <= self.config.memory]
        pairs = self._match(faces, seen, time)
        found = []
        for index, face in enumerate(faces):
            track = pairs.get(index)
            if track is None:
                track = Track(face.box, time, time)
                self._tracks.append(track)
            track.move_to(face, time)
            found.append(track)
        for track, look in zip(found, seen, strict=True):
            if look is not None and not self._is_crowded(track, time):
                track.remember(look, time)
        self.settle(time)
        return found

    def settle(self, time: float | None = None) -> None:
        """Say who new faces are, if they have been looked at for long enough, or nobody is missing.

        Args:
            time: Now; without it there are no more frames, and all of them are settled.
        """
        unsettled = [track for track in self._tracks if track.face_id is None]
        for track in unsettled:
            missing = self._missing(track)
            waits = time is not None and time - track.born < self.config.settling
            if missing and waits and track.seen == time and len(track.first_looks) < _ENOUGH_LOOKS:
                continue
            same = self._same_person(track, missing)
            if same is None:
                track.face_id, self._next_id = self._next_id, self._next_id + 1
            else:
                track.face_id = same.face_id
                track.looks = deque([*same.looks, *track.looks], maxlen=_LOOKS)
                self._tracks.remove(same)
            track.first_looks.clear()

    def _missing(self, track: Track) -> list[Track]:
        """Return whom a new face may be: those who were known and haven't been seen since it came."""
        return [
            other for other in self._tracks if other.face_id is not None and other.seen < track.born and other.looks
        ]

    def _same_person(self, track: Track, missing: list[Track]) -> Track | None:
        """Return who a new face looks most like, if that is enough."""
        look, nearest, least = track.first_look(), None, self.config.same_look
        for other in missing:
            different = other.looks_different(look)
            if different is not None and different <= least:
                nearest, least = other, different
        return nearest

    def _is_crowded(self, track: Track, time: float) -> bool:
        """Tell whether another face may lie before or behind one."""
        near = [other for other in self._tracks if other is not track and time - other.seen <= self.config.patience]
        return any(overlap(track.box, place) > _APART for other in near for place in other.places(time))

    def _match(self, faces: Sequence[Face], looks: Sequence[Appearance | None], time: float) -> dict[int, Track]:
        """Pair faces, by their index, with tracks seen a moment ago; whatever can't be paired has no partner."""
        recent = [track for track in self._tracks if time - track.seen <= self.config.patience]
        if not faces or not recent:
            return {}
        costs = np.array(
            [[self._cost(track, face, look, time) for track in recent] for face, look in zip(faces, looks, strict=True)]
        )
        return {row: recent[column] for row, column in _cheapest_pairs(costs)}

    def _cost(self, track: Track, face: Face, look: Appearance | None, time: float) -> float:
        """Say how unlikely it is that a face belongs to a track."""
        config, gone = self.config, time - track.seen
        side = np.sqrt(float(np.prod(track.box[2:] - track.box[:2])))
        ratio = np.sqrt(face.area) / side
        if not 1 / config.max_size_ratio <= ratio <= config.max_size_ratio:
            return _IMPOSSIBLE
        places = track.places(time)
        distance = min(float(np.linalg.norm(_centre(face.box) - _centre(place)) / side) for place in places)
        if distance > config.max_distance:
            return _IMPOSSIBLE
        different = track.looks_different(look)
        covered = max(overlap(face.box, place) for place in places)
        looks_apart = config.look_weight * (config.same_look if different is None else different)
        # A face that was missing for long gives way to one seen a moment ago.
        return distance + 1 - covered + looks_apart + 0.3 * gone


def _cheapest_pairs(costs: Float[np.ndarray, "faces tracks"]) -> list[tuple[int, int]]:
    """Pair rows and columns: the cheapest pair first, then partners are exchanged as long as that is cheaper."""
    padded = np.full((sum(costs.shape),) * 2, _IMPOSSIBLE)
    padded[: costs.shape[0], : costs.shape[1]] = costs
    partner = np.full(len(padded), -1)
    for flat in np.argsort(padded, axis=None, kind="stable").tolist():
        row, column = divmod(flat, len(padded))
        if partner[row] < 0 and column not in partner:
            partner[row] = column
    rows, improved = range(costs.shape[0]), True
    while improved:
        improved = False
        for one in rows:
            for other in range(len(padded)):
                now = padded[one, partner[one]] + padded[other, partner[other]]
                if padded[one, partner[other]] + padded[other, partner[one]] < now - 1e-9:
                    partner[[one, other]] = partner[[other, one]]
                    improved = True
    return [(row, int(partner[row])) for row in rows if padded[row, partner[row]] < _IMPOSSIBLE]


def _centre(box: Float[np.ndarray, "4"]) -> Float[np.ndarray, "2"]:
    centre: Float[np.ndarray, "2"] = (box[:2] + box[2:]) / 2
    return centre
