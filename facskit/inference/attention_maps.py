"""Pictures of where a network looks: an attention map per action unit over the face, with or without the predefined."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int8, UInt8

from facskit.action_units import ActionUnit, ActionUnitSet
from facskit.faces.alignment import CropRecipe, border_level
from facskit.faces.canvas import Canvas, Colour, Number, text_width
from facskit.faces.drawing import resize
from facskit.faces.heat_maps import blend_heat_map
from facskit.faces.images import warp
from facskit.inference.recognition import Recognition

__all__ = ["AttendedFace", "attended_face", "draw_attention", "draw_attention_table"]

_PAPER: Colour = (255, 255, 255)
_INK: Colour = (33, 37, 41)
_FAINT: Colour = (110, 118, 126)
_PRESENT: Colour = (0, 114, 178)
_DARK: Colour = (40, 44, 48)
_PANEL, _SMALL_PANEL = 176, 112
_GAP, _MARGIN = 10, 16
_FONT, _SMALL_FONT = 14.0, 12.0
_CAPTION = 40
_ALPHA = 0.5
_STATES = {1: "present", 0: "absent"}
_SHORT = {1: "1", 0: "0"}


@dataclass(frozen=True, kw_only=True, eq=False)
class AttendedFace:
    """One face as the network saw it, and where it looked."""

    title: str
    """Whose face it is, for people."""
    crop: UInt8[np.ndarray, "size size 3"]
    """The crop, not normalised."""
    action_units: ActionUnitSet
    """What the entries of the arrays mean."""
    attention: Float32[np.ndarray, "aus map map"]
    """The network's attention map of each action unit, over the whole crop."""
    probabilities: Float32[np.ndarray, "aus"]
    """Probability that each action unit is present."""
    decisions: Bool[np.ndarray, "aus"]
    """Whether each counts as present."""
    targets: Float32[np.ndarray, "aus map map"] | None = None
    """The predefined maps, where landmarks are known."""
    labels: Int8[np.ndarray, "aus"] | None = None
    """What is known about each: 1 present, 0 absent, -1 unknown."""


def attended_face(
    image: UInt8[np.ndarray, "height width 3"], recognition: Recognition, recipe: CropRecipe
) -> AttendedFace:
    """Cut a face that was recognised with attention out of its picture, as its network saw it."""
    if recognition.attention is None or recognition.crop_matrix is None:
        raise ValueError("the recognition has no attention maps; recognise with RecognizerConfig(attention=True)")
    moment = f"{recognition.timestamp:.2f} s" if recognition.timestamp else ""
    parts = (Path(recognition.source).name, moment, f"face {recognition.face_id}")
    return AttendedFace(
        title=", ".join(filter(None, parts)),
        crop=warp(image, recognition.crop_matrix, recipe.size, border_level(recipe)),
        action_units=recognition.action_units,
        attention=recognition.attention,
        probabilities=recognition.probabilities,
        decisions=recognition.decisions,
    )


def draw_attention(face: AttendedFace) -> UInt8[np.ndarray, "height width 3"]:
    """Draw one face: the crop, and a panel per action unit with its map, code, name and probability.

    Predefined maps, if there are any, stand below the predicted ones. Colours go from 0 (blue) to 1 (red), always.
    """
    count = len(face.action_units)
    columns = math.ceil(count / (1 if count <= 4 else 2 if count <= 14 else 3))
    rows, pair = math.ceil(count / columns), 1 if face.targets is None else 2
    cell = (_PANEL + _GAP, pair * (_PANEL + 2) + _CAPTION + _GAP)
    top = _MARGIN + 28
    width = _MARGIN + _PANEL + 2 * _GAP + columns * cell[0] - _GAP + _MARGIN
    canvas = Canvas(width, top + max(rows * cell[1], _PANEL + 60) - _GAP + _MARGIN // 2)
    canvas.text(_MARGIN, _MARGIN + 8, face.title, 1.2 * _FONT, _INK)
    canvas.paste(face.crop, (_PANEL, _PANEL), (_MARGIN, top))
    _scale(canvas, (_MARGIN, top + _PANEL + 14))
    left = _MARGIN + _PANEL + 2 * _GAP
    for place, unit in enumerate(face.action_units):
        row, column = divmod(place, columns)
        corner = (left + column * cell[0], top + row * cell[1])
        _maps(canvas, face, place, corner, _PANEL)
        if pair == 2 and column == 0:
            _tag(canvas, (corner[0], corner[1] + _PANEL), "predicted", _SMALL_FONT)
            _tag(canvas, (corner[0], corner[1] + 2 * _PANEL + 2), "predefined", _SMALL_FONT)
        _caption(canvas, face, (place, unit), (corner[0], corner[1] + pair * (_PANEL + 2)))
    return canvas.pixels()


def draw_attention_table(faces: Sequence[AttendedFace]) -> UInt8[np.ndarray, "height width 3"]:
    """Draw several faces with the same action units below each other, a column per unit, as in figure 5 of CIU."""
    if not faces:
        raise ValueError("there are no faces to draw, expected at least one")
    units, pair = faces[0].action_units, 1 if faces[0].targets is None else 2
    side, gap, head = _SMALL_PANEL, 4, 44
    block = pair * (side + 2) + 10
    left = _MARGIN + side + 2 * gap
    meaning = "blue: counts as present" if pair == 1 else "above: probability; below: label; blue: present"
    right = max(left + len(units) * (side + gap) - gap, math.ceil(left + 170 + text_width(meaning, _SMALL_FONT)))
    size = (right + _MARGIN, head + len(faces) * block + 40)
    canvas = Canvas(*size)
    for column, unit in enumerate(units):
        x = left + column * (side + gap)
        canvas.text(x, head - 27, unit.code, _FONT, _INK)
        shown = unit.name
        while len(shown) > 1 and text_width(shown, 11.0) > side:
            shown = shown[:-2].rstrip() + "…"
        canvas.text(x, head - 11, shown, 11.0, _FAINT)
    for row, face in enumerate(faces):
        top = head + row * block
        canvas.paste(face.crop, (side, side), (_MARGIN, top))
        for line, name in enumerate(("predicted", "predefined")[: pair if pair == 2 else 0]):
            canvas.text(_MARGIN, top + side + 14 + 15 * line, f"{('above', 'below')[line]}: {name}", 11.0, _FAINT)
        for place in range(len(units)):
            corner = (left + place * (side + gap), top)
            _maps(canvas, face, place, corner, side)
            active = bool(face.decisions[place])
            _tag(canvas, (corner[0], top + side), f"{face.probabilities[place]:.2f}", 11.0, active=active)
            if face.labels is not None and face.targets is not None:
                label = int(face.labels[place])
                _tag(canvas, (corner[0], top + 2 * side + 2), _SHORT.get(label, "?"), 11.0, active=label == 1)
    _scale(canvas, (left, size[1] - 36))
    canvas.text(left + 170, size[1] - 30, meaning, _SMALL_FONT, _FAINT)
    return canvas.pixels()


def _maps(canvas: Canvas, face: AttendedFace, place: int, corner: tuple[int, int], side: int) -> None:
    """Draw one action unit's predicted map, and its predefined one below where there is one."""
    crop = resize(face.crop, (side, side))
    canvas.paste(blend_heat_map(crop, face.attention[place], _ALPHA), None, corner)
    if face.targets is not None:
        canvas.paste(blend_heat_map(crop, face.targets[place], _ALPHA), None, (corner[0], corner[1] + side + 2))


def _caption(canvas: Canvas, face: AttendedFace, entry: tuple[int, ActionUnit], corner: tuple[int, int]) -> None:
    """Write code and probability, the name and what is known; what counts as present gets a stripe and full colour."""
    (place, unit), (x, y) = entry, corner
    active = bool(face.decisions[place])
    ink = _INK if active else _FAINT
    if active:
        canvas.rectangle((x, y + 3, x + 3, y + 35), _PRESENT)
    canvas.text(x + 8, y + 11, unit.code, _FONT, ink)
    _right(canvas, x + _PANEL, y + 11, f"{face.probabilities[place]:.2f}", _FONT, ink)
    canvas.text(x + 8, y + 28, unit.name, _SMALL_FONT, ink)
    if face.labels is not None:
        _right(canvas, x + _PANEL, y + 28, _STATES.get(int(face.labels[place]), "unknown"), _SMALL_FONT, _FAINT)


def _right(canvas: Canvas, right: Number, middle: Number, text: str, size: Number, colour: Colour) -> None:
    canvas.text(right - text_width(text, size), middle, text, size, colour)


def _tag(canvas: Canvas, corner: tuple[int, int], text: str, size: Number, *, active: bool = False) -> None:
    """Write a word into the lower left corner of a panel, where few maps are high, readable on any picture."""
    x, bottom = corner
    edges = (x, bottom - 1.5 * size, x + text_width(text, size) + 8, bottom - 1)
    canvas.rectangle(edges, _PRESENT if active else _DARK)
    canvas.text(x + 4, bottom - 0.78 * size, text, size, _PAPER)


def _scale(canvas: Canvas, corner: tuple[int, int]) -> None:
    """Draw the colours as they look over a mid-grey face, with their ends."""
    x, y = corner
    width, height = 120, 12
    ramp = np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1))
    canvas.text(x, y + height / 2, "0", _SMALL_FONT, _FAINT)
    canvas.paste(blend_heat_map(np.full((height, width, 3), 128, np.uint8), ramp, _ALPHA), None, (x + 12, y))
    canvas.text(x + width + 16, y + height / 2, "1", _SMALL_FONT, _FAINT)
    canvas.text(x, y + height + 12, "attention", _SMALL_FONT, _FAINT)
