"""Faces without labels beside labelled ones: the same batches in the same order, each with unlabelled faces in it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from facskit.datasets.fold import Fold
from facskit.datasets.loaders import EpochLoader
from facskit.datasets.manifest import Manifest
from facskit.datasets.people import People, find_known_people
from facskit.datasets.samples import Batch

__all__ = ["UnlabelledBeside", "UnlabelledConfig", "unlabelled_rows"]


@dataclass(frozen=True, kw_only=True)
class UnlabelledConfig:
    """Which faces without labels to learn from beside the labelled ones."""

    manifest: str = ""
    """Path of a manifest, or `packaged`; its labels, if it has some, aren't read. Empty for no such faces."""
    batch_size: int = 64
    """Unlabelled faces that come with each batch, per process."""

    def __post_init__(self) -> None:
        """Refuse impossible batches."""
        if not 1 <= self.batch_size <= 65536:
            raise ValueError(f"batch_size must be from 1 to 65536, got {self.batch_size}")


def unlabelled_rows(unlabelled: Manifest, labelled: Manifest, fold: Fold) -> Int64[np.ndarray, "rows"]:
    """Return the rows of those faces that may be learned from: not of people to validate or test on, by name."""
    held_out = People.of(labelled, (*fold.validation_subjects, *fold.test_subjects))
    known = find_known_people([held_out], People.of(unlabelled)).all
    held = np.isin(unlabelled.subject_names, known)
    return np.flatnonzero(~held[unlabelled.subject_indices])


class UnlabelledBeside:
    """Labelled batches with as many unlabelled faces in each; an epoch is one of the labelled faces.

    The unlabelled faces come in epochs of their own, as many or as few as fit into the labelled ones. A batch is still
    a pure function of seed, epoch and step; what is kept between epochs only saves preparing faces twice.
    """

    def __init__(self, labelled: EpochLoader[Batch], unlabelled: EpochLoader[Batch]) -> None:
        self.labelled, self.unlabelled = labelled, unlabelled
        self._step = -1
        self._faces: Iterator[Batch] = iter(())

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""
        return self.labelled.steps_per_epoch

    def batches(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """Yield an epoch's batches in order; see `EpochLoader.batches`."""
        self._seek(epoch * self.steps_per_epoch + start_step)
        for batch in self.labelled.batches(epoch, start_step):
            self._step += 1
            yield replace(batch, unlabelled=next(self._faces))

    def _seek(self, step: int) -> None:
        if step != self._step:
            self._step, self._faces = step, self._from(step)

    def _from(self, step: int) -> Iterator[Batch]:
        epoch, start = divmod(step, self.unlabelled.steps_per_epoch)
        while True:
            yield from self.unlabelled.batches(epoch, start)
            epoch, start = epoch + 1, 0
