"""The one reader of configurations: strict, and one sentence for every mistake."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from facskit.configurations import BY_KIND, keys_left_out, plain_values, read_configuration, written_value


@dataclass(frozen=True, kw_only=True)
class Oval:
    kind: Literal["oval"] = "oval"
    width: float = 1.0
    colours: tuple[int, ...] = (1, 2)


@dataclass(frozen=True, kw_only=True)
class Star:
    tips: int = 5
    kind: Literal["star"] = "star"

    def __post_init__(self) -> None:
        if self.tips < 3:
            raise ValueError(f"tips must be at least 3, got {self.tips}")


@dataclass(frozen=True, kw_only=True)
class Drawing:
    name: str
    shape: Annotated[Oval | Star, BY_KIND] = field(default_factory=Oval)


def test_what_is_written_is_read_back() -> None:
    drawing = Drawing(name="a", shape=Star(tips=7))
    plain = plain_values(drawing)
    assert plain == {"name": "a", "shape": {"kind": "star", "tips": 7}}
    assert list(plain["shape"]) == ["kind", "tips"]  # what a section is about comes first
    assert read_configuration(Drawing, plain) == drawing
    assert read_configuration(Oval | Star, {"kind": "oval", "width": 2}) == Oval(width=2.0)


def test_keys_that_were_left_out_are_known() -> None:
    values = {"name": "a", "shape": {"kind": "oval", "width": 1.0}}
    assert keys_left_out(values, read_configuration(Drawing, values)) == ["shape.colours"]
    assert keys_left_out({"name": "a"}, Drawing(name="a")) == ["shape"]


@pytest.mark.parametrize(
    ("wanted", "values", "sentence"),
    [
        (Oval | Star, {"kind": "stra"}, "kind: found 'stra', expected one of 'oval', 'star'; did you mean 'star'?"),
        (Oval | Star, {}, "the drawing: the key 'kind' is missing, which says what the section is about"),
        (Oval | Star, {"kind": "star", "tips": 2}, "the drawing: tips must be at least 3, got 2"),
        (Drawing, {}, "name: the key is missing"),
        (Drawing, [], "the drawing: found [], expected a section with keys"),
        (Drawing, {"name": "a", "shape": {"kind": "star", "tips": True}}, "shape.tips: found true, expected a whole"),
        (Drawing, {"name": "a", "shape": {"kind": "oval", "colours": [1, "2"]}}, 'shape.colours.1: found "2"'),
        (Drawing, {"name": "a", "shape": {"kind": "oval", "tips": 3}}, "unknown key 'shape.tips'"),
        (Drawing, {"name": {1}}, "a value is neither text, number, list nor section"),
        (int, "x", 'the drawing: found "x", expected a whole number'),
    ],
)
def test_every_mistake_is_one_sentence(wanted: Any, values: object, sentence: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        read_configuration(wanted, values, whole="the drawing")
    assert str(caught.value).startswith(sentence)


def test_values_are_shown_as_they_are_written() -> None:
    assert written_value(None) == "nothing"
    assert written_value([1, "a"]) == '[1, "a"]'
    assert len(written_value("a" * 100)) == 60
