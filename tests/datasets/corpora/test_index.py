"""Notes of importers, and what becomes of them."""

from pathlib import Path

import polars as pl
import pytest

from facskit.datasets.corpora.reading.import_log import ImportLog, some_of
from facskit.datasets.findings import counted
from facskit.errors import DatasetError


def test_findings_are_sorted_worst_first_and_placed_in_the_corpus(tmp_path: Path) -> None:
    notes = ImportLog(tmp_path, "report")
    notes.note("all", "is well")
    notes.error(notes.relative(tmp_path / "labels" / "a.csv"), "is empty")
    notes.warning(notes.relative("/elsewhere/b.csv"), "looks odd")
    assert list(map(str, notes.findings)) == ["labels/a.csv: is empty", "/elsewhere/b.csv: looks odd", "all: is well"]
    with pytest.raises(DatasetError, match=r"a.csv: is empty"):
        ImportLog(tmp_path, "stop").error("a.csv", "is empty")


def test_dropped_frames_keep_reason_and_file(tmp_path: Path) -> None:
    notes = ImportLog(tmp_path, "report")
    assert notes.dropped.is_empty()
    notes.drop(pl.DataFrame({"subject": ["F002"], "recording": ["T1"], "frame": [7], "AU01": [1]}), "damaged", "a.csv")
    notes.drop(pl.DataFrame({"subject": ["F001"], "recording": ["T1"], "file": ["b.csv"]}), "no images")
    notes.drop(pl.DataFrame({"subject": [], "recording": []}), "nothing")
    assert notes.dropped.rows() == [("F001", "T1", None, "no images", "b.csv"), ("F002", "T1", 7, "damaged", "a.csv")]


def test_lists_and_counts_are_short() -> None:
    assert some_of(["a", "b", "c"]) == "a, b, c"
    assert some_of("abcde") == "a, b, c and 2 more"
    assert (counted(1, "frame"), counted(1200, "frame")) == ("1 frame", "1,200 frames")
