"""Figures of a sweep: validation F1 over epochs, F1 over a swept number, and histograms of intervention weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from matplotlib import colormaps
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import MaxNLocator

from facskit.evaluation.cross_validation import defined_mean
from facskit.figures import save_figure

__all__ = ["Histogram", "draw_curves", "draw_gamma"]

_STYLES = ("-", "--", ":", "-.")


Histogram = tuple[Int[np.ndarray, "bins"], Float[np.ndarray, "edges"]]
"""How many training images have a weight in each bin, and the limits of the bins, from 0 to 1."""


def draw_curves(
    curves: Mapping[tuple[str, ...], Float[np.ndarray, "runs epochs"]], keys: Sequence[str], title: str, picture: Path
) -> None:
    """Draw the validation F1 of each grid point over the epochs: the mean over its runs, and their range.

    Epochs that weren't logged are left out. The first key's values have colours, those of all others together have
    line styles.

    Args:
        curves: F1 after each epoch, as a fraction, by the grid point's values in words; NaN where nothing was logged.
    """
    shown = {values: runs for values, runs in curves.items() if not np.isnan(runs).all()}
    colours = _colours([values[:1] for values in shown])
    styles = list(dict.fromkeys(values[1:] for values in shown))
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for values, runs in shown.items():
        logged = ~np.isnan(runs).all(axis=0)
        epochs = np.flatnonzero(logged) + 1
        percent = 100 * runs[:, logged]
        style = _STYLES[styles.index(values[1:]) % len(_STYLES)]
        label = ", ".join(values)
        colour = colours[values[:1]]
        axes.plot(epochs, defined_mean(percent, axis=0), style, color=colour, marker=".", label=label)
        if len(runs) > 1:
            low, high = np.nanmin(percent, axis=0), np.nanmax(percent, axis=0)
            axes.fill_between(epochs, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set(xlabel="epoch", ylabel="F1 % on validation subjects")
    axes.set_title(title, size=10, wrap=True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    figure.legend(title=", ".join(keys) or None, loc="outside right upper", fontsize=9)
    save_figure(figure, picture, dpi=120)


def draw_gamma(
    f1: Mapping[float, Sequence[float]], histograms: Mapping[float, Histogram], title: str, picture: Path
) -> None:
    """Draw F1 over the sharpness gamma of causal intervention, and below it how its weights are distributed.

    Args:
        f1: Macro F1 of each run, as fractions, by gamma.
        histograms: Weights of the imbalanced side, by gamma; those that are there.

    Paper:
        CIU's figure 4, with the histograms that it describes in words: a spike at one half for gamma 0, and masses at
        the ends for large ones.
    """
    gammas = sorted(f1)
    rows = -(-len(histograms) // 6)
    figure = Figure(figsize=(8, 3.4 + 1.7 * rows), layout="constrained")
    curve: FigureBase = figure
    if rows:
        parts = figure.subfigures(2, 1, squeeze=False, height_ratios=[3.4, 1.7 * rows])
        curve, below = parts[0, 0], parts[1, 0]
        _draw_histograms(below, histograms, rows)
    axes = curve.add_subplot()
    places = np.arange(len(gammas))
    means = [100 * float(np.mean(f1[gamma])) for gamma in gammas]
    axes.plot(places, means, color="C0", marker="o", zorder=3, label="mean")
    for place, gamma in zip(places, gammas, strict=True):
        values = 100 * np.array(f1[gamma])
        axes.plot(np.full(len(values), place), values, ".", color="0.6", label="one run" if place == 0 else None)
    axes.set_xticks(places, [f"{gamma:g}" for gamma in gammas])
    axes.set(xlabel="gamma", ylabel="F1 % on test subjects")
    axes.set_title(title, size=10, wrap=True)
    axes.grid(alpha=0.3)
    if any(len(values) > 1 for values in f1.values()):
        axes.legend(fontsize=8)
    save_figure(figure, picture, dpi=120)


def _draw_histograms(part: FigureBase, histograms: Mapping[float, Histogram], rows: int) -> None:
    """Draw one panel per gamma, each to its own height: a spike would hide the others."""
    panels = list(part.subplots(rows, -(-len(histograms) // rows), squeeze=False).flat)
    for gamma, axes in zip(sorted(histograms), panels, strict=False):
        axes.stairs(*histograms[gamma], fill=True, color="C1")
        axes.set_title(f"gamma {gamma:g}", size=8)
        axes.set_xlim(-0.03, 1.03)
        axes.set_xticks([0, 0.5, 1], ["0", "½", "1"], size=7)
        axes.set_yticks([])
    for axes in panels[len(histograms) :]:
        axes.set_visible(False)
    part.supxlabel("weight of the imbalanced side; each panel has its own height", size=9)
    part.supylabel("share", size=9)


def _colours(names: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], tuple[float, ...]]:
    """Give values different colours: along a scale if they are numbers, and otherwise of a set."""
    different = list(dict.fromkeys(names))
    if all(_is_number(word) for name in different for word in name) and len(different) > 2:
        scale = colormaps["viridis"].resampled(256)
        return {name: scale(0.9 * place / (len(different) - 1)) for place, name in enumerate(different)}
    tab = colormaps["tab10"]  # more colours than the palette's six
    return {name: tab(place % 10) for place, name in enumerate(different)}


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
