"""The confusion matrix of expressions as a picture."""

from pathlib import Path

import numpy as np
from jaxtyping import Int64
from matplotlib.figure import Figure

from facskit.evaluation.confusion_counts import divide
from facskit.expressions import ExpressionSet
from facskit.figures import save_figure

__all__ = ["draw_confusion"]


def draw_confusion(
    confusion: Int64[np.ndarray, "classes classes"], expressions: ExpressionSet, title: str, picture: Path
) -> None:
    """Draw how often each expression is taken for each other one, in percent of its images.

    Args:
        confusion: Images by true expression (row) and predicted one (column).
    """
    support = confusion.sum(axis=1)
    shares = 100 * divide(confusion, np.broadcast_to(support[:, np.newaxis], confusion.shape))
    side = 2.4 + 0.62 * len(expressions)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(np.nan_to_num(shares), cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(shares.shape):
        share = shares[row, column]
        if share >= 0.5:
            axes.text(
                column, row, f"{share:.0f}", ha="center", va="center", color="white" if share > 55 else "black", size=9
            )
    places = range(len(expressions))
    rows = [f"{name} ({number:,})" for name, number in zip(expressions, support.tolist(), strict=True)]
    axes.set_xticks(places, list(expressions), rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, rows)
    axes.set(xlabel="most probable expression", ylabel="true expression (images)")
    axes.set_title(title, size=10, wrap=True)
    axes.tick_params(length=0)
    save_figure(figure, picture, dpi=120)
