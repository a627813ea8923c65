"""The way from prepared samples to batches that every loader takes: seeded, resumable at any step, in worker processes.

A batch is a pure function of (seed, epoch, step), whatever the number of workers; a data set only says what the batch
with a key (epoch, positions) holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from jaxtyping import Int64
from torch.utils.data import DataLoader, Dataset

from facskit.errors import DatasetError, FacskitError
from facskit.faces import filters

__all__ = ["BatchKey", "BatchOrder", "LoaderConfig", "PreparedBatches", "epoch_batches"]

BatchKey = tuple[int, Int64[np.ndarray, "batch"]]
"""What a data set is asked for: the epoch, and the positions of a batch's samples among its own."""

PreparedT = TypeVar("PreparedT")


@dataclass(frozen=True, kw_only=True)
class LoaderConfig:
    """How batches are made."""

    batch_size: int = 64
    """Samples per batch and process."""
    workers: int = 0
    """Processes that prepare batches; 0 prepares them in the training process."""
    prefetch: int = 4
    """Batches each worker prepares ahead."""
    cache_gib: float = 0.0
    """How many GiB of images, decoded or cropped, each loader may keep in memory, shared by its workers; 0 decodes
    every image each epoch. Validation subjects have a loader of their own, and so has every process."""

    def __post_init__(self) -> None:
        """Check every limit."""
        for name, low, high in (("batch_size", 1, 65536), ("workers", 0, 256), ("prefetch", 1, 64)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be from {low} to {high}, got {getattr(self, name)}")
        if not 0 <= self.cache_gib <= 4096:
            raise ValueError(f"cache_gib must be from 0 to 4096 GiB, got {self.cache_gib}")


@dataclass(frozen=True, kw_only=True)
class BatchOrder:
    """Which samples come when, and which of them are this process's."""

    seed: int
    """Seed of the order."""
    train: bool
    """Whether the order is random in each epoch and an incomplete last batch is left out."""
    rank: int = 0
    """Number of this process among those that train together."""
    world_size: int = 1
    """How many processes train together; each gets its share of every global batch."""


class PreparedBatches(Generic[PreparedT]):
    """What a data set prepares, batch by batch, from any step of any epoch on; one iteration at a time.

    Args:
        dataset: Returns what a `BatchKey` asks for, or an error, which a worker process must not raise lest it be
            wrapped in a traceback.

    Raises:
        DatasetError: There are fewer samples to train with than one global batch needs.
    """

    def __init__(self, dataset: Dataset[PreparedT | FacskitError], config: LoaderConfig, order: BatchOrder) -> None:
        self.dataset, self.config, self.order = dataset, config, order
        self._global_batch = config.batch_size * order.world_size
        self._size = len(dataset)  # type: ignore[arg-type]
        if order.train and self._size < self._global_batch:
            raise DatasetError(
                f"found {self._size} training images, fewer than one batch of {self._global_batch}; "
                "expected a smaller batch_size or more images"
            )

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""
        # Training batches are all complete, so nobody has to shuffle millions of rows to count them.
        return self._size // self._global_batch if self.order.train else len(self._plan(0))

    def stream(self, epoch: int, start_step: int = 0) -> Iterator[PreparedT]:
        """Yield what the data set prepares for an epoch.

        Args:
            epoch: Counted from zero.
            start_step: The first batch wanted; earlier ones are skipped without being prepared.

        Yields:
            The batches in order.

        Raises:
            FacskitError: The data set returned it.
            ValueError: `start_step` is outside the epoch.
        """
        plan = self._plan(epoch)
        if not 0 <= start_step <= len(plan):
            raise ValueError(f"start_step must be from 0 to {len(plan)}, got {start_step}")
        self._keys.keys = [(epoch, positions) for positions in plan[start_step:]]
        with filters.one_thread():
            prepared = iter(self._loader)
        for found in prepared:
            if isinstance(found, FacskitError):
                self.close()
                raise found
            yield found

    def close(self) -> None:
        """End the worker processes; the next epoch would start new ones."""
        self.__dict__.pop("_loader", None)

    def _plan(self, epoch: int) -> list[Int64[np.ndarray, "batch"]]:
        train, rank, mine = self.order.train, self.order.rank, self.config.batch_size
        batches = epoch_batches(
            self._size, self._global_batch, seed=self.order.seed, epoch=epoch, drop_last=train, shuffle=train
        )
        share = slice(rank * mine, (rank + 1) * mine)
        return [part for positions in batches if len(part := positions[share])]

    @cached_property
    def _keys(self) -> "_Keys":
        return _Keys()

    @cached_property
    def _loader(self) -> "DataLoader[PreparedT | FacskitError]":
        workers = self.config.workers
        return DataLoader(
            self.dataset,
            sampler=self._keys,
            batch_size=None,
            num_workers=workers,
            collate_fn=_as_is,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=workers > 0,
            prefetch_factor=self.config.prefetch if workers else None,
            # Its own generator: starting an epoch must not advance the one that the model's chance uses.
            generator=torch.Generator(),
        )


def epoch_batches(
    size: int, batch_size: int, *, seed: int, epoch: int, drop_last: bool, shuffle: bool
) -> list[Int64[np.ndarray, "batch"]]:
    """Say which samples each batch of an epoch has: a pure function.

    Args:
        size: How many samples there are.
        seed: Seed of the run.
        epoch: Counted from zero.
        drop_last: Whether an incomplete last batch is left out.
        shuffle: Whether the order is random, different in each epoch; otherwise it is 0, 1, 2, ...

    Returns:
        Positions, batch by batch.
    """
    order = np.random.default_rng((seed, epoch)).permutation(size) if shuffle else np.arange(size)
    end = size - size % batch_size if drop_last else size
    return [order[start : start + batch_size] for start in range(0, end, batch_size)]


class _Keys:
    """What a data loader asks its data set for next; changed between epochs in the main process."""

    def __init__(self) -> None:
        self.keys: list[BatchKey] = []

    def __iter__(self) -> Iterator[BatchKey]:
        return iter(self.keys)

    def __len__(self) -> int:
        return len(self.keys)


def _as_is(found: Any) -> Any:  # noqa: ANN401 -- the data loader types it so
    return found
