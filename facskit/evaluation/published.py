"""Published scores, to print beside one's own, together with what makes them different.

F1 of action units is that of the result tables of two papers, each with the methods they compare with:

- FMAE-IAT: Ning, Salah, Onal Ertugrul, arXiv 2407.11243, Tables 1 to 3.
- CIU: Acta Electronica Sinica 52(10), 3312-3321, 2024, Tables 1 to 3.

Means alone, as their authors print them: Norface (ECCV 2024) and ELEGANT (a preprint; an ensemble).

Accuracies of expressions are those of Table 4 of FMAE-IAT, version 2, FMAE's own and those of the methods it compares
with; methods that only the table's earlier version has are from the figure in the paper's repository. The two versions
differ for FMAE: 93.09 and 93.45 % on RAF-DB, 65.00 and 64.79 % on AffectNet-8.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from facskit.action_units import ActionUnitSet
from facskit.errors import DatasetError
from facskit.evaluation.protocols import ProtocolName

__all__ = [
    "PublishedAccuracy",
    "PublishedF1",
    "published_accuracies",
    "published_caveats",
    "published_f1",
    "published_protocol",
]

_MEAN = "avg"
_HEADLINES = ("FMAE-IAT", "CIU")
_WARNINGS = {
    "FMAE-IAT": "a different protocol: its released code picks the best epoch and threshold on the test fold",
    "CIU": "a different protocol: threshold 0.5, undefined F1 counted as 0, and the code it builds on evaluates every "
    "epoch on the test fold",
}
_PROTOCOLS: dict[str, ProtocolName] = {
    "FMAE": "published-fmae",
    "FMAE-IAT": "published-fmae",
    "JAA-Net": "published-jaa",
    "ARL": "published-jaa",
    "CIU": "published-jaa",
    "CIU TDE ablation": "published-jaa",
    "CIU TE ablation": "published-jaa",
}
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
class PublishedF1:
    """F1 of one method on one data set as its paper prints it."""

    dataset: str
    """Data set name as in the paper, for example "BP4D"."""
    method: str
    """Method name as in the paper."""
    f1: dict[str, float]
    """F1 as a fraction by AU code, in the paper's order."""
    mean: float
    """Mean F1 as printed, as a fraction; it can differ from the mean of the rounded entries."""
    source: str
    """Paper and table."""

    @property
    def warning(self) -> str:
        """Why the numbers are not like for like, in words."""
        return _WARNINGS.get(self.method, "a different protocol, that of the paper which prints it")

    def per_au(self, action_units: ActionUnitSet) -> Float[np.ndarray, "aus"]:
        """Return F1 in the order of a set; NaN where the paper doesn't score the AU."""
        return np.array([self.f1.get(code, np.nan) for code in action_units.codes], dtype=float)

    def mean_for(self, action_units: ActionUnitSet) -> float:
        """Return the printed mean if the set holds exactly the paper's AUs, otherwise NaN: means must compare."""
        return self.mean if set(self.f1) == set(action_units.codes) else float("nan")


def published_protocol(method: str) -> ProtocolName | None:
    """Return the protocol that a method's public code follows; None where nobody can tell."""
    return _PROTOCOLS.get(method)


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


_Entry = TypeVar("_Entry", PublishedF1, PublishedAccuracy)


@cache
def _all_f1() -> tuple[PublishedF1, ...]:
    tables: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in _rows("published_f1.csv"):
        key = (row["dataset"], row["method"], row["source"])
        tables.setdefault(key, {})[row["action_unit"]] = float(row["f1_percent"]) / 100
    found = []
    for (dataset, method, source), f1 in tables.items():
        mean = f1.pop(_MEAN)
        found.append(PublishedF1(dataset, method, f1, mean, source))
    return tuple(found)


def _rows(name: str) -> list[dict[str, str]]:
    text = files("facskit.evaluation").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _of_data_set(entries: Sequence[_Entry], dataset: str, what: str) -> list[_Entry]:
    found = [entry for entry in entries if _plain(entry.dataset) == _plain(dataset)]
    if not found:
        known = ", ".join(dict.fromkeys(entry.dataset for entry in entries))
        raise DatasetError(f"there are no published {what} for {dataset!r}; expected one of {known}")
    return found


def _plain(name: str) -> str:
    return name.lower().replace("plus", "+").replace("-", "").replace("_", "").replace(" ", "")


def published_f1(dataset: str, methods: tuple[str, ...] | None = _HEADLINES) -> list[PublishedF1]:
    """Return the published F1 of methods on a data set, without the methods that have none there.

    Args:
        dataset: Name of the data set; "bp4d-plus" and "BP4D+" are the same.
        methods: Names as the papers write them; None for all, the best mean first.
    """
    entries = _of_data_set(_all_f1(), dataset, "F1 scores")
    if methods is None:
        return sorted(entries, key=lambda entry: -entry.mean)
    chosen = [entry for entry in entries if entry.method in methods]
    return sorted(chosen, key=lambda entry: methods.index(entry.method))


def published_accuracies(dataset: str) -> list[PublishedAccuracy]:
    """Return the published accuracies of expressions on a data set, best first.

    Args:
        dataset: `raf-db` or `affectnet-8`, in any case.
    """
    entries = []
    for row in _rows("published_expressions.csv"):
        accuracy = float(row["accuracy_percent"]) / 100
        entries.append(PublishedAccuracy(row["dataset"], row["method"], row["venue"], accuracy, row["source"]))
    return sorted(_of_data_set(entries, dataset, "accuracies"), key=lambda entry: -entry.accuracy)


def published_caveats(dataset: str) -> tuple[str, ...]:
    """Return sentences that say why published accuracies aren't like for like.

    Args:
        dataset: `raf-db` or `affectnet-8`, in any case.
    """
    return _CAVEATS.get(dataset.lower(), ())
