"""The docs' site: what is laid out, what its pages link to, and that it asks no other place for anything."""

import re
from pathlib import Path

import pytest
import yaml

from tools.build_docs import ROOT, foreign_requests, lay_out

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("facskit/assets/**/*.md")])


def test_every_page_and_every_module_with_public_names_is_laid_out(tmp_path: Path) -> None:
    lay_out(tmp_path)
    assert all((tmp_path / "docs" / page.relative_to(ROOT)).is_file() for page in PAGES)
    reference = "".join(page.read_text() for page in (tmp_path / "docs" / "reference").glob("*.md"))
    documented = set(re.findall(r"^::: (\S+)$", reference, flags=re.MULTILINE))
    assert {"facskit", "facskit.inference.recognizer", "facskit.evaluation.metrics"} <= documented
    listed = re.findall(r"- (?:[^:\n]+: )?(\S+\.md)$", (tmp_path / "mkdocs.yml").read_text(), flags=re.MULTILINE)
    assert [page for page in listed if not (tmp_path / "docs" / page).is_file()] == []
    unlisted = {str(page.relative_to(ROOT)) for page in PAGES if "assets" not in page.parts} - set(listed)
    assert unlisted == set()


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            target, _, anchor = link.partition("#")
            place = page.parent / target if target else page
            if "://" in link or (place.is_file() and (not anchor or anchor in _anchors(place))):
                continue
            broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert broken == []


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "element",
    [
        '<link rel="stylesheet" href="https://fonts.googleapis.com/css">',
        '<script src="//unpkg.com/x.js"></script>',
        '<img alt="" src="http://elsewhere/x.png">',
        '<pre class="mermaid"></pre>',
    ],
)
def test_requests_to_other_places_are_found(tmp_path: Path, element: str) -> None:
    (tmp_path / "page.html").write_text('<a href="https://elsewhere">a link</a><img src="own.png">')
    assert foreign_requests(tmp_path) == []
    (tmp_path / "page.html").write_text(element)
    assert len(foreign_requests(tmp_path)) == 1


def test_style_sheets_are_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "own.css").write_text("a { background: url(data:image/png;base64,AA) } b { background: url(x.png) }")
    assert foreign_requests(tmp_path) == []
    (tmp_path / "own.css").write_text("@import 'https://fonts.example/css'; a { background: url(//elsewhere/x.png) }")
    assert len(foreign_requests(tmp_path)) == 2


def test_fonts_come_from_the_reader() -> None:
    text = re.sub(r"!!python\S+", "", (ROOT / "mkdocs.yml").read_text())
    assert yaml.safe_load(text)["theme"]["font"] is False
