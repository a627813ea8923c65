"""A tracker of the faces in a video: stable face ids from position and size."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from facskit.faces.detection import Face, overlap

__all__ = ["FaceTracker", "TrackerConfig"]


@dataclass(frozen=True, kw_only=True)
class TrackerConfig:
    """When a face in this frame is the same as one in the frame before."""

    max_distance: float = 0.75
    """Farthest a face's centre may have moved since it was last seen, in box sides."""
    max_size_ratio: float = 1.6
    """Most a face's size may have changed since it was last seen, as a ratio."""
    patience: int = 30
    """Updates a face may be missing and still get its id back when it returns near the same place."""

    def __post_init__(self) -> None:
        """Check every limit."""
        if self.max_distance <= 0:
            raise ValueError(f"max_distance must be above 0 box sides, got {self.max_distance}")
        if self.max_size_ratio <= 1:
            raise ValueError(f"max_size_ratio must be above 1, got {self.max_size_ratio}")
        if self.patience < 0:
            raise ValueError(f"patience must be 0 updates or more, got {self.patience}")


@dataclass
class _Track:
    face_id: int
    box: Float[np.ndarray, "4"]
    velocity: Float[np.ndarray, "2"]
    missed: int = 0

    @property
    def expected(self) -> Float[np.ndarray, "4"]:
        """Where the face should be now; it isn't carried on while unseen, because people stop and turn."""
        box: Float[np.ndarray, "4"] = self.box + np.tile(self.velocity, 2) * (self.missed == 0)
        return box


class FaceTracker:
    """Gives each face an id from 0 up that it keeps while it stays in view, and over short gaps.

    The nearest pair of a known id and a face is matched first, then the next; the distance mixes overlap and centre
    distance. There is no recognition of who it is: after leaving for longer than the patience, or jumping across the
    picture, the same person gets a new id.
    """

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self.config = config or TrackerConfig()
        self._tracks: list[_Track] = []
        self._next_id = 0

    def update(self, faces: list[Face]) -> list[int]:
        """Take in the faces of the next frame, if any, in any order; return the id of each."""
        ids: dict[int, int] = {}
        tracks, self._tracks = self._tracks, []
        for track, index in self._match(tracks, faces):
            box = faces[index].box
            moved = _centre(box) - _centre(track.box)
            velocity = 0.5 * track.velocity + 0.5 * moved / (track.missed + 1)
            self._tracks.append(_Track(track.face_id, box, velocity))
            ids[index] = track.face_id
        seen = {track.face_id for track in self._tracks}
        for track in tracks:
            track.missed += 1
            if track.face_id not in seen and track.missed <= self.config.patience:
                self._tracks.append(track)
        for index, face in enumerate(faces):
            if index not in ids:
                ids[index] = self._next_id
                self._tracks.append(_Track(self._next_id, face.box, np.zeros(2)))
                self._next_id += 1
        return [ids[index] for index in range(len(faces))]

    def _match(self, tracks: list[_Track], faces: list[Face]) -> list[tuple[_Track, int]]:
        """Pair tracks and faces, the likeliest pair first; whatever is left over has no partner."""
        candidates = []
        for row, track in enumerate(tracks):
            for column, face in enumerate(faces):
                cost = self._cost(track, face)
                if cost is not None:
                    candidates.append((cost, row, column))
        columns: dict[int, int] = {}
        for _, row, column in sorted(candidates):
            if row not in columns and column not in columns.values():
                columns[row] = column
        return [(tracks[row], column) for row, column in columns.items()]

    def _cost(self, track: _Track, face: Face) -> float | None:
        """Say how unlikely it is that a face belongs to a track; None if it can't."""
        old, new = track.expected, face.box
        side = np.sqrt(float((old[2] - old[0]) * (old[3] - old[1])))
        ratio = np.sqrt(face.area) / side
        distance = float(np.linalg.norm(_centre(new) - _centre(old)) / side)
        limit = self.config.max_size_ratio
        if distance > self.config.max_distance or not 1 / limit <= ratio <= limit:
            return None
        # a face that was missing for long gives way to one seen a moment ago
        return distance + 1 - overlap(old, new) + 0.01 * track.missed


def _centre(box: Float[np.ndarray, "4"]) -> Float[np.ndarray, "2"]:
    centre: Float[np.ndarray, "2"] = (box[:2] + box[2:]) / 2
    return centre
