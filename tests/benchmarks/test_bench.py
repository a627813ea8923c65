"""Figures read from what benchmarks print, and compared as ratios."""

import json

import pytest

from benchmarks.all import BENCHMARKS, KEPT, Figure, speed_against


def test_a_figure_is_the_number_of_its_line() -> None:
    output = "plain   32   5,377/s\nratio                     0.93x          1.47x\n"
    assert Figure("input", r"^ratio +([\d.]+)x").read(output) == 0.93
    assert Figure("step", r"^ratio +[\d.]+x +([\d.]+)x").read(output) == 1.47
    assert Figure("plain", r"^plain +32 +([\d,]+)/s").read(output) == 5377


def test_a_missing_figure_says_what_was_printed() -> None:
    with pytest.raises(ValueError, match=r"(?s)input: found no line like .*Traceback"):
        Figure("input", "ratio").read("Traceback: broken")


def test_a_machine_half_as_fast_is_no_change() -> None:
    then = {"calibration_ms": 20.0, "figures": {"a": 3.0, "b": 100.0}}
    now = {"calibration_ms": 40.0, "figures": {"a": 6.0, "b": 50.0}}
    assert speed_against(now, then, "a", "time") == 1.0
    assert speed_against(now, then, "b", "rate") == 1.0
    assert speed_against(now, then, "b", "ratio") == 0.5  # ratios of one run don't know the machine


def test_a_slower_figure_is_below_one() -> None:
    then = {"calibration_ms": 20.0, "figures": {"a": 3.0}}
    now = {"calibration_ms": 20.0, "figures": {"a": 6.0}}
    assert speed_against(now, then, "a", "time") == 0.5


def test_the_kept_figures_are_those_that_are_measured() -> None:
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    assert list(kept["figures"]) == [figure.name for figures in BENCHMARKS.values() for figure in figures]
