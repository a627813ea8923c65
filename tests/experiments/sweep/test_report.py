"""The table of a sweep, from runs that look finished."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from facskit.errors import DatasetError
from facskit.experiments.sweep.grid import GridPoint, make_grid
from facskit.experiments.sweep.parallel_runs import PlannedRun
from facskit.experiments.sweep.pictures import draw_sweep
from facskit.experiments.sweep.report import SweepReport, build_sweep_report, write_sweep_report
from facskit.experiments.sweep.sweep import Sweep
from tests.experiments.sweeping import finish, tiny_recipe


def _plan(
    out: Path, values: Sequence[float], seeds: tuple[int, ...] = (0, 1), folds: tuple[int, ...] = (1,)
) -> dict[GridPoint, list[PlannedRun]]:
    recipe = tiny_recipe(Path("faces.parquet"))
    points = make_grid(recipe, {"objective.strength": values})
    sweep = Sweep(recipe=recipe, points=points, seeds=seeds, folds=folds, out=out)
    return {point: sweep.runs(point) for point in points}


def _report(
    out: Path,
    skills: Sequence[float],
    *,
    validation: Sequence[float] = (),
    identity: float | None = None,
    subjects: int = 24,
) -> SweepReport:
    planned = _plan(out, [float(number) for number in range(len(skills))])
    for runs, skill in zip(planned.values(), skills, strict=True):
        for run in runs:
            finish(run, skill, validation, identity, subjects)
    return build_sweep_report(planned, {}, title="tiny")


def test_a_row_has_mean_spread_and_range_of_its_runs(tmp_path: Path) -> None:
    report = _report(tmp_path, (1.0, 3.0))
    f1 = [100 * value for value in report.points[0].run_f1.values()]
    row = report.to_table().rows[0]
    assert row[0] == "0"
    assert row[1] == f"{np.mean(f1):.1f} ± {np.std(f1, ddof=1):.1f}"
    assert "± is the standard deviation between seeds" in report.to_table().notes[0]
    assert report.to_dict()["points"][0]["f1_min"] == min(report.points[0].run_f1.values())


def test_the_best_row_is_marked_if_it_differs_from_the_first(tmp_path: Path) -> None:
    report = _report(tmp_path, (1.0, 3.0, 2.0))
    assert report.best == 1
    notes = " ".join(report.to_table().notes)
    assert "Row 2 (bold) has the highest F1, and its difference to row 1 excludes zero (97.5 % interval" in notes
    assert "bootstrap over 24 test subjects, widened for 2 comparisons)" in notes
    assert "above row 1 in 2 of 2 seeds; the interval draws subjects, not seeds" in notes
    assert "| **1** " in report.to_table().to_markdown()


def test_a_better_row_within_chance_is_not_marked(tmp_path: Path) -> None:
    report = _report(tmp_path, (1.5, 1.51), subjects=6)
    assert report.best is None
    text = report.to_table().to_markdown()
    assert "**" not in text
    assert "Row 2 has the highest F1, but it can't be told from row 1" in text
    assert "so few subjects make intervals too narrow" in text


def test_a_first_row_that_is_best_is_said(tmp_path: Path) -> None:
    report = _report(tmp_path, (3.0, 1.0))
    assert report.best is None
    assert "No row has a higher F1 than the first" in report.to_table().to_markdown()


def test_validation_and_identity_are_those_of_the_log(tmp_path: Path) -> None:
    report = _report(tmp_path, (1.0, 3.0), validation=(0.3, 0.6, 0.5), identity=0.3)
    table = report.to_table()
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert row["val. F1 % (best)"] == "50.0 (60.0 @ 2)"
    assert (row["ID loss (const.)"], row["ID acc. %"]) == ("0.100 (0.200)", "50.0")
    paper = report.to_paper_table()
    assert paper.header == ("strength", "0", "1")
    assert [cells[0] for cells in paper.rows] == ["F1 %", "Identity loss", "Epoch of the best validation F1"]
    assert paper.rows[1][1:] == ("0.100", "0.100")
    assert paper.rows[2][1:] == ("2", "2")


def test_without_validation_subjects_the_table_says_how_to_have_them(tmp_path: Path) -> None:
    report = _report(tmp_path, (1.0, 3.0))
    assert "--data.folds.validation-fraction 0.15" in report.to_table().to_markdown()
    assert "val. F1 % (best)" not in report.to_table().header
    assert draw_sweep(report, tmp_path) == []


def test_figures_are_drawn_from_what_was_logged(tmp_path: Path) -> None:
    report = _report(tmp_path, (1.0, 3.0), validation=(0.3, float("nan"), 0.5))
    assert draw_sweep(report, tmp_path) == [tmp_path / "curves.png"]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    curve = report.points[0].curves("validation_f1")
    assert curve.shape == (2, 3)
    assert np.isnan(curve[:, 1]).all()
    assert report.points[0].best_epoch is not None
    assert report.points[0].best_epoch.epoch == 3


def test_missing_runs_are_counted_and_failures_told(tmp_path: Path) -> None:
    planned = _plan(tmp_path, (0.0, 1.0, 2.0))
    (first, second, third) = planned.values()
    for run in (*first, second[0]):
        finish(run, 1.0)
    failures = {second[1].folder: "it broke", third[0].folder: "it broke too"}
    report = build_sweep_report(planned, failures, title="tiny")
    rows = [dict(zip(report.to_table().header, row, strict=True)) for row in report.to_table().rows]
    assert [row["runs"] for row in rows] == ["2 of 2", "1 of 2", "0 of 2"]
    assert rows[2]["F1 %"] == "–"
    assert report.differences == (None, None, None)  # rows with other runs can't be compared in pairs
    assert "- Failed: it broke\n- Failed: it broke too\n" in report.to_table().to_markdown()


def test_nothing_finished_is_an_error_with_its_reason(tmp_path: Path) -> None:
    planned = _plan(tmp_path, (0.0,))
    with pytest.raises(DatasetError, match="no run of the sweep is finished: out of memory"):
        build_sweep_report(planned, {tmp_path: "out of memory"}, title="tiny")


def test_folds_are_averaged_before_seeds(tmp_path: Path) -> None:
    planned = _plan(tmp_path, (0.0,), folds=(1, 2))
    (runs,) = planned.values()
    assert [run.folder.name for run in runs] == ["fold-1-seed-0", "fold-2-seed-0", "fold-1-seed-1", "fold-2-seed-1"]
    for number, run in enumerate(runs):
        finish(run, 1.0 + number)
    one = build_sweep_report(planned, {}, title="tiny").points[0]
    values = one.run_f1
    assert one.by_seed[0] == pytest.approx((values[1, 0] + values[2, 0]) / 2)
    assert one.spread == pytest.approx(np.std(list(one.by_seed.values()), ddof=1))


def test_files_hold_the_same_numbers(tmp_path: Path) -> None:
    report = _report(tmp_path, (1.0, 3.0), validation=(0.3, 0.5))
    write_sweep_report(report, tmp_path, draw_sweep(report, tmp_path))
    plain = json.loads((tmp_path / "results.json").read_text())
    rows = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text())))
    text = (tmp_path / "results.md").read_text()
    assert [point["values"] for point in plain["points"]] == [{"objective.strength": 0.0}, {"objective.strength": 1.0}]
    assert (plain["best"], len(plain["points"][0]["runs"])) == (1, 2)
    for point, row in zip(plain["points"], rows, strict=True):
        assert float(row["f1"]) == point["f1"]
        assert float(row["f1_AU12"]) == point["f1_per_au"]["AU12"]
        assert f"{100 * point['f1']:.1f}" in text
    assert float(rows[1]["difference_low"]) == plain["points"][1]["difference_to_first"]["low"]
    assert rows[0]["difference_low"] == ""
    assert "![curves](curves.png)" in text
    assert "## F1 % of each AU by strength" in text
