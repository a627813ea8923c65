import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from facskit.action_units import BP4D, DISFA_8, ActionUnitSet
from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.predictions import Predictions
from facskit.evaluation.protocols import Protocol
from facskit.evaluation.published import published_f1
from facskit.evaluation.reports import Report, build_report
from facskit.tables import plain_values
from tests.evaluation.builders import make_predictions

QUICK = BootstrapConfig(resamples=100)


def report(dataset: str | None = None, protocol: Protocol | None = None) -> Report:
    predictions = concat([make_predictions(seed=seed, noise_seed=seed, protocol=protocol) for seed in (0, 1)])
    return build_report(predictions, title="Two units", dataset=dataset, bootstrap=QUICK)


def table_of(markdown: str) -> list[list[str]]:
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in markdown.splitlines() if "|" in line]


def test_markdown_table_is_aligned_and_complete() -> None:
    markdown = report().to_markdown()
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    header, _, *rows = table_of(markdown)
    assert header[:5] == ["AU", "Name", "Support", "Base rate %", "F1 %"]
    assert header[5:] == ["ROC-AUC %", "AP %", "All-present F1 %", "Guess F1 %"]
    assert [row[:2] for row in rows] == [["AU01", "Inner brow raiser"], ["AU12", "Lip corner puller"], ["Mean", ""]]
    assert markdown.startswith("# Two units\n\n|")
    assert "- Protocol: last epoch; threshold fixed at 0.5;" in markdown


def test_table_shows_the_numbers_of_the_result() -> None:
    made = report()
    _, _, *rows = table_of(made.to_markdown())
    f1 = 100 * made.result.mean("f1")
    assert [row[4] for row in rows] == [f"{f1[0]:.1f}", f"{f1[1]:.1f}", f"{f1.mean():.1f}"]
    assert rows[0][2] == f"{made.result.num_present[0]:.0f}"
    assert f"Macro F1 {f1.mean():.1f} %; 95% interval " in made.headline
    for words in ("standard deviation between 3 folds", "between 2 seeds", "on all folds pooled", "9 subjects"):
        assert words in made.headline


def test_json_holds_the_same_numbers_as_fractions() -> None:
    made = report()
    data = plain_values(made.to_dict())
    assert data["per_au"]["f1"]["AU12"] == pytest.approx(made.result.mean("f1")[1])
    assert data["macro"]["f1"]["mean"] == pytest.approx(made.result.mean("f1").mean())
    assert data["macro"]["f1"]["standard_deviation_over_seeds"] > 0
    assert data["macro_f1_interval"]["low"] < data["macro"]["f1"]["mean"]
    assert len(data["runs"]) == 6
    assert data["protocol"]["threshold"] == "fixed"
    assert data["baselines_f1"]["all_positive"]["AU01"] > 0
    assert len(data["model"]["runs"]) == 2


def test_undefined_numbers_are_dashes_and_nulls() -> None:
    silent = make_predictions().labels.copy() * 0
    quiet = replace(make_predictions(), labels=silent, probabilities=silent.astype(np.float32))
    made = build_report(quiet, title="Silence", bootstrap=None)
    data = plain_values(made.to_dict())
    assert data["per_au"]["f1"] == {"AU01": None, "AU12": None}
    assert data["macro_f1_interval"] is None
    assert "nan" not in made.to_markdown()
    assert table_of(made.to_markdown())[2][4] == "–"
    assert made.headline == "Macro F1 is not defined: no AU is present or predicted."
    assert "No confidence interval: the macro F1 is not defined" in "".join(
        build_report(quiet, title="Silence", bootstrap=QUICK).notes
    )


def test_units_without_f1_are_counted_out() -> None:
    predictions = make_predictions()
    labels, probabilities = predictions.labels.copy(), predictions.probabilities.copy()
    labels[:, 1] = 0
    probabilities[:, 1] = 0
    made = build_report(replace(predictions, labels=labels, probabilities=probabilities), title="One", bootstrap=None)
    assert made.headline.endswith("over the 1 of 2 AUs where F1 is defined.")


def test_terminal_table_has_every_row() -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(report().to_terminal())
    text = console.export_text()
    for words in ("Inner brow raiser", "Lip corner puller", "Mean", "Guess F1 %", "Protocol: last epoch"):
        assert words in text


def test_optimistic_numbers_say_so_in_the_heading() -> None:
    made = report(protocol=Protocol(threshold="test-shared"))
    assert "F1 % (optimistic)" in made.to_markdown()
    assert "OPTIMISTIC: one threshold for all AUs, chosen on the test labels themselves" in made.to_markdown()


def test_a_missing_interval_is_explained() -> None:
    made = build_report(make_predictions(num_subjects=3, folds=3), title="Three", bootstrap=QUICK)
    assert made.interval is None
    assert "No confidence interval: fold 0 has 1 subject; resampling subjects needs at least 2" in made.to_markdown()


def test_one_held_out_set_says_where_its_guessing_rate_is_from() -> None:
    made = build_report(make_predictions(folds=1), title="One", bootstrap=None)
    assert 'saying "present" at random, as often as in the test labels' in made.to_markdown()
    assert "deviation" not in made.headline
    assert "pooled" not in made.headline


def test_published_numbers_stand_beside_with_their_warning() -> None:
    markdown = report("bp4d").to_markdown()
    header, _, *rows = table_of(markdown)
    column = header.index("FMAE-IAT F1 %")
    entry = published_f1("BP4D", ("FMAE-IAT",))[0]
    assert [row[column] for row in rows] == [f"{100 * entry.f1[au]:.1f}" for au in ("AU01", "AU12")] + ["–"]
    assert "CIU F1 %" in header
    assert "picks the best epoch and threshold on the test fold" in markdown
    assert "Optimistic, for comparison only: macro F1" in markdown
    assert report("bp4d").to_dict()["published_f1"]["CIU F1 %"]["AU01"] == pytest.approx(0.544)


def test_the_papers_way_counts_undefined_f1_as_the_protocol_says() -> None:
    predictions = make_predictions(folds=1)
    labels, probabilities = predictions.labels.copy(), predictions.probabilities.copy()
    labels[:, 1] = 0
    probabilities[:, 1] = 0
    silent = replace(predictions, labels=labels, probabilities=probabilities)
    found = {}
    for undefined in ("excluded", "zero"):
        protocol = replace(silent.protocol, undefined_f1=undefined)
        made = build_report(replace(silent, protocol=protocol), title="One", dataset="bp4d", bootstrap=None)
        found[undefined] = float(made.notes[-1].split("macro F1 ")[1].split(" %")[0])
    assert found["zero"] == pytest.approx(found["excluded"] / 2, abs=0.1)


def test_published_table_is_read_whole() -> None:
    for dataset, units in (("BP4D", BP4D), ("bp4d-plus", BP4D), ("DISFA", DISFA_8)):
        for entry in published_f1(dataset):
            assert not np.isnan(entry.per_au(units)).any()
            assert entry.mean_for(units) == pytest.approx(entry.per_au(units).mean(), abs=0.002)
            assert math.isnan(entry.mean_for(ActionUnitSet.parse("1 2")))
    assert [entry.method for entry in published_f1("BP4D")] == ["FMAE-IAT", "CIU"]
    assert published_f1("DISFA", ("KS",))[0].warning == "a different protocol, that of the paper which prints it"


def test_unknown_data_set_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"no published F1 scores for 'cats'; expected one of BP4D, BP4D\+, DISFA"):
        report("cats")


def test_files_are_written(tmp_path: Path) -> None:
    made = report()
    made.write(tmp_path / "out")
    assert (tmp_path / "out/results.md").read_text(encoding="utf-8") == made.to_markdown()
    assert json.loads((tmp_path / "out/results.json").read_text(encoding="utf-8")) == plain_values(made.to_dict())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["results.json", "results.md"]


def test_report_of_a_loaded_file_is_the_same(tmp_path: Path) -> None:
    predictions = make_predictions()
    again = Predictions.load(predictions.save(tmp_path / "p.parquet"))
    first, second = (build_report(one, title="T", bootstrap=QUICK).to_dict() for one in (predictions, again))
    assert plain_values(first) == plain_values(second)
