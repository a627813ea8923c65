"""F1 scores that papers report, to print beside one's own, together with what makes them different.

The numbers are those of the result tables of two papers, each with the methods they compare with:

- FMAE-IAT: Ning, Salah, Onal Ertugrul, arXiv 2407.11243, Tables 1 to 3.
- CIU: Acta Electronica Sinica 52(10), 3312-3321, 2024, Tables 1 to 3.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float

from facskit.action_units import ActionUnitSet
from facskit.errors import DatasetError

__all__ = ["PublishedF1", "published_data_sets", "published_f1"]

_MEAN = "avg"
_HEADLINES = ("FMAE-IAT", "CIU")
_WARNINGS = {
    "FMAE-IAT": "a different protocol: its released code picks the best epoch and threshold on the test fold",
    "CIU": "a different protocol: threshold 0.5, undefined F1 counted as 0, and the code it builds on evaluates every "
    "epoch on the test fold",
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
        paper = self.source.split(" Table")[0]
        return _WARNINGS.get(self.method) or f"a different protocol, as reported in the {paper} paper"

    def per_au(self, action_units: ActionUnitSet) -> Float[np.ndarray, "aus"]:
        """Return F1 in the order of a set; NaN where the paper doesn't score the AU."""
        return np.array([self.f1.get(code, np.nan) for code in action_units.codes], dtype=float)

    def mean_for(self, action_units: ActionUnitSet) -> float:
        """Return the printed mean if the set holds exactly the paper's AUs, otherwise NaN: means must compare."""
        return self.mean if set(self.f1) == set(action_units.codes) else float("nan")


@cache
def _all() -> tuple[PublishedF1, ...]:
    text = files("facskit.evaluation").joinpath("published_f1.csv").read_text(encoding="utf-8")
    scores: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in csv.DictReader(text.splitlines()):
        key = (row["dataset"], row["method"], row["source"])
        scores.setdefault(key, {})[row["action_unit"]] = float(row["f1_percent"]) / 100
    return tuple(
        PublishedF1(dataset, method, {au: f1 for au, f1 in f1s.items() if au != _MEAN}, f1s[_MEAN], source)
        for (dataset, method, source), f1s in scores.items()
    )


def published_data_sets() -> tuple[str, ...]:
    """Return the names of the data sets that have published numbers."""
    return tuple(dict.fromkeys(entry.dataset for entry in _all()))


def _plain(name: str) -> str:
    return name.lower().replace("plus", "+").replace("-", "").replace("_", "").replace(" ", "")


def published_f1(dataset: str, methods: tuple[str, ...] = _HEADLINES) -> list[PublishedF1]:
    """Return the published F1 of methods on a data set, without the methods that have none there.

    Args:
        dataset: Name of the data set; "bp4d-plus" and "BP4D+" are the same.
        methods: Names as the papers write them.

    Raises:
        DatasetError: No paper's numbers are known for the data set.
    """
    entries = [entry for entry in _all() if _plain(entry.dataset) == _plain(dataset)]
    if not entries:
        known = ", ".join(published_data_sets())
        raise DatasetError(f"there are no published F1 scores for {dataset!r}; expected one of {known}")
    return [entry for method in methods for entry in entries if entry.method == method]
