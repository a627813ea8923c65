"""The index that an importer makes of a corpus: a table of usable frames, and all that was wrong with the rest.

A `CorpusIndex` holds no pixels. It says which picture or which frame of which video carries which labels, in the
corpus's own names, and it keeps each frame that can't be used together with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from facskit.action_units import ActionUnitSet
from facskit.columns import FRAME, RECORDING, SUBJECT
from facskit.datasets.findings import Finding

__all__ = ["DROPPED_SCHEMA", "MEDIA", "MEDIA_FRAME", "CorpusIndex"]

MEDIA = "media"
"""Column with the image file or video, relative to the corpus's folder; `archive.zip!/member` names a file in a zip."""
MEDIA_FRAME = "media_frame"
"""Column with the position of the frame in the video, counted from 0; null for image files."""
DROPPED_SCHEMA = pl.Schema(
    {SUBJECT: pl.String(), RECORDING: pl.String(), FRAME: pl.Int64(), "reason": pl.String(), "file": pl.String()}
)
"""Columns of `CorpusIndex.dropped`; a null frame means the whole recording, a null recording the whole subject."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CorpusIndex:
    """Every usable coded frame of a corpus, and what became of the others."""

    corpus: str
    """Which corpus it is: a `CorpusName`, or what a manifest says."""
    root: Path
    """The folder that `media` is relative to."""
    action_units: ActionUnitSet
    """The AU columns of `table`; `NO_ACTION_UNITS` for corpora of expressions."""
    table: pl.DataFrame
    """One row per frame, sorted by subject, recording and frame: `media`, `media_frame`, `subject`, `recording`,
    `frame` (the corpus's own number), an Int8 column of 1, 0 or null per AU, and where the corpus has them
    `AUxx_level` (0 to 5), `expression`, `split`, landmarks `x_0`..`y_67` and other named columns."""
    dropped: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DROPPED_SCHEMA))
    """Frames and recordings that aren't in `table`, with the reason and the file; see `DROPPED_SCHEMA`."""
    findings: tuple[Finding, ...] = ()
    """What a person should know about the folder, worst first."""
    decisions: Mapping[str, str] = field(default_factory=dict)
    """Every choice that changed labels or frames, by its option's name."""
    licence: str = "unknown"
    """Who may use the corpus for what."""
    expected: Mapping[str, int] = field(default_factory=dict)
    """Published counts to compare with, by what they count, for example `coded frames`."""

    def __len__(self) -> int:
        """Return the number of usable frames."""
        return self.table.height
