"""What a report holds: sections of text, tables and figures, the same for the page, for Markdown and for JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from facskit.tables import TextTable, markdown_page, plain_values

__all__ = ["Card", "Figure", "Page", "Picture", "Section"]


@dataclass(frozen=True, kw_only=True)
class Card:
    """One number at the top of the page."""

    value: str
    """The number, with its unit."""
    label: str
    """What it is."""
    note: str = ""
    """How sure it is, or how it came about."""
    warning: bool = False
    """Whether the note is something to be careful about."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawing, as inline SVG or HTML that needs nothing from elsewhere."""

    title: str
    """Heading; a figure among several of one kind has a short one."""
    markup: Markup
    """The drawing."""
    caption: str = ""
    """What to see in it."""
    small: bool = False
    """Whether several of its kind stand side by side."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A face, as JPEG bytes."""

    jpeg: bytes
    """The picture."""
    title: str
    """A few words, in bold."""
    caption: str
    """What it shows."""
    wide: bool = False
    """Whether it is a row of several pictures."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One subject of the report."""

    key: str
    """Name in JSON and in links, unique in the page: letters, digits and hyphens."""
    title: str
    """Heading."""
    group: str = ""
    """The run it is about, if there are several; sections of one group stand together."""
    lead: str = ""
    """A sentence or two under the heading."""
    tables: tuple[TextTable, ...] = ()
    """Tables, which all three forms have."""
    figures: tuple[Figure, ...] = ()
    """Figures, which the page alone has."""
    pictures: tuple[Picture, ...] = ()
    """Faces, which the page alone has."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """What JSON has: fractions, NaN where undefined."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """A whole report."""

    title: str
    """Heading."""
    subtitle: str
    """What was run, in one line."""
    cards: tuple[Card, ...]
    """The numbers to see first."""
    sections: tuple[Section, ...]
    """In the order of the page; keys are unique."""
    made: str
    """With what the page was made, in one line."""

    def __post_init__(self) -> None:
        """Refuse two sections with the same key."""
        keys = [section.key for section in self.sections]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise ValueError(f"two sections have the key {twice!r}")

    def to_markdown(self) -> str:
        """Return title, cards and tables as Markdown."""
        cards = [f"- {card.label}: **{card.value}**{f' ({card.note})' if card.note else ''}" for card in self.cards]
        parts = [f"# {self.title}", self.subtitle, "\n".join(cards)]
        for section in self.sections:
            if not section.tables and not section.lead:
                continue
            group = f" of {section.group}" if section.group else ""
            parts.append("\n\n".join(filter(None, [f"## {section.title}{group}", section.lead])))
            if section.tables:
                parts.append(markdown_page(section.tables).replace("\n## ", "\n### ").replace("# ", "### ", 1).rstrip())
        return "\n\n".join([*parts, self.made]) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Return every number by section."""
        found: dict[str, Any] = {"title": self.title, "subtitle": self.subtitle, "made": self.made}
        for section in self.sections:
            if section.numbers:
                found[section.key] = plain_values(dict(section.numbers))
        return found
