"""One fold: which rows of a manifest are trained, validated and tested on, with no person in two places."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from facskit.errors import DatasetError

__all__ = ["Fold"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fold:
    """The rows to train, validate and test on; no subject is in two of them."""

    index: int
    """Which fold, counted from 1 as papers do: the part that is tested on."""
    train: Int64[np.ndarray, "train_rows"]
    """Rows of the manifest to train on, ascending."""
    validation: Int64[np.ndarray, "validation_rows"]
    """Rows to choose epochs and thresholds on; may be none."""
    test: Int64[np.ndarray, "test_rows"]
    """Rows to score once."""
    train_subjects: tuple[str, ...]
    """Who is trained on, sorted; an identity objective counts these and no others."""
    validation_subjects: tuple[str, ...]
    """Who is validated on, sorted."""
    test_subjects: tuple[str, ...]
    """Who is tested on, sorted."""

    def __post_init__(self) -> None:
        """Refuse people or rows in two places, and a fold without training rows."""
        names = ("train", "validation", "test")
        people = [set(self.train_subjects), set(self.validation_subjects), set(self.test_subjects)]
        rows = [self.train, self.validation, self.test]
        for one, other in ((0, 1), (0, 2), (1, 2)):
            places = f"fold {self.index} has {{}} in both its {names[one]} and its {names[other]} part; expected one"
            if shared := people[one] & people[other]:
                raise DatasetError(places.format(f"subject {min(shared)}"))
            if (twice := np.intersect1d(rows[one], rows[other])).size:
                raise DatasetError(places.format(f"row {twice[0] + 1}"))
        if not len(self.train):
            raise DatasetError(f"fold {self.index} has nothing to train on; expected at least one subject")

    def check(self, subjects: Sequence[str] | np.ndarray) -> None:
        """Check that the fold covers a manifest with these subjects of rows: each row once, in its subject's part.

        Raises:
            DatasetError: A row is missing, doesn't exist, or belongs to a subject of another part.
        """
        covered = np.sort(np.concatenate([self.train, self.validation, self.test]))
        if not np.array_equal(covered, np.arange(len(subjects))):
            raise DatasetError(
                f"fold {self.index} covers {len(covered)} rows of {len(subjects)}; expected each exactly once"
            )
        for name in ("train", "validation", "test"):
            people = set(getattr(self, f"{name}_subjects"))
            if strangers := {subjects[row] for row in getattr(self, name)} - people:
                raise DatasetError(
                    f"fold {self.index} has rows of subject {min(strangers)} in its {name} part; "
                    "expected all of a person's rows in that person's part"
                )
