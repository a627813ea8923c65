"""A page of figures on who is predicted too often: occurrence, true and false positives, ratios, and their sums.

The first two panels are CIU's figure 3, with the action units (AUs) in order of their frequency.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, PercentFormatter

from facskit.evaluation.bias.numbers import LOG_RATIO_LIMIT, log_ratio
from facskit.evaluation.bias.report import BiasReport, NetworkBias
from facskit.evaluation.bootstrap import Interval
from facskit.figures import FAINT, INK, PALETTE, QUIET, bar_offsets, quiet_axes, save_figure, write_heading

__all__ = ["draw_bias"]

_MARKERS = "osD^vP"
_GREY = "#9aa5b1"
_BAND = {"head": "#f3ede3", "tail": "#e6eef5"}
_SUMS = {
    "spread": "Spread",
    "level": "Level",
    "correlation": "Correlation",
    "macro_f1": "F1",
    "head_f1": "Head F1",
    "tail_f1": "Tail F1",
}
_WIDTH = 8.27


def draw_bias(report: BiasReport, picture: Path) -> None:
    """Draw the page."""
    order = np.argsort(-np.nan_to_num(report.frequencies.known, nan=-1.0), kind="stable")
    sums = 0.95 + 0.2 * len(report.networks)
    figure = Figure(figsize=(_WIDTH, 8.4 + sums), facecolor="white")
    figure.set_layout_engine("constrained", h_pad=0.06, w_pad=0.06, hspace=0.04)
    figure.suptitle(report.title, x=0.02, ha="left", size=13, weight="bold", color=INK)
    top, bottom = figure.subfigures(2, 1, height_ratios=[8.0, sums], squeeze=False)[:, 0]
    occurrence, counts, ratios = top.subplots(3, 1, height_ratios=[1.6, 3.4, 2.4])
    _draw_occurrence(occurrence, report, order)
    _draw_counts(counts, report, order)
    _draw_ratios(ratios, report, order)
    for axes in (occurrence, counts, ratios):
        _name_units(axes, report, order)
    _draw_sums(bottom, report)
    save_figure(figure, picture, dpi=150)


def _look(report: BiasReport) -> list[tuple[NetworkBias, str, str]]:
    """Give each network a colour and a marker, the same in every panel."""
    return [
        (network, PALETTE[place % len(PALETTE)], _MARKERS[place % len(_MARKERS)])
        for place, network in enumerate(report.networks)
    ]


def _heading(axes: Axes, title: str, below: str = "") -> None:
    write_heading(axes, title, below, gap=17.0 if below else 6.0)
    quiet_axes(axes)
    axes.set_axisbelow(True)


def _name_units(axes: Axes, report: BiasReport, order: Int64[np.ndarray, "aus"]) -> None:
    """Write the AUs under a panel, and shade head and tail behind it."""
    units = [report.action_units.units[place] for place in order]
    axes.set_xticks(range(len(units)), [unit.code for unit in units], rotation=0 if len(units) <= 14 else 45)
    axes.set_xlim(-0.6, len(units) - 0.4)
    axes.grid(axis="y", color=FAINT, lw=0.6)
    for place, unit in enumerate(units):
        for name, group in (("head", report.groups.head), ("tail", report.groups.tail)):
            if unit in group:
                axes.axvspan(place - 0.5, place + 0.5, color=_BAND[name], lw=0, zorder=0)


def _draw_occurrence(axes: Axes, report: BiasReport, order: Int64[np.ndarray, "aus"]) -> None:
    test, training = report.frequencies.test, report.frequencies.training
    places = np.arange(len(order))
    axes.bar(places, test[order], 0.62, color=_GREY)
    highest = test[order]
    if training is not None:
        axes.hlines(training[order], places - 0.31, places + 0.31, color=INK, lw=1.3)
        highest = np.fmax(test, training)[order]
    for place, top, value in zip(places, highest, test[order], strict=True):
        where = (place, 0 if np.isnan(top) else top)
        axes.annotate(_share(value), where, (0, 3), textcoords="offset points", ha="center", size=7, color=INK)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.margins(y=0.2)
    axes.set_ylim(bottom=0)
    line = "; line: in training" if training is not None else ""
    _heading(axes, "How often each action unit occurs", f"share of the test labels{line}")
    handles = [Patch(color=colour, label=name) for name, colour in _BAND.items()]
    axes.legend(handles=handles, fontsize=8, frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1.0))


def _share(value: float) -> str:
    return "–" if np.isnan(value) else f"{100 * value:.{1 if value < 0.0995 else 0}f}%"


def _draw_counts(axes: Axes, report: BiasReport, order: Int64[np.ndarray, "aus"]) -> None:
    """Draw true positives upwards and false positives downwards; a line says how many presences there are to find."""
    shifts, width = bar_offsets(len(report.networks))
    places = np.arange(len(order))
    for (network, colour, _), shift in zip(_look(report), shifts, strict=True):
        found, false = (network.per_seed(name)[order] for name in ("true_positive", "false_positive"))
        axes.bar(places + shift, found, width, color=colour)
        axes.bar(places + shift, -false, width, color=colour, alpha=0.45, hatch="////", edgecolor="white", lw=0)
    present = report.networks[0].per_seed("present")[order]
    axes.hlines(present, places - 0.44, places + 0.44, color=INK, lw=1.3)
    axes.axhline(0, color=QUIET, lw=0.8)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):,.0f}"))
    axes.margins(y=0.06)
    axes.set_ylabel("false  ←  images  →  true", size=8, color=INK)
    handles = [
        *(Patch(color=colour, label=network.name) for network, colour, _ in _look(report)),
        Line2D([], [], color=INK, lw=1.3, label="present"),
    ]
    columns = min(4, len(handles))
    axes.legend(handles=handles, fontsize=8, frameon=False, ncols=columns, loc="lower right", bbox_to_anchor=(1, 1.0))
    _heading(axes, "True and false positives", "upwards: true; downwards, hatched: false")


def _draw_ratios(axes: Axes, report: BiasReport, order: Int64[np.ndarray, "aus"]) -> None:
    shifts, _ = bar_offsets(len(report.networks))
    largest = 1.0
    for (network, colour, marker), shift in zip(_look(report), shifts, strict=True):
        values = log_ratio(network.counts)[order]
        largest = max(largest, float(np.nanmax(np.abs(values), initial=0)))
        axes.vlines(np.arange(len(order)) + shift, 0, values, color=colour, lw=1.2, alpha=0.6)
        axes.plot(np.arange(len(order)) + shift, values, marker, color=colour, ms=5)
    axes.axhline(0, color=INK, lw=0.9)
    limit = min(LOG_RATIO_LIMIT, np.ceil(largest * 2) / 2) + 0.25
    axes.set_ylim(-limit, limit)
    step = 1 if limit <= 3.5 else 2
    ticks = np.arange(-int(limit // step) * step, limit, step)
    axes.set_yticks(ticks, [f"×{2**tick:g}" if tick >= 0 else f"×1/{2**-tick:g}" for tick in ticks.tolist()])
    _heading(axes, "Predicted over true presences", "above ×1: predicted too often; below: too seldom")


def _draw_sums(band: SubFigure, report: BiasReport) -> None:
    """Draw the numbers over all AUs with their intervals, a network per line."""
    row: Sequence[Axes] = band.subplots(1, len(_SUMS), sharey=True)
    level = report.networks[0].numbers.spread.level
    about = f"; lines: {level:.0%} intervals over subjects" if report.resampled else ""
    band.suptitle(f"Over all action units{about}", x=0.076, ha="left", size=7.5, color="#555555")
    for axes, (name, title) in zip(row, _SUMS.items(), strict=True):
        for line, (network, colour, marker) in enumerate(_look(report)):
            interval: Interval = getattr(network.numbers, name)
            axes.plot([interval.low, interval.high], [line, line], color=colour, lw=2.2, solid_capstyle="round")
            axes.plot(interval.estimate, line, marker, color=colour, ms=6, mec="white", mew=0.6, clip_on=False)
        _scale_sum(axes, name)
        axes.grid(axis="x", color=FAINT, lw=0.6)
        axes.locator_params(axis="x", nbins=3)
        _heading(axes, title)
        axes.tick_params(axis="y", length=0)
    row[0].set_yticks(range(len(report.networks)), [network.name for network in report.networks])
    row[0].set_ylim(len(report.networks) - 0.4, -0.6)


def _scale_sum(axes: Axes, name: str) -> None:
    """Choose what part of its possible values a number's axis shows."""
    axes.margins(x=0.12)
    if name == "correlation":
        axes.set_xlim(-1.1, 1.1)
    elif name.endswith("f1"):
        low, high = axes.get_xlim()
        spare = max(0, 0.1 - (high - low)) / 2  # equal scores would be magnified to look unlike
        axes.set_xlim(max(0, low - spare), min(1, high + spare))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    elif name == "spread":
        axes.set_xlim(left=0)
    if not name.endswith("f1"):
        axes.axvline(0, color=INK, lw=0.9)
