"""From a manifest to batches: seeded, resumable at any step, the same whatever the number of worker processes.

A batch is a pure function of (seed, epoch, step): `epoch_batches` says which rows, `FaceDataset` prepares them, and
nothing else has a state. So a run that stopped at step k goes on with the batches it would have seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch.utils.data import DataLoader

from facskit.datasets.face_dataset import FaceDataset, Preparation, PreparedArrays
from facskit.datasets.samples import Batch
from facskit.errors import DatasetError, FacskitError
from facskit.faces import filters

__all__ = [
    "EpochLoader",
    "FaceDataset",
    "LoaderConfig",
    "Preparation",
    "epoch_batches",
    "eval_loader",
    "train_loader",
]


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
    """How many GiB of decoded images each loader may keep in memory, shared by its workers; 0 decodes every image each
    epoch. The budget holds per loader: validation subjects have a loader of their own, and so has every process."""

    def __post_init__(self) -> None:
        """Check every limit."""
        for name, low, high in (("batch_size", 1, 65536), ("workers", 0, 256), ("prefetch", 1, 64)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be from {low} to {high}, got {getattr(self, name)}")
        if not 0 <= self.cache_gib <= 4096:
            raise ValueError(f"cache_gib must be from 0 to 4096 GiB, got {self.cache_gib}")


class EpochLoader:
    """Batches of one process, epoch by epoch, from any step on; one iteration at a time."""

    def __init__(
        self,
        dataset: FaceDataset,
        config: LoaderConfig,
        *,
        train: bool,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Join a data set and a way to batch it.

        Args:
            dataset: The prepared samples.
            config: How batches are made.
            train: Whether rows are shuffled each epoch and an incomplete last batch is left out.
            rank: Number of this process among those that train together.
            world_size: How many processes train together; each gets its share of every global batch.

        Raises:
            DatasetError: There are fewer training rows than one global batch needs.
        """
        self.dataset = dataset
        self.config = config
        self._train = train
        self._rank = rank
        self._global_batch = config.batch_size * world_size
        if train and len(dataset) < self._global_batch:
            raise DatasetError(
                f"found {len(dataset)} training images, fewer than one batch of {self._global_batch}; "
                "expected a smaller batch_size or more images"
            )

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""
        return len(self._plan(0))

    def batches(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """Yield an epoch's batches.

        Args:
            epoch: Counted from zero.
            start_step: The first batch wanted; earlier ones are skipped without being prepared.

        Yields:
            The batches, on the CPU.

        Raises:
            MediaError: An image is missing or damaged; the message names it.
            ValueError: `start_step` is outside the epoch.
        """
        plan = self._plan(epoch)
        if not 0 <= start_step <= len(plan):
            raise ValueError(f"start_step must be from 0 to {len(plan)}, got {start_step}")
        self._sampler.keys = [(epoch, positions) for positions in plan[start_step:]]
        for found in self._prepared():
            if isinstance(found, FacskitError):
                self.close()
                raise found
            images, labels, subjects, indices = found
            yield Batch(
                images=images, labels=labels, subjects=subjects, indices=indices, action_units=self.dataset.action_units
            )

    def close(self) -> None:
        """End the worker processes; the next epoch would start new ones."""
        self.__dict__.pop("_loader", None)

    def _prepared(self) -> Iterator[PreparedArrays | FacskitError]:
        with filters.one_thread():
            return iter(self._loader)

    def _plan(self, epoch: int) -> list[Int64[np.ndarray, "batch"]]:
        seed = self.dataset.preparation.seed
        batches = epoch_batches(
            len(self.dataset), self._global_batch, seed=seed, epoch=epoch, drop_last=self._train, shuffle=self._train
        )
        share = slice(self._rank * self.config.batch_size, (self._rank + 1) * self.config.batch_size)
        return [mine for positions in batches if len(mine := positions[share])]

    @cached_property
    def _sampler(self) -> "_Keys":
        return _Keys()

    @cached_property
    def _loader(self) -> "DataLoader[PreparedArrays | FacskitError]":
        workers = self.config.workers
        return DataLoader(
            self.dataset,
            sampler=self._sampler,
            batch_size=None,
            num_workers=workers,
            collate_fn=_as_is,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=workers > 0,
            prefetch_factor=self.config.prefetch if workers else None,
            # Its own generator: starting an epoch must not advance the one that the model's dropout uses.
            generator=torch.Generator(),
        )


def epoch_batches(
    size: int, batch_size: int, *, seed: int, epoch: int, drop_last: bool, shuffle: bool
) -> list[Int64[np.ndarray, "batch"]]:
    """Say which samples each batch of an epoch has: a pure function.

    Args:
        size: How many samples there are.
        batch_size: Samples per batch.
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


def train_loader(dataset: FaceDataset, config: LoaderConfig, *, rank: int = 0, world_size: int = 1) -> EpochLoader:
    """Return shuffled, complete batches to learn from; see `EpochLoader`."""
    return EpochLoader(dataset, config, train=True, rank=rank, world_size=world_size)


def eval_loader(dataset: FaceDataset, config: LoaderConfig, *, rank: int = 0, world_size: int = 1) -> EpochLoader:
    """Return batches in the order of rows, the last one possibly smaller; see `EpochLoader`.

    With several processes the last global batch may leave some of them a step short: gather by row number.
    """
    return EpochLoader(dataset, config, train=False, rank=rank, world_size=world_size)


class _Keys:
    """What a data loader asks its data set for next; changed between epochs in the main process."""

    def __init__(self) -> None:
        self.keys: list[tuple[int, Int64[np.ndarray, "batch"]]] = []

    def __iter__(self) -> Iterator[tuple[int, Int64[np.ndarray, "batch"]]]:
        return iter(self.keys)

    def __len__(self) -> int:
        return len(self.keys)


def _as_is(found: Any) -> Any:  # noqa: ANN401 -- the data loader types it so
    return found
