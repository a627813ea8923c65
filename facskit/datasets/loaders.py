"""From a manifest to batches: seeded, resumable at any step, the same whatever the number of worker processes.

A batch is a pure function of (seed, epoch, step): `epoch_batches` says which rows, `FaceDataset` prepares them, and
nothing else has a state. So a run that stopped at step k goes on with the batches it would have seen.
"""

from collections.abc import Iterator

from facskit.datasets.face_dataset import FaceDataset, Preparation, PreparedArrays
from facskit.datasets.prepared_batches import BatchOrder, LoaderConfig, PreparedBatches, epoch_batches
from facskit.datasets.samples import Batch

__all__ = [
    "EpochLoader",
    "FaceDataset",
    "LoaderConfig",
    "Preparation",
    "epoch_batches",
    "eval_loader",
    "train_loader",
]


class EpochLoader:
    """Labelled batches of one process, epoch by epoch, from any step on; one iteration at a time."""

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
            train: Whether rows are shuffled each epoch and an incomplete last batch is left out.
            rank: Number of this process among those that train together.
            world_size: How many processes train together; each gets its share of every global batch.

        Raises:
            DatasetError: There are fewer training rows than one global batch needs.
        """
        self.dataset, self.config = dataset, config
        order = BatchOrder(seed=dataset.preparation.seed, train=train, rank=rank, world_size=world_size)
        self._prepared: PreparedBatches[PreparedArrays] = PreparedBatches(dataset, config, order)

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""
        return self._prepared.steps_per_epoch

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
        for prepared in self._prepared.stream(epoch, start_step):
            yield Batch(**prepared._asdict(), action_units=self.dataset.action_units)

    def close(self) -> None:
        """End the worker processes; the next epoch would start new ones."""
        self._prepared.close()


def train_loader(dataset: FaceDataset, config: LoaderConfig, *, rank: int = 0, world_size: int = 1) -> EpochLoader:
    """Return shuffled, complete batches to learn from; see `EpochLoader`."""
    return EpochLoader(dataset, config, train=True, rank=rank, world_size=world_size)


def eval_loader(dataset: FaceDataset, config: LoaderConfig, *, rank: int = 0, world_size: int = 1) -> EpochLoader:
    """Return batches in the order of rows, the last one possibly smaller; see `EpochLoader`.

    With several processes the last global batch may leave some of them a step short: gather by row number.
    """
    return EpochLoader(dataset, config, train=False, rank=rank, world_size=world_size)
