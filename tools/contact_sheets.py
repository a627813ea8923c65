"""Contact sheets, to be judged by eye: pairs of pictures of one face without and with each action unit; expressions.

```
python tools/contact_sheets.py docs/contact_sheets packaged CLONE_OF_ICT_FACEKIT
```
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from rich.console import Console
from rich.progress import track

from facskit.action_units import RENDERED, ActionUnit
from facskit.expressions import EXPRESSION_NAMES
from facskit.faces.alignment import EyeSimilarityCrop, crop_matrix, five_points
from facskit.faces.canvas import Canvas
from facskit.faces.images import encode_jpeg, warp
from facskit.files import atomic_path
from facskit.synthesis.expressions import FacialAction
from facskit.synthesis.head_import import PACKAGED, find_head
from facskit.synthesis.renderer import RenderedFace
from facskit.synthesis.sampling import SampledAction
from facskit.synthesis.scene import FLAWLESS, Scene, sample_scene
from facskit.synthesis.studio import Studio, invent_person, noise_stream, stream

Picture = UInt8[np.ndarray, "height width 3"]

PAIRS = 30
COLUMNS = 6
SIDE = 96
"""Height and width of each picture in pixels."""
HEADER = 22
SEED = 2026
_CAMERA = 96
_FACES = 97
"""Streams of chance that no corpus uses."""
POSERS = 4
"""People on the sheet of expressions."""
PORTRAIT = 192
"""Height and width of each of their pictures in pixels."""


def render_sheets(folder: Path, sources: Sequence[str]) -> list[Path]:
    """Render one sheet per action unit: 30 pairs, without on the left and with it at full intensity on the right.

    Args:
        folder: Where to write `AU01.jpg` and so on.
        sources: The heads that people have in turn, as `facskit synthesize --head` takes them.

    Returns:
        The files.
    """
    studios = [Studio(find_head(source), size=192) for source in sources]
    people = track(range(PAIRS), description="contact sheets", console=Console(stderr=True))
    rows = [_portraits(studios[person % len(studios)], person) for person in people]
    written = []
    for column, unit in enumerate(RENDERED, start=1):
        path = folder / f"{unit.code}.jpg"
        sheet = _sheet(unit, [np.concatenate([row[0], row[column]], axis=1) for row in rows])
        with atomic_path(path) as part:
            part.write_bytes(encode_jpeg(sheet, quality=78))
        written.append(path)
    return written


def render_expressions(folder: Path, sources: Sequence[str]) -> Path:
    """Render one sheet of the profile `expressions`: a column per expression, a row per person, as a corpus has them.

    Args:
        folder: Where to write `expressions.jpg`.
        sources: The heads that people have in turn.

    Returns:
        The file.
    """
    studios = [Studio(find_head(source), size=2 * PORTRAIT) for source in sources]
    rows = []
    for number in track(range(POSERS), description="expressions", console=Console(stderr=True)):
        studio = studios[number % len(studios)]
        person = invent_person(SEED, number, "expressions", studio.head)
        studio.seat(person)
        scene = _calm(sample_scene(stream(SEED, number, _CAMERA)))
        drawn: dict[str | None, SampledAction] = {}
        frame = 0
        while len(drawn) < len(EXPRESSION_NAMES):
            sampled = person.sampler.sample(stream(SEED, number, _FACES, frame))
            if not sampled.occurrences[RENDERED.index(43)]:
                drawn.setdefault(sampled.expression, sampled)
            frame += 1
        noise = noise_stream(SEED, number, 0)
        rows.append([_crop(studio.shoot(drawn[name], scene, noise), PORTRAIT) for name in EXPRESSION_NAMES])
    canvas = Canvas(PORTRAIT * len(EXPRESSION_NAMES), HEADER)
    for column, name in enumerate(EXPRESSION_NAMES):
        canvas.text(column * PORTRAIT + 4, HEADER / 2, name, 14, (0, 0, 0))
    sheet = np.concatenate([canvas.pixels(), *(np.concatenate(row, axis=1) for row in rows)])
    path = folder / "expressions.jpg"
    with atomic_path(path) as part:
        part.write_bytes(encode_jpeg(sheet, quality=78))
    return path


def _portraits(studio: Studio, number: int) -> list[Picture]:
    """Return a person's crops: without any unit, then with each one."""
    person = invent_person(SEED, number, "balanced", studio.head)
    studio.seat(person)
    scene = _calm(sample_scene(stream(SEED, number, _CAMERA)))
    pictures = (studio.photograph(action, scene, noise_stream(SEED, number, 0)) for action in _actions(scene))
    return [_crop(picture) for picture in pictures]


def _actions(scene: Scene) -> Iterator[FacialAction]:
    for row in range(-1, len(RENDERED)):
        intensities = np.zeros(len(RENDERED))
        if row >= 0:
            intensities[row] = 1.0
        yield FacialAction(left=intensities, right=intensities, gaze=scene.gaze, lid_lowering=scene.lid_lowering)


def _calm(scene: Scene) -> Scene:
    """Take away the camera's flaws and half of the head's turn: the sheets show the expression."""
    clean = replace(FLAWLESS, auto_exposure=scene.degradation.auto_exposure, noise=0.004)
    pitch, yaw, roll = (angle / 2 for angle in scene.pose)
    return replace(scene, degradation=clean, pose=(pitch, yaw, roll), offset=(0.0, 0.0), fill=0.5)


def _crop(face: RenderedFace, side: int = SIDE) -> Picture:
    recipe = EyeSimilarityCrop(size=side)
    height, width = face.image.shape[:2]
    points = five_points(face.landmarks)
    matrix = crop_matrix(recipe, landmarks=points, box=None, image_size=(width, height))
    return warp(face.image, matrix, side)


def _sheet(unit: ActionUnit, pairs: Sequence[Picture]) -> Picture:
    gap = 6
    width = COLUMNS * (2 * SIDE + gap) - gap
    canvas = Canvas(width, HEADER)
    title = f"{unit.code} {unit.name}: in each pair without it on the left, with it at full intensity on the right"
    canvas.text(4, HEADER / 2, title, 14, (0, 0, 0))
    rows = -(-len(pairs) // COLUMNS)
    sheet = np.full((HEADER + rows * (SIDE + gap) - gap, width, 3), 255, dtype=np.uint8)
    sheet[:HEADER] = canvas.pixels()
    for index, pair in enumerate(pairs):
        top = HEADER + index // COLUMNS * (SIDE + gap)
        left = index % COLUMNS * (2 * SIDE + gap)
        sheet[top : top + SIDE, left : left + 2 * SIDE] = pair
    return sheet


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python tools/contact_sheets.py FOLDER [HEAD ...]")
    heads = sys.argv[2:] or [PACKAGED]
    render_sheets(Path(sys.argv[1]), heads)
    render_expressions(Path(sys.argv[1]), heads)
