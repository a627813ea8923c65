"""Figures of the study of identity adversarial training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facskit.files import atomic_path

_COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860")


def draw_study(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw F1, identity probe and identity loss over the number of people, one line per arm."""
    figure = Figure(figsize=(13, 3.8), layout="constrained")
    axes = figure.subplots(1, 4)
    panels = (
        ("f1", 100, "macro F1 on new people (%)", None),
        ("probe_known", 100, "identity probe, people trained on (%)", "chance_known"),
        ("probe_new", 100, "identity probe, new people (%)", "chance_new"),
        ("identity", 1, "identity loss of the subject head", "identity_constant"),
    )
    for axis, (name, scale, title, floor) in zip(axes, panels, strict=True):
        for colour, arm in zip(_COLOURS, dict.fromkeys(row["arm"] for row in rows), strict=False):
            _line(axis, [row for row in rows if row["arm"] == arm], (name, scale), colour, arm)
        if floor is not None:
            label = "a constant" if floor == "identity_constant" else "chance"
            _line(axis, list(rows), (floor, scale), "#888888", label)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("people trained on")
        axis.set_xscale("log", base=2)
        people = sorted({row["subjects"] for row in rows})
        axis.set_xticks(people, [str(number) for number in people])
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, fontsize=8)
    axes[3].legend(frameon=False, fontsize=8)
    with atomic_path(path) as part:
        figure.savefig(part, dpi=150, format="png")


def _line(axis: Axes, rows: list[Mapping[str, Any]], value: tuple[str, float], colour: str, label: str) -> None:
    """Draw mean and range over the seeds."""
    name, scale = value
    people = sorted({row["subjects"] for row in rows})
    values = [[scale * row[name] for row in rows if row["subjects"] == number and name in row] for number in people]
    style = "--" if colour == "#888888" else "-"
    axis.plot(people, [np.mean(found) for found in values], style, marker="o", ms=4, color=colour, label=label)
    axis.fill_between(people, [min(f) for f in values], [max(f) for f in values], color=colour, alpha=0.18, lw=0)
