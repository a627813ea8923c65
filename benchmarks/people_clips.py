"""Made clips of people who come in, cross, turn back and leave, whose places are known in every frame.

Rendered faces of the package, cut out softly, move over a background that moves too. Each person changes between three
of their pictures, those whose light is most alike, in which expression and pose differ; gets brighter and darker; and
leans left and right.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from facskit.datasets.packed import packaged_faces
from facskit.faces.drawing import blur
from facskit.faces.images import warp

__all__ = ["KINDS", "Kind", "MadeFrame", "Person", "arrival", "made_clip", "meeting"]

Picture = UInt8[np.ndarray, "height width 3"]
Kind = Literal["cross", "turn back", "leave and return", "another comes"]
KINDS: tuple[Kind, ...] = ("cross", "turn back", "leave and return", "another comes")

RATE = 25
_HOLD, _FADE = 1.0, 0.2
"""Seconds that a person's picture stays, and that it takes to become the next one."""
_FACE = 80.0
"""Width of a face in a packaged picture, in pixels."""
_NEAR_FRONTAL = 15.0
"""Largest head angles of the pictures that are used, in degrees."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Person:
    """Somebody in a clip."""

    pictures: Sequence[Picture]
    places: Float[np.ndarray, "frames 3"]
    """Middle and width of the face in each frame, in pixels."""
    phase: float
    """Where in the rhythm of leaning and of brightness they begin, in radians."""

    def picture(self, time: float) -> Picture:
        """Return what they look like at a time in seconds."""
        number, into = divmod(time, _HOLD + _FADE)
        now, later = (self.pictures[(int(number) + step) % len(self.pictures)] for step in (0, 1))
        share = max(0.0, (into - _HOLD) / _FADE)
        gain = 1 + 0.15 * np.sin(1.3 * time + self.phase)
        return np.clip(gain * ((1 - share) * now + share * later), 0, 255).astype(np.uint8)

    def matrix(self, number: int) -> Float[np.ndarray, "2 3"]:
        """Map from their picture to a frame."""
        x, y, width = self.places[number]
        turn = 0.12 * np.sin(0.9 * number / RATE + self.phase)
        linear = width / _FACE * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        return np.column_stack([linear, np.array([x, y]) - linear @ _middle()])


@dataclass(frozen=True, slots=True, eq=False)
class MadeFrame:
    """A frame, and where everybody's face is in it."""

    image: Picture
    timestamp: float
    places: Float[np.ndarray, "people 3"]
    """Middle and width of each person's face in pixels."""

    def clear(self, person: int) -> bool:
        """Tell whether a person's face is wholly in the frame and nobody is near it."""
        x, y, width = self.places[person]
        height, breadth = self.image.shape[:2]
        apart = [abs(x - other[0]) / max(width, other[2]) for n, other in enumerate(self.places) if n != person]
        inside = 0.7 * width <= x <= breadth - 0.7 * width and 0.7 * width <= y <= height - 0.7 * width
        return bool(inside and min(apart, default=9.0) > 1.3)

    def whose(self, box: Float[np.ndarray, "4"]) -> int | None:
        """Return the person to whom a found face belongs; None for nobody's."""
        middle = (box[:2] + box[2:]) / 2
        distances = np.hypot(*(self.places[:, :2] - middle).T) / self.places[:, 2]
        return int(distances.argmin()) if distances.min() < 0.5 else None


def made_clip(people: Sequence[Person], seed: int, size: tuple[int, int] = (480, 270)) -> Iterator[MadeFrame]:
    """Draw people, the last one in front.

    Args:
        size: Width and height in pixels.
    """
    scenery, drift = _scenery(seed, size), np.random.default_rng(seed).uniform(-1.5, 1.5, 2)
    mask = _mask()
    for number in range(len(people[0].places)):
        left, top = (int(abs(step) * number) % side for step, side in zip(drift, size, strict=True))
        image = scenery[top : top + size[1], left : left + size[0]].astype(np.float32)
        for person in people:
            matrix = person.matrix(number)
            share = warp(mask, matrix, size, fill=0) / np.float32(255)
            image += share * (warp(person.picture(number / RATE), matrix, size).astype(np.float32) - image)
        places = np.array([person.places[number] for person in people])
        yield MadeFrame(image.astype(np.uint8), number / RATE, places)


def meeting(kind: Kind, seed: int, size: tuple[int, int] = (480, 270), seconds: float = 4.0) -> list[Person]:
    """Make people who meet once, near the middle of the clip: two, or three if another comes.

    Args:
        kind: They walk past each other, the later one in front; they walk up to each other until their faces touch or
            cover one another, and back; or one of them leaves the picture, is gone for half a second to 2.5 seconds and
            comes back from the same side, or somebody else does.
    """
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    count = round(seconds * RATE)
    time = np.arange(count) / (count - 1)
    width, height = size
    face = rng.uniform(0.12, 0.17) * width * np.array([1.0, rng.uniform(0.85, 1.18)])
    middle = height * rng.uniform(0.45, 0.55) + face[0] * np.array([0.0, rng.uniform(-0.25, 0.25)])
    start = width * np.array([rng.uniform(0.14, 0.22), rng.uniform(0.78, 0.86)])
    if kind == "cross":
        across = [start[0] + (start[1] - start[0]) * time, start[1] - (start[1] - start[0]) * time]
    elif kind == "turn back":
        near = rng.uniform(0.1, 0.7) * face.mean()
        way = (start[1] - start[0] - near) / 2 * (1 - np.abs(2 * time - 1))
        across = [start[0] + way, start[1] - way]
    else:
        gone = rng.uniform(0.5, 2.5) / seconds
        speed = (start[0] + face[0]) / (0.5 - gone / 2 - 0.1)
        way = np.clip(np.minimum(time - 0.1, 0.9 - time), 0, None) * speed
        across = [start[0] - way, np.full(count, start[1])]
    if kind == "another comes":
        out, back = np.maximum.accumulate(way), np.maximum.accumulate(way[::-1])[::-1]
        across = [start[0] - out, np.full(count, start[1]), start[0] - back]
        middle, face = middle[[0, 1, 0]], face[[0, 1, 0]]
    pictures = _cast(rng, len(across))
    return [
        Person(
            pictures=pictures[n],
            places=np.column_stack([across[n], np.full(count, middle[n]), np.full(count, face[n])]),
            phase=float(rng.uniform(0, 6)),
        )
        for n in range(len(across))
    ]


def arrival(seed: int, people: int = 4, size: tuple[int, int] = (480, 270), seconds: float = 4.0) -> list[Person]:
    """Make people who come in one after the other, from the left and the right, and walk to places of their own."""
    rng = np.random.default_rng([seed, 3])
    count = round(seconds * RATE)
    time = np.arange(count) / RATE
    width, height = size
    persons = []
    for n, pictures in enumerate(_cast(rng, people)):
        face = rng.uniform(0.09, 0.14) * width
        outside = -face if rng.random() < 0.5 else width + face
        place, begins = width * (n + 0.5) / people, seconds * rng.uniform(0.1, 0.6)
        share = np.clip((time - begins) / rng.uniform(0.5, 1.2), 0, 1)
        across = outside + (place - outside) * share
        down = np.full(count, height * rng.uniform(0.4, 0.6))
        places = np.column_stack([across, down, np.full(count, face)])
        persons.append(Person(pictures=pictures, places=places, phase=float(rng.uniform(0, 6))))
    return persons


@cache
def _frontal_rows() -> dict[str, list[int]]:
    """Return the rows of nearly frontal packaged pictures of each person."""
    faces = packaged_faces()
    assert faces.angles is not None
    frontal = (np.abs(faces.angles[:, :3]) < _NEAR_FRONTAL).all(axis=1)
    rows: dict[str, list[int]] = {}
    for row in np.nonzero(frontal)[0].tolist():
        rows.setdefault(str(faces.subjects[row]), []).append(row)
    return {name: found for name, found in rows.items() if len(found) >= 3}


def _cast(rng: np.random.Generator, count: int) -> list[list[Picture]]:
    """Draw different people, three pictures of each."""
    rows = _frontal_rows()
    cast = []
    for name in rng.choice(sorted(rows), count, replace=False):
        pictures = [packaged_faces().image(row) for row in rows[name]]
        first = pictures.pop(int(rng.integers(len(pictures))))
        others = sorted((_graded(other, first) for other in pictures), key=lambda other: _light_apart(other, first))
        cast.append([first, *others[:2]])
    return cast


def _light_apart(picture: Picture, other: Picture) -> float:
    """Say how differently two pictures are lit, from how bright the 16 parts of each face are."""
    parts = [each[32:96, 32:96].mean(axis=2).reshape(4, 16, 4, 16).mean(axis=(1, 3)) for each in (picture, other)]
    return float(np.abs(parts[0] - parts[1]).mean())


def _graded(picture: Picture, like: Picture) -> Picture:
    """Give a face the colours of another picture of it: one camera took them in one light."""
    inside = _mask()[..., 0] > 200
    mean, spread = picture[inside].mean(axis=0), picture[inside].std(axis=0)
    changed = (picture - mean) / spread * like[inside].std(axis=0) + like[inside].mean(axis=0)
    return np.clip(changed, 0, 255).astype(np.uint8)


def _middle() -> Float[np.ndarray, "2"]:
    """Return the middle of the face in a packaged picture."""
    return np.array([63.5, 62.0])


@cache
def _mask() -> Picture:
    """Return an oval that takes the face out of a packaged picture."""
    down, across = np.mgrid[:128, :128]
    oval = np.hypot((across - _middle()[0]) / 44, (down - _middle()[1]) / 56)
    level = np.clip((1.08 - oval) / 0.16, 0, 1) * 255
    return np.repeat(level[..., None], 3, axis=2).astype(np.uint8)


def _scenery(seed: int, size: tuple[int, int]) -> Picture:
    """Paint blurred patches of colour, twice as large as a frame."""
    rng = np.random.default_rng([seed, 4])
    rough = rng.normal(0, 1, (2 * size[1], 2 * size[0], 3)).astype(np.float32)
    patches = np.sum([sigma * blur(rough, sigma) for sigma in (2.0, 8.0, 25.0)], axis=0)
    grey = patches.mean(axis=2, keepdims=True)
    return np.clip(rng.uniform(70, 150) + 60 * grey + 15 * (patches - grey), 0, 255).astype(np.uint8)
