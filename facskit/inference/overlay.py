"""Recognitions drawn for people: a box and five dots on each face, and a panel of bars per face next to the picture.

A face that is unreliable is grey, with a question mark and the reason; no action unit stands out there as present.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import UInt8

from facskit.action_units import NO_ACTION_UNITS, ActionUnitSet
from facskit.expressions import ExpressionSet
from facskit.faces.canvas import Canvas, Colour, Rectangle, text_width
from facskit.inference.recognition import Recognition

__all__ = ["OverlayConfig", "draw"]

_FACE_COLOURS: tuple[Colour, ...] = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
)  # Okabe and Ito's palette, which colour-blind people can tell apart
_PAPER: Colour = (255, 255, 255)
_INK: Colour = (33, 37, 41)
_FAINT: Colour = (134, 142, 150)
_TRACK: Colour = (233, 236, 239)
_QUIET_BAR: Colour = (173, 181, 189)
_DOUBT: Colour = (180, 83, 9)

# Lengths in font sizes.
_ROW = 1.5  # height of a row
_EDGE = 0.8  # from a panel's edge to what stands in it
_CODE_GAP = 0.6  # between code and name
_NAME_GAP = 0.8  # between name and bar
_BAR = 7.0  # length of a full bar
_NUMBER = 3.6  # room for the probability and the panel's right edge


@dataclass(frozen=True, kw_only=True)
class OverlayConfig:
    """How the overlay looks."""

    panels: int | None = None
    """Number of panels to keep room for; None makes one per face. Fix it for a video, whose frames must be equal in
    size: faces beyond it get a box only."""
    action_units: ActionUnitSet | None = None
    """Action units to keep room for in frames without a face; these or `expressions` are needed when `panels` is
    fixed."""
    expressions: ExpressionSet | None = None
    """Expressions to keep room for in frames without a face."""
    least_side: int = 640
    """Smaller pictures are enlarged until their longer side has this many pixels, so that the text can be read."""

    def __post_init__(self) -> None:
        """Check every limit."""
        if self.panels is not None and self.panels < 0:
            raise ValueError(f"panels must be 0 or more, got {self.panels}")
        if self.panels and not self.action_units and self.expressions is None:
            raise ValueError(f"action_units or expressions must be given when room is kept for {self.panels} panels")
        if not 1 <= self.least_side <= 4096:
            raise ValueError(f"least_side must be from 1 to 4096 pixels, got {self.least_side}")


@dataclass(frozen=True)
class _Contents:
    """What a panel lists: expressions first, then action units."""

    units: ActionUnitSet
    expressions: ExpressionSet | None

    @property
    def first_unit(self) -> float:
        """How many rows stand above the first action unit; half a row parts the two lists."""
        return len(self.expressions) + 0.5 * bool(self.units) if self.expressions else 0.0

    @property
    def rows(self) -> float:
        """Height of a panel in rows, title and margins included."""
        return self.first_unit + len(self.units) + 2.2

    @cached_property
    def names(self) -> tuple[str, ...]:
        return (*(unit.name for unit in self.units), *(self.expressions or ()))


@dataclass(frozen=True, slots=True)
class _Layout:
    contents: _Contents
    font: float
    columns: int
    rows: int
    panel: tuple[float, float]
    below: bool
    name_width: float

    @property
    def extent(self) -> tuple[int, int]:
        """Width and height of all panels together."""
        return math.ceil(self.columns * self.panel[0]), math.ceil(self.rows * self.panel[1])


def draw(
    image: UInt8[np.ndarray, "height width 3"],
    recognitions: Sequence[Recognition],
    config: OverlayConfig | None = None,
) -> UInt8[np.ndarray, "out_height out_width 3"]:
    """Draw recognitions: each face framed, its labels in a strip added on the right, or below a wide picture.

    The panels have the order of the recognitions; there is no strip when there is nothing to show.
    """
    config = config or OverlayConfig()
    height, width = image.shape[:2]
    zoom = max(1.0, config.least_side / max(height, width))
    shown = (round(width * zoom), round(height * zoom))
    panels = len(recognitions) if config.panels is None else config.panels
    contents = _Contents(config.action_units or NO_ACTION_UNITS, config.expressions)
    if recognitions:
        contents = _Contents(recognitions[0].action_units, recognitions[0].expressions)
    layout = _plan(contents, panels, shown) if contents.names and panels else None
    size, corner = shown, (0, 0)
    if layout is not None and layout.below:
        size, corner = (max(shown[0], layout.extent[0]), shown[1] + layout.extent[1]), (0, shown[1])
    elif layout is not None:
        size, corner = (shown[0] + layout.extent[0], max(shown[1], layout.extent[1])), (shown[0], 0)
    canvas = Canvas(*size)
    canvas.paste(image, shown)
    thickness = max(2.0, max(shown) / 320)
    for face in recognitions:
        _mark(canvas, face, zoom, thickness)
    if layout is not None:
        for place, face in enumerate(recognitions[:panels]):
            row, column = divmod(place, layout.columns)
            _panel(canvas, face, layout, (corner[0] + column * layout.panel[0], corner[1] + row * layout.panel[1]))
    return canvas.pixels()


def _plan(contents: _Contents, panels: int, shown: tuple[int, int]) -> _Layout:
    """Place the panels so that their text is legible at the picture's size.

    Several faces in a wide picture go below it, as many in a row as fit. Otherwise the panels stand on the right, in as
    few columns as keep the font at a legible size.
    """
    width, height = shown
    rows = contents.rows
    largest, smallest = max(11.0, 0.028 * max(shown)), max(10.0, 0.014 * max(shown))
    if panels > 1 and width > 1.5 * height:
        # the largest font with which all panels stand in one row, or else the smallest that can be read
        for size in range(round(0.7 * largest), round(0.85 * smallest) - 1, -1):
            font = float(size)
            if panels * _panel_width(contents, font) <= width:
                break
        columns = max(1, int(width / _panel_width(contents, font)))
        return _layout(contents, font, panels, min(columns, panels), below=True)
    for columns in range(1, panels + 1):
        font = min(largest, height / (math.ceil(panels / columns) * rows * _ROW))
        if font >= smallest:
            break
    return _layout(contents, float(int(max(font, math.ceil(smallest)))), panels, columns, below=False)


def _layout(contents: _Contents, font: float, panels: int, columns: int, *, below: bool) -> _Layout:
    panel = (_panel_width(contents, font), contents.rows * _ROW * font)
    return _Layout(contents, font, columns, math.ceil(panels / columns), panel, below, _name_width(contents, font))


def _name_width(contents: _Contents, font: float) -> float:
    return max(text_width(name, font) for name in contents.names)


def _panel_width(contents: _Contents, font: float) -> float:
    gaps = _EDGE + _NAME_GAP + _CODE_GAP
    return text_width("AU12", font) + _name_width(contents, font) + (gaps + _BAR + _NUMBER) * font


def _colour(face: Recognition) -> Colour:
    """Return the face's own colour, or grey for one that is unreliable."""
    return _FACE_COLOURS[face.face_id % len(_FACE_COLOURS)] if face.reliable else _FAINT


def _mark(canvas: Canvas, face: Recognition, zoom: float, thickness: float) -> None:
    left, top, right, bottom = (float((edge + 0.5) * zoom) for edge in face.box)
    canvas.frame((left, top, right, bottom), _colour(face), thickness)
    radius = max(1.5, 0.012 * (right - left))
    for x, y in (face.landmarks + 0.5) * zoom:
        canvas.dot(float(x), float(y), 1.5 * radius, _PAPER)
        canvas.dot(float(x), float(y), radius, _colour(face))
    tag, size = f"{face.face_id}{'' if face.reliable else ' ?'}", 7 * thickness
    width = text_width(tag, size) + 0.8 * size
    canvas.rectangle((left, top - 1.3 * size, left + width, top), _colour(face), radius=0.25 * size)
    canvas.text(left + 0.4 * size, top - 0.65 * size, tag, size, _PAPER)


def _panel(canvas: Canvas, face: Recognition, layout: _Layout, corner: tuple[float, float]) -> None:
    """Draw one face's title, a row per expression, and a row per action unit."""
    font, (left, top) = layout.font, corner
    x = left + _EDGE * font
    middle = top + 1.1 * font
    canvas.rectangle((x, middle - 0.45 * font, x + 0.9 * font, middle + 0.45 * font), _colour(face), 0.2 * font)
    title = f"face {face.face_id}" + (f"   {face.timestamp:.2f} s" if face.timestamp else "")
    canvas.text(x + 1.4 * font, middle, title, font, _INK)
    if not face.reliable:
        doubt = f"unreliable: {', '.join(face.unreliable_because)}"
        start = x + 2.2 * font + text_width(title, font)
        room = left + layout.panel[0] - 0.5 * font - start
        canvas.text(start, middle, doubt, min(font, font * room / text_width(doubt, font)), _DOUBT)
    if face.expressions is not None and face.expression_probabilities is not None:
        shares = zip(face.expressions, face.expression_probabilities.tolist(), strict=True)
        for number, (name, probability) in enumerate(shares):
            row = _Row("", name.capitalize(), probability, active=face.reliable and name == face.expression)
            _bar(canvas, row, layout, (left, top + (2.3 + number) * _ROW * font), _colour(face))
    units = zip(face.action_units, face.probabilities.tolist(), face.decisions.tolist(), strict=True)
    for number, (unit, probability, active) in enumerate(units):
        row = _Row(unit.code, unit.name, probability, active=face.reliable and active)
        middle = top + (2.3 + layout.contents.first_unit + number) * _ROW * font
        _bar(canvas, row, layout, (left, middle), _colour(face))


@dataclass(frozen=True, slots=True)
class _Row:
    code: str
    name: str
    probability: float
    active: bool


def _bar(canvas: Canvas, row: _Row, layout: _Layout, place: tuple[float, float], colour: Colour) -> None:
    """Draw code, name, bar and probability; a row that counts as present gets a stripe and full colour."""
    font, (left, middle) = layout.font, place
    x = left + _EDGE * font
    name_x = x + text_width("AU12", font) + _CODE_GAP * font
    bar_x = name_x + layout.name_width + _NAME_GAP * font
    ink = _INK if row.active else _FAINT
    if row.active:
        stripe: Rectangle = (left + 0.3 * font, middle - 0.5 * font, left + 0.5 * font, middle + 0.5 * font)
        canvas.rectangle(stripe, colour)
    canvas.text(x, middle, row.code, font, ink)
    canvas.text(name_x if row.code else x, middle, row.name, font, ink)
    high, low = middle - 0.32 * font, middle + 0.32 * font
    canvas.rectangle((bar_x, high, bar_x + _BAR * font, low), _TRACK, 0.3 * font)
    length = max(0.65, _BAR * row.probability) * font  # a rounded end, even where there is nothing
    canvas.rectangle((bar_x, high, bar_x + length, low), colour if row.active else _QUIET_BAR, 0.3 * font)
    canvas.text(bar_x + (_BAR + 0.6) * font, middle, f"{row.probability:.2f}", font, ink)
