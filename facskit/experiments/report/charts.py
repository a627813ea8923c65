"""Drawings of a report as inline SVG and HTML: colours are the page's, so that they fit light and dark alike.

The library for figures draws pictures in one size and in fixed colours; these grow with the page, answer the pointer
with their numbers, and keep their letters as large as the text around them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from markupsafe import Markup, escape

__all__ = ["Bar", "Line", "bars", "confusion", "heat_map", "lines", "reliability"]

_COLOURS = 6
"""Colours that the page's style sheet numbers from 1."""
_Place = Callable[[float, float], tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One row of `bars`; every number a fraction, NaN where undefined."""

    label: str
    """What it stands for."""
    name: str
    """The label in words."""
    value: float
    """How long the bar is."""
    low: float
    """Lower end of its interval."""
    high: float
    """Upper end of its interval."""
    mark: float
    """Where a tick stands: what can be had without any skill."""
    dot: float
    """Where a dot stands: another score."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of `lines`."""

    name: str
    """What the legend calls it."""
    xs: Sequence[float]
    """Places, rising."""
    ys: Sequence[float]
    """Values; NaN breaks the line."""
    colour: int = 1
    """Number of its colour, from 1."""
    dashed: bool = False
    """Whether it is dashed."""


def bars(rows: Sequence[Bar]) -> Markup:
    """Draw horizontal bars with intervals, from 0 to 1."""
    parts = []
    for row in rows:
        drawn = []
        if not math.isnan(row.value):
            drawn.append(f'<i class="fill" style="width:{_percent(row.value)}"></i>')
        if not math.isnan(row.low):
            style = f"left:{_percent(row.low)};width:{_percent(row.high - row.low)}"
            drawn.append(f'<i class="span" style="{style}"></i>')
        if not math.isnan(row.mark):
            drawn.append(f'<i class="mark" style="left:{_percent(row.mark)}"></i>')
        if not math.isnan(row.dot):
            drawn.append(f'<i class="dot" style="left:{_percent(row.dot)}"></i>')
        interval = "" if math.isnan(row.low) else f"{100 * row.low:.1f} to {100 * row.high:.1f}"
        parts.append(
            f'<div class="bar" title="{escape(row.name)}"><b>{escape(row.label)}</b>'
            f'<span class="name">{escape(row.name)}</span><span class="track">{"".join(drawn)}</span>'
            f'<span class="num">{_number(100 * row.value)}</span><span class="num soft">{interval}</span></div>'
        )
    return Markup(f'<div class="bars">{"".join(parts)}</div>')


def _percent(fraction: float) -> str:
    return f"{100 * min(max(fraction, 0.0), 1.0):.2f}%"


def _number(value: float, decimals: int = 1) -> str:
    return "–" if math.isnan(value) else f"{value:.{decimals}f}"


def lines(drawn: Sequence[Line], *, x_title: str, y_title: str, y_range: tuple[float, float] | None = None) -> Markup:
    """Draw lines over a common axis, with a legend above and the values of each point for the pointer."""
    width, height, left, right, top, bottom = 640.0, 260.0, 46.0, 12.0, 10.0, 34.0
    xs = [x for line in drawn for x in line.xs]
    ys = [y for line in drawn for y in line.ys if not math.isnan(y)]
    if not xs or not ys:
        return Markup('<p class="soft">Nothing to draw.</p>')
    low, high = y_range or _round_range(min(ys), max(ys))
    first, last = min(xs), max(xs)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - first) / (last - first or 1)
        up = (y - low) / (high - low or 1)
        return left + across * (width - left - right), height - bottom - up * (height - top - bottom)

    parts = []
    for tick in _ticks(low, high):
        _, y = place(first, tick)
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in _ticks(first, last, whole=True):
        x, _ = place(tick, low)
        parts.append(f'<text x="{x:.1f}" y="{height - bottom + 16}" text-anchor="middle">{tick:g}</text>')
    parts.append(f'<text x="{width - right}" y="{height - 4}" text-anchor="end">{escape(x_title)}</text>')
    for line in drawn:
        parts += _line(line, place)
    legend = "".join(
        f'<span><i class="key c{_colour(line.colour)}{" dashed" if line.dashed else ""}"></i>{escape(line.name)}</span>'
        for line in drawn
    )
    svg = f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(y_title)}">{"".join(parts)}</svg>'
    return Markup(
        f'<div class="legend">{legend}</div><p class="axis">{escape(y_title)}</p><div class="scroll">{svg}</div>'
    )


def _line(line: Line, place: _Place) -> list[str]:
    """Draw one line, broken where a value is missing, and its points."""
    strokes: list[list[str]] = [[]]
    points = []
    for x, y in zip(line.xs, line.ys, strict=True):
        if math.isnan(y):
            strokes.append([])
            continue
        across, down = place(x, y)
        strokes[-1].append(f"{across:.1f},{down:.1f}")
        told = f"{escape(line.name)}: {y:.4g} at {x:g}"
        circle = f'<circle class="c{_colour(line.colour)}" cx="{across:.1f}" cy="{down:.1f}" r="2.6">'
        points.append(f"{circle}<title>{told}</title></circle>")
    dashed = " dashed" if line.dashed else ""
    drawn = [
        f'<polyline class="line c{_colour(line.colour)}{dashed}" points="{" ".join(stroke)}"/>'
        for stroke in strokes
        if len(stroke) > 1
    ]
    return drawn + (points if len(points) <= 120 else [])


def _colour(number: int) -> int:
    return (number - 1) % _COLOURS + 1


def _round_range(low: float, high: float) -> tuple[float, float]:
    step = _step(low, high)
    return math.floor(low / step) * step, max(math.ceil(high / step) * step, math.floor(low / step) * step + step)


def _step(low: float, high: float, wanted: int = 5) -> float:
    rough = (high - low) / wanted or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def _ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    step = max(_step(low, high, 6), 1.0) if whole else _step(low, high)
    first = math.ceil(low / step - 1e-9) * step
    return [round(first + number * step, 10) for number in range(int((high - first) / step + 1e-9) + 1)]


def reliability(
    means: Float[np.ndarray, "bins"], shares: Float[np.ndarray, "bins"], counts: Int[np.ndarray, "bins"]
) -> Markup:
    """Draw how often an AU is there against how probable it was said to be; larger dots stand for more faces.

    Args:
        means: Mean probability of each bin.
        shares: Share of its labels that are present; NaN where the bin is empty.
        counts: Labels in the bin.
    """
    side, edge = 150.0, 14.0
    span = side - 2 * edge
    parts = [
        f'<rect class="frame" x="{edge}" y="{edge}" width="{span}" height="{span}"/>',
        f'<line class="grid" x1="{edge}" y1="{side - edge}" x2="{side - edge}" y2="{edge}"/>',
    ]
    largest = max(int(counts.max(initial=1)), 1)
    points = []
    for mean, share, number in zip(means.tolist(), shares.tolist(), counts.tolist(), strict=True):
        if not number:
            continue
        x, y = edge + mean * span, side - edge - share * span
        points.append(f"{x:.1f},{y:.1f}")
        told = f"said {mean:.2f}, there in {share:.2f} of {number:,}"
        radius = 1.8 + 4.2 * math.sqrt(number / largest)
        parts.append(
            f'<circle class="c1 soft" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>{told}</title></circle>'
        )
    parts.insert(2, f'<polyline class="line c1" points="{" ".join(points)}"/>')
    parts.append(
        f'<text x="{edge}" y="{side - 2}">0</text><text x="{side - edge}" y="{side - 2}" text-anchor="end">1</text>'
    )
    return Markup(f'<svg viewBox="0 0 {side:g} {side:g}" role="img">{"".join(parts)}</svg>')


def confusion(counts: Sequence[int]) -> Markup:
    """Draw true positives, false positives, false negatives and true negatives as shares of their label's row."""
    hit, false_alarm, miss, rejection = counts
    rows = (("there", hit, miss), ("not there", false_alarm, rejection))
    cells = ['<div class="confusion"><span></span><em>said</em><em>not said</em>']
    for place, (label, said, unsaid) in enumerate(rows):
        cells.append(f"<em>{label}</em>")
        for right, number in ((place == 0, said), (place == 1, unsaid)):
            share = number / max(said + unsaid, 1)
            kind = "right" if right else "wrong"
            words = f"<b>{number:,}</b><small>{100 * share:.0f} %</small>"
            cells.append(f'<span class="{kind}" style="--share:{share:.3f}">{words}</span>')
    return Markup("".join(cells) + "</div>")


def heat_map(values: Float[np.ndarray, "rows columns"], codes: Sequence[str], *, limit: float, what: str) -> Markup:
    """Draw a square table of numbers as colours: one colour above 0, another below, none where it's undefined."""
    side, edge = 30.0, 44.0
    size = edge + side * len(codes)
    parts = []
    for row, code in enumerate(codes):
        middle = edge + side * (row + 0.5)
        parts.append(f'<text x="{edge - 6}" y="{middle + 4}" text-anchor="end">{escape(code)}</text>')
        parts.append(f'<text x="{middle}" y="{edge - 8}" text-anchor="middle">{escape(code.removeprefix("AU"))}</text>')
        for column, other in enumerate(codes):
            value = float(values[row, column])
            if math.isnan(value):
                continue
            strength = min(abs(value) / limit, 1.0)
            told = f"{escape(code)} and {escape(other)}: {what} {value:+.2f}"
            parts.append(
                f'<rect class="c{1 if value >= 0 else 6}" x="{edge + side * column + 1}" y="{edge + side * row + 1}" '
                f'width="{side - 2}" height="{side - 2}" rx="3" fill-opacity="{strength:.2f}">'
                f"<title>{told}</title></rect>"
            )
    return Markup(
        f'<div class="scroll"><svg class="heat" viewBox="0 0 {size:g} {size:g}" role="img">{"".join(parts)}</svg></div>'
    )
