"""Identity left in features over the epochs of training, for several runs in one figure (FMAE-IAT, figure 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from facskit.evaluation.bootstrap import Interval
from facskit.evaluation.identity.scores import ProbeMethod
from facskit.evaluation.identity.splits import SplitName
from facskit.figures import FAINT, PALETTE, quiet_axes, save_figure, write_heading

__all__ = ["CurvePoint", "ProbeCurve", "draw_probe_curves"]

_COLOURS = (*(PALETTE[place] for place in (0, 5, 2, 3, 1, 4)), "#555555")
_MARKERS = "osD^vPX"
_TITLES: dict[tuple[ProbeMethod, SplitName], tuple[str, str]] = {
    ("converged", "random-frames"): ("Random frames", "the probe knows other frames of the same recordings"),
    ("converged", "other-recordings"): ("Other recordings", "the probe knows other recordings of the same people"),
    ("paper", "random-frames"): ("The paper's probe, random frames", "20 epochs, far from converged; best on test"),
}


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One network's score."""

    epoch: int | None
    """Epochs of training done; None where nobody knows, which is drawn as a line across."""
    accuracy: Interval
    """Accuracy of the probe, with its interval over subjects."""
    chance: float
    """Accuracy of guessing."""


@dataclass(frozen=True, kw_only=True)
class ProbeCurve:
    """The scores of one run, or of the runs of a cross-validation together."""

    label: str
    """What the legend calls it."""
    split: SplitName
    """Which frames it was tested on; with the method this says which panel the curve is in."""
    method: ProbeMethod = "converged"
    """How the probe was fitted."""
    points: tuple[CurvePoint, ...]
    """Scores by rising epoch."""


def draw_probe_curves(curves: Sequence[ProbeCurve], picture: Path) -> None:
    """Draw accuracy over epochs, a panel for each method and kind of split, with intervals and the level of guessing.

    Args:
        curves: What to draw; a run has the same colour in every panel.
    """
    drawn = {(curve.method, curve.split) for curve in curves}
    panels = [panel for panel in _TITLES if panel in drawn]
    labels = list(dict.fromkeys(curve.label for curve in curves))
    figure = Figure(figsize=(1.2 + 3.9 * len(panels), 4.2), facecolor="white")
    figure.set_layout_engine("constrained", h_pad=0.08, w_pad=0.08)
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, panel in zip(grid, panels, strict=True):
        shown = [curve for curve in curves if (curve.method, curve.split) == panel]
        for curve in shown:
            _draw_curve(axes, curve, labels.index(curve.label))
        levels = {round(point.chance, 4) for curve in shown for point in curve.points}
        for number, level in enumerate(sorted(levels)):
            axes.axhline(level, color="#777777", lw=1, ls="--", label=None if number else "guessing", zorder=1)
        write_heading(axes, *_TITLES[panel], gap=18)
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("epochs of training (0: before)", size=9)
        axes.grid(axis="y", color=FAINT, lw=0.6)
        axes.set_axisbelow(True)
        quiet_axes(axes)
    grid[0].set_ylabel("subjects named rightly", size=9)
    grid[0].legend(fontsize=9, frameon=False, loc="best")
    save_figure(figure, picture, dpi=130)


def _draw_curve(axes: Axes, curve: ProbeCurve, place: int) -> None:
    colour, marker = _COLOURS[place % len(_COLOURS)], _MARKERS[place % len(_MARKERS)]
    known = [(point.epoch, point.accuracy) for point in curve.points if point.epoch is not None]
    if not known:
        accuracy = curve.points[-1].accuracy
        axes.axhline(accuracy.estimate, color=colour, lw=1.6, label=curve.label)
        axes.axhspan(accuracy.low, accuracy.high, color=colour, alpha=0.13, lw=0)
        return
    epochs = [epoch for epoch, _ in known]
    estimates = [accuracy.estimate for _, accuracy in known]
    low = [accuracy.low for _, accuracy in known]
    high = [accuracy.high for _, accuracy in known]
    axes.plot(epochs, estimates, color=colour, lw=1.8, marker=marker, ms=5, label=curve.label)
    if len(known) > 1:
        axes.fill_between(epochs, low, high, color=colour, alpha=0.13, lw=0)
    else:
        axes.vlines(epochs, low, high, color=colour, lw=1.4, alpha=0.6)
