"""Record of the data behind a run: what tells a run that goes on, or is used again, that its faces are still the same.

A recipe names a manifest, not what is in it. Folds are drawn from what is in it, so one deleted row may move people
from the training part to the test part, and labels that were changed in place are no longer those that were learned.
Pixels are not recorded: a damaged picture may be replaced by a good copy of itself.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from facskit.columns import EXPRESSION, IMAGE, LANDMARKS_X, LANDMARKS_Y
from facskit.configurations import plain_values
from facskit.datasets.fold import Fold
from facskit.datasets.manifest import Manifest
from facskit.errors import DatasetError

__all__ = ["DataRecord", "digest", "manifest_digests", "parts_of"]

_DOES = {"training": "trained on", "validation": "validated on", "test": "tested on"}


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """The faces that a network is trained with, in short."""

    images: int
    """Rows of the manifest."""
    digests: Mapping[str, str]
    """By column: a digest of its values in the order of rows, which training depends on."""
    people: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Who is in the `training`, the `validation` and the `test` part of the fold."""
    unlabelled: str = ""
    """Digest of what is known of the unlabelled faces that are learned from beside; empty if there are none."""

    def to_json(self) -> str:
        """Return the text that is kept beside the run."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, name: str) -> "DataRecord":
        """Read back what `to_json` wrote; `name` is what messages call the file.

        Raises:
            DatasetError: The text is something else.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            people = {part: tuple(names) for part, names in values["people"].items()}
            unlabelled = str(values.get("unlabelled", ""))
            images, digests = int(values["images"]), dict(values["digests"])
            return cls(images=images, digests=digests, people=people, unlabelled=unlabelled)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"{name}: this is no record of a run's data ({error})") from error

    def differences(self, then: "DataRecord") -> list[str]:
        """Say what is different from what was recorded then, when the run began; one clause each."""
        found = []
        if more := self.images - then.images:
            rows = "row" if abs(more) == 1 else "rows"
            found.append(f"the manifest has {abs(more):,} {rows} {'more' if more > 0 else 'less'}")
        elif columns := [
            name for name in {**then.digests, **self.digests} if self.digests.get(name) != then.digests.get(name)
        ]:
            found.append(f"the manifest has other values, or another order of rows, in {', '.join(columns)}")
        if self.unlabelled != then.unlabelled:
            found.append("the unlabelled faces are others")
        before, now = then._places(), self._places()
        moved = [name for name in now if name in before and now[name] != before[name]]
        # People who were learned from and are now to be scored are the worst, so one of them is named if there is any.
        moved.sort(key=lambda name: (now[name] != "test" or before[name] != "training", name))
        if moved:
            first = moved[0]
            others = f" (and {len(moved) - 1:,} more changed places)" if len(moved) > 1 else ""
            found.append(f"{first} was {_DOES[before[first]]} and would now be {_DOES[now[first]]}{others}")
        for names, word in ((before.keys() - now.keys(), "is gone"), (now.keys() - before.keys(), "is new")):
            if names:
                others = f" (and {len(names) - 1:,} more)" if len(names) > 1 else ""
                found.append(f"{min(names)} {word}{others}")
        return found

    def _places(self) -> dict[str, str]:
        return {name: part for part, names in self.people.items() for name in names}


def digest(content: bytes) -> str:
    """Return a short text that is another for other content."""
    return hashlib.sha256(content).hexdigest()[:16]


def parts_of(fold: Fold) -> dict[str, tuple[str, ...]]:
    """Return who is in which part of a fold, as `DataRecord.people` has it."""
    return {"training": fold.train_subjects, "validation": fold.validation_subjects, "test": fold.test_subjects}


def manifest_digests(manifest: Manifest, *, expressions: bool) -> dict[str, str]:
    """Digest everything that training reads of a manifest but the pixels, column by column."""
    found = {
        "image": digest("\n".join(manifest.table[IMAGE].to_list()).encode()),
        "subject": digest("\n".join(manifest.subject_names).encode() + manifest.subject_indices.tobytes()),
    }
    for code, column in zip(manifest.action_units.codes, manifest.labels.T, strict=True):
        found[code] = digest(column.tobytes())
    if expressions:
        names = manifest.table[EXPRESSION].cast(pl.String).fill_null("")
        found[EXPRESSION] = digest("\n".join(names.to_list()).encode())
    if LANDMARKS_X[0] in manifest.table.columns:
        points = hashlib.sha256()
        for name in (*LANDMARKS_X, *LANDMARKS_Y):  # an array at a time: all of a million rows are half a gigabyte
            points.update(manifest.table[name].to_numpy().tobytes())
        found["landmarks"] = points.hexdigest()[:16]
    crop = None if manifest.origin is None else manifest.origin.crop
    found["crop"] = digest(json.dumps(None if crop is None else plain_values(crop), sort_keys=True).encode())
    return found
