"""The pages of this repository as a site with a reference of the code: `make docs` writes `build/site/index.html`.

Pages are laid out as in the repository, so that a link between them works in both places.
"""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

__all__ = ["foreign_requests", "lay_out"]

ROOT = Path(__file__).parents[1]
_PAGES = ("*.md", "LICENSE", "NOTICE", "docs/**/*", "facskit/assets/**/*.md", "recipes/**/*.yaml", "examples/*")
_REQUESTING = {"href": ("link",), "src": ("script", "img", "iframe", "source", "video"), "srcset": ("img", "source")}


def lay_out(build: Path) -> None:
    """Copy pages and what they show or link to, write the reference, and the site's configuration beside them."""
    shutil.rmtree(build / "docs", ignore_errors=True)
    for pattern in _PAGES:
        for path in filter(Path.is_file, ROOT.glob(pattern)):
            _copy(path, build / "docs" / path.relative_to(ROOT))
    nav = ["  - Studies:", *_listed("docs/studies"), "  - Decisions:", *_listed("docs/decisions"), "  - Reference:"]
    nav += [f"      - {page}" for page in _write_reference(build / "docs")]
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    (build / "mkdocs.yml").write_text(config + "\n".join(nav) + "\n", encoding="utf-8")


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def _listed(folder: str) -> list[str]:
    """Return a line of the site's contents for each page of a folder, its README first."""
    pages = sorted((ROOT / folder).glob("*.md"), key=lambda path: (path.stem != "README", path.name))
    return [f"      - {path.relative_to(ROOT)}" for path in pages]


def _write_reference(target: Path) -> list[str]:
    """Write a page for each folder of the package, and return the pages' names."""
    package, pages = ROOT / "facskit", []
    for folder in sorted(path.parent for path in package.rglob("__init__.py")):
        modules = [path for path in sorted(folder.glob("*.py")) if "__all__" in path.read_text(encoding="utf-8")]
        names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in modules]
        title = ".".join(folder.relative_to(ROOT).parts)
        page = target / "reference" / f"{title.replace('.', '-')}.md"
        page.parent.mkdir(exist_ok=True)
        page.write_text(f"# {title}\n\n" + "".join(f"::: {name}\n\n" for name in names), encoding="utf-8")
        pages.append(f"reference/{page.name}")
    return pages


def foreign_requests(site: Path) -> list[str]:
    """Return what a browser that shows the site would ask of any other place, with the file that asks."""
    found = []
    for page in sorted(site.rglob("*.html")):
        reader = _Requests()
        reader.feed(page.read_text(encoding="utf-8"))
        found += [f"{page.relative_to(site)}: {url}" for url in reader.found]
    for sheet in sorted(site.rglob("*.css")):
        urls = re.findall(r"(?:url\(|@import\s*)[\"']?((?:https?:)?//[^\"')]+)", sheet.read_text(encoding="utf-8"))
        found += [f"{sheet.relative_to(site)}: {url}" for url in urls]
    return found


class _Requests(HTMLParser):
    """Collects the addresses that a page loads by itself; links that a reader may follow are none."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses of one element."""
        for name, value in attrs:
            if tag in _REQUESTING.get(name, ()) and re.match(r"(https?:)?//", value or ""):
                self.found.append(value or "")
        if ("class", "mermaid") in attrs:  # the theme would fetch the library that draws it
            self.found.append("mermaid")


def main() -> int:
    """Build the site and check it; return the exit code."""
    build = ROOT / "build"
    lay_out(build)
    command = [sys.executable, "-m", "mkdocs", "--quiet", "build", "--strict", "-f", str(build / "mkdocs.yml")]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # an advertisement for the theme's successor
    if code := subprocess.run(command, env=quiet, check=False).returncode:
        return code
    foreign = foreign_requests(build / "site")
    print("\n".join(["The site would ask other places:", *foreign]) if foreign else build / "site" / "index.html")
    return 1 if foreign else 0


if __name__ == "__main__":
    sys.exit(main())
