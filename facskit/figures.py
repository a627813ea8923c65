"""The look of figures in reports: one palette, one dress of axes, one way to save a picture."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facskit.files import atomic_path

__all__ = ["FAINT", "INK", "PALETTE", "QUIET", "bar_offsets", "quiet_axes", "save_figure", "write_heading"]

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
"""Okabe and Ito's palette, which colour-blind people can tell apart."""
INK, QUIET, FAINT = "#222222", "#888888", "#dddddd"
"""Colours of what is read, of axes, and of grids."""


def write_heading(axes: Axes, title: str, below: str = "", *, gap: int) -> None:
    """Write a panel's title at its left, and a smaller line under it.

    Args:
        gap: Between panel and title, in points.
    """
    axes.set_title(title, loc="left", size=9.5, weight="bold", color=INK, pad=gap)
    if below:
        axes.text(0, 1.02, below, transform=axes.transAxes, size=7.5, color="#555555", va="bottom")


def quiet_axes(axes: Axes) -> None:
    """Leave of the frame what numbers are read off by: the left and the lower side, in grey."""
    axes.tick_params(labelsize=8, length=2, color=QUIET)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(QUIET)


def bar_offsets(count: int) -> tuple[Float[np.ndarray, "bars"], float]:
    """Return where bars stand side by side around a whole number, and how wide they are."""
    width = 0.8 / count
    return (np.arange(count) - (count - 1) / 2) * width, width * 0.92


def save_figure(figure: Figure, picture: Path, dpi: int) -> None:
    """Write a figure, atomically.

    Args:
        picture: The file; its ending says in which format.
    """
    with atomic_path(picture) as part:
        figure.savefig(part, dpi=dpi, format=picture.suffix.lstrip("."))
