"""The report: one object as page, Markdown and JSON; the page asks nothing of any network and shows its tables."""

import html
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from selenium import webdriver

from facskit.action_units import NO_ACTION_UNITS
from facskit.columns import LANDMARKS_X, LANDMARKS_Y
from facskit.datasets.manifest import Manifest
from facskit.errors import DatasetError
from facskit.evaluation.bootstrap import BootstrapConfig
from facskit.evaluation.epochs import epoch_file
from facskit.evaluation.groups import score_groups
from facskit.experiments.report.charts import Line, heat_map, lines, reliability
from facskit.experiments.report.contents import Page
from facskit.experiments.report.face_sections import _memberships
from facskit.experiments.report.gather import ReportPlan, gather_report
from facskit.experiments.report.page import page_html, write_page
from facskit.interfaces.report import main
from tests.evaluation.builders import make_predictions

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
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


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    yield driver
    driver.quit()


def _asked_for(browser: webdriver.Chrome, file: Path) -> list[str]:
    """Open a page and return every address that it asked for itself: what the browser asks its maker isn't logged."""
    browser.get(file.as_uri())
    browser.find_element("tag name", "body")
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]  # type: ignore[no-untyped-call]
    requests = [event["params"]["request"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return [request["url"] for request in requests if not request["url"].startswith("data:")]


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver aren't installed")
def test_a_browser_shows_the_page_and_asks_no_network(page: Page, browser: webdriver.Chrome, tmp_path: Path) -> None:
    report, other = tmp_path / "report.html", tmp_path / "other.html"
    write_page(page, report)

    assert _asked_for(browser, report) == [report.as_uri()]
    assert len(browser.find_elements("tag name", "table")) == sum(len(section.tables) for section in page.sections)
    assert len(browser.find_elements("tag name", "section")) == len(page.sections)
    assert "AU12" in browser.page_source
    # The same look sees a request that leaves a page.
    other.write_text("<body><img src='http://127.0.0.1:9/pixel.gif'></body>")
    assert "http://127.0.0.1:9/pixel.gif" in _asked_for(browser, other)


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


def test_pictures_are_grouped_by_size_and_by_what_is_covered() -> None:
    points = np.zeros((4, 68, 2))
    points[:, 45, 0] = [20, 30, 59, 80]
    table = pl.DataFrame(
        {"image": list("abcd"), "subject": ["x"] * 4, "hidden": ["", "AU17:beard", None, "AU05:glasses"]}
    )
    names = [*LANDMARKS_X, *LANDMARKS_Y]
    table = table.hstack(pl.DataFrame(points.transpose(0, 2, 1).reshape(4, -1), schema=names, orient="row"))
    manifest = Manifest(table=table, root=Path(), action_units=NO_ACTION_UNITS)

    found = _memberships(manifest)

    assert found["covered"] == ["nothing", "something", "nothing", "something"]
    assert found["distance of the outer eye corners"] == ["under 30 px", "30 to 60 px", "30 to 60 px", "60 px and more"]


def test_rendered_people_are_grouped_as_they_were_drawn() -> None:
    drawn = {"nuisance_male": [0.1, 0.5, 0.9], "nuisance_age": [20.0, 40.0, 70.0], "nuisance_stubble": [0.0, 0.0, 0.4]}
    table = pl.DataFrame({"image": list("abc"), "subject": list("xyz"), **drawn})

    found = _memberships(Manifest(table=table, root=Path(), action_units=NO_ACTION_UNITS))

    # A head whose shape doesn't say has no group.
    assert found["sex as rendered"] == ["female", "", "male"]
    assert found["age as rendered"] == ["under 35 years", "35 to 60 years", "60 years and more"]
    assert found["beard"] == ["none", "none", "beard or stubble"]


def test_charts_survive_what_is_missing() -> None:
    gap = lines([Line(name="a", xs=[1.0, 2.0, 3.0], ys=[0.1, float("nan"), 0.3])], x_title="epoch", y_title="F1")
    assert gap.count("<circle") == 2
    assert "Nothing to draw" in lines([], x_title="epoch", y_title="F1")
    empty = reliability(np.full(10, np.nan), np.full(10, np.nan), np.zeros(10, np.int64))
    assert "circle" not in empty
    assert heat_map(np.full((2, 2), np.nan), ["AU01", "AU02"], limit=1.0, what="phi").count("<rect") == 0
