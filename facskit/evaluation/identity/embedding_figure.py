"""Maps of features as a picture: coloured by subject and, beside it, by action units, a row for each network."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facskit.datasets.samples import LabelState
from facskit.evaluation.identity.embedding import Clustering, Embedding
from facskit.figures import INK, save_figure, write_heading

__all__ = ["draw_embeddings", "shown_units"]

_PRESENT, _ABSENT, _UNKNOWN = "#D55E00", "#8FB8DE", "#E4E4E4"
_MANY = 10
"""Subjects up to which one palette's colours are enough."""


def shown_units(embedding: Embedding, count: int = 2) -> list[str]:
    """Return the codes of the measured AUs that are nearest to being present in half of the faces."""
    rates = {}
    for code in embedding.by_unit:
        states = embedding.labels[:, embedding.action_units.codes.index(code)]
        rates[code] = (states == 1).sum() / max((states != LabelState.UNKNOWN).sum(), 1)
    return sorted(rates, key=lambda code: abs(rates[code] - 0.5))[:count]


def draw_embeddings(embeddings: Mapping[str, Embedding], picture: Path, units: list[str] | None = None) -> None:
    """Draw one row of maps for each network.

    Args:
        embeddings: Maps by the network's name.
        units: Codes of the AUs to colour by; the two most balanced ones of the first map when not given.
    """
    first = next(iter(embeddings.values()))
    units = shown_units(first) if units is None else units
    columns = 1 + len(units)
    figure = Figure(figsize=(3.5 * columns, 3.6 * len(embeddings) + 0.3), facecolor="white")
    figure.set_layout_engine("constrained", h_pad=0.08, w_pad=0.08)
    grid = figure.subplots(len(embeddings), columns, squeeze=False)
    for axes_row, (name, embedding) in zip(grid, embeddings.items(), strict=True):
        _draw_subjects(axes_row[0], embedding, name)
        for axes, code in zip(axes_row[1:], units, strict=True):
            _draw_unit(axes, embedding, code)
    save_figure(figure, picture, dpi=120)


def _draw_subjects(axes: Axes, embedding: Embedding, name: str) -> None:
    everyone = sorted(set(embedding.subjects))
    palette = colormaps["tab10" if len(everyone) <= _MANY else "tab20"]
    owners = np.array(embedding.subjects)
    for place, subject in enumerate(everyone):
        points = embedding.points[owners == subject]
        axes.scatter(points[:, 0], points[:, 1], s=7, color=palette(place % palette.N), linewidths=0, alpha=0.85)
    axes.set_ylabel(name, size=11, weight="bold", color=INK)
    _heading(axes, f"{len(everyone)} subjects, one colour each", embedding.by_subject)


def _draw_unit(axes: Axes, embedding: Embedding, code: str) -> None:
    if code not in embedding.action_units.codes:
        axes.set_axis_off()
        return
    states = embedding.labels[:, embedding.action_units.codes.index(code)]
    drawn = ((LabelState.UNKNOWN, _UNKNOWN, "unknown"), (0, _ABSENT, "absent"), (1, _PRESENT, "present"))
    for state, colour, label in drawn:
        chosen = states == state
        if chosen.any():
            across, down = embedding.points[chosen].T
            axes.scatter(across, down, s=7, color=colour, linewidths=0, alpha=0.85, label=label)
    axes.legend(fontsize=7, frameon=False, loc="lower right", markerscale=2, handletextpad=0.1, borderaxespad=0.1)
    unit = next(unit for unit in embedding.action_units if unit.code == code)
    _heading(axes, f"{code} {unit.name}", embedding.by_unit.get(code), others=True)


def _heading(axes: Axes, title: str, clustering: Clustering | None, *, others: bool = False) -> None:
    below = ""
    if clustering is not None:
        asked = "nearest of others" if others else "nearest"
        below = (
            f"silhouette {clustering.silhouette:+.2f}; {asked} {clustering.neighbour_accuracy:.0%} "
            f"(chance {clustering.chance:.0%})"
        )
    write_heading(axes, title, below, gap=18.0)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#bbbbbb")
