"""A tracker of the faces in a video: ids that stay, from where a face should be and from what it looks like."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from facskit.faces.appearance import Appearance, difference
from facskit.faces.detection import Face, overlap

__all__ = ["FaceTracker", "TrackerConfig"]

_IMPOSSIBLE = 1e6
_LOOKS = 8
"""How many appearances of a face are remembered."""
_BETWEEN_LOOKS = 0.2
"""Seconds between two of them."""
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
    memory: float = 3.0
    """Seconds a face may be missing and still get its id back wherever it returns, if it looks the same."""
    same_look: float = 0.6
    """Largest difference of appearances that counts as the same."""
    look_weight: float = 2.0
    """Box sides of distance that a difference of appearances of 1 is worth."""

    def __post_init__(self) -> None:
        """Check every limit."""
        for name in ("max_distance", "same_look", "look_weight"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.max_size_ratio <= 1:
            raise ValueError(f"max_size_ratio must be above 1, got {self.max_size_ratio}")
        for name in ("patience", "memory"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 seconds or more, got {getattr(self, name)}")


@dataclass(eq=False)
class _Track:
    face_id: int
    box: Float[np.ndarray, "4"]
    seen: float
    velocity: Float[np.ndarray, "2"] = field(default_factory=lambda: np.zeros(2))
    """Pixels a second."""
    looks: deque[Appearance] = field(default_factory=lambda: deque(maxlen=_LOOKS))
    looked: float = -np.inf
    """When the last appearance was remembered."""

    def places(self, time: float) -> list[Float[np.ndarray, "4"]]:
        """Where the face may be: where it was seen last, as people stop and turn, or on its way from there."""
        return [self.box, self.box + np.tile(self.velocity * (time - self.seen), 2)]

    def looks_different(self, look: Appearance | None) -> float | None:
        """Say how different a face looks from the most similar appearance remembered; None if that isn't known."""
        if look is None or not self.looks:
            return None
        return min(difference(look, known) for known in self.looks)

    def move_to(self, face: Face, time: float) -> None:
        """Take in where the face is now."""
        moved = (_centre(face.box) - _centre(self.box)) / max(time - self.seen, 1e-3)
        self.velocity = 0.6 * self.velocity + 0.4 * moved
        self.box, self.seen = face.box, time

    def remember(self, look: Appearance, time: float) -> None:
        """Keep an appearance, if the last one was a while ago."""
        if time - self.looked >= _BETWEEN_LOOKS:
            self.looks.append(look)
            self.looked = time


class FaceTracker:
    """Gives each face an id from 0 up that it keeps while it stays in view, when others cross it, and over short gaps.

    Faces and known ids are paired so that the sum of all pairs' costs is small: the distance from where the face should
    be, in box sides, what its box lacks to overlap that place, and how different it looks. A face that was missing for
    longer than the patience, or comes back elsewhere, gets its id back if it looks the same; after longer than the
    memory everybody is new.
    """

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self.config = config or TrackerConfig()
        self._tracks: list[_Track] = []
        self._next_id = 0

    def update(self, faces: Sequence[Face], time: float, looks: Sequence[Appearance] | None = None) -> list[int]:
        """Take in the faces of the next frame, if any, in any order; return the id of each.

        Args:
            time: When the frame is shown, in seconds; later than the one before.
            looks: What each face looks like; without them the place alone decides.
        """
        seen: Sequence[Appearance | None] = [None] * len(faces) if looks is None else looks
        self._tracks = [track for track in self._tracks if time - track.seen <= self.config.memory]
        pairs = self._match(faces, seen, time)
        ids = []
        for index, face in enumerate(faces):
            track = pairs.get(index)
            if track is None:
                track = _Track(self._next_id, face.box, time)
                self._tracks.append(track)
                self._next_id += 1
            track.move_to(face, time)
            ids.append(track.face_id)
            look = seen[index]
            if look is not None and not self._is_crowded(track, time):
                track.remember(look, time)
        return ids

    def _is_crowded(self, track: _Track, time: float) -> bool:
        """Tell whether another face may lie before or behind one."""
        near = [other for other in self._tracks if other is not track and time - other.seen <= self.config.patience]
        return any(overlap(track.box, place) > _APART for other in near for place in other.places(time))

    def _match(self, faces: Sequence[Face], looks: Sequence[Appearance | None], time: float) -> dict[int, _Track]:
        """Pair faces, by their index, with tracks; whatever can't be paired has no partner."""
        if not faces or not self._tracks:
            return {}
        costs = np.array(
            [
                [self._cost(track, face, look, time) for track in self._tracks]
                for face, look in zip(faces, looks, strict=True)
            ]
        )
        return {row: self._tracks[column] for row, column in _cheapest_pairs(costs)}

    def _cost(self, track: _Track, face: Face, look: Appearance | None, time: float) -> float:
        """Say how unlikely it is that a face belongs to a track."""
        config, gone = self.config, time - track.seen
        side = np.sqrt(float(np.prod(track.box[2:] - track.box[:2])))
        ratio = np.sqrt(face.area) / side
        if not 1 / config.max_size_ratio <= ratio <= config.max_size_ratio:
            return _IMPOSSIBLE
        places = track.places(time)
        distance = min(float(np.linalg.norm(_centre(face.box) - _centre(place)) / side) for place in places)
        different = track.looks_different(look)
        is_near = gone <= config.patience and distance <= config.max_distance
        if not is_near and (different is None or different > config.same_look):
            return _IMPOSSIBLE
        covered = max(overlap(face.box, place) for place in places)
        looks_apart = config.look_weight * (config.same_look if different is None else different)
        # A face that was missing for long gives way to one seen a moment ago.
        return min(distance, 2.0) + 1 - covered + looks_apart + 0.3 * gone


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
