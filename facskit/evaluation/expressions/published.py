"""Accuracies of expression recognition that a paper reports, to print beside one's own, and what makes them different.

The numbers are those of Table 4 of FMAE-IAT (Ning, Salah, Onal Ertugrul, arXiv 2407.11243, version 2), FMAE's own and
those of the methods it compares with; methods that only the table's earlier version has are from the figure in the
paper's repository. The two versions differ for FMAE: 93.09 and 93.45 % on RAF-DB, 65.00 and 64.79 % on AffectNet-8.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from facskit.errors import DatasetError

__all__ = ["PublishedAccuracy", "published_accuracies", "published_caveats"]

_CAVEATS = {
    "raf-db": (
        "Published accuracies are from another protocol: FMAE's released code keeps the best epoch on the test images; "
        "those of other methods are as the FMAE-IAT paper prints them. Expect less from a last epoch.",
        "FMAE on RAF-DB is 93.45 % in version 2 of the paper, and 93.09 % in the figure of its earlier version.",
    ),
    "affectnet-8": (
        "Published accuracies are from another protocol: FMAE's released code keeps the best epoch on the images it "
        "tests on (AffectNet's validation part), and its training set is a copy with 37,553 images; those of other "
        "methods are as the FMAE-IAT paper prints them. Expect less from a last epoch.",
        "FMAE on AffectNet-8 is 64.79 % in version 2 of the paper, and 65.00 % in the figure of its earlier version.",
    ),
}


@dataclass(frozen=True)
class PublishedAccuracy:
    """The accuracy of one method on one data set as a paper prints it."""

    dataset: str
    """Data set, for example "RAF-DB"."""
    method: str
    """Method as in the paper."""
    venue: str
    """Where the method was published; empty if the table doesn't say."""
    accuracy: float
    """As a fraction."""
    source: str
    """Paper and table that print it."""


@cache
def _all() -> tuple[PublishedAccuracy, ...]:
    text = files("facskit.evaluation").joinpath("published_expressions.csv").read_text(encoding="utf-8")
    return tuple(
        PublishedAccuracy(
            row["dataset"], row["method"], row["venue"], float(row["accuracy_percent"]) / 100, row["source"]
        )
        for row in csv.DictReader(text.splitlines())
    )


def published_accuracies(dataset: str) -> list[PublishedAccuracy]:
    """Return what is published on a data set, best first.

    Args:
        dataset: `raf-db` or `affectnet-8`, in any case.

    Raises:
        DatasetError: No paper's numbers are known for the data set.
    """
    found = [entry for entry in _all() if entry.dataset.lower() == dataset.lower()]
    if not found:
        known = ", ".join(_CAVEATS)
        raise DatasetError(f"there are no published accuracies for {dataset!r}; expected one of {known}")
    return sorted(found, key=lambda entry: -entry.accuracy)


def published_caveats(dataset: str) -> tuple[str, ...]:
    """Return sentences that say why published accuracies aren't like for like.

    Args:
        dataset: `raf-db` or `affectnet-8`, in any case.
    """
    return _CAVEATS.get(dataset.lower(), ())
