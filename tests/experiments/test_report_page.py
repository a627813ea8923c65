"""The report: one object as page, Markdown and JSON; the page asks nothing of any network and shows its tables."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.evaluation.epochs import epoch_file
from facskit.evaluation.groups import score_groups
from facskit.experiments.report.charts import Line, heat_map, lines, reliability
from facskit.experiments.report.contents import Page
from facskit.experiments.report.gather import ReportPlan, gather_report
from facskit.experiments.report.page import page_html, write_page
from facskit.interfaces.report import main
from tests.evaluation.builders import make_predictions

FEW = BootstrapConfig(resamples=100)


class _Links(HTMLParser):
    """Collects everything that a page could load, and checks that its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in {"src", "href", "action", "data", "srcset"}]
        if tag not in {"meta", "img", "br", "line", "rect"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"line", "rect"}:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("runs")
    words = []
    for name, skill in (("good <b>", 3.0), ("plain", 1.0)):
        path = folder / f"{skill}.parquet"
        make_predictions(skill=skill).save(path)
        words.append(f"{name}={path}")
    return gather_report(words, ReportPlan(bootstrap=FEW, leakage=False))


def test_page_markdown_and_json_have_the_same_numbers(page: Page) -> None:
    text, numbers = page.to_markdown(), page.to_dict()
    shown = html.unescape(re.sub(r"<[^>]+>", " ", page_html(page)))
    f1 = numbers["comparison"]["models"][0]["f1"]
    for form in (text, shown):
        assert f"{100 * f1:.1f} %" in form
        assert "Protocol: last epoch; threshold fixed at 0.5" in form
    json.dumps(numbers, allow_nan=False)
    for section in page.sections:
        assert f'id="{section.key}"' in page_html(page)
        for table in section.tables:
            for row in table.rows:
                assert all(cell in shown for cell in row)


def test_the_page_loads_nothing_and_escapes_names(page: Page) -> None:
    text = page_html(page)
    parser = _Links()
    parser.feed(text)
    assert all(load.startswith(("#", "data:image/jpeg;base64,")) for load in parser.loads)
    assert not parser.open
    assert "url(" not in text
    assert "@import" not in text
    assert "<script" not in text
    assert "good <b>" not in text
    assert "good &lt;b&gt;" in text


def test_a_browser_shows_the_page_and_asks_no_network(page: Page, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium here: apt-get install chromium")
    write_page(page, tmp_path / "report.html")
    log = tmp_path / "net.json"
    seen = subprocess.run(
        [
            browser,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--log-net-log={log}",
            "--dump-dom",
            (tmp_path / "report.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    assert seen.count("<table>") == sum(len(section.tables) for section in page.sections)
    assert seen.count("<section") == len(page.sections)
    assert "AU12" in seen
    events = log.read_text(errors="replace")
    asked = re.findall(r'"url":"(https?://[^"]*)"', events)
    # The browser itself asks its maker for updates and dictionaries; the page must name nobody else.
    assert [url for url in asked if not any(own in url for own in ("google", "gstatic", "gvt1"))] == []


def test_runs_with_epochs_say_what_their_protocols_add(tmp_path: Path) -> None:
    run = tmp_path / "run"
    everyone = make_predictions(folds=1)
    first_four = np.isin(everyone.subjects, [f"S{number:03d}" for number in range(4)])
    for epoch in (1, 2, 3):
        said = make_predictions(folds=1, noise_seed=epoch)
        said.select(first_four).save(epoch_file(run, epoch, "test"))
        said.select(~first_four).save(epoch_file(run, epoch, "validation"))
    said.select(first_four).save(run / "predictions.parquet")
    (run / "recipe.yaml").write_text("name: drawn\n")
    made = gather_report([str(run)], ReportPlan(bootstrap=FEW, leakage=False))
    protocols = made.to_dict()["protocols"]["protocols"]
    assert set(protocols) == {"fixed", "validation", "published-fmae", "published-jaa"}
    assert protocols["published-fmae"]["optimism"]["estimate"] > -1
    assert "(optimistic)" in made.to_markdown()


def test_the_command_writes_three_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_predictions().save(tmp_path / "mine.parquet")
    words = [str(tmp_path / "mine.parquet"), "-o", str(tmp_path / "out" / "page.html"), "--resamples", "100"]
    assert main(words) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["page.html", "page.json", "page.md"]
    assert "Macro F1" in capsys.readouterr().out
    with pytest.raises(DatasetError, match=r"gone: found nothing there"):
        gather_report([str(tmp_path / "gone")])


def test_groups_find_the_one_that_is_recognised_worse() -> None:
    predictions = make_predictions(num_subjects=20, skill=4.0, folds=1)
    unlucky = np.array([subject[-1] in "135" for subject in predictions.subjects.tolist()])
    spoiled = predictions.probabilities.copy()
    spoiled[unlucky] = 1 - spoiled[unlucky]
    membership = np.where(unlucky, "unlucky", "lucky").tolist()
    found = score_groups(replace(predictions, probabilities=spoiled), "luck", membership, FEW)
    assert found is not None
    assert [group.name for group in found.groups] == ["lucky", "unlucky"]
    assert found.f1_gap.estimate == pytest.approx(found.groups[0].f1.estimate - found.groups[1].f1.estimate)
    assert found.f1_gap.low > 0.3
    assert found.odds_difference.estimate > 0.5
    mine = predictions.select(~unlucky)
    assert found.groups[0].f1.estimate == pytest.approx(mine.macro_f1())
    assert score_groups(predictions, "none", [""] * len(predictions), FEW) is None


def test_charts_survive_what_is_missing() -> None:
    gap = lines([Line(name="a", xs=[1.0, 2.0, 3.0], ys=[0.1, float("nan"), 0.3])], x_title="epoch", y_title="F1")
    assert gap.count("<circle") == 2
    assert "Nothing to draw" in lines([], x_title="epoch", y_title="F1")
    empty = reliability(np.full(10, np.nan), np.full(10, np.nan), np.zeros(10, np.int64))
    assert "circle" not in empty
    assert heat_map(np.full((2, 2), np.nan), ["AU01", "AU02"], limit=1.0, what="phi").count("<rect") == 0
