import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from facskit.errors import DatasetError
from facskit.evaluation.bias.figures import draw_bias
from facskit.evaluation.bias.numbers import published_groups
from facskit.evaluation.bias.report import build_bias_report
from facskit.evaluation.bias.tables import bias_dict, bias_markdown, bias_tables, write_bias_report
from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.predictions import Predictions
from facskit.faces.images import read_image
from facskit.tables import plain_values
from tests.evaluation.bias.test_numbers import wide

FEW = BootstrapConfig(resamples=100)


def never(predictions: Predictions, au: int) -> Predictions:
    probabilities = predictions.probabilities.copy()
    probabilities[:, au] = 0
    return replace(predictions, probabilities=probabilities)


def test_every_number_is_in_every_form(tmp_path: Path) -> None:
    first, second = wide(1.0), never(wide(-1.0), 1)
    groups = published_groups("disfa", first.action_units)
    report = build_bias_report([("often", first), ("seldom", second)], title="Two", groups=groups, bootstrap=FEW)
    values = plain_values(bias_dict(report))
    assert [network["name"] for network in values["networks"]] == ["often", "seldom"]
    per_au = values["networks"][1]["per_au"]
    present = int((first.labels[:, 1] == 1).sum())
    assert per_au["true_positive"]["AU02"] == 0
    assert per_au["false_negative"]["AU02"] == present
    assert per_au["precision"]["AU02"] is None
    assert per_au["log2_ratio"]["AU02"] == pytest.approx(max(-6, -np.log2(2 * present + 1)))
    spread = values["networks"][1]["minus_first"]["spread"]["estimate"]
    assert spread == pytest.approx(
        report.networks[1].numbers.spread.estimate - report.networks[0].numbers.spread.estimate
    )
    markdown = bias_markdown(report)
    assert "| seldom − often |" in markdown
    assert "AU12, AU25; tail: AU01, AU02, AU09 (as CIU's paper names them for DISFA)" in markdown
    assert "100 draws of the 9 test subjects; differences on the same draws" in markdown
    write_bias_report(report, tmp_path / "bias")
    assert (tmp_path / "bias/results.md").read_text(encoding="utf-8") == markdown
    assert json.loads((tmp_path / "bias/results.json").read_text(encoding="utf-8")) == values
    console = Console(file=StringIO(), width=118)
    for table in bias_tables(report):
        console.print(table)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in shown
    assert f"{100 * report.networks[0].numbers.head_f1.estimate:.1f}" in shown


def test_counts_of_several_seeds_are_their_mean() -> None:
    parts = [wide(seed=seed) for seed in (0, 1)]
    report = build_bias_report([("both", concat(parts))], title="", bootstrap=None)
    each = [build_bias_report([("one", part)], title="", bootstrap=None).networks[0] for part in parts]
    mean = (each[0].per_seed("false_positive") + each[1].per_seed("false_positive")) / 2
    assert report.networks[0].per_seed("false_positive") == pytest.approx(mean)
    assert "Counts: the mean of 2 seeds." in report.notes


def test_networks_must_have_seen_the_same_images_and_have_names() -> None:
    one = wide()
    with pytest.raises(DatasetError, match="a and b weren't tested on the same labels: 0 of fold 0"):
        build_bias_report([("a", one), ("b", replace(one, labels=1 - one.labels))], title="")
    with pytest.raises(DatasetError, match="two networks are called 'a'"):
        build_bias_report([("a", one), ("a", one)], title="")
    with pytest.raises(DatasetError, match="no networks to compare"):
        build_bias_report([], title="")


def test_one_subject_gives_numbers_without_intervals() -> None:
    report = build_bias_report([("a", wide().run(0, 0).select(np.arange(60)))], title="")
    assert not report.resampled
    assert any("fold 0 has 1 subject" in note for note in report.notes)
    assert " (" not in bias_markdown(report).splitlines()[4]


def test_the_figure_is_drawn_for_any_number_of_networks(tmp_path: Path) -> None:
    sides = []
    for many in (1, 4):
        networks = [(f"network {number}", never(wide(0.3 * number), number)) for number in range(many)]
        report = build_bias_report(networks, title="Many", bootstrap=FEW if many == 4 else None)
        draw_bias(report, tmp_path / "bias.png")
        image = read_image(tmp_path / "bias.png")
        assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50
        sides.append(image.shape[0])
    assert sides[1] > sides[0]  # a line for every network
