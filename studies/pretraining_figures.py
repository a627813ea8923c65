"""The figures of the study of pre-training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from facskit.files import atomic_path

__all__ = ["draw_labels", "draw_probes"]

_COLOURS = {"pre-trained": "#0b6e99", "from scratch": "#c4622d"}


def draw_labels(rows: Sequence[dict[str, Any]], test_images: int, path: Path) -> None:
    """Draw score against the number of labelled people, one line per way to start, one dot per seed.

    Args:
        rows: With `arm`, `subjects`, `seed`, `f1` and `roc_auc`.
        test_images: How many images were tested on.
        path: The PNG file to write.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    titles = {"roc_auc": "mean ROC-AUC", "f1": "macro F1"}
    for axes, (name, title) in zip(figure.subplots(1, 2), titles.items(), strict=True):
        for arm, colour in _COLOURS.items():
            points = [(row["subjects"], row[name]) for row in rows if row["arm"] == arm]
            sizes = sorted({subjects for subjects, _ in points})
            means = [np.mean([score for subjects, score in points if subjects == size]) for size in sizes]
            axes.plot(sizes, means, color=colour, label=arm)
            axes.plot(*zip(*points, strict=True), "o", color=colour, markersize=4, alpha=0.7)
        if name == "roc_auc":
            axes.axhline(0.5, color="grey", linewidth=0.8, linestyle=":", label="chance")
        axes.set(xscale="log", xlabel="people with labels (24 images each)", ylabel=title)
        axes.set_xticks(sizes, [str(size) for size in sizes], minor=False)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    figure.axes[0].legend(frameon=False)
    figure.suptitle(f"Fine-tuned small transformer on {test_images:,} faces of other people", fontsize=11)
    _save(figure, path)


def draw_probes(probes: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the linear probe's score over the epochs of pre-training.

    Args:
        probes: With `epoch` and `roc_auc`.
        path: The PNG file to write.
    """
    figure = Figure(figsize=(5, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.plot([probe["epoch"] for probe in probes], [probe["roc_auc"] for probe in probes], "o-", color="#0b6e99")
    axes.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
    axes.set(xlabel="epochs of pre-training", ylabel="mean ROC-AUC of a linear probe")
    axes.grid(alpha=0.3)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as part:
        figure.savefig(part, dpi=150, format="png")
