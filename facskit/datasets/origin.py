"""Origin of a manifest's images and labels, with every decision that would change a published number.

A prepared manifest carries this in the Parquet file itself, so that it can't be lost; results repeat it as a stamp.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import polars as pl

from facskit.configurations import plain_values, read_configuration
from facskit.errors import DatasetError
from facskit.faces.alignment import CropRecipe, Similarity49Crop, WholeImage

__all__ = ["ORIGIN_KEY", "UNNAMED", "DataOrigin", "read_origin"]

ORIGIN_KEY = "facskit_origin"
"""Name of the entry in a Parquet file's own metadata."""
UNNAMED = "manifest"
"""Stands for a corpus's name where nobody said which corpus it is; two such corpora needn't be the same."""


@dataclass(frozen=True, kw_only=True)
class DataOrigin:
    """What a prepared manifest was made from, and how."""

    corpus: str
    """Name of the corpus, for example `bp4d`, or `UNNAMED`."""
    decisions: Mapping[str, str] = field(default_factory=dict)
    """Every choice that changes labels or frames, by its option's name: missing labels, threshold, camera, offset."""
    crop: CropRecipe | None = None
    """The crop the images have already been cut out with; None for whole pictures."""
    licence: str = "unknown"
    """Who may use the images and labels for what."""
    facskit: str = ""
    """Version that prepared the images."""

    def stamp(self) -> str:
        """Say in one line what the data are, for results."""
        crop = "whole pictures" if self.crop is None else f"{self.crop.kind} crops of {self.crop.size} px"
        if not self.decisions:
            return f"{self.corpus}: {crop}"
        decisions = ", ".join(f"{name} {value}" for name, value in self.decisions.items())
        return f"{self.corpus}: {decisions}; {crop}"

    def remaining_crop(self, wanted: CropRecipe, name: str) -> CropRecipe:
        """Return what is left to crop: a resize, or the central window, if the images are of the wanted kind already.

        Raises:
            DatasetError: The images were cropped in another way.
        """
        if self.crop is None or wanted.kind == "none":
            return wanted
        have, want = plain_values(self.crop), plain_values(wanted)
        # Crops of one kind have the same keys; a size can still be changed, by a resize or a window.
        keys = want.keys() - {"size", "aligned"} if have["kind"] == want["kind"] else {"kind"}
        for key in sorted(keys):
            if have[key] != want[key]:
                raise DatasetError(
                    f"{name}: the images were cropped with {key} {have[key]!r}, data.crop asks for {want[key]!r}; "
                    "change data.crop, or prepare the corpus again"
                )
        if isinstance(self.crop, Similarity49Crop) and isinstance(wanted, Similarity49Crop):
            return _remaining_window(self.crop, wanted, name)
        return WholeImage(size=wanted.size)

    def to_json(self) -> str:
        """Return the text that the Parquet file stores."""
        crop = None if self.crop is None else plain_values(self.crop)
        return json.dumps({**vars(self), "decisions": dict(self.decisions), "crop": crop}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "DataOrigin":
        """Read back what `to_json` wrote.

        Raises:
            ValueError: The text is something else.
        """
        try:
            values = json.loads(text)
            crop = values.pop("crop")
            return cls(crop=None if crop is None else read_configuration(CropRecipe, crop), **values)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"no description of a manifest's origin ({error})") from error


def _remaining_window(have: Similarity49Crop, wanted: Similarity49Crop, name: str) -> WholeImage:
    """Return the part of aligned pictures that is left to cut out; in exact fractions, for 176 / 200 isn't binary."""
    share = Fraction(have.size, have.aligned or have.size)
    if share == Fraction(wanted.size, wanted.aligned or wanted.size):
        return WholeImage(size=wanted.size)
    if share == 1:
        return WholeImage(size=wanted.size, aligned=wanted.aligned)
    raise DatasetError(
        f"{name}: the images are windows of {have.size} px of aligned pictures of {have.aligned} px, data.crop asks "
        f"for {wanted.size} px of {wanted.aligned or wanted.size} px; change data.crop, or prepare the corpus again "
        "with whole aligned pictures"
    )


def read_origin(path: Path) -> DataOrigin | None:
    """Read a manifest file's origin; None if it has none, as any but a Parquet file.

    Raises:
        DatasetError: The entry is damaged.
    """
    if path.suffix.lower() != ".parquet":
        return None
    text = pl.read_parquet_metadata(path).get(ORIGIN_KEY)
    if text is None:
        return None
    try:
        return DataOrigin.from_json(text)
    except ValueError as error:
        raise DatasetError(f"{path}: the entry {ORIGIN_KEY} is damaged: {error}") from error
