import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from facskit.errors import DatasetError
from facskit.evaluation.expressions.reports import build_expression_report
from facskit.evaluation.predicted_faces import concat
from facskit.evaluation.published import published_accuracies, published_caveats
from facskit.expressions import RAF_DB
from facskit.faces.images import read_image
from tests.evaluation.builders_of_expressions import predictions


def test_a_report_says_how_sure_and_how_made(tmp_path: Path) -> None:
    found = predictions(400, held_out="the corpus's own test part")
    report = build_expression_report(found, title="raf", dataset="raf-db")
    report.write(tmp_path)
    text = (tmp_path / "results.md").read_text()
    assert text == report.to_markdown()
    accuracy = f"{100 * report.scores.accuracy:.1f}"
    for part in (
        f"Accuracy {accuracy} %; 95% interval ",
        "(Wilson, 3",
        "mean class accuracy",
        "macro F1",
        "expected calibration error",
        "the commonest here, gives accuracy",
        "Protocol: last epoch; the most probable expression; unknown labels left out; the corpus's own test part.",
        "predictions are of images without a known expression",
        "FMAE on RAF-DB is 93.45 % in version 2 of the paper, and 93.09 % in the figure of its earlier version.",
        "keeps the best epoch on the test images",
        "| FMAE   | FG 2025   |      93.45 |",
        "| happiness |",
        "![The same as shares of each row](confusion.png)",
    ):
        assert part in text, part
    values = json.loads((tmp_path / "results.json").read_text())
    assert values["accuracy"] == pytest.approx(report.scores.accuracy)
    assert values["expressions"] == list(RAF_DB)
    assert np.array_equal(values["confusion"], report.scores.confusion)
    assert values["protocol"]["stamp"] == found.stamp
    assert values["commonest_answer"]["mean_class_accuracy"] == pytest.approx(1 / 7)
    assert min(read_image(tmp_path / "confusion.png").shape[:2]) > 500


def test_the_terminal_shows_the_same_numbers() -> None:
    report = build_expression_report(predictions(300), title="raf", dataset="raf-db")
    console = Console(width=140, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(report.to_terminal())
    text = console.export_text()
    for number in (report.scores.accuracy, *report.scores.recall, report.scores.macro_f1):
        assert f"{100 * number:.1f}" in text
    assert "Published accuracy on RAF-DB: FMAE 93.45 %, LA-Net 91.78 %" in " ".join(text.split())


def test_each_expression_names_what_it_is_taken_for() -> None:
    answers = np.eye(7, dtype=np.float32)[[3] * 40 + [0] * 20 + [5] * 10]
    found = predictions(70, labels=np.full(70, 3), probabilities=answers)
    text = build_expression_report(found, title="smiles").to_markdown()
    line = next(line for line in text.splitlines() if line.startswith("| happiness"))
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells == ["happiness", "70", "57.1", "100.0", "72.7", "surprise (29 %)"]


def test_seeds_and_folds_have_their_spread() -> None:
    parts = [
        predictions(60, seed=fold + 7 * seed, folds=np.full(60, fold), seeds=np.full(60, seed))
        for fold in (1, 2)
        for seed in (0, 1)
    ]
    report = build_expression_report(concat(parts), title="all")
    assert set(report.by_seed) == {0, 1}
    assert set(report.by_fold) == {1, 2}
    spread = np.std([report.by_seed[seed].accuracy for seed in (0, 1)], ddof=1)
    assert f"standard deviation between 2 seeds {100 * spread:.1f}" in report.headline
    assert "standard deviation between 2 folds" in report.headline
    assert "bootstrap over 60 subjects" in report.headline
    assert "with each of 2 seeds" in " ".join(report.notes)
    assert set(report.to_dict()["seeds"]) == {"0", "1"}


def test_nothing_known_is_said_and_not_scored(tmp_path: Path) -> None:
    report = build_expression_report(predictions(5, labels=np.full(5, -1)), title="unknown")
    assert report.headline == "Accuracy is not defined: no image has a known expression."
    report.write(tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())["accuracy"] is None
    with pytest.raises(DatasetError, match="there are no predictions to score"):
        build_expression_report(predictions(0), title="nothing")


def test_published_numbers_are_those_of_the_table() -> None:
    by_method = {entry.method: entry for entry in published_accuracies("raf-db")}
    assert by_method["FMAE"].accuracy == pytest.approx(0.9345)
    assert by_method["FMAE"].source == "arXiv 2407.11243v2 Table 4"
    assert "figure" in by_method["EAC"].source
    affectnet = published_accuracies("AffectNet-8")
    assert [(entry.method, round(100 * entry.accuracy, 2)) for entry in affectnet[:2]] == [
        ("FMAE", 64.79),
        ("LA-Net", 64.54),
    ]
    assert any("65.00 %" in sentence for sentence in published_caveats("affectnet-8"))
    with pytest.raises(DatasetError, match="no published accuracies for 'ferplus'; expected one of RAF-DB, Affect"):
        published_accuracies("ferplus")
