"""Decisions of papers, and how they are written down."""

import pytest

from facskit.action_units import DISFA_8
from facskit.datasets.corpora.decisions import SPELLED, Decisions
from facskit.errors import RecipeError


def test_fmae_iat_takes_missing_for_absent_and_the_right_camera() -> None:
    bp4d, disfa = Decisions.as_paper("fmae-iat", "bp4d"), Decisions.as_paper("fmae-iat", "disfa")
    assert (bp4d.missing, bp4d.frames) == ("negative", "all")
    assert (disfa.camera, disfa.frames, disfa.threshold, disfa.action_units) == ("right", "all", 2, "disfa-8")
    assert Decisions.as_paper("fmae-iat", "bp4d-plus").missing == "negative"


def test_ciu_takes_frames_with_landmarks_and_the_left_camera() -> None:
    bp4d, disfa = Decisions.as_paper("ciu", "bp4d"), Decisions.as_paper("ciu", "disfa")
    assert (bp4d.missing, bp4d.frames) == ("unknown", "landmarks")
    assert (disfa.camera, disfa.frames, disfa.threshold) == ("left", "landmarks", 2)


def test_me_graphau_takes_all_frames_and_the_left_camera() -> None:
    disfa = Decisions.as_paper("me-graphau", "disfa")
    assert (disfa.camera, disfa.frames, disfa.action_units) == ("left", "all", "disfa-8")


def test_papers_dont_use_every_corpus() -> None:
    with pytest.raises(RecipeError, match="as_paper: ciu doesn't use bp4d-plus; it uses bp4d, disfa"):
        Decisions.as_paper("ciu", "bp4d-plus")


def test_only_the_choices_that_matter_are_described() -> None:
    assert Decisions().describe("bp4d") == {
        "coding": "occurrence",
        "missing": "unknown",
        "frame_offset": "default",
        "frames": "all",
        "action_units": "default",
    }
    assert Decisions(coding="intensity", threshold=3).describe("bp4d")["threshold"] == "3"
    assert "threshold" not in Decisions().describe("bp4d-plus")
    assert Decisions.as_paper("fmae-iat", "disfa").describe("disfa") == {
        "threshold": "2",
        "camera": "right",
        "frame_offset": "default",
        "frames": "all",
        "action_units": "disfa-8",
    }
    assert Decisions(frame_offset=-1).describe("bp4d")["frame_offset"] == "-1"
    assert all(isinstance(Decisions().describe(corpus), dict) for corpus in SPELLED)


@pytest.mark.parametrize("threshold", [0, 6])
def test_thresholds_are_facs_levels(threshold: int) -> None:
    with pytest.raises(ValueError, match=f"threshold must be between 1 and 5, got {threshold}"):
        Decisions(threshold=threshold)


def test_aus_must_exist() -> None:
    with pytest.raises(ValueError, match="'99' is not a known action unit"):
        Decisions(action_units="AU01,99")
    assert Decisions(action_units="disfa-8").units(DISFA_8) == DISFA_8
