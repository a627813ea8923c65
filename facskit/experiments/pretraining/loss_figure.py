"""The curve of a run's losses, drawn from its log."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from facskit.figures import save_figure
from facskit.training.metrics_file import read_metrics

__all__ = ["draw_losses"]


def draw_losses(metrics: Path, picture: Path) -> None:
    """Draw the losses of a run over its epochs: each logged interval, each epoch's mean, and the held-out loss.

    Args:
        metrics: The run's `metrics.jsonl`.
    """
    records = read_metrics(metrics)
    epochs = [record for record in records if record["kind"] == "epoch"]
    steps_per_epoch = epochs[0]["step"] / epochs[0]["epoch"] if epochs else 1.0
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    steps = [record for record in records if record["kind"] == "step"]
    axes.plot(
        [record["step"] / steps_per_epoch for record in steps], _values(steps, "loss"), color="0.8", label="logged"
    )
    numbers = _values(epochs, "epoch")
    # An epoch's mean is that of its middle.
    axes.plot([number - 0.5 for number in numbers], _values(epochs, "loss"), color="C0", marker=".", label="training")
    if any("validation_loss" in record for record in epochs):
        axes.plot(numbers, _values(epochs, "validation_loss"), color="C1", marker=".", label="held out")
    axes.set(xlabel="epoch", ylabel="loss", title=metrics.resolve().parent.name)
    axes.grid(alpha=0.3)
    axes.legend()
    save_figure(figure, picture, dpi=120)


def _values(records: Sequence[dict[str, Any]], key: str) -> list[float]:
    return [float(record.get(key, "nan")) for record in records]
