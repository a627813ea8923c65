"""Running a model over batches: images in, `Predictions` out."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32, Int64, Shaped
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import Batch
from facskit.evaluation.predictions import Predictions
from facskit.evaluation.protocols import Protocol

__all__ = ["Precision", "PredictionSource", "answers", "in_row_order", "predict"]

Precision = Literal["32", "bf16", "fp16"]
_DTYPES = {"32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_PATIENCE = 2.0
"""Seconds after which long work shows a progress bar."""


@dataclass(frozen=True, kw_only=True)
class PredictionSource:
    """Where predictions come from: the manifest's rows, the run, and the model."""

    subjects: Sequence[str] | Shaped[np.ndarray, "rows"]
    """Subject of every manifest row, looked up by a batch's indices."""
    names: Sequence[str] | Shaped[np.ndarray, "rows"]
    """Image of every manifest row."""
    fold: int = 0
    """Fold whose test part is predicted."""
    seed: int = 0
    """Seed of the training run."""
    protocol: Protocol = field(default_factory=Protocol)
    """How the epoch was chosen; decisions use its fixed threshold until `apply_protocol` chooses others."""
    model: Mapping[str, Any] = field(default_factory=dict)
    """Where the model came from: plain values that JSON can hold."""


def predict(
    model: nn.Module,
    batches: Iterable[Batch],
    source: PredictionSource,
    *,
    precision: Precision = "32",
    description: str | None = None,
    total: int | None = None,
) -> Predictions:
    """Return a model's probabilities for every image of the batches, in the manifest's order.

    Probabilities are always the sigmoid of 32-bit logits: 16-bit ones tie, and ties change rank scores.

    Args:
        model: Maps images to one logit per action unit.
        source: Where the rows and the model come from.
        precision: Number format of the model's arithmetic.
        description: Text of a progress bar on the error stream, shown when the work takes longer than two seconds;
            without it there is none.
        total: Number of batches, for the progress bar, where the batches can't tell.

    Raises:
        ValueError: There is no batch, an image comes twice, or the model's logits are not numbers or don't fit the
            batches' action units.
    """
    parts = []
    for batch, logits in answers(model, batches, precision=precision, description=description, total=total):
        if logits.shape != batch.labels.shape:
            raise ValueError(
                f"the model gave logits of shape {tuple(logits.shape)} for {len(batch.labels)} images and "
                f"{len(batch.action_units)} action units ({batch.action_units})"
            )
        parts.append(
            (batch.action_units, logits.sigmoid().numpy(), batch.labels.cpu().numpy(), batch.indices.cpu().numpy())
        )
    if not parts:
        raise ValueError("there is nothing to predict: the loader gave no batch")
    action_units = _one_set([part[0] for part in parts])
    probabilities, labels, rows = (np.concatenate([part[i] for part in parts]) for i in (1, 2, 3))
    order = in_row_order(rows, source)
    return Predictions(
        action_units=action_units,
        probabilities=probabilities[order],
        labels=labels[order],
        subjects=np.array([source.subjects[row] for row in rows[order]], dtype=np.str_),
        names=np.array([source.names[row] for row in rows[order]], dtype=np.str_),
        folds=np.full(len(rows), source.fold, dtype=np.int64),
        seeds=np.full(len(rows), source.seed, dtype=np.int64),
        thresholds=np.full(probabilities.shape, source.protocol.fixed_threshold, dtype=np.float32),
        # Until `apply_protocol` chooses thresholds, the fixed one decides, whatever rule is planned.
        protocol=replace(source.protocol, threshold="fixed"),
        model=dict(source.model),
    )


def answers(
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    precision: Precision = "32",
    description: str | None = None,
    total: int | None = None,
) -> Iterator[tuple[Batch, Float32[Tensor, "batch outputs"]]]:
    """Run a model over batches.

    The model runs in evaluation mode, without gradients, on the device it is on, and is left in the mode it was in.

    Args:
        model: Maps images to logits.
        batches: Images, with or without labels.
        precision: Number format of the model's arithmetic.
        description: Text of a progress bar on the error stream, shown when the work takes longer than two seconds;
            without it there is none.
        total: Number of batches, for the progress bar, where the batches can't tell.

    Yields:
        Each batch with the model's logits in 32 bits, on the CPU.
    """
    was_training = model.training
    model.eval()
    try:
        with _progress(batches, description, total) as shown:
            for batch in shown:
                yield batch, _logits(model, batch, precision)
    finally:
        model.train(was_training)


def in_row_order(rows: Int64[np.ndarray, "samples"], source: PredictionSource) -> Int64[np.ndarray, "samples"]:
    """Return the positions that put samples into the manifest's order.

    Args:
        rows: The manifest row of each sample.
        source: Where the rows come from.

    Raises:
        ValueError: A row comes twice.
    """
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    repeated = ordered[:-1][ordered[1:] == ordered[:-1]]
    if repeated.size:
        raise ValueError(f"row {repeated[0]} ({source.names[repeated[0]]}) comes twice; expected every image once")
    return order


@torch.no_grad()
def _logits(model: nn.Module, batch: Batch, precision: Precision) -> Float32[Tensor, "batch outputs"]:
    device = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    with torch.autocast(device.type, dtype=_DTYPES[precision], enabled=precision != "32"):
        logits: Tensor = model(batch.images.to(device, non_blocking=True))
    return logits.float().cpu()


def _one_set(sets: Sequence[ActionUnitSet]) -> ActionUnitSet:
    for other in sets:
        if other != sets[0]:
            raise ValueError(f"batches have different action units: {sets[0]} and {other}")
    return sets[0]


@contextmanager
def _progress(batches: Iterable[Batch], description: str | None, total: int | None) -> Iterator[Iterator[Batch]]:
    """Give the batches back with a progress bar that appears when the work turns out to be long."""
    if description is None:
        yield iter(batches)
        return
    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task(description, total=len(batches) if isinstance(batches, Sized) else total)

    def shown() -> Iterator[Batch]:
        start = time.monotonic()
        for batch in batches:
            yield batch
            bar.advance(task)
            if not bar.live.is_started and time.monotonic() - start > _PATIENCE:
                bar.start()

    try:
        yield shown()
    finally:
        bar.stop()
