"""Progress of a training as a person sees it: one bar on stderr, and one line per finished epoch."""

from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["TrainingProgress"]


class TrainingProgress:
    """The progress bar of a run.

    Args:
        shown: Whether this process shows anything; one of several should.
    """

    def __init__(self, epochs: int, steps: int, *, shown: bool) -> None:
        self._epochs, self._steps, self._shown = epochs, steps, shown
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not shown,
        )
        self._task = self._bar.add_task("", total=epochs * steps, epoch=1, epochs=epochs, numbers="")

    def __enter__(self) -> "TrainingProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the bar as it is and give the terminal back."""
        self._bar.stop()

    def update(
        self,
        epoch: int,
        step: int,
        *,
        loss: float | None = None,
        rate: float | None = None,
        pace: Mapping[str, float] | None = None,
    ) -> None:
        """Show where the run is.

        Args:
            pace: `images_per_second` and, where it is known, `flops_utilisation`, the share of the device's peak.
        """
        numbers = "" if loss is None else f"loss {loss:.4f}"
        numbers += "" if rate is None else f", lr {rate:.2e}"
        pace = pace or {}
        numbers += f", {pace['images_per_second']:.0f} images/s" if "images_per_second" in pace else ""
        numbers += f", {pace['flops_utilisation']:.0%} of peak" if "flops_utilisation" in pace else ""
        shown_epoch = min(epoch + 1, self._epochs)
        self._bar.update(self._task, completed=epoch * self._steps + step, epoch=shown_epoch, numbers=numbers)

    def finish_epoch(self, epoch: int, means: Mapping[str, float]) -> None:
        """Print an epoch's means on a line that stays."""
        if self._shown:
            values = ", ".join(f"{name} {value:.4f}" for name, value in means.items())
            self._bar.console.print(f"epoch {epoch + 1}/{self._epochs}: {values}", highlight=False, soft_wrap=True)
