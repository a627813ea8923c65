"""The cast of a generated corpus: labelled faces that become the subjects and frames of a corpus's folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64, UInt8

from facskit.action_units import ActionUnit
from facskit.columns import IMAGE_BYTES, level
from facskit.datasets.corpora.example_trees.tree_files import with_folder
from facskit.datasets.manifest import Manifest
from facskit.faces.images import write_image
from facskit.faces.video import VideoWriter

__all__ = ["Cast", "Take", "TreePlan", "round_robin"]

_PRESENT_LEVEL = 3
_FPS = 25.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Take:
    """The faces of one recording, in order."""

    faces: Manifest
    """Where they come from."""
    rows: tuple[int, ...]
    """The row of each frame."""

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.rows)

    def levels(self, unit: ActionUnit) -> list[int | None]:
        """Return the intensity of an AU in each frame: the face's level, else 3 for a present AU; None if unknown."""
        table = self.faces.table
        if level(unit) in table.columns:
            return [None if value is None else int(value) for value in table[level(unit)][list(self.rows)]]
        if unit.code not in table.columns:
            return [None] * len(self)
        return [None if value is None else _PRESENT_LEVEL * int(value) for value in table[unit.code][list(self.rows)]]

    def codes(self, unit: ActionUnit) -> list[int | None]:
        """Return whether an AU is present in each frame, 1 or 0; None if unknown."""
        if unit.code not in self.faces.table.columns:
            return [None] * len(self)
        return [None if value is None else int(value) for value in self.faces.table[unit.code][list(self.rows)]]

    def image(self, frame: int) -> UInt8[np.ndarray, "height width 3"]:
        """Return a frame's picture."""
        return self.faces.image(self.rows[frame])

    def landmarks(self, frame: int) -> Float[np.ndarray, "68 2"]:
        """Return a frame's landmarks; NaN if the face has none."""
        points = self.faces.landmarks(self.rows[frame])
        return np.full((68, 2), np.nan) if points is None else points.astype(np.float64)

    def write_image(self, frame: int, path: Path) -> None:
        """Write a frame, counted from 0, as a JPEG or PNG file; an encoded JPEG goes out as it is."""
        if self.faces.is_packed and path.suffix == ".jpg":
            with_folder(path).write_bytes(self.faces.table[IMAGE_BYTES][self.rows[frame]])
        else:
            write_image(path, self.image(frame))

    def write_video(self, path: Path, *, mirrored: bool = False) -> None:
        """Write all frames as a video; a name ending in `.avi` gets the same content as `.mp4`.

        Args:
            mirrored: Whether the pictures are flipped, so that a second camera's video is another one.
        """
        part = with_folder(path).with_name(f".{path.stem}.mp4")
        with VideoWriter(part, _FPS) as writer:
            for frame in range(len(self)):
                image = self.image(frame)
                writer.write(np.ascontiguousarray(image[:, ::-1]) if mirrored else image, frame / _FPS)
        part.replace(path)


@dataclass(frozen=True, kw_only=True)
class TreePlan:
    """How large a generated corpus is."""

    subjects: int
    """People."""
    frames: int
    """Coded frames in each recording."""
    quirks: bool
    """Whether the oddities of the release are in it."""

    def __post_init__(self) -> None:
        """Refuse sizes that no corpus has."""
        if self.subjects < 1:
            raise ValueError(f"subjects must be at least 1, got {self.subjects}")
        if self.frames < 1:
            raise ValueError(f"frames must be at least 1, got {self.frames}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Cast:
    """Gives each subject of a corpus a person among the faces."""

    faces: Manifest
    """Labelled faces with AUs."""

    @property
    def people(self) -> int:
        """How many there are."""
        return len(self._rows_of)

    @cached_property
    def _rows_of(self) -> tuple[Int64[np.ndarray, "rows"], ...]:
        """Rows of each person, those with most faces first."""
        indices = self.faces.subject_indices
        rows = [np.flatnonzero(indices == person) for person in range(len(self.faces.subject_names))]
        return tuple(sorted(rows, key=len, reverse=True))

    def take(self, subject: int, start: int, frames: int) -> Take:
        """Return one recording; a person's faces repeat when they run out."""
        rows = self._rows_of[subject]
        return Take(faces=self.faces, rows=tuple(int(rows[(start + step) % len(rows)]) for step in range(frames)))


def round_robin(parts: Sequence[Sequence[str]], count: int, first: Sequence[str] = ()) -> tuple[str, ...]:
    """Choose subjects from each published fold in turn, as far as there are so many, so that few fill every fold."""
    dealt = [name for name in chain.from_iterable(zip_longest(*parts)) if name is not None]
    return tuple(dict.fromkeys([*first, *dealt]))[:count]
