"""A page of pictures of what a manifest holds: occurrence, co-occurrence, duration, gaps and expressions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, LogLocator, PercentFormatter

from facskit.action_units import ActionUnit
from facskit.datasets.statistics.numbers import ManifestStatistics
from facskit.datasets.statistics.report import units_of_all
from facskit.expressions import EXPRESSION_NAMES
from facskit.figures import FAINT, INK, PALETTE, bar_offsets, quiet_axes, save_figure, write_heading

__all__ = ["draw_statistics"]

_MATRICES = 3
_LABELLED = 14
"""AUs up to which the cells of a matrix hold their numbers."""
_A4 = (8.27, 11.69)


def draw_statistics(parts: Sequence[ManifestStatistics], picture: Path) -> None:
    """Draw one A4 page, in the format that the ending of its name says."""
    units = units_of_all(parts)
    with_expressions = any(part.expressions for part in parts)
    heights = ([2.5, 3.6 if len(parts) < 3 else 2.4, 2.6 if len(units) <= _LABELLED else 3.2] if units else []) + [
        1.9
    ] * with_expressions
    heights = heights or [2.0]
    size = (_A4[0], min(_A4[1], 1.0 + 1.45 * sum(heights)))
    figure = Figure(figsize=size, facecolor="white")
    figure.set_layout_engine("constrained", h_pad=0.08, w_pad=0.08)
    figure.suptitle(_title(parts), x=0.02, ha="left", size=13, weight="bold", color=INK)
    bands = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    if units:
        _draw_occurrence(_axes(bands[0]), parts, units)
        _draw_matrices(bands[1], parts)
        durations, gaps = bands[2].subplots(1, 2)
        _draw_runs(durations, parts, units)
        _draw_unknown(gaps, parts, units)
        _fit_names(durations, units)
        _fit_names(gaps, units)
    if with_expressions:
        _draw_expressions(_axes(bands[-1]), parts)
    save_figure(figure, picture, dpi=150)


def _axes(band: SubFigure) -> Axes:
    axes: Axes = band.subplots()
    return axes


def _title(parts: Sequence[ManifestStatistics]) -> str:
    lines = [
        f"{part.name}: {part.frames:,} frames of {len(part.subject_names):,} subjects"
        if len(part.subject_names) < part.frames
        else f"{part.name}: {part.frames:,} pictures, one of each subject"
        for part in parts
    ]
    return "\n".join(lines[:6] + ([f"and {len(lines) - 6} more"] if len(lines) > 6 else []))


def _heading(axes: Axes, title: str, below: str = "") -> None:
    write_heading(axes, title, below, gap=16.0 if below else 6.0)
    quiet_axes(axes)


def _colours(parts: Sequence[ManifestStatistics]) -> dict[str, str]:
    """Give each manifest a colour, the same in every panel."""
    return {part.name: PALETTE[place % len(PALETTE)] for place, part in enumerate(parts)}


def _column(part: ManifestStatistics, numbers: np.ndarray, units: Sequence[ActionUnit]) -> np.ndarray:
    """Bring numbers per AU of one manifest into the order of all AUs; NaN where it lacks one."""
    return np.array([numbers[part.action_units.index(u)] if u in part.action_units else np.nan for u in units])


def _draw_occurrence(axes: Axes, parts: Sequence[ManifestStatistics], units: Sequence[ActionUnit]) -> None:
    colours = _colours(parts)
    parts = [part for part in parts if part.action_units]
    shifts, width = bar_offsets(len(parts))
    for part, shift in zip(parts, shifts, strict=True):
        colour = colours[part.name]
        places = np.arange(len(units)) + shift
        axes.bar(places, _column(part, part.rates, units), width, color=colour, label=part.name, alpha=0.85)
        for place, unit in zip(places, units, strict=True):
            _draw_spread(axes, part, unit, float(place), width)
    axes.set_xticks(range(len(units)), [unit.code for unit in units], rotation=0 if len(units) <= 14 else 45)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    axes.grid(axis="y", color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    below = "share of coded frames; thick line: middle half of the subjects, thin line: all of them"
    _heading(axes, "How often each action unit occurs", below)
    if len(colours) > 1:
        axes.legend(fontsize=8, frameon=False, ncols=min(4, len(parts)), loc="lower right", bbox_to_anchor=(1, 1.06))


def _draw_spread(axes: Axes, part: ManifestStatistics, unit: ActionUnit, place: float, width: float) -> None:
    if unit not in part.action_units:
        return
    rates = part.subject_rates[:, part.action_units.index(unit)]
    rates = rates[~np.isnan(rates)]
    if len(rates) < 2:
        return
    low, first, middle, third, high = np.quantile(rates, (0, 0.25, 0.5, 0.75, 1))
    axes.plot([place, place], [low, high], color=INK, lw=0.7)
    axes.plot([place, place], [first, third], color=INK, lw=2.4, solid_capstyle="butt")
    axes.plot([place - 0.25 * width, place + 0.25 * width], [middle, middle], color="white", lw=1.2)


def _draw_matrices(band: SubFigure, parts: Sequence[ManifestStatistics]) -> None:
    shown = [part for part in parts if part.action_units][:_MATRICES]
    if len(shown) == 1:
        left, right = band.subplots(1, 2)
        _draw_matrix(left, shown[0], "Chance of row's AU, given column's", conditional=True)
        _draw_matrix(right, shown[0], "Correlation of labels (phi)", conditional=False)
        return
    grid = band.subplots(1, len(shown), squeeze=False).ravel()
    for axes, part in zip(grid, shown, strict=False):
        _draw_matrix(axes, part, f"{part.name}: P(row | column)", conditional=True, small=len(shown) > 2)


def _draw_matrix(axes: Axes, part: ManifestStatistics, title: str, *, conditional: bool, small: bool = False) -> None:
    numbers = part.together.conditional if conditional else part.together.phi
    codes = [code.removeprefix("AU") for code in part.action_units.codes]
    shown = numbers.copy()
    np.fill_diagonal(shown, np.nan)  # always 1: it would only draw the eye
    low = 0 if conditional else -1
    image = axes.imshow(shown, cmap="Blues" if conditional else "PuOr", vmin=low, vmax=1)
    axes.set_facecolor("#eeeeee")
    if len(codes) <= _LABELLED and not small:
        for row, column in np.argwhere(~np.isnan(shown)):
            value = shown[row, column]
            dark = value > 0.55 if conditional else abs(value) > 0.65
            text = f"{100 * value:.0f}" if conditional else f"{value:.2f}".replace("0.", ".")
            axes.text(column, row, text, ha="center", va="center", size=6, color="white" if dark else INK)
    axes.set_xticks(range(len(codes)), codes)
    axes.set_yticks(range(len(codes)), codes)
    _heading(axes, title)
    axes.tick_params(labelsize=7 if not small else 5 if len(codes) <= _LABELLED else 4, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.75, pad=0.02, aspect=30, ticks=np.linspace(low, 1, 5))
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0) if conditional else "{x:+.1f}")
    bar.ax.tick_params(labelsize=7, length=2)
    bar.outline.set_visible(False)


def _draw_runs(axes: Axes, parts: Sequence[ManifestStatistics], units: Sequence[ActionUnit]) -> None:
    shifts, width = bar_offsets(len(parts))
    drawn = False
    for part, shift, colour in zip(parts, shifts, PALETTE * len(parts), strict=False):
        for place, unit in enumerate(units):
            if part.runs is None or unit not in part.action_units:
                continue
            found = part.runs.quantiles(part.action_units.index(unit))
            if found is None:
                continue
            drawn = True
            low, first, middle, third, high = found.tolist()
            where = place + shift
            axes.plot([low, high], [where, where], color=colour, lw=0.8)
            axes.plot([first, third], [where, where], color=colour, lw=max(2.0, 7 * width), solid_capstyle="butt")
            axes.plot([middle], [where], marker="|", color=INK, ms=max(3.0, 9 * width), mew=1.3)
    _unit_rows(axes, units)
    if not drawn:
        axes.set_xticks([])
        why = "not known: the rows aren't\nnumbered frames of recordings"
        axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", size=9, color="#555555")
        _heading(axes, "How long an AU stays present")
        return
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if axes.get_xlim()[1] < 200 else (1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter("")
    axes.grid(axis="x", color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    rates = {part.fps for part in parts}
    rate = rates.pop() if len(rates) == 1 else None
    axes.set_xlabel("consecutive frames" + (f" ({rate:g} a second)" if rate else ""), size=8)
    _heading(axes, "How long an AU stays present", "tick: median run, bar: quartiles, line: shortest to longest")


def _unit_rows(axes: Axes, units: Sequence[ActionUnit]) -> None:
    axes.set_yticks(range(len(units)), [unit.code for unit in units])
    axes.set_ylim(len(units) - 0.4, -0.6)


def _fit_names(axes: Axes, units: Sequence[ActionUnit]) -> None:
    if len(units) > _LABELLED:
        axes.tick_params(axis="y", labelsize=6)


def _draw_unknown(axes: Axes, parts: Sequence[ManifestStatistics], units: Sequence[ActionUnit]) -> None:
    shifts, height = bar_offsets(len(parts))
    top = 0.0
    for part, shift, colour in zip(parts, shifts, PALETTE * len(parts), strict=False):
        shares = _column(part, part.unknown, units)
        top = max(top, float(np.nanmax(shares, initial=0)))
        axes.barh(np.arange(len(units)) + shift, shares, height, color=colour, alpha=0.85)
    _unit_rows(axes, units)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0 if top > 0.05 else 1))
    axes.set_xlim(0, max(1.1 * top, 0.01))
    axes.grid(axis="x", color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("share of all frames", size=8)
    if top == 0:
        axes.text(0.5, 0.5, "every label is known", transform=axes.transAxes, ha="center", size=9, color="#555555")
        axes.set_xticks([])
    _heading(axes, "Labels that are unknown", "not coded, or coded as not codable")


def _draw_expressions(axes: Axes, parts: Sequence[ManifestStatistics]) -> None:
    colours = _colours(parts)
    parts = [part for part in parts if part.expressions or part.unknown_expressions]
    found = set[str]().union(*(part.expressions for part in parts))
    names = [name for name in EXPRESSION_NAMES if name in found]
    shown = [*names, *(["unknown"] if any(part.unknown_expressions for part in parts) else [])]
    shifts, width = bar_offsets(len(parts))
    for part, shift in zip(parts, shifts, strict=True):
        counts = [part.unknown_expressions if name == "unknown" else part.expressions.get(name, 0) for name in shown]
        bars = axes.bar(
            np.arange(len(shown)) + shift, counts, width, color=colours[part.name], label=part.name, alpha=0.85
        )
        if len(parts) < 4:
            axes.bar_label(bars, [f"{count:,}" if count else "" for count in counts], size=7, padding=2)
    axes.set_xticks(range(len(shown)), shown)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.margins(y=0.15)
    _heading(axes, "Pictures of each expression")
    if len(colours) > 1:
        axes.legend(fontsize=8, frameon=False, ncols=min(4, len(parts)), loc="lower right", bbox_to_anchor=(1, 1.06))
