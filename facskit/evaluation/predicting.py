"""The run of a model over batches: images in, predictions of action units or expressions out."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Float32, Shaped
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn

from facskit.action_units import ActionUnitSet
from facskit.datasets.samples import Batch
from facskit.evaluation.expressions.predictions import ExpressionPredictions
from facskit.evaluation.predictions import Predictions
from facskit.evaluation.protocols import Protocol
from facskit.expressions import ExpressionSet

__all__ = ["Precision", "PredictionSource", "answers", "predict", "predict_expressions"]

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
    intensities: Callable[[Tensor], Tensor] | None = None,
    precision: Precision = "32",
    description: str | None = None,
) -> Predictions:
    """Return a model's probabilities for every image of the batches, in the manifest's order.

    Probabilities are always the sigmoid of 32-bit logits: 16-bit ones tie, and ties change rank scores.

    Args:
        model: Maps images to one logit per action unit.
        intensities: From logits to intensities, for a model that knows them; they are kept where any level is known.
        description: Text of a progress bar on the error stream, shown when the work takes longer than two seconds;
            without it there is none.

    Raises:
        ValueError: There is no batch, an image comes twice, or the model's logits are not numbers or don't fit the
            batches' action units.
    """
    said = answers(model, batches, precision=precision, description=description)
    told = ((batch.action_units, logits, _beside(batch, logits, intensities), batch.indices) for batch, logits in said)
    action_units, rows = _collect(told, source, torch.sigmoid, "action units")
    if intensities is not None and not (rows["levels"] >= 0).any():
        del rows["levels"], rows["intensities"]
    return Predictions(
        action_units=action_units,
        thresholds=np.full(rows["probabilities"].shape, source.protocol.fixed_threshold, dtype=np.float32),
        # Until `apply_protocol` chooses thresholds, the fixed one decides, whatever rule is planned.
        protocol=replace(source.protocol, threshold="fixed", calibration="none"),
        **rows,
    )


def predict_expressions(
    model: nn.Module,
    batches: Iterable[Batch],
    expressions: ExpressionSet,
    source: PredictionSource,
    *,
    precision: Precision = "32",
    description: str | None = None,
) -> ExpressionPredictions:
    """Return a model's probabilities of expressions for every image, in the manifest's order; see `predict`.

    Args:
        model: Maps images to one logit per expression.
        expressions: What the logits and the batches' labels mean.
    """
    said = answers(model, batches, precision=precision, description=description)
    told = ((expressions, logits, {"labels": batch.expressions}, batch.indices) for batch, logits in said)
    _, rows = _collect(told, source, lambda logits: logits.softmax(dim=1), "expressions")
    return ExpressionPredictions(
        expressions=expressions,
        epoch="last" if source.protocol.epoch == "last" else "unknown",
        held_out=source.protocol.folds,
        **rows,
    )


@torch.no_grad()
def _beside(batch: Batch, logits: Tensor, intensities: Callable[[Tensor], Tensor] | None) -> dict[str, Tensor]:
    """Return a batch's labels, and where the model knows intensities the levels and what it says of them."""
    if intensities is None:
        return {"labels": batch.labels}
    return {"labels": batch.labels, "levels": batch.levels, "intensities": intensities(logits)}


_Outputs = TypeVar("_Outputs", ActionUnitSet, ExpressionSet)


def _collect(
    told: Iterable[tuple[_Outputs, Tensor, Mapping[str, Tensor], Tensor]],
    source: PredictionSource,
    activation: Callable[[Tensor], Tensor],
    kind: str,
) -> tuple[_Outputs, dict[str, Any]]:
    """Gather what all kinds of predictions have, in the manifest's order.

    Args:
        told: For each batch what its logits mean, the logits, what else is to be kept by name, and manifest rows.
    """
    first: _Outputs | None = None
    parts: list[dict[str, np.ndarray]] = []
    for outputs, logits, beside, indices in told:
        first = outputs if first is None else first
        if outputs != first:
            raise ValueError(f"batches have different {kind}: {first} and {outputs}")
        if logits.shape != (len(indices), len(outputs)):
            raise ValueError(
                f"the model gave logits of shape {tuple(logits.shape)} for {len(indices)} images and "
                f"{len(outputs)} {kind} ({outputs})"
            )
        kept = {"probabilities": activation(logits), **beside, "rows": indices}
        parts.append({name: values.cpu().numpy() for name, values in kept.items()})
    if first is None:
        raise ValueError("there is nothing to predict: the loader gave no batch")
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(arrays["rows"], kind="stable")
    rows = arrays.pop("rows")[order]
    repeated = rows[:-1][rows[1:] == rows[:-1]]
    if repeated.size:
        raise ValueError(f"row {repeated[0]} ({source.names[repeated[0]]}) comes twice; expected every image once")
    return first, {
        **{name: values[order] for name, values in arrays.items()},
        "subjects": np.array([source.subjects[row] for row in rows], dtype=np.str_),
        "names": np.array([source.names[row] for row in rows], dtype=np.str_),
        "folds": np.full(len(rows), source.fold, dtype=np.int64),
        "seeds": np.full(len(rows), source.seed, dtype=np.int64),
        "model": dict(source.model),
    }


def answers(
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    precision: Precision = "32",
    description: str | None = None,
) -> Iterator[tuple[Batch, Float32[Tensor, "batch outputs"]]]:
    """Run a model over batches.

    The model runs in evaluation mode, without gradients, on the device it is on, and is left in the mode it was in.

    Args:
        model: Maps images to logits.
        batches: Images, with or without labels.
        description: Text of a progress bar on the error stream, shown when the work takes longer than two seconds;
            without it there is none.

    Yields:
        Each batch with the model's logits in 32 bits, on the CPU.
    """
    was_training = model.training
    model.eval()
    try:
        with _progress(batches, description) as shown:
            for batch in shown:
                yield batch, _logits(model, batch, precision)
    finally:
        model.train(was_training)


@torch.no_grad()
def _logits(model: nn.Module, batch: Batch, precision: Precision) -> Float32[Tensor, "batch outputs"]:
    device = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    with torch.autocast(device.type, dtype=_DTYPES[precision], enabled=precision != "32"):
        logits: Tensor = model(batch.images.to(device, non_blocking=True))
    return logits.float().cpu()


@contextmanager
def _progress(batches: Iterable[Batch], description: str | None) -> Iterator[Iterator[Batch]]:
    """Give the batches back with a progress bar that appears when the work turns out to be long."""
    if description is None:
        yield iter(batches)
        return
    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task(description, total=len(batches) if isinstance(batches, Sized) else None)

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
