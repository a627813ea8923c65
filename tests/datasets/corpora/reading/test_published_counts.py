"""Published counts agree with each other, and copies are compared with them."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from facskit.datasets.corpora.decisions import Decisions
from facskit.datasets.corpora.reading.import_log import ImportLog
from facskit.datasets.corpora.reading.published_counts import (
    DISFA_FRAMES,
    LANDMARK_FRAMES,
    PAPER_FRAMES,
    PUBLISHED_COUNTS,
    check_counts,
    expected_counts,
)
from facskit.datasets.folds import published_parts


def _frames(counts: dict[str, int]) -> pl.DataFrame:
    return pl.DataFrame({"subject": [name for name, count in counts.items() for _ in range(count)]})


def test_golden_counts() -> None:
    assert PUBLISHED_COUNTS["bp4d"]["coded frames"] == 146_847
    assert PUBLISHED_COUNTS["bp4d-plus"]["coded frames"] == 197_756
    assert PUBLISHED_COUNTS["disfa"]["coded frames"] == 130_814
    assert PAPER_FRAMES["fmae-iat", "bp4d"] == 146_847 - 193
    assert PAPER_FRAMES["fmae-iat", "bp4d-plus"] == 197_756 - 127
    assert PAPER_FRAMES["fmae-iat", "disfa"] == 130_814 - 5


@pytest.mark.parametrize("corpus", ["bp4d", "disfa"])
def test_folds_add_up(corpus: str) -> None:
    counts = next(value for name, value in PUBLISHED_COUNTS.items() if name == corpus)
    assert sum(counts[f"coded frames in fold {fold}"] for fold in (1, 2, 3)) == counts["coded frames"]


def test_disfa_is_27_times_4845_less_one() -> None:
    assert PUBLISHED_COUNTS["disfa"]["coded frames"] == 27 * 4_845 - 1
    assert DISFA_FRAMES == {"SN010": 4_844}


@pytest.mark.parametrize(
    ("corpus", "total", "parts"),
    [("bp4d", 146_576, [50_601, 50_166, 45_809]), ("disfa", 126_144, [43_173, 40_344, 42_627])],
)
def test_frames_with_landmarks_add_up_by_subject_and_fold(corpus: str, total: int, parts: list[int]) -> None:
    frames = next(value for name, value in LANDMARK_FRAMES.items() if name == corpus)
    people = published_parts(corpus)
    assert set(frames) == {name for part in people for name in part}
    assert [sum(frames[name] for name in part) for part in people] == parts
    assert sum(parts) == total == next(value for key, value in PAPER_FRAMES.items() if key == ("ciu", corpus))


def test_expected_counts_depend_on_the_frames_wanted() -> None:
    assert "frames with landmarks" not in expected_counts("bp4d", Decisions())
    assert expected_counts("bp4d", Decisions(frames="landmarks"))["frames with landmarks"] == 146_576
    assert expected_counts("raf-db", Decisions()) == {}


def test_a_papers_choices_come_with_the_length_of_its_list() -> None:
    fmae = Decisions.as_paper("fmae-iat", "bp4d")
    assert expected_counts("bp4d", fmae)["frames in the list of fmae-iat"] == 146_654
    assert expected_counts("bp4d", replace(fmae, on_error="report"))["frames in the list of fmae-iat"] == 146_654
    assert expected_counts("disfa", Decisions.as_paper("ciu", "disfa"))["frames in the list of ciu"] == 126_144
    assert "frames in the list of ciu" not in expected_counts("disfa", Decisions())


def test_a_perfect_copy_has_no_finding(tmp_path: Path) -> None:
    notes = ImportLog(tmp_path, "stop")
    names = [name for part in published_parts("disfa") for name in part]
    coded = _frames({name: DISFA_FRAMES.get(name, 4_845) for name in names})
    check_counts("disfa", coded, _frames(dict(LANDMARK_FRAMES["disfa"])), notes)
    assert not notes.findings


def test_differences_name_the_subject(tmp_path: Path) -> None:
    notes = ImportLog(tmp_path, "stop")
    check_counts("disfa", _frames({"SN001": 4_845, "SN002": 4_800, "SN010": 4_844}), _frames({"SN021": 1_793}), notes)
    assert [f"{finding.severity} {finding.sentence}" for finding in notes.findings] == [
        "warning 1 of 3 subjects have another number of coded frames than published: SN002 has 4,800, "
        "published are 4,845",
        "note found 3 of the 27 subjects of disfa",
    ]


def test_a_copy_of_everybody_with_another_total_is_warned_of(tmp_path: Path) -> None:
    notes = ImportLog(tmp_path, "stop")
    names = [name for part in published_parts("bp4d-plus") for name in part]
    check_counts("bp4d-plus", _frames(dict.fromkeys(names, 2)), None, notes)
    assert notes.findings[0].severity == "warning"
    assert "280 coded frames of all 140 subjects, published are 197,756" in notes.findings[0].sentence
