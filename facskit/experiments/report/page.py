"""The report as one HTML page that asks nothing of any network: styles, drawings and pictures are in the file."""

import base64
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from facskit.experiments.report.contents import Page
from facskit.files import write_text
from facskit.tables import TextTable

__all__ = ["page_html", "write_page"]


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("facskit.experiments.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    environment.filters["is_words"] = _is_words
    return environment.get_template("page.html.jinja")


def _is_words(column: int, table: TextTable) -> bool:
    return column < table.num_text or column in table.more_text


def page_html(page: Page) -> str:
    """Return the page; every text in it is escaped, as names of files and people may hold anything."""
    return _template().render(page=page)


def write_page(page: Page, path: Path) -> None:
    """Write the page to one file, atomically."""
    write_text(path, page_html(page))
