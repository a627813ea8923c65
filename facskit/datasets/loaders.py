"""Loaders: from prepared samples to batches, seeded, resumable at any step, the same whatever the number of workers.

A batch is a pure function of (seed, epoch, step): `epoch_batches` says which samples, a data set prepares them, and
nothing else has a state. So a run that stopped at step k goes on with the batches it would have seen.
"""

from abc import ABC, abstractmethod
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

__all__ = ["BatchKey", "EpochLoader", "LoaderConfig", "PreparedSamples", "epoch_batches", "eval_loader", "train_loader"]

BatchKey = tuple[int, Int64[np.ndarray, "batch"]]
"""What a data set is asked for: the epoch, and the positions of a batch's samples among its own."""

BatchT = TypeVar("BatchT")


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
        for name, low, high in (("batch_size", 1, 65536), ("workers", 0, 256), ("prefetch", 1, 64)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be from {low} to {high}, got {getattr(self, name)}")
        if not 0 <= self.cache_gib <= 4096:
            raise ValueError(f"cache_gib must be from 0 to 4096 GiB, got {self.cache_gib}")


class PreparedSamples(Dataset[Any], Generic[BatchT], ABC):
    """Samples that are prepared batch by batch, without a state, so in any worker process.

    `__getitem__` takes a `BatchKey` and returns tensors on their way from a worker; or a `FacskitError`, which a worker
    process must not raise lest it be wrapped in a traceback.
    """

    seed: int
    """Seed of the random changes and of the order of samples."""
    rows: Int64[np.ndarray, "rows"]
    """Row of each sample in its source."""

    def __len__(self) -> int:
        return len(self.rows)

    @abstractmethod
    def batch(self, prepared: Any) -> BatchT:  # noqa: ANN401 - whatever `__getitem__` returned
        """Return the batch that tensors belong to, in the main process."""


class EpochLoader(Generic[BatchT]):
    """Batches of one process, epoch by epoch, from any step on; one iteration at a time.

    Args:
        train: Whether the order is random in each epoch and an incomplete last batch is left out.
        rank: Number of this process among those that train together.
        world_size: How many processes train together; each gets its share of every global batch.

    Raises:
        DatasetError: There are fewer samples to train with than one global batch needs.
    """

    def __init__(
        self,
        dataset: PreparedSamples[BatchT],
        config: LoaderConfig,
        *,
        train: bool,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.dataset, self.config, self.train = dataset, config, train
        self._rank, self._global_batch = rank, config.batch_size * world_size
        if train and len(dataset) < self._global_batch:
            raise DatasetError(
                f"found {len(dataset)} training images, fewer than one batch of {self._global_batch}; "
                "expected a smaller batch_size or more images"
            )

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""
        # Training batches are all complete, so nobody has to shuffle millions of rows to count them.
        return len(self.dataset) // self._global_batch if self.train else len(self._plan(0))

    def batches(self, epoch: int, start_step: int = 0) -> Iterator[BatchT]:
        """Yield an epoch's batches in order, on the CPU, in pinned memory where there is a CUDA device.

        Args:
            epoch: Counted from zero.
            start_step: The first batch wanted; earlier ones are skipped without being prepared.

        Raises:
            MediaError: An image is missing or damaged; the message names it.
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
            yield self.dataset.batch(found)

    def close(self) -> None:
        """End the worker processes; the next epoch would start new ones."""
        self.__dict__.pop("_loader", None)

    def _plan(self, epoch: int) -> list[Int64[np.ndarray, "batch"]]:
        batches = epoch_batches(
            len(self.dataset),
            self._global_batch,
            seed=self.dataset.seed,
            epoch=epoch,
            drop_last=self.train,
            shuffle=self.train,
        )
        mine = self.config.batch_size
        share = slice(self._rank * mine, (self._rank + 1) * mine)
        return [part for positions in batches if len(part := positions[share])]

    @cached_property
    def _keys(self) -> "_Keys":
        return _Keys()

    @cached_property
    def _loader(self) -> "DataLoader[Any]":
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


def train_loader(
    dataset: PreparedSamples[BatchT], config: LoaderConfig, *, rank: int = 0, world_size: int = 1
) -> EpochLoader[BatchT]:
    """Return shuffled, complete batches to learn from; see `EpochLoader`."""
    return EpochLoader(dataset, config, train=True, rank=rank, world_size=world_size)


def eval_loader(
    dataset: PreparedSamples[BatchT], config: LoaderConfig, *, rank: int = 0, world_size: int = 1
) -> EpochLoader[BatchT]:
    """Return batches in the order of rows, the last one possibly smaller; see `EpochLoader`.

    With several processes the last global batch may leave some of them a step short: gather by row number.
    """
    return EpochLoader(dataset, config, train=False, rank=rank, world_size=world_size)


def epoch_batches(
    size: int, batch_size: int, *, seed: int, epoch: int, drop_last: bool, shuffle: bool
) -> list[Int64[np.ndarray, "batch"]]:
    """Return the positions of the samples of each batch of an epoch: a pure function.

    Args:
        epoch: Counted from zero.
        shuffle: Whether the order is random, different in each epoch; otherwise it is 0, 1, 2, ...
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
